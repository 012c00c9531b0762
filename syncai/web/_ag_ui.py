"""The events of AG-UI 1.0, as `HttpAgent` reads them: https://docs.ag-ui.com/concepts/events

They are written as dicts: the models of the package `ag-ui-protocol` would triple the cost of an event. The tests read
the output with those models.
"""

from __future__ import annotations

from typing import Any

from ..approvals import PendingCall
from ..messages import ToolReturnPart
from ..result import RunPaused
from ._calls import ShownCall
from ._errors import ErrorReply
from ._json import plain_json, quoted, value_json
from ._parts import Kind, PartWriter
from ._writer import End, Ids, usage_fields

_STEP = 'response'
_DECISION = {
    'type': 'object',
    'properties': {'approved': {'type': 'boolean'}, 'reason': {'type': 'string'}},
    'required': ['approved'],
}


class AgUiWriter(PartWriter):
    """Writes the form `'ag-ui'`."""

    def __init__(self, ids: Ids) -> None:
        super().__init__(ids)
        self._prefix = ids.message or ids.run
        self._run = {'threadId': ids.thread, 'runId': ids.run}
        self._message_id: str | None = None  # the message of the response, to which its calls belong
        self._returns = 0
        self._page_ids: dict[str, str] = {}  # the page's ids of the calls that wait
        self._in_step = False

    def opening(self) -> str:
        """The start of the run and of its first step."""
        return _event(type='RUN_STARTED', **self._run) + self.next_step()

    def next_step(self) -> str:
        """The end of a step, and the start of the next."""
        end, self._message_id = self._end_step(), None
        self._in_step = True
        return end + _event(type='STEP_STARTED', stepName=_STEP)

    def begin_part(self, kind: Kind, number: int) -> tuple[str, str, str]:
        """The beginning of a message or of thoughts, the prefix of their pieces, and the end."""
        ident = f'{self._prefix}-{number}'
        if kind == 'text':
            self._message_id = ident
            return (
                _event(type='TEXT_MESSAGE_START', messageId=ident, role='assistant'),
                f'data: {{"type":"TEXT_MESSAGE_CONTENT","messageId":{quoted(ident)},"delta":',
                _event(type='TEXT_MESSAGE_END', messageId=ident),
            )
        return (
            _event(type='REASONING_START', messageId=ident)
            + _event(type='REASONING_MESSAGE_START', messageId=ident, role='reasoning'),
            f'data: {{"type":"REASONING_MESSAGE_CONTENT","messageId":{quoted(ident)},"delta":',
            _event(type='REASONING_MESSAGE_END', messageId=ident) + _event(type='REASONING_END', messageId=ident),
        )

    def begin_call(self, call: ShownCall) -> str:
        """The beginning of a call, which belongs to the message of the response."""
        parent = {} if self._message_id is None else {'parentMessageId': self._message_id}
        return _event(type='TOOL_CALL_START', toolCallId=call.id, toolCallName=call.name, **parent)

    def more_args(self, call: ShownCall, piece: str) -> str:
        """A piece of its arguments."""
        call.args.append(piece)
        return f'data: {{"type":"TOOL_CALL_ARGS","toolCallId":{quoted(call.id)},"delta":{quoted(piece)}}}\n\n'

    def end_call(self, call: ShownCall, arguments: Any) -> str:
        """Its end, with the arguments if they did not stream."""
        args = '' if call.args else self.more_args(call, plain_json(arguments))
        return args + _event(type='TOOL_CALL_END', toolCallId=call.id)

    def returned(self, call: ShownCall, part: ToolReturnPart) -> str:
        """Its return, as the model reads it."""
        return self._tool_result(call, part.model_response_str())

    def failed(self, call: ShownCall, sentence: str) -> str:
        """The reason why it failed."""
        return self._tool_result(call, sentence)

    def paused_call(self, call: ShownCall, pending: PendingCall) -> str:
        """Nothing yet: the end of the run lists the waiting calls."""
        self._page_ids[pending.id] = call.id
        return ''

    def ending(self, end: End) -> str:
        """The result if it is data, and the usage."""
        response = end.result.response
        usage = {'provider': response.provider_name, 'model': response.model_name, **usage_fields(end.result.usage())}
        result = '' if end.has_text else f',"result":{value_json(end.result.data)}'
        fields = {
            'type': 'RUN_FINISHED',
            **self._run,
            'outcome': {'type': 'success'},
            'usage': [{name: value for name, value in usage.items() if value is not None}],
        }
        return f'{self.close_all()}{self._end_step()}data: {plain_json(fields)[:-1]}{result}}}\n\n'

    def pausing(self, paused: RunPaused) -> str:
        """The end of a run that waits for decisions: `payload` of each is to be `{approved, reason?}`."""
        interrupts = [self._interrupt(pending) for pending in paused.pending]
        outcome = {'type': 'interrupt', 'interrupts': interrupts}
        return self.close_all() + self._end_step() + _event(type='RUN_FINISHED', **self._run, outcome=outcome)

    def failing(self, reply: ErrorReply) -> str:
        """The error, after which nothing may follow."""
        return self.close_all() + self._end_step() + _event(type='RUN_ERROR', message=reply.sentence, code=reply.code)

    def _interrupt(self, pending: PendingCall) -> dict[str, Any]:
        return {
            'id': pending.id,
            'reason': 'tool_call',
            'message': pending.reason or f'May {pending.tool_name} be called?',
            'toolCallId': self._page_ids.get(pending.id, pending.id),
            'responseSchema': _DECISION,
        }

    def _tool_result(self, call: ShownCall, content: str) -> str:
        ident = f'{self._prefix}-r{self._returns}'
        self._returns += 1
        return _event(type='TOOL_CALL_RESULT', messageId=ident, toolCallId=call.id, content=content, role='tool')

    def _end_step(self) -> str:
        in_step, self._in_step = self._in_step, False
        return _event(type='STEP_FINISHED', stepName=_STEP) if in_step else ''


def _event(**fields: Any) -> str:
    return f'data: {plain_json(fields)}\n\n'
