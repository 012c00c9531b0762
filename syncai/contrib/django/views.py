"""Views: a run as the streamed response to a request, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Literal, TypeAlias, cast

from asgiref.sync import async_to_sync
from django.db import DEFAULT_DB_ALIAS, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.views.decorators.csrf import ensure_csrf_cookie

from ..._engine.surroundings import Surroundings, surrounded
from ...agent import Agent
from ...exceptions import SyncAIError, UserError
from ...web import ChatRequest, Form, encode, encode_async, headers
from ...web._options import logged_reply
from .._answers import Asked, check_agent, encoding_options, of_run, read_request, with_limits
from .._page import page_of
from .._turns import KeptStream, KeptStreamAsync, Turn, standing
from ._names import conversation_of, user_of
from .conf import settings_of_project, store_of_project
from .threads import run_in_request_thread

__all__ = ['chat_page', 'chat_view', 'stream_response']

View: TypeAlias = Callable[[HttpRequest], HttpResponseBase]


def stream_response(
    request: HttpRequest,
    agent: Agent[Any, Any],
    prompt: Any = None,
    *,
    form: Form | None = None,
    asked: ChatRequest | None = None,
    atomic: bool | str = False,
    turn: Turn | None = None,
    **options: Any,
) -> HttpResponseBase:
    """The response that streams a run; what goes wrong before its first byte is a status with a sentence.

        def ask(request):
            asked = read_chat(request.body)
            return stream_response(request, agent, asked.prompt, asked=asked, deps=request.user)

    Under WSGI the tools run in the thread of the request; under ASGI, from sync and async views alike, in the thread
    that has the request's database connection. The run stops when the browser leaves.

    When the body streams, the view is over, and with it the transaction of `ATOMIC_REQUESTS`, the session that is saved
    and the middleware: a tool that writes several rows needs a transaction of its own, which `atomic` gives it.

    Args:
        request: The request.
        agent: The agent.
        prompt: What to ask; None goes on from `message_history`.
        form: What the page reads; None takes that of `asked`, else the setting `FORM`.
        asked: What the page has sent, from `read_chat`.
        atomic: Whether each call of a sync tool is a transaction, undone where the tool raises; or the alias of the
            database that it is of.
        turn: The conversation in a store, in place of `message_history`; `chat_view` gives it.
        options: Those of a run, such as `deps`, `message_history` and `usage_limits`, and those of `syncai.web.encode`:
            `keepalive`, `on_leave`, `on_finish`, `message_id`, `metadata`. Under ASGI `on_finish` may be async; a sync
            one runs in the thread of the tools.
    """
    check_agent(agent, 'stream_response')
    try:
        settings = settings_of_project()
        chosen: Any = form or (asked.form if asked else None) or settings.form
        encoding = {**encoding_options(settings, options), 'form': chosen, 'asked': asked}
        run = with_limits(settings, options)
        if _is_asgi(request):
            pieces: Any = _pieces_of_asgi(agent, prompt, encoding, run, _around(atomic), turn)
        else:
            pieces = _pieces_of_wsgi(request, agent, prompt, encoding, run, _around(atomic), turn)
    except SyncAIError as error:
        return _refusal(error)
    return StreamingHttpResponse(pieces, headers=headers(chosen))


def _pieces_of_wsgi(
    request: HttpRequest,
    agent: Agent[Any, Any],
    prompt: Any,
    encoding: dict[str, Any],
    run: dict[str, Any],
    around: Callable[..., Any] | None,
    turn: Turn | None,
) -> Iterator[bytes]:
    """The body, whose run has begun."""
    with surrounded(Surroundings(around_tool=around)):
        stream = turn.open_sync(agent, prompt, run) if turn else agent.run_stream_events_sync(prompt, **run)
    body = encode(stream, environ=request.META, **encoding)
    body.begin()
    return KeptStream(body, stream, turn) if turn else body


def _pieces_of_asgi(
    agent: Agent[Any, Any],
    prompt: Any,
    encoding: dict[str, Any],
    run: dict[str, Any],
    around: Callable[..., Any] | None,
    turn: Turn | None,
) -> AsyncIterator[bytes]:
    """The same; in a sync view, the run begins on the server's loop, which reads the body too."""
    with surrounded(Surroundings(around_tool=around, run_sync=run_in_request_thread)):
        stream = turn.open_async(agent, prompt, run) if turn else agent.run_stream_events(prompt, **run)
    kept: list[KeptStreamAsync] = []
    encoding['on_finish'] = partial(_finished, encoding.get('on_finish'), kept)
    body = encode_async(stream, **encoding)
    if turn:
        finishes = encoding['on_leave'] == 'finish'
        kept.append(KeptStreamAsync(body, stream, turn, run_in_request_thread, finishes=finishes))
    if not _in_loop():
        async_to_sync(body.begin)()
    return kept[0] if kept else body


