"""The usage of a request or a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ._base.call_hints import explain_arguments
from ._base.frozen import dataclass
from ._base.lazy import importer
from ._base.other_arguments import OF_USAGE_LIMITS
from ._base.other_names import OF_LIMITS, OF_USAGE, OtherNames
from ._prices import Answers, PricedCounts, sum_of_prices
from .exceptions import UsageLimitExceeded, UserError

__all__ = ['Usage', 'UsageLimits']


@dataclass(frozen=True, slots=True)
class Usage(PricedCounts):
    """Tokens and requests used by one model request, or by several added together.

    Attributes:
        requests: Model requests sent and answered.
        request_tokens: Tokens of the prompts, cached ones included, or None if the provider does not say.
        response_tokens: Tokens generated, reasoning included, or None if the provider does not say.
        total_tokens: Tokens of both, or None if the provider does not say.
        details: Further counts by name (`cached_tokens`, `reasoning_tokens`, `audio_tokens`, ...), or None.
    """

    requests: int = 0
    request_tokens: int | None = None
    response_tokens: int | None = None
    total_tokens: int | None = None
    details: dict[str, int] | None = None

    _other_names = OF_USAGE

    def __post_init__(self) -> None:
        object.__setattr__(self, '_source', None)

    @property
    def input_tokens(self) -> int | None:
        """The same as `request_tokens`."""
        return self.request_tokens

    @property
    def output_tokens(self) -> int | None:
        """The same as `response_tokens`."""
        return self.response_tokens

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        total = Usage(
            requests=self.requests + other.requests,
            request_tokens=_add(self.request_tokens, other.request_tokens),
            response_tokens=_add(self.response_tokens, other.response_tokens),
            total_tokens=_add(self.total_tokens, other.total_tokens),
            details=_add_details(self.details, other.details),
        )
        if self._source is not None or other._source is not None:
            total._priced(sum_of_prices(self, other))
        return total

    def __reduce__(self) -> tuple[Any, ...]:
        return (Usage, counts_of(self)) if self._source is None else (_restored, (*counts_of(self), self._source))

    def _repr_html_(self) -> str:
        from ._base.notebook import html_table  # imported here: only notebooks need it

        counts = {
            'requests': self.requests,
            'prompt tokens': self.request_tokens,
            'answer tokens': self.response_tokens,
            **{name.replace('_', ' '): count for name, count in (self.details or {}).items()},
        }
        return html_table((name, count) for name, count in counts.items() if count is not None)

    def has_values(self) -> bool:
        """Whether anything was counted at all."""
        return self != Usage()


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageLimits(OtherNames):
    """What one run may use; None is no limit. A run that would pass one ends with `UsageLimitExceeded`.

    Args:
        request_limit: Model requests.
        request_tokens_limit: Tokens of all prompts together.
        response_tokens_limit: Tokens of all answers together.
        total_tokens_limit: Tokens of both.
        tool_calls_limit: Calls of function tools.
        price_limit: US dollars, such as `Decimal('0.50')`: of the run and the runs in its tools. Before a request its
            price is held, with `max_tokens` or 4096 tokens of answer; one that does not fit is not sent, which is the
            `UsageLimitExceeded` called `BudgetExceeded`. Needs the extra `prices`.

    Raises:
        UserError: A limit is not an integer, 0 or above, or the price no amount.
    """

    request_limit: int | None = 50
    request_tokens_limit: int | None = None
    response_tokens_limit: int | None = None
    total_tokens_limit: int | None = None
    tool_calls_limit: int | None = None
    price_limit: Decimal | int | float | None = None

    _other_names = OF_LIMITS

    def __post_init__(self) -> None:
        if self.price_limit is not None and not _is_amount(self.price_limit):
            raise UserError(
                f"UsageLimits.price_limit must be None or US dollars such as Decimal('0.50'), not {self.price_limit!r}"
            )
        for field in fields(self)[:-1]:
            value = getattr(self, field.name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise UserError(f'UsageLimits.{field.name} must be None or an integer, 0 or above, not {value!r}')

    @property
    def of_tokens(self) -> bool:
        """Whether tokens are limited at all."""
        return not (self.request_tokens_limit is self.response_tokens_limit is self.total_tokens_limit is None)

    def check_before_request(self, usage: Usage) -> None:
        """Raise UsageLimitExceeded unless one more request is allowed.

        Raises:
            UsageLimitExceeded: Names the limit.
        """
        if self.request_limit is not None and usage.requests >= self.request_limit:
            raise UsageLimitExceeded(
                f'The next request would pass the request_limit of {self.request_limit}: '
                'raise it with usage_limits=UsageLimits(request_limit=...), or see what the model keeps asking for'
            )

    def check_tokens(self, usage: Usage) -> None:
        """Raise UsageLimitExceeded unless the tokens are within the limits.

        Raises:
            UsageLimitExceeded: Names the limit.
        """
        for name in ('request_tokens', 'response_tokens', 'total_tokens'):
            limit, count = getattr(self, f'{name}_limit'), getattr(usage, name) or 0
            if name == 'total_tokens':  # some providers count one side alone, or give no sum
                count = max(count, (usage.request_tokens or 0) + (usage.response_tokens or 0))
            if limit is not None and count > limit:
                raise UsageLimitExceeded(f'The run has used {count} {name}, more than the {name}_limit of {limit}')

    def check_tool_calls(self, calls: int) -> None:
        """Raise UsageLimitExceeded unless that number of calls of function tools is allowed.

        Raises:
            UsageLimitExceeded: Names the limit.
        """
        if self.tool_calls_limit is not None and calls > self.tool_calls_limit:
            raise UsageLimitExceeded(f'The next calls would pass the tool_calls_limit of {self.tool_calls_limit}')


def _is_amount(value: object) -> bool:
    number = isinstance(value, Decimal | int | float) and not isinstance(value, bool)
    return number and Decimal(str(value)).is_finite() and Decimal(str(value)) >= 0


def counts_of(usage: Usage) -> tuple[Any, ...]:
    """The fields of a usage, in their order."""
    return usage.requests, usage.request_tokens, usage.response_tokens, usage.total_tokens, usage.details


def priced(usage: Usage, source: Answers | Decimal | None) -> Usage:
    """The same counts, with what their price comes from: the answers that they count, or a figure."""
    copy: Usage = Usage(*counts_of(usage))._priced(source)
    return copy


def _restored(*state: Any) -> Usage:
    usage: Usage = Usage(*state[:-1])._priced(state[-1])
    return usage


def _add(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else left + right


def _add_details(left: Mapping[str, int] | None, right: Mapping[str, int] | None) -> dict[str, int] | None:
    if not left and not right:
        return None
    left, right = left or {}, right or {}
    return {name: left.get(name, 0) + right.get(name, 0) for name in (*left, *(n for n in right if n not in left))}


explain_arguments(UsageLimits, OF_USAGE_LIMITS)

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})
