"""One request to a provider, and the meaning of its errors beyond their status; pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._base.frozen import dataclass

if TYPE_CHECKING:
    from .._prices.payments import Payment
    from ..exceptions import ModelHTTPError
    from .aws_events import AwsEventStreamDecoder

__all__ = ['ErrorFacts', 'HttpRequest']


@dataclass(frozen=True)
class ErrorFacts:
    """Facts in a provider's error body beyond the status; None keeps the usual rules.

    Args:
        error_class: The class to raise.
        hint: A line of the message with the remedy.
        retry: Whether another attempt may help.
        retry_after: Seconds to wait before it.
    """

    error_class: type[ModelHTTPError] | None = None
    hint: str | None = None
    retry: bool | None = None
    retry_after: float | None = None


@dataclass(frozen=True)
class HttpRequest:
    """One request.

    Args:
        classify: Reads the provider's error bodies: status, decoded body, lower-case headers.
        decoder: Makes the decoder of a stream that is no SSE, from the size in bytes of the largest event.
        tokens: Its approximate tokens; set if tokens are limited.
        authorize: Returns the request with the headers of the paying account, for each attempt; its errors end the
            call. None if `headers` has them.
        private: The names of the user's headers, in lower case: they may carry secrets.
        account: A number of the paying account, if only `authorize` knows the key.
        payment: Holds the money of each attempt; None without a budget.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    model_name: str | None = None
    provider: str | None = None
    classify: Callable[[int, object | None, Mapping[str, str]], ErrorFacts] | None = None
    decoder: Callable[[int], AwsEventStreamDecoder] | None = None
    tokens: int = 0
    authorize: Callable[[HttpRequest], Awaitable[HttpRequest]] | None = None
    private: frozenset[str] = frozenset()
    account: int = 0
    payment: Payment | None = None

    def __repr__(self) -> str:  # the headers and often the URL hold a key
        return f'HttpRequest({self.method} {self.host})'

    @property
    def host(self) -> str:
        """Host and port, without name and password."""
        return urlsplit(self.url).netloc.rpartition('@')[2]

    @property
    def endpoint(self) -> str:
        """Method and path, without the query, which may hold a key."""
        return f'{self.method} {urlsplit(self.url).path}'

    @property
    def line(self) -> str:
        """Method and address, without the query, a name or a password."""
        return f'{self.method} {self.host}{urlsplit(self.url).path}'

    @property
    def context(self) -> dict[str, Any]:
        return {'model_name': self.model_name, 'provider': self.provider}