async def _finished(on_finish: Callable[[Any], Any] | None, kept: list[KeptStreamAsync], result: Any) -> None:
    for stream in kept:
        await stream.keep()
    if on_finish is None:
        return
    if asyncio.iscoroutinefunction(on_finish):
        await on_finish(result)
    else:
        await run_in_request_thread(partial(on_finish, result))


def chat_view(
    agent: Agent[Any, Any],
    *,
    form: Form | None = None,
    deps: Callable[[HttpRequest], Any] | None = None,
    store: Any = None,
    conversation: Callable[[HttpRequest, str], str] | None = None,
    approvals: Literal['staff', 'user'] | None = None,
    atomic: bool | str = False,
    **options: Any,
) -> View:
    """A view that answers a chat page: `path('chat/', chat_view(agent))`.

    CSRF is checked as for all views; who may ask is for the decorators of the project, such as `login_required`.

    Args:
        agent: The agent.
        form: What the page sends and reads; None takes the setting `FORM`.
        deps: Gives the `deps` of a run from the request; None takes the user where the agent takes one.
        store: Where conversations are kept, such as `DjangoStore()`; None takes the setting `STORE`. With a store only
            the last message of the page is read, and calls that wait for a decision are kept.
        conversation: Names the conversation in the store, from the request and the page's own id. By default that id
            under the user or, of a visitor, under the session, so that nobody reads what another has asked.
        approvals: Who decides of calls that wait: the `'staff'` in the admin, or the `'user'` in the page; None takes
            the staff where the store keeps decisions, as `DjangoStore` does.
        atomic: As of `stream_response`.
        options: As of `stream_response`.

    Raises:
        UserError: An argument is wrong.
    """
    from .checks import agents_of_views

    check_agent(agent, 'chat_view')
    agents_of_views.add(agent)
    name_of, deps_of = conversation or conversation_of, deps or partial(user_of, agent)

    def view(request: HttpRequest) -> HttpResponseBase:
        if request.method not in ('GET', 'POST'):
            return HttpResponseNotAllowed(['GET', 'POST'])
        try:
            kept = store_of_project(store)
            if request.method == 'GET':
                return _standing(request, kept, name_of, approvals)
            asked = read_request(request.body, form, settings_of_project(), stored=kept is not None)
            turn = Turn.load(kept, name_of(request, asked.id), asked.answers, approvals) if kept is not None else None
            run = {**options, **asked.run_options(turn), 'deps': deps_of(request)}
            if turn is not None and turn.decisions and asked.prompt is not None:
                with surrounded(Surroundings(around_tool=_around(atomic))):
                    turn = turn.resumed(agent, of_run(run))
        except SyncAIError as error:
            return _refusal(error)
        return stream_response(
            request, agent, asked.prompt, asked=asked.chat, form=form, turn=turn, atomic=atomic, **run
        )

    return view


def chat_page(endpoint: str, *, title: str = 'Chat') -> View:
    """A view of a page that chats with the `chat_view` at `endpoint`, an address such as `'chat/'`.

    The page is one HTML file without a build step, and sets the cookie that Django's CSRF check wants.
    """

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(page_of(endpoint, title=title, csrf_token=get_token(request)))

    return cast('View', ensure_csrf_cookie(view))


def _standing(
    request: HttpRequest, store: Any, name_of: Callable[[HttpRequest, str], str], approvals: str | None
) -> HttpResponse:
    if store is None:
        return HttpResponseNotAllowed(['POST'])
    return JsonResponse(standing(store, name_of(request, Asked.checked_id(request.GET.get('id'))), approvals))


def _refusal(error: BaseException) -> HttpResponse:
    reply = logged_reply(error)
    return HttpResponse(reply.body, status=reply.status, headers=reply.headers)


def _around(atomic: bool | str) -> Any:
    if not isinstance(atomic, bool | str):
        raise UserError(f'atomic must be True, False or the alias of a database, not {atomic!r:.100}')
    if not atomic:
        return None
    return transaction.atomic(using=DEFAULT_DB_ALIAS if atomic is True else atomic)


def _is_asgi(request: HttpRequest) -> bool:
    return hasattr(request, 'scope')


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
