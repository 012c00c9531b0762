"""Views: a run as the streamed response to a request, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, cast

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
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
from ...approvals import Decision
from ...conversations import Conversation, Keep, OnOpen, Save
from ...exceptions import ChatRequestError, SyncAIError, UserError
from ...web import ChatRequest, Form, encode, encode_async, headers
from ...web._options import logged_reply
from .._answers import Asked, check_agent, check_options, encoding_options, of_run, read_request, with_limits
from .._page import page_of
from .._turns import answers_to, events_of, standing, turn_of
from ._names import conversation_of, user_of
from .conf import check_installed, settings_of_project, store_of_project
from .threads import run_in_request_thread

__all__ = ['chat_page', 'chat_view', 'stream_response']

View: TypeAlias = Callable[[HttpRequest], HttpResponseBase]


def stream_response(
    request: HttpRequest,
    agent: Agent[Any, Any] | Conversation[Any, Any],
    prompt: Any = None,
    *,
    form: Form | None = None,
    asked: ChatRequest | None = None,
    answers: Mapping[str, Decision] | None = None,
    atomic: bool | str = False,
    **options: Any,
) -> HttpResponseBase:
    """The response that streams a run; an error before its first byte is a status with a sentence.

        def ask(request):
            asked = read_chat(request.body, history='server')
            chat = agent.conversation(f'user-{request.user.pk}', store=DjangoStore())
            return stream_response(request, chat, asked.prompt, asked=asked, deps=request.user)

    A conversation is loaded when its run begins and written after each step, however the response ends.

    Under WSGI the tools run in the thread of the request; under ASGI, from sync and async views alike, in the thread
    that has the request's database connection. The run stops when the browser leaves.

    While the body streams, the view is over, and with it the transaction of `ATOMIC_REQUESTS`, the saving of the
    session and the middleware. A tool that writes several rows needs its own transaction, which `atomic` gives it.

    Args:
        request: The request.
        agent: The agent, or a conversation of one.
        prompt: What to ask; None continues from `message_history`, or in a conversation from the decided calls.
        form: The form that the page reads; None takes that of `asked`, else the setting `FORM`.
        asked: The page's request, from `read_chat`.
        answers: The decisions about the conversation's waiting calls, by their ids; None takes those of `asked` if it
            has no prompt.
        atomic: Whether each call of a sync tool is a transaction, undone if the tool raises; or the alias of the
            database for it.
        options: Options of a run, such as `deps`, `message_history` and `usage_limits`, and options of
            `syncai.web.encode`: `keepalive`, `on_leave`, `on_finish`, `on_pause`, `message_id`, `metadata`. Under ASGI
            these functions may be async; a sync one runs in the thread of the tools.
    """
    if not hasattr(request, 'META'):
        raise UserError(
            f'stream_response(request, agent, prompt) takes the request first, not {type(request).__name__}'
        )
    check_agent(agent, 'stream_response', conversation=True)
    try:
        ours = settings_of_project()
        chosen: Any = form or (asked.form if asked else None) or ours.form
        encoding = {**encoding_options(ours, options), 'form': chosen, 'asked': asked}
        run = with_limits(ours, options)
        decided = answers_to(agent, prompt, answers, asked)
        around = _around(atomic)
        if _is_asgi(request):
            with surrounded(Surroundings(around_tool=around, run_sync=run_in_request_thread)):
                stream = events_of(agent, prompt, decided, run, asynchronous=True)
            pieces: Any = _pieces_of_asgi(stream, encoding)
        else:
            with surrounded(Surroundings(around_tool=around)):
                stream = events_of(agent, prompt, decided, run)
            pieces = encode(stream, environ=request.META, **encoding)
            pieces.begin()
    except SyncAIError as error:
        return _refusal(error)
    return StreamingHttpResponse(pieces, headers=headers(chosen))


def _pieces_of_asgi(stream: Any, encoding: dict[str, Any]) -> AsyncIterator[bytes]:
    """The body; in a sync view, the run begins on the server's loop, which also reads the body."""
    functions = {name: _in_its_thread(encoding.get(name)) for name in ('on_finish', 'on_pause')}
    body = encode_async(stream, **{**encoding, **functions})
    if not _in_loop():
        async_to_sync(body.begin)()
    return body


def _in_its_thread(function: Any) -> Any:
    """A sync function of the view as one that runs in the thread of the request."""
    if function is None or asyncio.iscoroutinefunction(function) or not callable(function):
        return function
    return lambda value: run_in_request_thread(partial(function, value))


