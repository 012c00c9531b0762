"""The writing of a run to the log of its conversation."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .._engine.whole_history import is_return
from ..exceptions import ConversationConflict
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse

if TYPE_CHECKING:
    from .._engine.run_state import RunState
    from ._store import Store

__all__ = ['Writer']


class Writer:
    """Writes the unwritten additions of a run to its conversation; may be called any number of times. A prompt is
    written together with its answer, so an unanswered prompt may be asked again. A return is written at once, so that
    its tool is not called again after a crash.

    Args:
        store: Where the conversation is kept.
        id: Its id.
        version: Its version.
        start: The position of the run's first own message.
    """

    def __init__(self, store: Store, id: str, version: int, start: int) -> None:  # noqa: A002
        self.version = version
        self._store = store
        self._id = id
        self._lock = threading.Lock()  # owns all fields below: tools of a coroutine's run end in several threads
        self._start = start
        self._next = start  # the first message of the run that is not completely written
        self._pieces: list[ModelRequestPart] = []  # the number of its written parts
        self._failed = False

    def write(self, run: RunState[Any], *, last: bool = False, marks: Sequence[ModelMessage] = ()) -> None:
        """Write the additions, in this thread.

        Args:
            run: The run.
            last: Whether no more will come: an answer that broke off is written too.
            marks: Further messages for the log, written before.

        Raises:
            ConversationConflict: Another writer was faster; nothing was written, now and in later calls.
            StoreError: The store failed.
        """
        with self._lock:
            if self._failed:
                return
            new = run.messages_so_far() if last else list(run.messages)
            messages, position, pieces = self._unwritten(new[self._next :], run)
            if not messages and not marks:
                return
            try:
                self.version = self._store.append(self._id, self.version, [*marks, *messages])
            except ConversationConflict:
                self._failed = True  # no later attempt can have the right version
                raise
            self._next, self._pieces = position, pieces

    def _unwritten(
        self, new: Sequence[ModelMessage], run: RunState[Any]
    ) -> tuple[list[ModelMessage], int, list[ModelRequestPart]]:
        """The messages to write, and the position and the pieces after that."""
        messages: list[ModelMessage] = []
        position, pieces = self._next, list(self._pieces)
        for number, message in enumerate(new):
            following = new[number + 1] if number + 1 < len(new) else None
            if isinstance(message, ModelRequest) and following is None:
                from_tools = position != self._start and any(map(is_return, message.parts))
                if not message.pending and not from_tools:
                    returned = [part for part in message.parts if is_return(part)]
                    return self._with_pieces(messages, position, pieces, returned)
            elif isinstance(following, ModelResponse) and _is_nothing(following):
                break  # the answer was left before any of it arrived
            elif isinstance(message, ModelResponse) and _is_nothing(message):
                break
            messages.extend([message] if isinstance(message, ModelResponse) else _rest(message, pieces))
            position, pieces = position + 1, []
        parts: list[ModelRequestPart] = []
        for entry in list(run.returned.values()):
            parts.extend([entry.part] if entry.content is None else [entry.part, entry.content])
        return self._with_pieces(messages, position, pieces, parts)

    def _with_pieces(
        self,
        messages: list[ModelMessage],
        position: int,
        pieces: list[ModelRequestPart],
        parts: Sequence[ModelRequestPart],
    ) -> tuple[list[ModelMessage], int, list[ModelRequestPart]]:
        further = [part for part in parts if not any(part is piece for piece in pieces)]
        if further:
            messages.append(ModelRequest(further))
        return messages, position, [*pieces, *further]


def _rest(request: ModelRequest, pieces: Sequence[ModelRequestPart]) -> list[ModelMessage]:
    """The unwritten part of a request."""
    if not pieces:
        return [request]
    parts = [part for part in request.parts if not any(part is piece for piece in pieces)]
    whole = not parts and request.instructions is None and not request.pending
    return [] if whole else [replace(request, parts=parts)]


def _is_nothing(response: ModelMessage) -> bool:
    return isinstance(response, ModelResponse) and response.incomplete and not response.parts
