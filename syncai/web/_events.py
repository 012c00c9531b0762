"""Events of syncai as JSON, one in each server-sent event, with a number as its id. Names are those of the classes and
fields. Data for the provider alone (signatures, details) or for the program alone (`metadata` of tools) stay on the
server.
"""

from __future__ import annotations

from typing import Any, assert_never

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
from ..messages import (
    ModelResponsePart,
    ModelResponsePartDelta,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from ..result import RunPaused
from ..usage import Usage
from ._calls import CallIds
from ._errors import ErrorReply
from ._json import plain_json, quoted, value_json, without_none
from ._writer import End, Ids, Writer


class EventsWriter(Writer):
    """Writes the form `'events'`."""

    def __init__(self, ids: Ids) -> None:
        super().__init__(ids)
        self._number = 0
        self._calls = CallIds()

    def opening(self) -> str:
        """The start of the run."""
        ids = without_none(message_id=self.ids.message, thread_id=self.ids.thread, run_id=self.ids.run)
        return self._line(plain_json({'event_kind': 'run_start', **ids}))

    def event(self, event: AgentStreamEvent) -> str:
        """An event as JSON."""
        if type(event) is PartDeltaEvent and type(event.delta) is TextPartDelta:
            self._number += 1
            return (
                f'id: {self._number}\ndata: {{"event_kind":"part_delta","index":{event.index},"delta":'
                f'{{"part_delta_kind":"text","content_delta":{quoted(event.delta.content_delta)}}}}}\n\n'
            )
        self._note_calls(event)
        return self._line(_event_json(event))

    def ending(self, end: End) -> str:
        """The end of the run, with its result."""
        fields = {
            'event_kind': 'run_end',
            **without_none(finish_reason=end.finish_reason),
            'usage': _usage(end.result.usage()),
            **({'metadata': end.metadata} if end.metadata else {}),
        }
        return self._line(f'{plain_json(fields)[:-1]},"result":{value_json(end.result.data)}}}')

    def pausing(self, paused: RunPaused) -> str:
        """The end of a run that waits for decisions."""
        pending = [call.id for call in paused.pending]
        fields = {'event_kind': 'run_paused', 'pending': pending, 'usage': _usage(paused.usage)}
        return self._line(plain_json(fields))

    def failing(self, reply: ErrorReply) -> str:
        """The end of a run that failed."""
        more = without_none(retry_after=reply.retry_after)
        return self._line(
            plain_json({'event_kind': 'run_error', 'code': reply.code, 'message': reply.sentence, **more})
        )

    def open_tools(self) -> list[str]:
        """The names of the tools that are being called."""
        return self._calls.open_names()

    def _note_calls(self, event: AgentStreamEvent) -> None:
        if isinstance(event, FunctionToolCallEvent):
            self._calls.begin(event.part.tool_call_id, event.part.tool_name)
        elif isinstance(event, FunctionToolResultEvent):
            self._calls.close(event.tool_call_id)

    def _line(self, json: str) -> str:
        self._number += 1
        return f'id: {self._number}\ndata: {json}\n\n'


def _event_json(event: AgentStreamEvent) -> str:
    match event:
        case PartStartEvent(index, part) | PartEndEvent(index, part):
            return plain_json({'event_kind': event.event_kind, 'index': index, 'part': _part(part)})
        case PartDeltaEvent(index, delta):
            return plain_json({'event_kind': event.event_kind, 'index': index, 'delta': _delta(delta)})
        case ResponseEndEvent(response):
            fields = without_none(
                finish_reason=response.finish_reason, model_name=response.model_name, usage=_usage(response.usage)
            )
            return plain_json({'event_kind': event.event_kind, **fields})
        case FinalResultEvent(tool_name, call_id):
            tool = without_none(tool_name=tool_name, tool_call_id=call_id)
            return plain_json({'event_kind': event.event_kind, **tool})
        case FunctionToolCallEvent(part):
            return plain_json({'event_kind': event.event_kind, 'part': _part(part)})
        case FunctionToolResultEvent(result) | ResultRefusedEvent(result):
            return f'{plain_json({"event_kind": event.event_kind})[:-1]},"result":{_returned(result)}}}'
        case ToolCallPausedEvent(pending):
            tool = {'tool_call_id': pending.id, 'tool_name': pending.tool_name, 'args_hash': pending.args_hash}
            more = without_none(reason=pending.reason)
            head = plain_json({'event_kind': event.event_kind, **tool, **more})
            return f'{head[:-1]},"args":{value_json(pending.args)}}}'
        case _:
            assert_never(event)


def _part(part: ModelResponsePart) -> dict[str, Any]:
    match part:
        case TextPart(content) | ThinkingPart(content):
            return {'part_kind': part.part_kind, 'content': content}
        case ToolCallPart(name, args, call_id):
            more = without_none(args=args)
            return {'part_kind': part.part_kind, 'tool_name': name, 'tool_call_id': call_id, **more}
        case _:
            assert_never(part)


def _delta(delta: ModelResponsePartDelta) -> dict[str, Any]:
    match delta:
        case TextPartDelta(content):
            return {'part_delta_kind': delta.part_delta_kind, 'content_delta': content}
        case ThinkingPartDelta(thoughts):
            return {'part_delta_kind': delta.part_delta_kind, **without_none(content_delta=thoughts)}
        case ToolCallPartDelta(name, args, call_id):
            more = without_none(tool_name_delta=name, args_delta=args, tool_call_id=call_id)
            return {'part_delta_kind': delta.part_delta_kind, **more}
        case _:
            assert_never(delta)


def _returned(part: ToolReturnPart | RetryPromptPart) -> str:
    tool = without_none(tool_name=part.tool_name, tool_call_id=part.tool_call_id)
    return f'{plain_json({"part_kind": part.part_kind, **tool})[:-1]},"content":{value_json(part.content)}}}'


def _usage(usage: Usage) -> dict[str, Any]:
    return without_none(
        requests=usage.requests,
        request_tokens=usage.request_tokens,
        response_tokens=usage.response_tokens,
        total_tokens=usage.total_tokens,
        details=usage.details,
    )
