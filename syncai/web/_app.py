"""A chat with an agent as a WSGI application: a page and its endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..conversations import Conversation
from ..conversations._store import checked_store
from ..exceptions import ChatRequestError, UserError
from ._body import encode
from ._errors import ErrorReply
from ._forms import headers
from ._options import Metadata, Options, logged_reply
from ._page import chat_page
from ._read import MOST_OF_BODY, check_bounds, read_chat
from ._request import ChatRequest
from ._stored_turn import stored_stream

if TYPE_CHECKING:
    from ..agent import Agent
    from ..conversations import Store
    from ..stream import StreamedRunEventsSync

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_LOCAL = ('localhost', '127.0.0.1', '[::1]')
# Scripts and styles of the page itself, requests to its own server, and nothing from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': _POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-cache',
}


def chat_app(
    agent: Agent[Any, Any],
    *,
    deps: Any = None,
    store: Store | None = None,
    hosts: Sequence[str] = _LOCAL,
    keepalive: float | None = 15,
    max_body: int = MOST_OF_BODY,
    max_files: int = 10,
    max_messages: int = 500,
    metadata: Metadata | None = None,
) -> Application:
    """A WSGI application: `GET /` is a chat page, and `POST /api/chat` its endpoint, in the form of `useChat`. The page
    keeps the conversation and sends its texts along, unless a `store` keeps it. With a store, later turns also have the
    returns of tools, and the page asks for decisions about calls that wait. Only requests from the page itself are
    answered: `Host` is one of `hosts`, `Origin` is that host, and the content type is JSON, which a form of another
        page cannot send.

    Args:
        agent: The agent that answers.
        deps: The `ctx.deps` of its tools.
        store: Where conversations are kept, by ids that pages make; for one user, or for users who trust each other;
            `chat_view` of Django and `chat_blueprint` of Flask separate users.
        hosts: The names, without a port, under which the page may be reached; by default those of this machine.
        keepalive: Seconds of silence after which a comment is written, or None.
        max_body: The most bytes of a request.
        max_files: The most files in it.
        max_messages: The most messages in it.
        metadata: Makes further data for the page, besides the usage, from the `RunResult`.

    Raises:
        UserError: An argument is wrong.

    Example:
        ```python
        from wsgiref.simple_server import make_server

        make_server('127.0.0.1', 8000, chat_app(agent)).serve_forever()
        ```
    """
    if not hasattr(agent, 'run_stream_events_sync') or isinstance(agent, Conversation):
        hint = ': stores are given by store=' if isinstance(agent, Conversation) else ''
        raise UserError(f'chat_app takes an Agent, not {type(agent).__name__}{hint}')
    if isinstance(hosts, str) or not all(isinstance(host, str) for host in hosts):
        raise UserError("hosts must be a list of names, such as ['chat.example.org']")
    if wrong := [host for host in hosts if '/' in host or _has_port(host)]:
        raise UserError(f'hosts are names without https:// and without a port, not {wrong[0]!r:.100}')
    checked = None if store is None else checked_store(store)
    bounds = {'max_body': max_body, 'max_files': max_files, 'max_messages': max_messages}
    names = frozenset(host.lower() for host in hosts)
    Options.checked(None, None, None, keepalive, 'stop', None, None, metadata)
    check_bounds(bounds)
    return _ChatApp(agent, deps, checked, names, keepalive, bounds, metadata)


class _ChatApp:
    """Keeps no state of requests: any number of threads may call it at a time."""

    def __init__(
        self,
        agent: Agent[Any, Any],
        deps: Any,
        store: Store | None,
        hosts: frozenset[str],
        keepalive: float | None,
        bounds: Mapping[str, int],
        metadata: Metadata | None,
    ) -> None:
        self._agent = agent
        self._deps = deps
        self._store = store
        self._hosts = hosts
        self._keepalive = keepalive
        self._bounds: Mapping[str, Any] = bounds
        self._metadata = metadata

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._check_origin(environ)
            match environ.get('REQUEST_METHOD'), environ.get('PATH_INFO') or '/':
                case (('GET' | 'HEAD'), '/'):
                    return _answer(start_response, 200, _PAGE_HEADERS, chat_page())
                case 'POST', '/api/chat':
                    return self._chat(environ, start_response)
                case 'GET', path if path.startswith('/api/chat/'):
                    return _answer(start_response, 204, {}, b'')  # nothing for the page to resume
                case _, ('/' | '/api/chat'):
                    return _plain(start_response, 405, 'This method is not allowed here.')
                case _:
                    return _plain(start_response, 404, 'There is nothing here.')
        except Exception as error:
            return _refuse(start_response, logged_reply(error))

    def _chat(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get('CONTENT_TYPE', '').partition(';')[0].strip().lower() != 'application/json':
            raise ChatRequestError('The request must be application/json.', status_code=415)
        asked = read_chat(_body(environ, self._bounds['max_body']), 'ai-sdk', **self._bounds)
        stream = self._stream(asked)
        body = encode(stream, asked=asked, environ=environ, keepalive=self._keepalive, metadata=self._metadata)
        body.begin()
        start_response('200 OK', list(headers('ai-sdk').items()))
        return body

    def _stream(self, asked: ChatRequest) -> StreamedRunEventsSync[Any]:
        if self._store is not None:
            return stored_stream(self._agent, self._store, asked, self._deps)
        if asked.prompt is None:
            text = 'Decisions about calls need a chat that the server keeps: chat_app(agent, store=...).'
            raise ChatRequestError(text, status_code=409)
        return self._agent.run_stream_events_sync(asked.prompt, message_history=asked.message_history, deps=self._deps)

    def _check_origin(self, environ: Mapping[str, Any]) -> None:
        """Raise ChatRequestError unless this application's page can have made the request."""
        host = str(environ.get('HTTP_HOST', '')).lower()
        name = host.rpartition(':')[0] if _has_port(host) else host
        if name not in self._hosts:
            raise ChatRequestError('This host is not served here: name it in `hosts` of chat_app.', status_code=403)
        origin = environ.get('HTTP_ORIGIN')
        if origin is not None and str(origin).lower().partition('://')[2] != host:
            raise ChatRequestError('Requests of other pages are refused.', status_code=403)
        if origin is None and environ.get('HTTP_SEC_FETCH_SITE') == 'cross-site' and environ['REQUEST_METHOD'] != 'GET':
            raise ChatRequestError('Requests of other pages are refused.', status_code=403)


def _has_port(host: str) -> bool:
    return host.rpartition(':')[2].isdigit() and not host.endswith(']')


def _body(environ: Mapping[str, Any], most: int) -> bytes:
    """The body of a request; reads at most the allowed size."""
    try:
        length = int(environ.get('CONTENT_LENGTH') or 0)
    except ValueError:
        raise ChatRequestError('The length of the request is no number.') from None
    if length > most:
        raise ChatRequestError(f'This message is too large: {most} bytes at most.', status_code=413)
    body: bytes = environ['wsgi.input'].read(length) if length > 0 else b''
    return body


def _refuse(start_response: StartResponse, reply: ErrorReply) -> Iterable[bytes]:
    return _answer(start_response, reply.status, reply.headers, reply.body)


def _plain(start_response: StartResponse, status: int, sentence: str) -> Iterable[bytes]:
    return _answer(start_response, status, {'Content-Type': 'text/plain; charset=utf-8'}, sentence.encode())


def _answer(start_response: StartResponse, status: int, fields: Mapping[str, str], body: bytes) -> Iterable[bytes]:
    length = {} if status == 204 else {'Content-Length': str(len(body))}
    start_response(f'{status} {HTTPStatus(status).phrase}', list({**fields, **length}.items()))
    return [body]
