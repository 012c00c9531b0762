"""Flask (extra `flask`): streamed views, `SYNCAI_*` keys, a blueprint with a page, and `flask syncai`.

    app = Flask(__name__)
    app.config['SYNCAI_MODEL'] = 'openai:gpt-5.4-mini'
    init_app(app)
    app.register_blueprint(chat_blueprint(Agent()))

docs/flask.md is the guide.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..agent import Agent
from ..approvals import Decision
from ..conversations import Conversation, Keep, OnOpen, Save
from ..exceptions import ChatRequestError, SyncAIError, UserError
from ..models._route.defaults import Defaults, set_defaults
from ..web import ChatRequest, Form, encode, headers
from ..web._options import logged_reply
from ._answers import Asked, check_agent, check_options, encoding_options, of_run, read_request, with_limits
from ._page import page_of
from ._settings import AppSettings, read_settings
from ._stores import store_of
from ._turns import answers_to, events_of, standing, turn_of

try:
    from flask import Blueprint, Flask, Response, abort, current_app, has_request_context, jsonify, request, session
    from flask.globals import app_ctx, request_ctx
except ModuleNotFoundError as error:
    if error.name != 'flask':
        raise
    raise ModuleNotFoundError(
        "syncai.contrib.flask needs flask: pip install 'syncai-client[flask]'", name='flask'
    ) from None

__all__ = ['chat_blueprint', 'init_app', 'stream_response', 'StreamedResponse']

_NAME = 'syncai'


class _Extension:
    """The state of syncai in an application; made by `init_app`, read by any thread."""

    def __init__(self, settings: AppSettings) -> None:
        self.settings = settings
        self.defaults = Defaults(settings.model, settings.http)
        self.store = None if settings.store is None else store_of(settings.store, 'SYNCAI_STORE')


_last: _Extension | None = None  # of the latest application; for code outside of any application context


def init_app(app: Flask) -> None:
    """Apply the keys `SYNCAI_*` of the configuration, and add the command `flask syncai`.

    Args:
        app: The application, whose configuration is complete.

    Raises:
        UserError: Some keys are wrong; a line for each.
    """
    global _last
    if not isinstance(app, Flask):
        raise UserError(f'init_app takes the Flask application, not {type(app).__name__}')
    values = {key.removeprefix('SYNCAI_'): value for key, value in app.config.items() if key.startswith('SYNCAI_')}
    settings, wrong = read_settings(values, lambda key: f'SYNCAI_{key}')
    if wrong:
        raise UserError('\n'.join(wrong))
    settings.limit_providers()
    _last = app.extensions[_NAME] = _Extension(settings)
    set_defaults(_defaults)
    app.cli.add_command(_command())


def _defaults() -> Defaults:
    """The defaults of the current application, else of the latest one."""
    extension = current_app.extensions.get(_NAME) if current_app else _last
    return extension.defaults if extension else Defaults()


def _extension() -> _Extension:
    extension: _Extension | None = current_app.extensions.get(_NAME)
    if extension is None:
        raise UserError('syncai is not set up for this application: call syncai.contrib.flask.init_app(app) first')
    return extension


class StreamedResponse(Response):
    """A response whose body may use `request`, `g`, `session` and `current_app` of its view.

    With `stream_with_context` the teardown functions run when the view returns and again at the end, so the body finds
    closed resources. Here the contexts stay until the body is closed, and teardown functions run then, once. The
    session is read-only in the body: its cookie is sent before.
    """

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Called by Flask in the contexts of the request, which it pops when this returns."""
        pieces = super().__call__(environ, start_response)
        if not has_request_context():
            return pieces
        context = app_ctx._get_current_object()  # type: ignore[attr-defined]
        if not hasattr(context, 'has_request'):  # Flask until 3.1 has two contexts
            context = request_ctx._get_current_object()  # type: ignore[attr-defined]
        return _InContext(pieces, context)


class _InContext(Iterator[bytes]):
    """The pieces of a body, in the contexts of their request: until the last one, or until `close`."""

    def __init__(self, pieces: Any, context: Any) -> None:
        self._pieces, self._context = pieces, context
        context.push()

    def __next__(self) -> bytes:
        try:
            piece: bytes = next(self._pieces)
        except BaseException as error:
            self._pop(None if isinstance(error, StopIteration) else error)
            raise
        return piece

    def close(self) -> None:
        """End the body, as the server does after the last piece or when the browser has left."""
        try:
            self._pieces.close()
        finally:
            self._pop(None)

    def _pop(self, error: BaseException | None) -> None:
        context, self._context = self._context, None
        if context is not None:
            with suppress(ValueError):  # the server closes in another thread, after the teardown functions
                context.pop(error)


