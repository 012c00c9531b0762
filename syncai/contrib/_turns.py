"""One turn of a stored conversation: its waiting calls, the decisions, and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ..agent import Agent
from ..approvals import Decision, PendingCall
from ..conversations import Conversation
from ..conversations._log import view_of
from ..exceptions import ChatRequestError, DecisionError, UserError
from ..messages import ModelMessage, ModelRequest
from ..result import RunPaused
from ..web import ChatRequest
from ..web._stored_turn import take_back
from ._answers import Asked

__all__ = ['answers_to', 'by_staff', 'events_of', 'standing', 'Turn', 'turn_of']


def by_staff(store: Any, approvals: str | None) -> bool:
    """Whether the decisions in the store count, instead of those of the page.

    Raises:
        UserError: The store keeps no decisions.
    """
    if approvals not in (None, 'staff', 'user'):
        raise UserError(f"approvals must be 'staff', 'user' or None, not {approvals!r:.100}")
    has_them = hasattr(store, 'decisions')
    if approvals == 'staff' and not has_them:
        raise UserError(
            f"approvals='staff' needs a store that keeps decisions, as DjangoStore does, not {store!r:.100}"
        )
    return has_them and approvals != 'user'


def standing(store: Any, id: str, approvals: str | None) -> dict[str, Any]:  # noqa: A002
    """The waiting calls for a page, whether its user decides, and whether any was decided."""
    waiting = waiting_calls(view_of(store.load(id)[0]).messages)
    staff = by_staff(store, approvals)
    decided = store.decisions(id) if waiting and staff else {}
    calls = [{'id': call.id, 'tool': call.tool_name, 'args': call.args} for call in waiting if call.id not in decided]
    return {'waiting': calls, 'decided': len(decided), 'asks': not staff}


def waiting_calls(messages: Sequence[ModelMessage]) -> tuple[PendingCall, ...]:
    """The calls at the end of a conversation that wait for a decision."""
    last = messages[-1] if messages else None
    return last.pending if isinstance(last, ModelRequest) else ()


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The turn of a request; made in the thread of the request.

    Args:
        chat: The conversation.
        answers: The decisions about waiting calls, by their ids; not empty if any waits.
    """

    chat: Conversation[Any, Any]
    answers: Mapping[str, Decision]

    @classmethod
    def begin(
        cls,
        agent: Agent[Any, Any],
        store: Any,
        id: str,  # noqa: A002
        answers: Mapping[str, Decision],
        *,
        approvals: str | None = None,
        chat_options: Mapping[str, Any],
    ) -> Self:
        """Load the conversation; its run does not load it again.

        Args:
            agent: The agent.
            store: The store.
            id: The id of the conversation in it.
            answers: The decisions of the page's user.
            approvals: Whose decisions count: the `'staff'`'s in the store, or the `'user'`'s in `answers`; None takes
                the staff's if the store keeps them.
            chat_options: Options of the conversation: `keep`, `save`, `on_open`.

        Raises:
            DecisionError: A call in it waits, and no decision was made.
        """
        log, version = store.load(id)
        chat = agent.conversation(id, store=_Loaded(store, log, version), **chat_options)
        waiting = waiting_calls(view_of(log).messages)
        if not waiting:
            return cls(chat=chat, answers={})
        return cls(chat=chat, answers=_of(waiting, store.decisions(id) if by_staff(store, approvals) else answers))

    def resumed(self, options: Mapping[str, Any]) -> None:
        """Make the decided calls; a prompt sent with a decision follows them.

        Raises:
            DecisionError: Another call waits.
        """
        try:
            self.chat.resume_sync(self.answers, **options)
        except RunPaused as paused:
            raise _waits(paused.pending) from None


def turn_of(
    asked: Asked, agent: Agent[Any, Any], store: Any, name: str, options: Mapping[str, Any], **more: Any
) -> Turn:
    """The turn of a page's request; a prompt sent with decisions follows the decided calls.

    Args:
        asked: The request of the page.
        agent: The agent.
        store: The store.
        name: The id of the conversation in it.
        options: Those of a run.
        more: As in `Turn.begin`.

    Raises:
        DecisionError: A call waits for a decision.
    """
    if asked.again:
        take_back(agent.conversation(name, store=store), asked.prompt)
    turn = Turn.begin(agent, store, name, asked.answers, **more)
    if not turn.answers and asked.prompt is None:
        raise ChatRequestError('This conversation waits for no decision that was made.', status_code=409)
    if not turn.answers or asked.prompt is None:
        return turn
    turn.resumed(options)
    return Turn.begin(agent, store, name, {}, **more)


def _of(waiting: Sequence[PendingCall], decisions: Mapping[str, Decision]) -> dict[str, Decision]:
    """The decisions about these calls, bound to the stored arguments, whatever the page shows."""
    hashes = {call.id: call.args_hash for call in waiting}
    answers = {
        name: replace(decision, args_hash=decision.args_hash or hashes[name])
        for name, decision in decisions.items()
        if name in hashes
    }
    if not answers:
        raise _waits(waiting)
    return answers


def _waits(waiting: Sequence[PendingCall]) -> DecisionError:
    tools = tuple(dict.fromkeys(call.tool_name for call in waiting))
    return DecisionError(f'The conversation waits for a decision about {", ".join(tools)}', tools=tools)


# --- its run ----------------------------------------------------------------------------------------------------------


def answers_to(
    runs: Agent[Any, Any] | Conversation[Any, Any],
    prompt: Any,
    answers: Mapping[str, Decision] | None,
    asked: ChatRequest | None,
) -> Mapping[str, Decision]:
    """The decisions passed to the view, else those of the page if the conversation has their calls.

    Raises:
        UserError: An agent without a conversation has no waiting calls.
        ChatRequestError: The request has no prompt, and no decision about a waiting call.
    """
    if answers and not isinstance(runs, Conversation):
        raise UserError('answers go with a conversation: stream_response(..., agent.conversation(id, store=...), ...)')
    if answers is None and prompt is None and asked is not None and isinstance(runs, Conversation):
        answers = asked.decisions
    if not answers and prompt is None and asked is not None and asked.prompt is None:
        raise ChatRequestError('This conversation waits for no decision that was made.', status_code=409)
    return answers or {}


def events_of(
    runs: Agent[Any, Any] | Conversation[Any, Any],
    prompt: Any,
    answers: Mapping[str, Decision],
    options: Mapping[str, Any],
    *,
    asynchronous: bool = False,
) -> Any:
    """The events of the run, for a thread or a coroutine: for the prompt, or for the decided calls."""
    if answers and isinstance(runs, Conversation):
        resume: Any = runs.resume_stream_events if asynchronous else runs.resume_stream_events_sync
        return resume(answers, **options)
    start: Any = runs.run_stream_events if asynchronous else runs.run_stream_events_sync
    return start(prompt, **options)


class _Loaded:
    """The store of a conversation that was just loaded: its next run begins with the loaded messages."""

    def __init__(self, store: Any, log: Sequence[ModelMessage], version: int) -> None:
        self._store = store
        self._first: tuple[Sequence[ModelMessage], int] | None = (log, version)
        self.append, self.list, self.delete = store.append, store.list, store.delete

    def __repr__(self) -> str:
        return repr(self._store)

    def load(self, id: str) -> tuple[Sequence[ModelMessage], int]:  # noqa: A002 # the name of the protocol
        """The loaded messages, once; then the stored ones."""
        first, self._first = self._first, None
        loaded: tuple[Sequence[ModelMessage], int] = self._store.load(id) if first is None else first
        return loaded
