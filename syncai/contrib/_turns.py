"""One turn of a conversation that a store keeps: loaded, streamed into a page, and stored however it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from .._bridge import RunSync
from ..agent import Agent
from ..approvals import Decision, PendingCall
from ..conversations._log import view_of
from ..exceptions import ChatRequestError, SyncAIError, UserError
from ..messages import ModelMessage, ModelRequest
from ..result import RunPaused

__all__ = ['by_staff', 'KeptStream', 'KeptStreamAsync', 'standing', 'Turn']

_logger = logging.getLogger('syncai')


def by_staff(store: Any, approvals: str | None) -> bool:
    """Whether the decisions in a store count, or those of the page.

    Raises:
        UserError: The store has none.
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
    """What a page asks while calls wait: which, whether its user decides, and whether one of them was decided."""
    waiting = waiting_calls(view_of(store.load(id)[0]).messages)
    staff = by_staff(store, approvals)
    decided = store.decisions(id) if waiting and staff else {}
    calls = [{'id': call.id, 'tool': call.tool_name, 'args': call.args} for call in waiting if call.id not in decided]
    return {'waiting': calls, 'decided': len(decided), 'asks': not staff}


def waiting_calls(messages: list[ModelMessage]) -> tuple[PendingCall, ...]:
    """The calls at the end of a conversation that wait for a decision."""
    last = messages[-1] if messages else None
    return last.pending if isinstance(last, ModelRequest) else ()


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a request asks of a conversation; made in the thread of the request.

    Args:
        store: The store.
        id: The id of the conversation in it.
        history: Its messages.
        version: Their version.
        decisions: What was decided of the calls that wait, by their ids.
    """

    store: Any
    id: str
    history: list[ModelMessage]
    version: int
    decisions: Mapping[str, Decision]

    @classmethod
    def load(cls, store: Any, id: str, answers: Mapping[str, Decision], approvals: str | None = None) -> Turn:  # noqa: A002
        """The conversation as it is now.

        Args:
            store: The store.
            id: The id of the conversation.
            answers: What the user of the page says of calls that wait.
            approvals: Whose decisions count: of `'staff'` those in the store, of the `'user'` those in `answers`; None
                takes the staff's where the store has them.

        Raises:
            ChatRequestError: A call in it waits for a decision: status 409.
        """
        log, version = store.load(id)
        history = view_of(log).messages
        waiting = {call.id: call for call in waiting_calls(history)}
        if not waiting:
            return cls(store=store, id=id, history=history, version=version, decisions={})
        decisions = store.decisions(id) if by_staff(store, approvals) else answers
        # Bound to the arguments that were stored, whatever the page shows.
        decisions = {
            call_id: replace(decision, args_hash=decision.args_hash or waiting[call_id].args_hash)
            for call_id, decision in decisions.items()
            if call_id in waiting
        }
        if not decisions:
            names = ', '.join(dict.fromkeys(call.tool_name for call in waiting.values()))
            raise ChatRequestError(f'This conversation waits for a decision about: {names}.', status_code=409)
        return cls(store=store, id=id, history=history, version=version, decisions=decisions)

    def open_sync(self, agent: Agent[Any, Any], prompt: Any, options: Mapping[str, Any]) -> Any:
        """The events of the run, for a thread: of the prompt, or of the calls that were decided.

        Raises:
            ChatRequestError: There is neither.
        """
        self._check(prompt)
        if self.decisions:
            return agent.resume_stream_events_sync(self.history, self.decisions, **options)
        return agent.run_stream_events_sync(prompt, message_history=self.history, **options)

    def open_async(self, agent: Agent[Any, Any], prompt: Any, options: Mapping[str, Any]) -> Any:
        """The same, for a coroutine."""
        self._check(prompt)
        if self.decisions:
            return agent.resume_stream_events(self.history, self.decisions, **options)
        return agent.run_stream_events(prompt, message_history=self.history, **options)

    def resumed(self, agent: Agent[Any, Any], options: Mapping[str, Any]) -> Turn:
        """The conversation after its decided calls: what the user writes beside a decision comes behind them.

        Raises:
            ChatRequestError: Another call waits.
        """
        try:
            messages = agent.resume_sync(self.history, self.decisions, **options).all_messages()
        except RunPaused as paused:
            messages = paused.messages
        self.store.append(self.id, self.version, messages[len(self.history) :])
        return Turn.load(self.store, self.id, {})

    def _check(self, prompt: Any) -> None:
        if prompt is None and not self.decisions:
            raise ChatRequestError('This conversation waits for no decision that was made.', status_code=409)

    def keep(self, messages: list[ModelMessage]) -> None:
        """Store what the run has added, whatever its end; what fails is logged, since the response is over."""
        try:
            self.store.append(self.id, self.version, messages[len(self.history) :])
        except SyncAIError as error:
            _logger.error('A turn of conversation %r was not stored: %s', self.id, error)


class KeptStream(Iterator[bytes]):
    """A body whose conversation is stored before the client sees its end. Belongs to the thread that iterates."""

    def __init__(self, body: Any, stream: Any, turn: Turn) -> None:
        self._body, self._stream, self._turn = body, stream, turn
        self._kept = False

    def __next__(self) -> bytes:
        try:
            piece: bytes = next(self._body)
        except BaseException:
            self._keep()
            raise
        return piece

    def close(self) -> None:
        """End the response; a run that was stopped is kept as far as it came."""
        try:
            self._body.close()
        finally:
            self._keep()

    def _keep(self) -> None:
        if not self._kept and self._stream.entered:
            self._kept = True
            self._turn.keep(self._stream.all_messages())


class KeptStreamAsync(AsyncIterator[bytes]):
    """The same for `async for`; the store is asked in the thread that `run_sync` has for it.

    Args:
        body: The bytes.
        stream: The events behind them.
        turn: What is stored.
        run_sync: Runs a function of the store.
        finishes: Whether a run whose client has left goes on; then `finished` stores it.
    """

    def __init__(self, body: Any, stream: Any, turn: Turn, run_sync: RunSync, *, finishes: bool) -> None:
        self._body, self._stream, self._turn, self._run_sync = body, stream, turn, run_sync
        self._finishes = finishes
        self._kept = False

    async def __anext__(self) -> bytes:
        try:
            piece: bytes = await anext(self._body)
        except (Exception, StopAsyncIteration):
            await self.keep()
            raise
        except BaseException:  # the server cancels the response of a client that has left
            await self.aclose()
            raise
        return piece

    async def aclose(self) -> None:
        """End the response; a run that was stopped is kept as far as it came."""
        try:
            await self._body.aclose()
        finally:
            if not self._finishes:
                await self.keep()

    async def keep(self) -> None:
        """Store the conversation as it is now, once."""
        if not self._kept and self._stream.entered:
            self._kept = True
            await asyncio.shield(_awaited(self._run_sync(partial(self._turn.keep, self._stream.all_messages()))))


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