def stream_response(
    agent: Agent[Any, Any] | Conversation[Any, Any],
    prompt: Any = None,
    *,
    form: Form | None = None,
    asked: ChatRequest | None = None,
    answers: Mapping[str, Decision] | None = None,
    **options: Any,
) -> Response:
    """The response that streams a run; an error before its first byte is a status with a sentence.

        @app.post('/ask')
        def ask():
            asked = read_chat(request.get_data(), history='server')
            chat = agent.conversation(f'user-{current_user.id}', store=store)
            return stream_response(chat, asked.prompt, asked=asked)

    A conversation is loaded when its run begins and written after each step, however the response ends. The tools run
    in the thread of the request, in its contexts. The run stops when the browser leaves.

    Args:
        agent: The agent, or a conversation of one.
        prompt: What to ask; None continues from `message_history`, or in a conversation from the decided calls.
        form: The form that the page reads; None takes that of `asked`, else `SYNCAI_FORM`.
        asked: The page's request, from `read_chat`.
        answers: The decisions about the conversation's waiting calls, by their ids; None takes those of `asked` if it
            has no prompt.
        options: Options of a run, such as `deps`, `message_history` and `usage_limits`, and options of
            `syncai.web.encode`: `keepalive`, `on_leave`, `on_finish`, `on_pause`, `message_id`, `metadata`.
    """
    check_agent(agent, 'stream_response', conversation=True)
    try:
        settings = _extension().settings
        chosen: Any = form or (asked.form if asked else None) or settings.form
        encoding = {**encoding_options(settings, options), 'form': chosen, 'asked': asked}
        run = with_limits(settings, options)
        stream = events_of(agent, prompt, answers_to(agent, prompt, answers, asked), run)
        body = encode(stream, environ=request.environ, **encoding)
        body.begin()
    except SyncAIError as error:
        return _refusal(error)
    return StreamedResponse(body, headers=headers(chosen))


def chat_blueprint(
    agent: Agent[Any, Any],
    *,
    name: str = 'chat',
    url_prefix: str | None = None,
    title: str = 'Chat',
    form: Form | None = None,
    deps: Callable[[], Any] | None = None,
    store: Any = None,
    conversation: Callable[[str], str] | None = None,
    keep: Keep | None = None,
    save: Save = 'step',
    on_open: OnOpen = 'run',
    **options: Any,
) -> Blueprint:
    """A blueprint with a chat page at its root, and its endpoint at `api/chat`.

    The endpoint takes JSON alone, and none from other origins. Access is the task of a `before_request` of the
    blueprint.

    Args:
        agent: The agent.
        name: The name of the blueprint.
        url_prefix: Its address prefix; None is the root of the application.
        title: The title of the page.
        form: The form that the page sends and reads; None takes `SYNCAI_FORM`. The page of the blueprint reads
            `'ai-sdk'`.
        deps: Returns the `deps` of a run, in the context of the request.
        store: Where conversations are kept: a store, `'sqlite:chats.db'` or `'redis://localhost/0'`; None takes
            `SYNCAI_STORE`. With a store only the last message of the page is read.
        conversation: Names the conversation in the store, from the page's own id. By default that id, prefixed by a
            secret of the session, so that nobody can read another's conversation.
        keep: The messages that are sent: `Last(count)`, `Fit(share)`; None sends all of it.
        save: When it is written: after each `'step'`, so that a killed process loses none, or at the `'end'` of a run.
        on_open: What happens to tool calls that a killed process left without a return, as of
            `agent.conversation`.
        options: As in `stream_response`.

    Raises:
        UserError: An argument is wrong.
    """
    check_agent(agent, 'chat_blueprint')
    check_options(options, form, 'chat_blueprint')
    chat_options: dict[str, Any] = {'keep': keep, 'save': save, 'on_open': on_open}
    agent.conversation(None, **chat_options)  # raises for options that are wrong
    blueprint = Blueprint(name, __name__, url_prefix=url_prefix)
    chat = _Endpoint(
        agent=agent,
        form=form,
        deps=deps,
        store=None if store is None else store_of(store, 'store'),
        name_of=conversation or _conversation_of,
        chat_options=chat_options,
        options=options,
    )

    @blueprint.get('/')
    def page() -> str:
        return page_of(f'{request.script_root}{request.path.rstrip("/")}/api/chat', title=title)

    blueprint.add_url_rule('/api/chat', 'waiting', chat.waiting, methods=['GET'])
    blueprint.add_url_rule('/api/chat', 'chat', chat.answer, methods=['POST'])
    return blueprint


