"""The common part of views: the request of the page, and the reply if it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .._base.json import read_json
from .._engine.other_options import RUN_OPTIONS, unknown_option_of_run
from .._engine.run_options import check_run_options
from ..agent import Agent
from ..approvals import Approve, Decision, Deny
from ..conversations import Conversation
from ..exceptions import ChatRequestError, UserError
from ..messages import ModelMessage
from ..web import ChatRequest, read_chat
from ..web._options import Options
from ._settings import AppSettings

__all__ = ['Asked', 'check_agent', 'check_options', 'encoding_options', 'of_run', 'read_request', 'with_limits']

_OF_ENCODING = ('keepalive', 'on_leave', 'on_finish', 'on_pause', 'message_id', 'metadata')
_OF_VIEWS = (*_OF_ENCODING, 'form', 'deps', 'store', 'conversation', 'approvals', 'keep', 'save', 'on_open', 'atomic')
_RESUMING = 16_000  # bytes
_LONGEST_ID = 128  # of a page; a store prefixes it with the name of its user


@dataclass(frozen=True)
class Asked:
    """The request of a page.

    Args:
        id: The page's id of the conversation.
        chat: The rest of it; None if the page only continues with calls that were decided.
        answers: What its user says of calls that wait, by their ids.
    """

    id: str
    chat: ChatRequest | None
    answers: Mapping[str, Decision]

    @property
    def prompt(self) -> Any:
        """The user's prompt."""
        return self.chat.prompt if self.chat else None

    @property
    def history(self) -> list[ModelMessage]:
        """The conversation in the request."""
        return self.chat.message_history if self.chat else []

    @property
    def again(self) -> bool:
        """Whether the page wants another answer to an earlier prompt."""
        return self.chat is not None and self.chat.trigger == 'regenerate-message'

    @staticmethod
    def checked_id(value: object) -> str:
        """The page's id of a conversation.

        Raises:
            ChatRequestError: It is none.
        """
        if value is None:
            return 'default'
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isprintable():
            raise ChatRequestError(f'The id of a chat must be a text of 1 to {_LONGEST_ID} characters')
        return value


def read_request(body: bytes, form: Any, settings: AppSettings, *, stored: bool) -> Asked:
    """The request of a page; with a store `{"id": ..., "resume": true, "approve": {...}}` too, which asks nothing.

    Raises:
        ChatRequestError: It cannot be read.
    """
    bounds: dict[str, Any] = settings.of_request()
    if stored and len(body) < _RESUMING and (data := _resuming(body)) is not None:
        approve = data.get('approve', {})
        answers = {call: Approve() if yes is True else Deny() for call, yes in approve.items()}
        return Asked(Asked.checked_id(data.get('id')), None, answers)
    chosen: Any = form or settings.form
    chat = read_chat(body, chosen, history='server' if stored else 'client', **bounds)
    return Asked(Asked.checked_id(chat.id), chat, chat.decisions)


def _resuming(body: bytes) -> dict[str, Any] | None:
    try:
        data = read_json(body)
    except ValueError:
        return None
    if not isinstance(data, dict) or data.get('resume') is not True or not isinstance(data.get('approve', {}), dict):
        return None
    return data


def check_agent(agent: object, function: str, *, conversation: bool = False) -> None:
    """Raise UserError unless it is an agent, or a conversation where one is allowed."""
    if isinstance(agent, Agent) or (conversation and isinstance(agent, Conversation)):
        return
    kinds = 'an Agent or agent.conversation(...)' if conversation else 'an Agent'
    hint = ': stores are given by store=' if isinstance(agent, Conversation) else ''
    raise UserError(f'{function} takes {kinds}, not {type(agent).__name__}{hint}')


def check_options(options: Mapping[str, Any], form: Any, function: str) -> None:
    """Raise UserError unless these are options of a view; checked once, when the view is made."""
    for name in options:
        if name == 'message_history':
            raise UserError(f'{function} has the history of its store or of the page: leave message_history out')
        if name in _OF_ENCODING or name in RUN_OPTIONS:
            continue
        near = get_close_matches(name, _OF_VIEWS, n=1, cutoff=0.75)
        mistake = f'There is no option {name!r}. Did you mean {near[0]!r}?' if near else unknown_option_of_run(name)
        raise UserError(f'{function}: {mistake}')
    encoding = {'form': form, 'asked': None, 'message_id': None, 'keepalive': None, 'on_leave': 'stop'}
    encoding |= {'on_finish': None, 'on_pause': None, 'metadata': None}
    Options.checked(**{**encoding, **{name: options[name] for name in _OF_ENCODING if name in options}})
    run_options = {name: value for name, value in options.items() if name in RUN_OPTIONS and name != 'deps'}
    check_run_options({**run_options, 'deps': ...}, object)


def encoding_options(settings: AppSettings, options: dict[str, Any]) -> dict[str, Any]:
    """The options of `encode` among those of a view, completed by the settings."""
    chosen = {name: options.pop(name) for name in _OF_ENCODING if name in options}
    return {'keepalive': settings.keepalive, 'on_leave': settings.on_leave, **chosen}


def of_run(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a view that belong to the run."""
    return {name: value for name, value in options.items() if name not in _OF_ENCODING and name != 'message_history'}


def with_limits(settings: AppSettings, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run, with the limits of the settings unless the view sets limits."""
    if settings.usage_limits is None or options.get('usage_limits') is not None:
        return options
    return {**options, 'usage_limits': settings.usage_limits}
