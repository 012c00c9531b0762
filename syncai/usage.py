"""What a request or a run has used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ['Usage']


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and requests used by one model request, or by several added together.

    Attributes:
        requests: Model requests sent and answered.
        request_tokens: Tokens of the prompts, cached ones included, or None where the provider does not say.
        response_tokens: Tokens generated, reasoning included, or None where the provider does not say.
        total_tokens: Tokens of both, or None where the provider does not say.
        details: Further counts by name (`cached_tokens`, `reasoning_tokens`, `audio_tokens`, ...), or None.
    """

    requests: int = 0
    request_tokens: int | None = None
    response_tokens: int | None = None
    total_tokens: int | None = None
    details: dict[str, int] | None = None

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(
            requests=self.requests + other.requests,
            request_tokens=_add(self.request_tokens, other.request_tokens),
            response_tokens=_add(self.response_tokens, other.response_tokens),
            total_tokens=_add(self.total_tokens, other.total_tokens),
            details=_add_details(self.details, other.details),
        )

    def has_values(self) -> bool:
        """Whether anything was counted at all."""
        return self != Usage()


def _add(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else left + right


def _add_details(left: Mapping[str, int] | None, right: Mapping[str, int] | None) -> dict[str, int] | None:
    if not left and not right:
        return None
    left, right = left or {}, right or {}
    return {name: left.get(name, 0) + right.get(name, 0) for name in (*left, *(n for n in right if n not in left))}