@dataclass(frozen=True, kw_only=True)
class _Endpoint:
    """The endpoint of a chat page, with the arguments of `chat_blueprint`."""

    agent: Agent[Any, Any]
    form: Form | None
    deps: Callable[[], Any] | None
    store: Any
    name_of: Callable[[str], str]
    chat_options: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def store_in_use(self) -> Any:
        """That of the blueprint, else that of the application, or None."""
        return self.store if self.store is not None else _extension().store

    def waiting(self) -> Response:
        """What of a stored conversation waits for a decision."""
        store = self.store_in_use
        if store is None:
            abort(405)
        try:
            return jsonify(standing(store, self.name_of(Asked.checked_id(request.args.get('id'))), None))
        except SyncAIError as error:
            return _refusal(error)

    def answer(self) -> Response:
        """The stream of a run, or a status with a sentence."""
        try:
            _check_origin()
            store = self.store_in_use
            asked = read_request(_body(), self.form, _extension().settings, stored=store is not None)
            runs: Agent[Any, Any] | Conversation[Any, Any] = self.agent
            run = {**self.options, 'deps': self.deps() if self.deps else self.options.get('deps')}
            if store is None:
                answers, run['message_history'] = None, asked.history
            else:
                turn = turn_of(
                    asked, self.agent, store, self.name_of(asked.id), of_run(run), chat_options=self.chat_options
                )
                runs, answers = turn.chat, turn.answers
        except SyncAIError as error:
            return _refusal(error)
        return stream_response(runs, asked.prompt, asked=asked.chat, form=self.form, answers=answers, **run)


def _body() -> bytes:
    """The body; reads at most the allowed size, since the length of a chunked body is unknown."""
    most = _extension().settings.most_of_body
    if (request.content_length or 0) > most:
        raise ChatRequestError(f'This message is too large: {most} bytes at most.', status_code=413)
    chunks: bytes = b'' if request.content_length is not None else request.stream.read(most + 1)
    return chunks or request.get_data()


def _check_origin() -> None:
    """Refuse requests that another site makes a browser send: Flask has no CSRF token.

    Raises:
        ChatRequestError: With status 403 or 415.
    """
    # The browser's header counts first: the host that a proxy sends may lack the port.
    site, origin = request.headers.get('Sec-Fetch-Site'), request.headers.get('Origin')
    same = site == 'same-origin' if site else origin is None or origin.partition('://')[2] == request.host
    if not same:
        raise ChatRequestError('Requests of other origins are refused.', status_code=403)
    if request.mimetype != 'application/json':
        raise ChatRequestError('The content type must be application/json.', status_code=415)


def _conversation_of(chat: str) -> str:
    if not current_app.secret_key:
        raise UserError(
            'A store needs to know whose conversation it is: set SECRET_KEY, or give '
            'chat_blueprint(..., conversation=lambda id: ...)'
        )
    key = session.setdefault('syncai', secrets.token_urlsafe(16))
    return f'visitor-{hashlib.sha256(key.encode()).hexdigest()[:32]}/{chat}'


def _refusal(error: BaseException) -> Response:
    reply = logged_reply(error)
    return Response(reply.body, status=reply.status, headers=reply.headers)


def _command() -> Any:
    """The command `flask syncai`."""
    from flask.cli import AppGroup

    group = AppGroup(_NAME, help='Language models: what is configured, and what is wrong with it.')

    @group.command('doctor', help='Look at keys, providers and the loop thread, and say what is wrong. Sends no key.')
    def doctor() -> None:
        import click

        from ..cli._findings import keys, process, versions

        settings = _extension().settings
        click.echo(
            f'model {settings.model or "of each agent"}, form {settings.form!r}, store {settings.store or "none"}'
        )
        wrong = 0
        for title, findings in (('Versions', versions()), ('Keys and proxies', keys()), ('This process', process())):
            click.echo(f'\n{title}')
            for finding in findings:
                wrong += finding.state == 'error'
                click.echo(f'  {finding.state:8}{finding.text}{f": {finding.advice}" if finding.advice else ""}')
        raise SystemExit(bool(wrong))

    return group