def chat_view(
    agent: Agent[Any, Any],
    *,
    form: Form | None = None,
    deps: Callable[[HttpRequest], Any] | None = None,
    store: Any = None,
    conversation: Callable[[HttpRequest, str], str] | None = None,
    approvals: Literal['staff', 'user'] | None = None,
    keep: Keep | None = None,
    save: Save = 'step',
    on_open: OnOpen = 'run',
    atomic: bool | str = False,
    **options: Any,
) -> View:
    """A view that answers a chat page: `path('chat/', chat_view(agent))`.

    CSRF is checked as for all views. Access is the task of the project's decorators, such as `login_required`.

    Args:
        agent: The agent.
        form: The form that the page sends and reads; None takes the setting `FORM`.
        deps: Returns the `deps` of a run from the request; None takes the user if the agent takes one.
        store: Where conversations are kept, such as `DjangoStore()`; None takes the setting `STORE`. With a store only
            the last message of the page is read, and calls that wait for a decision are kept.
        conversation: Names the conversation in the store, from the request and the page's own id. By default that id,
            prefixed by the user or by a visitor's session, so that nobody can read another's conversation.
        approvals: Who decides of calls that wait: the `'staff'` in the admin, or the `'user'` in the page; None takes
            the staff where the store keeps decisions, as `DjangoStore` does.
        keep: The messages that are sent: `Last(count)`, `Fit(share)`; None sends all of it.
        save: When it is written: after each `'step'`, so that a killed process loses none, or at the `'end'` of a run.
        on_open: What happens to tool calls that a killed process left without a return, as of
            `agent.conversation`.
        atomic: As in `stream_response`.
        options: As in `stream_response`.

    Raises:
        UserError: An argument is wrong.
    """
    from .checks import agents_of_views

    check_installed()
    check_agent(agent, 'chat_view')
    check_options(options, form, 'chat_view')
    _around(atomic)
    chat_options: dict[str, Any] = {'keep': keep, 'save': save, 'on_open': on_open}
    agent.conversation(None, **chat_options)  # raises for options that are wrong
    agents_of_views.add(agent)
    chat = _Endpoint(
        agent=agent,
        form=form,
        deps_of=deps or partial(user_of, agent),
        store=store,
        name_of=conversation or conversation_of,
        approvals=approvals,
        chat_options=chat_options,
        atomic=atomic,
        options=options,
    )

    def view(request: HttpRequest) -> HttpResponseBase:
        if request.method not in ('GET', 'POST'):
            return HttpResponseNotAllowed(['GET', 'POST'])
        try:
            return chat.waiting(request) if request.method == 'GET' else chat.answer(request)
        except SyncAIError as error:
            return _refusal(error)

    return view


@dataclass(frozen=True, kw_only=True)
class _Endpoint:
    """The endpoint of a chat page, with the arguments of `chat_view`."""

    agent: Agent[Any, Any]
    form: Form | None
    deps_of: Callable[[HttpRequest], Any]
    store: Any
    name_of: Callable[[HttpRequest, str], str]
    approvals: Literal['staff', 'user'] | None
    chat_options: Mapping[str, Any]
    atomic: bool | str
    options: Mapping[str, Any]

    def waiting(self, request: HttpRequest) -> HttpResponse:
        """What of a stored conversation waits for a decision."""
        store = store_of_project(self.store)
        if store is None:
            return HttpResponseNotAllowed(['POST'])
        name = self.name_of(request, Asked.checked_id(request.GET.get('id')))
        return JsonResponse(standing(store, name, self.approvals))

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        """The stream of a run."""
        store = store_of_project(self.store)
        asked = read_request(_body(request), self.form, settings_of_project(), stored=store is not None)
        more: dict[str, Any] = {'asked': asked.chat, 'form': self.form, 'atomic': self.atomic}
        run = {**self.options, 'deps': self.deps_of(request)}
        if store is None:
            run['message_history'] = asked.history
            return stream_response(request, self.agent, asked.prompt, **more, **run)
        with surrounded(Surroundings(around_tool=_around(self.atomic))):
            name, options = self.name_of(request, asked.id), of_run(run)
            turn = turn_of(
                asked, self.agent, store, name, options, approvals=self.approvals, chat_options=self.chat_options
            )
        return stream_response(request, turn.chat, asked.prompt, answers=turn.answers, **more, **run)


def chat_page(endpoint: str, *, title: str = 'Chat') -> View:
    """A view of a page that chats with the `chat_view` at `endpoint`, an address such as `'chat/'`.

    The page is one HTML file without a build step, and sets the cookie that Django's CSRF check wants.
    """

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(page_of(endpoint, title=title, csrf_token=get_token(request)))

    return cast('View', ensure_csrf_cookie(view))


def _body(request: HttpRequest) -> bytes:
    """The body, of which Django itself takes no more than `DATA_UPLOAD_MAX_MEMORY_SIZE`."""
    try:
        return bytes(request.body)
    except RequestDataTooBig:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raise ChatRequestError(f'This message is too large: {most} bytes at most.', status_code=413) from None


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
