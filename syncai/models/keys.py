"""API keys that change while the program runs: functions that return a key, and its time of validity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import Any, Protocol, TypeAlias

from .._base.frozen import dataclass

__all__ = ['AccessToken', 'ApiKey', 'Expiring', 'Secret']


class Expiring(Protocol):
    """A token with an expiry, such as `AccessToken` here and in `azure.core.credentials`."""

    @property
    def token(self) -> str:
        """The key."""
        ...

    @property
    def expires_on(self) -> Any:
        """The time of its expiry, in seconds since 1970."""
        ...


class Secret(Protocol):
    """A key that hides itself when printed, such as `pydantic.SecretStr`."""

    def get_secret_value(self) -> str:
        """The key."""
        ...


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A key with an expiry; its repr does not show it.

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
