"""The result of a streamed run as far as it has arrived, and the ways to read it, without threads or loops. Each way to
read is a generator. It yields the reader's items, and a `Wait` when it needs the next batch of events. The face that
drives it fetches a batch, in any thread or task, passes it to `arrived` or `end`, and continues.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, assert_never

from ..events import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartEndEvent,
    ResponseEndEvent,
    ResultRefusedEvent,
    ToolCallPausedEvent,
)
from ..exceptions import UnexpectedModelBehavior, UserError
from ..messages import ModelResponse, PartDeltaEvent, PartStartEvent, ToolCallPart
from ._messages import MessageData
from ._pace import Pace
from ._parts import ArrivingPart

if TYPE_CHECKING:
    from .._engine.run_state import RunState
    from .._schema import ArrivingResult, ResultTool
    from ..result import RunResult

ResultT = TypeVar('ResultT')
T = TypeVar('T')

_OF_TOOLS = FunctionToolCallEvent | FunctionToolResultEvent | ToolCallPausedEvent
_NOTHING: Any = object()
_BLANK_LINE = '\n\n'


@dataclass(frozen=True, slots=True)
class Wait:
    """A request for the next batch, for the end, or for `seconds` to pass."""

    seconds: float | None = None


class LiveResult(Generic[ResultT]):
    """The result as far as the reader has read it. Its fields belong to the one reader. They outlive each way to read,
    so that the next one continues where a loop stopped.

    Attributes:
        began: Whether a result has begun.
        ended: Whether nothing more will arrive.
        structured: Whether the result is data, as opposed to text; known once it has begun.
        message_data: Validates the messages that were given.
    """

    def __init__(self, run: RunState[ResultT], clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._clock = clock
        self._by_text = run.plan.result_mode in ('native', 'prompted')
        self.began = self.ended = self.structured = False
        self.message_data = MessageData(run.plan.spec, by_text=self._by_text)
        self._result: RunResult[ResultT] | None = None
        self._batch: Iterator[Any] = iter(())
        self._announced: FinalResultEvent | None = None  # events that were not read yet
        self._parts: dict[int, ArrivingPart] = {}
        # The index of the part that is the result; None if all text is the result; -1 while this answer has none.
        self._index: int | None = -1
        self._tool: ResultTool[ResultT] | None = None
        self._changed = False
        self._arriving: ArrivingResult[ResultT] | None = None  # made when data or elements are read
        self._last_text: str | None = None  # the last whole text that a reader got
        self._unsaid: list[str] = []  # pieces of text that no reader got yet, of this answer and earlier ones
        self._spoke = False  # whether there was any text
        self._pause = False  # whether a blank line is due before the next text
        self._items_given = 0  # the number of elements of this answer that readers got
        self._rejected = 0  # the number of elements of earlier answers that they got
        self._object_count = 0  # the number of objects of the answer that were taken for the list so far

    # --- what arrives -------------------------------------------------------------------------------------------------

    def arrived(self, batch: Iterable[Any]) -> None:
        """Take a batch of events; they are processed as they are read."""
        self._batch = iter(batch)

    def end(self, result: RunResult[ResultT] | None) -> None:
        """The run is over; it failed if there is no result."""
        self.ended = True
        self._result = result
        if result is not None and not self.began:
            self.structured = self._by_text or result._result_tool_call_id is not None

    def look_for_result(self) -> bool:
        """Whether a result begins in the arrived events; stops at its beginning."""
        while not self.began and self._take_next():
            pass
        return self.began

    def _take_next(self) -> bool:
        """Process the next event; False when there is none."""
        event = next(self._batch, None)
        if event is not None:
            self._take(event)
        return event is not None

    def _take_all(self) -> None:
        for event in self._batch:
            self._take(event)

    def _take(self, event: AgentStreamEvent) -> None:
        if isinstance(event, PartDeltaEvent):
            part = self._parts[event.index]
            piece = part.add(event.delta)
        elif isinstance(event, PartStartEvent):
            if event.index == 0:
                self._begin_answer()
            part = self._parts[event.index] = ArrivingPart(event.part)
            piece = part.text()
        elif isinstance(event, FinalResultEvent):
            self._announced = event
            return
        elif isinstance(event, PartEndEvent | ResponseEndEvent | ResultRefusedEvent | _OF_TOOLS):
            return
        else:
            assert_never(event)
        if self._announced is not None:
            self._begin_result(self._announced, event.index)
        if piece and (self._index == event.index or (self._index is None and part.is_text)):
            self._grow(piece)

    def _begin_answer(self) -> None:
        self._pause = self._spoke
        self._rejected += self._items_given
        self._parts = {}
        self._forget_result()

    def _begin_result(self, event: FinalResultEvent, index: int) -> None:
        self._announced = None
        self._forget_result()
        self.began, self.structured = True, self._by_text or event.tool_name is not None
        if event.tool_name is None:
            self._index = None
        else:
            self._index, self._tool = index, self._run.plan.spec.tools[event.tool_name]

    def _forget_result(self) -> None:
        self._index, self._tool, self._changed = -1, None, False
        self._arriving, self._items_given, self._object_count = None, 0, 0

    def _grow(self, piece: str) -> None:
        self._changed = True
        if not self.structured:
            if self._pause:
                self._unsaid.append(_BLANK_LINE)
            self._spoke, self._pause = True, False
            self._unsaid.append(piece)
        elif self._arriving is not None:
            self._arriving.add(piece)

    # --- ways to read -------------------------------------------------------------------------------------------------

    def text(self, *, delta: bool, debounce_by: float | None) -> Iterator[str | Wait]:
        """The whole text so far, or with `delta` its pieces, of all answers."""
        if delta:
            return self._states(lambda: bool(self._unsaid) or self.structured, self._new_text, debounce_by)
        return self._states(lambda: self._changed or self.structured, self._whole_text, debounce_by)

    def data(self, debounce_by: float | None) -> Iterator[Any]:
        """The whole text so far, or partially validated data, and at the end the result, unless that text was last."""
        pending = self._data_is_due if debounce_by is None else lambda: self._changed  # otherwise the pace decides
        yield from self._states(pending, self._partial_data, debounce_by)
        if self._result is not None and (self.structured or self._result.data != self._last_text):
            yield self._result.data

    def messages(self, debounce_by: float | None) -> Iterator[tuple[ModelResponse, bool] | Wait]:
        """The answer so far and False, and at the end the answer and True."""
        # If the result type allows both, text may come before data: only the end shows which is the result.
        if self._run.plan.spec.tools:
            yield from self._states(lambda: self._changed and self.structured, self._message, debounce_by)
        if not self.structured and (self._result is not None or not self._run.plan.spec.tools):
            raise UserError('The result is text: use stream_text(), stream() or get_data()')
        if self._result is not None:
            yield self._result.response, True

    def items(self) -> Iterator[Any]:
        """Each element of a result that is a list, as soon as it is whole."""
        while True:
            self._take_all()
            yield from self._whole_items()
            if self.ended:
                break
            yield Wait()
        if self._result is not None:
            yield from self._last_items(self._result)

    def _states(
        self, pending: Callable[[], bool], make: Callable[[], T], debounce_by: float | None
    ) -> Iterator[T | Wait]:
        """The values of `make`, one whenever something is pending and due, and one at the end."""
        pace = Pace(debounce_by, self._clock)
        while True:
            if not pace.every_event:
                self._take_all()
            seconds = pace.left() if pending() else None
            if seconds is not None and (seconds <= 0 or self.ended):
                state = pace.made(make)
                if state is not _NOTHING:
                    yield state
            elif pace.every_event and self._take_next():
                continue
            elif self.ended:
                return
            else:
                yield Wait(seconds)

    # --- text and data ------------------------------------------------------------------------------------------------

    def _whole_text(self) -> str:
        self._need_text()
        self._changed = False
        self._unsaid.clear()
        self._last_text = self._result_text()
        return self._last_text

    def _new_text(self) -> str:
        if not self._unsaid:
            self._need_text()
        self._changed = self._changed and self.structured  # data may begin after this text
        text = ''.join(self._unsaid)
        self._unsaid.clear()
        return text

    def _need_text(self) -> None:
        if self.structured:
            raise UserError('The result is structured data: use stream(), stream_structured() or get_data()')

    def _data_is_due(self) -> bool:
        if not self._changed or not self.structured or self.ended:
            return self._changed
        return self._arriving_result().due()

    def _partial_data(self) -> Any:
        if not self.structured:
            return self._whole_text()
        self._changed = False
        arriving = self._arriving_result()
        if arriving.odd is not None:
            return _NOTHING
        try:
            return arriving.value()
        except Exception:  # the user's validators may not expect a part; the whole result is validated too
            return _NOTHING

    def _arriving_result(self) -> ArrivingResult[ResultT]:
        if self._arriving is None:
            self._arriving = self._run.plan.spec.arriving(self._tool)
            self._arriving.add(self._result_text())
        return self._arriving

    def _message(self) -> tuple[ModelResponse, bool]:
        self._changed = False
        return self._run.response_so_far([part.part() for part in self._parts.values()]), False

    def _result_text(self) -> str:
        """The text, or the JSON text, that is the result."""
        if self._index is None:
            return ''.join(part.text() for part in self._parts.values() if part.is_text)
        return self._parts[self._index].text()

    # --- the elements of a list ---------------------------------------------------------------------------------------

    def _whole_items(self) -> Iterator[Any]:
        """The whole elements that no reader got yet."""
        elements: list[Any] = []
        if self._index != -1:
            elements = self._elements_so_far()
        if self._rejected:
            raise self._not_accepted(self._rejected)
        for item in elements[self._items_given :]:
            self._items_given += 1
            yield item

    def _elements_so_far(self) -> list[Any]:
        arriving = self._list_result()
        arriving.take_elements()
        if arriving.object_count != self._object_count:  # another object of the answer has become the list
            self._rejected += self._items_given
            self._items_given, self._object_count = 0, arriving.object_count
        return arriving.whole

    def _last_items(self, result: RunResult[ResultT]) -> Iterator[Any]:
        """The remaining elements of the result, after an invalid element or if another call became the result."""
        call_id = result._result_tool_call_id
        accepted = self._index != -1 and call_id == self._call_id()
        if not accepted and self._items_given:
            raise self._not_accepted(self._items_given)
        if not accepted or self._list_result().odd is not None:
            call = next((call for call in result.response.tool_calls if call.tool_call_id == call_id), None)
            self._check_list(self._run.plan.spec.tools[call.tool_name] if call else None)
            data: Any = result.data
            for item in list(data)[self._items_given :]:
                self._items_given += 1
                yield item

    def _call_id(self) -> str | None:
        part = None if self._index is None else self._parts[self._index].part()
        return part.tool_call_id if isinstance(part, ToolCallPart) else None

    def _not_accepted(self, number: int) -> UnexpectedModelBehavior:
        count = f'{number} element{"s" if number > 1 else ""}'
        error = UnexpectedModelBehavior(
            f'The answer of which stream_items() gave {count} was not accepted as the result: drop what it gave; '
            'get_data() has the result'
        )
        error.messages = self._run.messages_so_far()
        return error

    def _list_result(self) -> ArrivingResult[ResultT]:
        if self._arriving is None or self._arriving.elements is None:
            self._check_list(self._tool)
        return self._arriving_result()

    def _check_list(self, tool: ResultTool[ResultT] | None) -> None:
        """Raise UserError unless the result that `tool` gives, or the text, is a list."""
        is_data = tool is not None or self._by_text
        if not is_data or self._run.plan.spec.arriving(tool).elements is None:
            raise UserError(
                'stream_items() needs a result that is a list of one kind of elements, such as result_type=list[Row]'
            )
