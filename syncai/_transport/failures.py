"""Failures of requests as errors of this library: the only place that maps errors of the wire."""

from __future__ import annotations

import codecs
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._base.system import is_out_of_descriptors
from ..exceptions import (
    IncompleteStreamError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)
from .causes import cause_in_words
from .forms import form_of
from .proxies import credentials_remedy, without_password
from .rate_headers import exhausted_for
from .request import ErrorFacts
from .retry import TemporaryFailure, is_temporary, retry_after
from .wire_errors import (
    AnswerCut,
    ConnectError,
    ConnectTimeout,
    DecodingError,
    InvalidRequest,
    ProxyError,
    ProxyRefusal,
    TransportError,
    WireTimeout,
    WriteTimeout,
)

if TYPE_CHECKING:
    from .exchange import Exchange
    from .request import HttpRequest

__all__ = ['http_failure', 'packed', 'refuse_web_page', 'too_long', 'translated', 'unexpected']

_EXCERPT = 2000
_TELLING = ('ratelimit', 'rate-limit', 'retry', 'request-id', 'requestid', 'cf-ray')


def translated(exchange: Exchange, error: Exception) -> Exception:
    """A transport's error as an error of this library, wrapped in `TemporaryFailure` if another attempt may help.

    A function instead of a context manager, so that reads of a stream cost nothing more.
    """
    if is_out_of_descriptors(error):  # no descriptor is left, not even to import a module
        host = exchange.request.host
        message = f'cannot reach {host}: {cause_in_words(error)}'
        return TemporaryFailure(ModelConnectionError(message, host=host, **_facts(exchange)))
    if isinstance(error, InvalidRequest):
        return UserError(f'cannot send a request to {exchange.request.host!r}: {error}')
    if isinstance(error, WireTimeout):
        return _timed_out(exchange, error)
    if isinstance(error, TransportError):
        return _broken(exchange, error)
    if isinstance(error, DecodingError):
        return UnexpectedModelBehavior(f'{exchange.request.host}: {error}', **exchange.request.context)
    return error


def _timed_out(exchange: Exchange, error: WireTimeout) -> Exception:
    request, options = exchange.request, exchange.options
    connecting = isinstance(error, ConnectTimeout)
    sending = isinstance(error, WriteTimeout)
    phase = 'connect' if connecting else 'send' if sending else 'next event' if exchange.started else 'first event'
    name = {'connect': 'connect_timeout', 'next event': 'idle_timeout'}.get(phase, 'first_event_timeout')
    if connecting and options.first_event_timeout < options.connect_timeout:  # which includes connecting
        name = 'first_event_timeout'
    limit: float = getattr(options, name)
    message = f'{request.host}: timeout of {limit:g} s ({phase}); HttpOptions.{name} sets it'
    if options.transport is not None:  # mocks explain unexpected requests in a timeout
        message = f'{message} ({error})'
    timeout = ModelTimeoutError(message, phase=phase, limit=limit, **_facts(exchange))
    return TemporaryFailure(timeout) if connecting else timeout


def _broken(exchange: Exchange, error: TransportError) -> Exception:
    """The error for a broken connection; temporary until the first byte of an answer has arrived."""
    host, cause = exchange.request.host, str(error) or type(error).__name__
    if exchange.started:
        return IncompleteStreamError(f'{host}: the connection broke in the answer: {cause}', **_facts(exchange))
    if exchange.answered or isinstance(error, AnswerCut):
        cause = (
            f'the connection broke after the answer had begun: {cause}. '
            'The request is not sent again, since the provider may have billed it'
        )
        return ModelConnectionError(f'{host}: {cause}', host=host, **_facts(exchange))
    failure = ModelConnectionError(f'cannot reach {host}: {cause}', host=host, **_facts(exchange))
    if _is_permanent(error):
        return failure
    # A connection that was closed while idle only shows now; another one is probably fine.
    stale = exchange.number == 1 and not isinstance(error, (ConnectError, ProxyError))
    return TemporaryFailure(failure, 0.0 if stale else None)


def _is_permanent(error: BaseException | None) -> bool:
    """Whether the cause is an untrusted certificate, an unknown name, or a proxy that refuses."""
    while error is not None:
        if isinstance(error, (ssl.SSLCertVerificationError, ProxyRefusal)):
            return True
        if isinstance(error, socket.gaierror):
            return error.errno != socket.EAI_AGAIN
        error = error.__cause__ or error.__context__
    return False


def _facts(exchange: Exchange) -> dict[str, Any]:
    return {**exchange.request.context, 'attempts': exchange.number, 'request_id': exchange.request_id}


