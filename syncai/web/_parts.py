"""The common part of forms with parts: from the events of a run to parts that begin, grow and end."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, assert_never

from ..approvals import PendingCall
from ..events import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    ResponseEndEvent,
    ResultRefusedEvent,
    ToolCallPausedEvent,
)
from ..exceptions import UnexpectedModelBehavior
from ..messages import (
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from ._calls import CallIds, History, ShownCall
from ._json import plain_json, quoted
from ._writer import Ids, Writer

_NOT_CALLED = 'The tool was not called.'

Kind = Literal['text', 'reasoning']


class Spot:
    """An open part of the response.

    Attributes:
        kind: Its kind; None for a call.
        call: The call, or None.
        before: The prefix of each piece of its text, once the page knows of it.
        end: The text that closes it.
    """

    __slots__ = ('before', 'call', 'end', 'kind')

    def __init__(self, kind: Kind | None, call: ShownCall | None = None) -> None:
        self.kind = kind
        self.call = call
        self.before: str | None = None
        self.end = ''


class PartWriter(Writer):
    """A writer of a form with parts. Empty parts and the call of a result are never shown."""

    def __init__(self, ids: Ids) -> None:
        super().__init__(ids)
        self._spots: dict[int, Spot] = {}
        self._calls = CallIds(ids.calls, continues=ids.message is None)
        self._results: set[str] = set()  # the tools whose calls are results
        self._parts = 0  # that were begun
        self._between = False  # whether a response has ended and no part of the next has begun

    # --- what a form adds ---------------------------------------------------------------------------------------------

    @abstractmethod
    def begin_part(self, kind: Kind, number: int) -> tuple[str, str, str]:
        """The beginning of a text, the prefix of each quoted piece (`}` and a blank line follow), and the end."""

    @abstractmethod
    def begin_call(self, call: ShownCall) -> str:
        """The beginning of a call."""

    @abstractmethod
    def more_args(self, call: ShownCall, piece: str) -> str:
        """More of its arguments."""

    @abstractmethod
    def end_call(self, call: ShownCall, arguments: Any) -> str:
        """Its end: all of its arguments, or their text if they are no JSON object."""

    @abstractmethod
    def returned(self, call: ShownCall, part: ToolReturnPart) -> str:
        """Its return."""

    @abstractmethod
    def failed(self, call: ShownCall, sentence: str) -> str:
        """The reason why it failed."""

    @abstractmethod
    def paused_call(self, call: ShownCall, pending: PendingCall) -> str:
        """A call that waits for a decision."""

    @abstractmethod
    def next_step(self) -> str:
        """The text between two responses."""

    def follow(self, history: History) -> None:
        """Take the messages before this run."""
        self._calls.follow(history)

    # --- events -------------------------------------------------------------------------------------------------------

    def event(self, event: AgentStreamEvent) -> str:
        """The text for an event."""
        if type(event) is PartDeltaEvent:
            delta = event.delta
            spot = self._spots.get(event.index)
            kind: Kind = 'text'
            if isinstance(delta, TextPartDelta):
                content: str | None = delta.content_delta
            elif isinstance(delta, ThinkingPartDelta):
                kind, content = 'reasoning', delta.content_delta
            elif isinstance(delta, ToolCallPartDelta):
                return '' if spot is None or spot.call is None else self._more_of_call(spot.call, delta)
            else:
                assert_never(delta)
            if spot is None or spot.before is None:
                return self._begin(event.index, kind, content) if content else ''
            return f'{spot.before}{quoted(content)}}}\n\n' if content else ''
        return self._seldom(event)

    def _seldom(self, event: AgentStreamEvent) -> str:
        """The text for an event that is rarer than tokens."""
        match event:
            case PartStartEvent(index, part):
                return self._step() + self._close(index) + self._start(index, part)
            case PartEndEvent(index, _):
                return self._close(index)
            case ResponseEndEvent(response):
                return self._response_end(response)
            case FunctionToolCallEvent(part):
                return self._called(part)
            case FunctionToolResultEvent(result) | ResultRefusedEvent(result):
                return self._result(result)
            case FinalResultEvent(tool_name, _):
                self._results |= {tool_name} if tool_name else set()
                return ''
            case ToolCallPausedEvent(pending):
                call = self._calls.close(pending.id) or self._calls.begin(pending.id, pending.tool_name)
                return self.paused_call(call, pending)
            case PartDeltaEvent():
                raise AssertionError('unreachable: `event` takes these')
            case _:
                assert_never(event)

    def close_all(self) -> str:
        """The ends of all open parts."""
        return ''.join(map(self._close, list(self._spots))) + ''.join(map(self._not_called, self._calls.left()))

    def open_tools(self) -> list[str]:
        """The names of the tools that are being called."""
        return self._calls.open_names()

    # --- parts --------------------------------------------------------------------------------------------------------

    def _step(self) -> str:
        if not self._between:
            return ''
        self._between = False
        return ''.join(map(self._not_called, self._calls.left())) + self.next_step()

    def _start(self, index: int, part: ModelResponsePart) -> str:
        match part:
            case TextPart(content):
                return self._begin(index, 'text', content) if content else ''
            case ThinkingPart(content):
                return self._begin(index, 'reasoning', content) if content else ''
            case ToolCallPart():
                return self._start_call(index, part)
            case _:
                assert_never(part)

    def _begin(self, index: int, kind: Kind, content: str) -> str:
        """Begin a part, or reopen one that was closed when another began."""
        spot = self._spots[index] = Spot(kind)
        begin, spot.before, spot.end = self.begin_part(kind, self._parts)
        self._parts += 1
        return f'{begin}{spot.before}{quoted(content)}}}\n\n'

    def _close(self, index: int) -> str:
        """The end of a text. A call ends with its response, since calls may arrive interleaved."""
        spot = self._spots.get(index)
        if spot is None or spot.call is not None:
            return ''
        del self._spots[index]
        return spot.end

    # --- calls --------------------------------------------------------------------------------------------------------

    def _start_call(self, index: int, part: ToolCallPart) -> str:
        call = self._calls.begin(part.tool_call_id, part.tool_name)
        self._spots[index] = Spot(None, call)
        args = part.args
        return self._args(call, args if isinstance(args, str) else plain_json(args)) if args else ''

    def _more_of_call(self, call: ShownCall, delta: ToolCallPartDelta) -> str:
        if delta.tool_name_delta and not call.begun:
            call.name += delta.tool_name_delta
        if delta.tool_call_id:
            self._calls.rename(call, delta.tool_call_id)
        return self._args(call, delta.args_delta) if delta.args_delta else ''

    def _args(self, call: ShownCall, piece: str) -> str:
        """Begin a call with its arguments: before them, its name and id may still be arriving."""
        if call.name in self._results:
            return ''
        return self._known(call) + self.more_args(call, piece)

    def _known(self, call: ShownCall) -> str:
        if call.begun:
            return ''
        call.begun = True
        return self.begin_call(call)

    def _response_end(self, response: ModelResponse) -> str:
        ends = ''.join(map(self._close, list(self._spots)))
        self._spots, self._between = {}, True
        return ends + ''.join(map(self._whole, response.tool_calls))

    def _whole(self, part: ToolCallPart) -> str:
        """The end of a call with complete arguments."""
        call = self._calls.get(part.tool_call_id)
        if call is None:
            call = self._calls.begin(part.tool_call_id, part.tool_name)
        if part.tool_name in self._results:
            self._calls.close(part.tool_call_id)
            return ''
        if call.whole:
            return ''
        call.whole = True
        try:
            arguments: Any = part.args_as_dict()
        except UnexpectedModelBehavior:  # the tool refuses it, and its message follows
            arguments = part.args_as_json_str()
        return self._known(call) + self.end_call(call, arguments)

    def _called(self, part: ToolCallPart) -> str:
        return self._whole(part)

    def _result(self, part: ToolReturnPart | RetryPromptPart) -> str:
        call = self._calls.close(part.tool_call_id)
        if call is None:
            return ''
        if isinstance(part, ToolReturnPart):
            return self.returned(call, part)
        return self.failed(call, _sentence(part))

    def _not_called(self, call: ShownCall) -> str:
        if not call.begun:
            return ''
        end = '' if call.whole else self.end_call(call, {})
        return end + self.failed(call, _NOT_CALLED)


def _sentence(part: RetryPromptPart) -> str:
    """The reason why a call failed: the message of its tool, or the wrong arguments."""
    if isinstance(part.content, str):
        return part.content
    problems = ('.'.join(map(str, error.get('loc', ()))) + ': ' + str(error.get('msg', '')) for error in part.content)
    return f'The arguments of the call do not fit: {"; ".join(problems)}'
