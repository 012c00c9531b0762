"""One request to a provider, and what the provider's errors mean beyond their status; pure."""

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
    """What a provider's error body says beyond the status; None leaves the usual rules in force.

    Args:
        error_class: The class to raise.
        hint: A line for the message that says what to do.
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
        tokens: How many it will use, about; known where tokens are limited.
        authorize: Gives the request with the headers of the account that pays, for each attempt anew; what it raises
            ends the call. None where `headers` says it already.
        private: The names of the headers that the user has added, in lower case: they may carry secrets.
        account: The account that pays, where only `authorize` knows the key; the same number for the same account.
        payment: What holds the money for each attempt; None where no budget concerns the request.
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
        """Host and port, without the name and password that the URL may hold."""
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