def http_failure(exchange: Exchange, raw: bytes) -> Exception:
    request, status, headers = exchange.request, exchange.status, exchange.headers
    body = _decoded(raw, exchange.without_keys_in)
    facts = request.classify(status, body, headers) if request.classify else ErrorFacts()
    wait = retry_after(headers, body) if facts.retry_after is None else facts.retry_after
    if wait is None and status == 429:
        wait = _within(exhausted_for(headers), exchange.options.max_retry_wait)
    again = is_temporary(status, body, headers) if facts.retry is None else facts.retry
    too_long = _too_long_a_wait(wait, exchange.options.max_retry_wait) if again else None
    error: ModelAPIError = (facts.error_class or ModelHTTPError.of)(
        status,
        body=body,
        headers={name: value for name, value in headers.items() if any(part in name for part in _TELLING)},
        endpoint=request.endpoint,
        hint='\n'.join(filter(None, (facts.hint or _redirect(status, headers) or _of_proxy(exchange), too_long)))
        or None,
        retry_after=wait,
        **_facts(exchange),
    )
    return TemporaryFailure(error, wait) if again and not too_long else error


def _too_long_a_wait(wait: float | None, longest: float) -> str | None:
    """The reason not to repeat a temporary error, or None."""
    if wait is None or wait <= longest:
        return None
    return (
        f'The provider asks for a pause of {wait:g} s, and HttpOptions.max_retry_wait allows {longest:g} s: '
        'raise it, or try again later'
    )


def _within(wait: float | None, longest: float) -> float | None:
    """The wait until a quota is filled, which the provider did not request: even a long one does not prevent an
    attempt.
    """
    return wait if wait is not None and wait <= longest else None


def _hint(exchange: Exchange) -> str | None:
    return _redirect(exchange.status, exchange.headers) or _of_proxy(exchange)


def _redirect(status: int, headers: Mapping[str, str]) -> str | None:
    """The hint for a redirect, which is not followed: a key is only sent to addresses of the user."""
    if not 300 <= status < 400:
        return None
    target = headers.get('location', 'another address').partition('?')[0]
    return f'Redirects are not followed. It leads to {target}: correct base_url'


def _of_proxy(exchange: Exchange) -> str | None:
    """The remedy where a proxy that forwards the request asks for credentials."""
    proxy = exchange.forwarding_proxy() if exchange.status == 407 else None
    return proxy and f'It is the proxy {without_password(proxy)} that answers{credentials_remedy(proxy, 407)}'


def _decoded(raw: bytes, hide: Callable[[Any], Any]) -> Any:
    from pydantic_core import from_json

    try:
        value: object = from_json(raw.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        return _excerpt(raw, hide) or None
    return hide(value)


def _excerpt(raw: bytes, hide: Callable[[Any], Any]) -> str:
    """The beginning; what is hidden is not first cut in two."""
    text: str = hide(raw[: 4 * _EXCERPT].decode('utf-8', 'replace'))
    return text[:_EXCERPT]


def packed(exchange: Exchange) -> UnexpectedModelBehavior:
    """The error for a body in an unsupported encoding; none was requested."""
    encoding = exchange.without_keys_in(exchange.headers['content-encoding'].strip()).lower()
    remedy = ": pip install 'syncai-client[brotli]' reads it" if encoding == 'br' else ''
    message = f'{exchange.request.host} sent an answer packed with {encoding!r:.50}, which was not asked for{remedy}'
    return UnexpectedModelBehavior(message, **exchange.request.context)


def refuse_web_page(exchange: Exchange, body: bytes) -> None:
    kind = exchange.headers.get('content-type', '')
    named = 'html' in kind and form_of(kind, body) == 'other'  # PHP, for one, calls everything HTML
    if named or body.lstrip()[:1] == b'<':
        raise unexpected(exchange, 'JSON was expected', body)


def too_long(request: HttpRequest, limit: int) -> UnexpectedModelBehavior:
    """The error for an answer, or a line of one, beyond the size limit."""
    message = f'the answer is longer than {limit} bytes (HttpOptions.max_body_bytes)'
    return UnexpectedModelBehavior(message, **request.context)


def unexpected(exchange: Exchange, expected: str, body: bytes) -> UnexpectedModelBehavior:
    kind = exchange.without_keys_in(exchange.headers.get('content-type', 'no content type'))
    excerpt = _excerpt(body, exchange.without_keys_in)
    return UnexpectedModelBehavior(
        f'{exchange.request.host} answered with {kind}, where {expected}', excerpt, **exchange.request.context
    )
