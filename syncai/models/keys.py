"""API keys that change while the program runs: functions that give one, and for how long it holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import Any, Protocol, TypeAlias

from .._base.frozen import dataclass

__all__ = ['AccessToken', 'ApiKey', 'Expiring', 'Secret']


class Expiring(Protocol):
    """What a token offers that says how long it holds, such as `AccessToken` here and in `azure.core.credentials`."""

    @property
    def token(self) -> str:
        """The key."""
        ...

    @property
    def expires_on(self) -> Any:
        """The time in seconds since 1970 from which on it holds no more."""
        ...


class Secret(Protocol):
    """A key that hides itself in what is printed, such as `pydantic.SecretStr`."""

    def get_secret_value(self) -> str:
        """The key."""
        ...


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A key that holds for a while; its repr does not show it.

    Args:
        token: The key.
        expires_on: The time in seconds since 1970 from which on it holds no more, as `time.time()` counts them.
    """

    token: str = field(repr=False)
    expires_on: float


ApiKey: TypeAlias = str | Secret | Callable[[], str | Secret | Expiring | Awaitable[str | Secret | Expiring]]
"""A key, or a function without arguments that gives one, sync or async.

The function is called for each attempt of a request, where the caller is: a sync one in the caller's thread, while that
waits. What it returns as text is used for that attempt alone. An `AccessToken` is kept, and the function called again
shortly before it expires; threads that find it expired at the same time each call it.
"""
