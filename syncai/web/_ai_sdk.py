"""The UI message stream of the AI SDK, as its versions 5, 6 and 7 read it.

Only chunks and fields known to all three are written: an unknown type ends the stream in each version, an unknown field
in earlier releases. https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
"""

from __future__ import annotations

from typing import Any

from ..approvals import PendingCall
from ..messages import FinishReason, ToolReturnPart
from ..result import RunPaused
from ._calls import ShownCall
from ._errors import ErrorReply
from ._json import plain_json, quoted, value_json, without_none
from ._parts import Kind, PartWriter
from ._writer import End, Ids, usage_fields

# Another word ends the stream with an error, after the complete answer.
_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'stop',
    'length': 'length',
    'content_filter': 'content-filter',
    'tool_call': 'tool-calls',
    'error': 'error',
}
_DONE = 'data: [DONE]\n\n'


class AiSdkWriter(PartWriter):
    """Writes the form `'ai-sdk'`."""

    def __init__(self, ids: Ids) -> None:
        super().__init__(ids)
        self._in_step = False

    def opening(self) -> str:
        """The start of the message, sent before the model answers."""
        start = _chunk(type='start', **without_none(messageId=self.ids.message))
        if self.ids.message is None:  # returns of calls in the page's message come before the first step
            self._between = True
            return start
        return start + self.next_step()

    def next_step(self) -> str:
        """The end of a step, and the start of the next."""
        end = self._end_step()
        self._in_step = True
        return f'{end}data: {{"type":"start-step"}}\n\n'

    def begin_part(self, kind: Kind, number: int) -> tuple[str, str, str]:
        """The beginning of a text or of thoughts, the prefix of their pieces, and the end."""
        ident = f'{kind[0]}{number}'
        return (
            f'data: {{"type":"{kind}-start","id":"{ident}"}}\n\n',
            f'data: {{"type":"{kind}-delta","id":"{ident}","delta":',
            f'data: {{"type":"{kind}-end","id":"{ident}"}}\n\n',
        )

    def begin_call(self, call: ShownCall) -> str:
        """The beginning of a call."""
        return _chunk(type='tool-input-start', toolCallId=call.id, toolName=call.name)

    def more_args(self, call: ShownCall, piece: str) -> str:
        """A piece of its arguments."""
        return (
            f'data: {{"type":"tool-input-delta","toolCallId":{quoted(call.id)},"inputTextDelta":{quoted(piece)}}}\n\n'
        )

    def end_call(self, call: ShownCall, arguments: Any) -> str:
        """All of its arguments."""
        return _chunk(type='tool-input-available', toolCallId=call.id, toolName=call.name, input=arguments)

    def returned(self, call: ShownCall, part: ToolReturnPart) -> str:
        """Its return; `metadata` is for the program alone."""
        output = value_json(part.content)
        return f'data: {{"type":"tool-output-available","toolCallId":{quoted(call.id)},"output":{output}}}\n\n'

    def failed(self, call: ShownCall, sentence: str) -> str:
        """The reason why it failed."""
        return _chunk(type='tool-output-error', toolCallId=call.id, errorText=sentence)

    def paused_call(self, call: ShownCall, pending: PendingCall) -> str:
        """The request for a decision, for AI SDK 6 and 7; its id is the run's id of the call."""
        return _chunk(type='tool-approval-request', approvalId=pending.id, toolCallId=call.id)

    def ending(self, end: End) -> str:
        """The result if it is data, the reason for the end, and the usage."""
        data = '' if end.has_text else f'data: {{"type":"data-result","data":{value_json(end.result.data)}}}\n\n'
        reason = None if end.finish_reason is None else _FINISH_REASONS[end.finish_reason]
        metadata = {'usage': usage_fields(end.result.usage()), **end.metadata}
        finish = _chunk(type='finish', **without_none(finishReason=reason), messageMetadata=metadata)
        return self.close_all() + data + self._end_step() + finish + _DONE

    def pausing(self, paused: RunPaused) -> str:
        """The end of a message that the page continues after the decisions."""
        metadata = {'usage': usage_fields(paused.usage)}
        finish = _chunk(type='finish', finishReason='tool-calls', messageMetadata=metadata)
        return self.close_all() + self._end_step() + finish + _DONE

    def failing(self, reply: ErrorReply) -> str:
        """The error; the page reads nothing after it."""
        code = _chunk(type='message-metadata', messageMetadata={'error': _error_fields(reply)})
        return self.close_all() + code + _chunk(type='error', errorText=reply.sentence) + _DONE

    def _end_step(self) -> str:
        in_step, self._in_step = self._in_step, False
        return 'data: {"type":"finish-step"}\n\n' if in_step else ''


def _error_fields(reply: ErrorReply) -> dict[str, Any]:
    return {'code': reply.code, **without_none(retryAfter=reply.retry_after)}


def _chunk(**fields: Any) -> str:
    return f'data: {plain_json(fields)}\n\n'
