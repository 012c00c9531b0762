"""What every framework's view does around a run: what the page asked, and what it is answered where that fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..agent import Agent
from ..approvals import Approve, Decision, Deny
from ..exceptions import ChatRequestError, UserError
from ..web import ChatRequest, read_chat
from ._settings import AppSettings

if TYPE_CHECKING:
    from ._turns import Turn

__all__ = ['Asked', 'check_agent', 'encoding_options', 'of_run', 'read_request', 'with_limits']

_OF_ENCODING = ('keepalive', 'on_leave', 'on_finish', 'message_id', 'metadata')
_RESUMING = 16_000  # bytes
_LONGEST_ID = 128  # of a page; in a store it stands behind the name of its user


@dataclass(frozen=True)
class Asked:
    """What a page has sent.

    Args:
        id: Its own name of the conversation.
        chat: The rest of it; None where the page only goes on with calls that were decided.
        answers: What its user says of calls that wait, by their ids.
    """

    id: str
    chat: ChatRequest | None
    answers: Mapping[str, Decision]

    @property
    def prompt(self) -> Any:
        """What the user asks."""
        return self.chat.prompt if self.chat else None

    def run_options(self, turn: Turn | None) -> dict[str, Any]:
        """Options of the run; the page's own history counts only where there is no other."""
        if turn is not None or self.chat is None:
            return {}
        return {'message_history': self.chat.message_history}

    @staticmethod
    def checked_id(value: object) -> str:
        """The page's name of a conversation.

        Raises:
            ChatRequestError: It is none.
        """
        if value is None:
            return 'default'
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID or not value.isprintable():
            raise ChatRequestError(f'The id of a chat must be a text of 1 to {_LONGEST_ID} characters')
        return value


def read_request(body: bytes, form: Any, settings: AppSettings, *, stored: bool) -> Asked:
    """What a page has sent; with a store `{"id": ..., "resume": true, "approve": {...}}` too, which asks nothing.

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
    said: dict[str, Decision] = {
        one.tool_call_id or one.id: Approve() if one.approved else Deny(one.reason or '') for one in chat.approvals
    }
    return Asked(Asked.checked_id(chat.id), chat, said)


def _resuming(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    if not isinstance(data, dict) or data.get('resume') is not True or not isinstance(data.get('approve', {}), dict):
        return None
    return data


def check_agent(agent: object, function: str) -> None:
    """Raise UserError unless it is an agent."""
    if not isinstance(agent, Agent):
        raise UserError(f'{function} takes an Agent, not {type(agent).__name__}')


def encoding_options(settings: AppSettings, options: dict[str, Any]) -> dict[str, Any]:
    """The options of `encode`, taken out of those of a view; what the view leaves open is of the settings."""
    chosen = {name: options.pop(name) for name in _OF_ENCODING if name in options}
    return {'keepalive': settings.keepalive, 'on_leave': settings.on_leave, **chosen}


def of_run(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a view that are those of a run."""
    return {name: value for name, value in options.items() if name not in _OF_ENCODING}


def with_limits(settings: AppSettings, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a run, with the limits of the settings where the view gives none."""
    if settings.usage_limits is None or options.get('usage_limits') is not None:
        return options
    return {**options, 'usage_limits': settings.usage_limits}
