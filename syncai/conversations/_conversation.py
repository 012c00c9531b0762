"""A conversation of an agent, kept under an id."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Generic, Unpack, assert_never

from typing_extensions import TypeVar

from .._agent.entry_points import EntryPoints, Prompt
from .._agent.steps import Answers
from .._base.other_names import OF_CONVERSATIONS, OtherNames
from .._base.tracebacks import only_user_frames
from .._engine.prompts import open_calls
from ..approvals import PendingCall
from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..models import Model
from ..result import RunResult
from ..runs import RunOptions
from ..stream import StreamedRunEvents, StreamedRunEventsSync, StreamedRunResult, StreamedRunResultSync
from ._keep import Keep, checked_keep
from ._log import View, rewound, view_of
from ._memory import MemoryStore
from ._run import ConversationRun
from ._store import OnOpen, Save, Store, checked_id, checked_store

if TYPE_CHECKING:
    from .._engine.plan import RunPlan

__all__ = ['Conversation']

DepsT = TypeVar('DepsT', default=None)
ResultT = TypeVar('ResultT', default=str)

_GRACE_SECONDS = 5.0  # for a cancelled run to write its messages


class Conversation(EntryPoints[DepsT, ResultT], OtherNames, Generic[DepsT, ResultT]):
    """Runs of an agent, each of which continues from the messages of the earlier ones; `agent.conversation(...)` makes
    it.

    It has the run methods of an agent, without `message_history`. A run loads the stored messages when it begins, and
    writes the new ones, in its caller's thread. An object has one run at a time. Other objects, threads and processes
    may use the same conversation: of two writers at a time, one gets `ConversationConflict`.

    Attributes:
        id: Its id in the store.
        store: Where it is kept.
        keep: The messages that are sent.
        save: When it is written.
        on_open: What happens to calls without a return after a crash.
    """

    _other_names = OF_CONVERSATIONS

    def __init__(
        self,
        agent: EntryPoints[DepsT, ResultT],
        id: str | None,  # noqa: A002
        *,
        store: Store | None = None,
        keep: Keep | None = None,
        save: Save = 'step',
        on_open: OnOpen = 'run',
    ) -> None:
        self.id = uuid.uuid4().hex if id is None else checked_id(id)
        self.store: Store = MemoryStore() if store is None else checked_store(store)
        self.keep = self._keep_now = checked_keep(keep)
        self.save: Save = _one_of('save', save, ('step', 'end'))
        self.on_open: OnOpen = _one_of('on_open', on_open, ('run', 'drop', 'error'))
        self.deps_type = agent.deps_type
        self._agent = agent
        self._lock = threading.Lock()  # owns the run
        self._run_now: ConversationRun[Any] | None = None

    # --- what was said ------------------------------------------------------------------------------------------------

    def messages(self) -> list[ModelMessage]:
        """All stored messages, including those that `keep` leaves out of requests.

        Raises:
            UserError: The store cannot be used, or holds messages of a newer version of syncai.
            StoreError: The store failed.
        """
        return self._load()[0].messages

    def rewind(self, *, to: int) -> None:
        """Take back all messages but the first `to`; the log keeps them, but they are not sent any more.

        If the last remaining message is a prompt, `run_sync()` without a prompt asks it again.

        Args:
            to: The number of messages that stay.

        Raises:
            UserError: There are fewer messages, or calls and their returns would be separated.
            ConversationConflict: Another writer was faster.
        """
        view, version = self._idle_and_loaded('rewound')
        length = len(view.messages)
        if not isinstance(to, int) or isinstance(to, bool) or not 0 <= to <= length:
            raise UserError(f'rewind(to) must be a number of messages from 0 to {length}, not {to!r:.100}')
        if to < length and open_calls(view.messages[:to]) is not None:
            raise UserError(
                f'Message {to - 1} calls tools, and message {to} has what they returned: rewind to {to - 1} or {to + 1}'
            )
        if to < length:
            self.store.append(self.id, version, [rewound(to, length)])

    def fork(self, id: str | None = None) -> Conversation[DepsT, ResultT]:  # noqa: A002
        """Another conversation in the same store, which continues from the messages until now.

        Args:
            id: Its id; None makes one.

        Raises:
            UserError: There is a conversation of this id already.
        """
        view, _ = self._load()
        other = Conversation(self._agent, id, store=self.store, keep=self.keep, save=self.save, on_open=self.on_open)
        if self.store.load(other.id)[1] != 0:
            raise UserError(
                f'There is a conversation {other.id!r} already: fork to another id, or delete that one first'
            )
        messages = [*view.messages, *view.summaries.values()]
        if messages:
            self.store.append(other.id, 0, messages)
        return other

    def delete(self) -> None:
        """Remove all messages and their files; the next run begins a new conversation."""
        self._check_idle('deleted')
        self.store.delete(self.id)
        self._keep_now = self.keep

    def __repr__(self) -> str:
        return f'Conversation({self.id!r}, store={self.store!r})'

    def _repr_markdown_(self) -> str:
        from .._base.notebook import safe_markdown  # here, since most programs are no notebooks

        lines = [f'{self!r}']
        for message in self.messages():
            for part in message.parts:
                match part:
                    case UserPromptPart():
                        lines.append(f'**User:** {safe_markdown(_text_of(part))}')
                    case TextPart(content):
                        lines.append(f'**Answer:** {safe_markdown(content)}')
                    case ToolCallPart(name):
                        lines.append(f'*calls `{name}`*')
                    case SystemPromptPart() | ToolReturnPart() | RetryPromptPart() | ThinkingPart():
                        pass  # what the model reads, and its thoughts
                    case _:
                        assert_never(part)
        return '\n\n'.join(lines)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ('_lock', '_run_now')}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock, self._run_now = threading.Lock(), None

    # --- after a pause ------------------------------------------------------------------------------------------------

    def resume_sync(self, answers: Answers, **options: Unpack[RunOptions[DepsT]]) -> RunResult[ResultT]:
        """The result of the run that was paused, with the decisions about the calls that wait.

            chat.resume_sync({call_id: Approve(), other: Deny('not above 100')})

        Otherwise as `agent.resume_sync`, with the messages of the conversation.

        Raises:
            UserError: A decision is about a call that does not wait; nothing was called or sent.
            RunPaused: Calls without a decision are left, or further calls wait.
            AgentRunError: The run failed.
        """
        with only_user_frames:
            return self.run_sync(None, **_resumed(answers, options))

    def resume(self, answers: Answers, **options: Unpack[RunOptions[DepsT]]) -> Coroutine[Any, Any, RunResult[ResultT]]:
        """The result of the run that was paused, to be awaited on any event loop; otherwise as `resume_sync`."""
        return self.run(None, **_resumed(answers, options))

    def resume_stream_sync(
        self, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunResultSync[ResultT]:
        """The result of the run that was paused, as it arrives."""
        return self.run_stream_sync(None, **_resumed(answers, options))

    def resume_stream(self, answers: Answers, **options: Unpack[RunOptions[DepsT]]) -> StreamedRunResult[ResultT]:
        """The result of the run that was paused, as it arrives, on any event loop."""
        return self.run_stream(None, **_resumed(answers, options))

    def resume_stream_events_sync(
        self, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEventsSync[ResultT]:
        """The events of the run that was paused."""
        return self.run_stream_events_sync(None, **_resumed(answers, options))

    def resume_stream_events(
        self, answers: Answers, **options: Unpack[RunOptions[DepsT]]
    ) -> StreamedRunEvents[ResultT]:
        """The events of the run that was paused, on any event loop."""
        return self.run_stream_events(None, **_resumed(answers, options))

    def pending(self) -> tuple[PendingCall, ...]:
        """The calls that wait for a decision."""
        messages = self.messages()
        last = messages[-1] if messages else None
        return last.pending if isinstance(last, ModelRequest) else ()

    # --- its runs -----------------------------------------------------------------------------------------------------

    def _run_of(self, plan: RunPlan[Any]) -> ConversationRun[Any]:
        return ConversationRun(plan, self)

    def _plan(self, prompt: Prompt | None, options: Mapping[str, Any]) -> RunPlan[Any]:
        if options.get('message_history') is not None:
            raise UserError(
                'A conversation has its own history: leave message_history out, or run the agent itself with it'
            )
        return self._agent._plan(prompt, options)

    def _model(self, asked_for: Model | str | None) -> Model:
        return self._agent._model(asked_for)

    def _load(self) -> tuple[View, int]:
        messages, version = self.store.load(self.id)
        return view_of(messages), version

    def _idle_and_loaded(self, what: str) -> tuple[View, int]:
        self._check_idle(what)
        return self._load()

    def _check_idle(self, what: str) -> None:
        self._let_stopped_run_end()
        if self._run_now is not None:
            raise UserError(f'A run of this conversation goes on: it can be {what} when that has ended')

    def _begin(self, run: ConversationRun[Any]) -> None:
        """Raise UserError if another run of this object is under way."""
        self._let_stopped_run_end()
        with self._lock:
            if self._run_now is not None:
                raise UserError(
                    'A run of this conversation goes on, and an object has one at a time: wait for its end, leave its '
                    'block, or make another object with agent.conversation(id, store=...)'
                )
            self._run_now = run

    def _let_stopped_run_end(self) -> None:
        """Give a cancelled run some time to write its messages."""
        until = time.monotonic() + _GRACE_SECONDS
        while (other := self._run_now) is not None and other.was_stopped() and time.monotonic() < until:
            time.sleep(0.001)

    def _end(self, run: ConversationRun[Any]) -> None:
        with self._lock:
            if self._run_now is run:
                self._run_now = None


def _text_of(part: UserPromptPart) -> str:
    content = part.content
    return content if isinstance(content, str) else ' '.join(x if isinstance(x, str) else '(file)' for x in content)


def _resumed(answers: Answers, options: Mapping[str, Any]) -> dict[str, Any]:
    if not answers:
        raise UserError('answers is empty: decide about at least one call, as {call_id: Approve()}')
    return {**options, 'answers': answers}


def _one_of(name: str, value: Any, values: tuple[str, ...]) -> Any:
    if value not in values:
        raise UserError(f'{name} must be one of {", ".join(map(repr, values))}, not {value!r:.100}')
    return value
