"""The data in the messages of a streamed answer; each message holds all of the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..exceptions import UserError
from ..messages import ModelResponse

if TYPE_CHECKING:
    from .._schema import ArrivingResult, ResultSpec, ResultTool

ResultT = TypeVar('ResultT')


class MessageData(Generic[ResultT]):
    """Validates messages; continues from the last one if the next extends it, as in a stream.

    Args:
        spec: What a result is.
        by_text: Whether the text of a message is the data, as opposed to the arguments of a call.
    """

    def __init__(self, spec: ResultSpec[ResultT], *, by_text: bool) -> None:
        self._spec = spec
        self._by_text = by_text
        # The tool, the text and the value of the last message. Any thread may take it out, and puts it back after use.
        self._last: tuple[ResultTool[ResultT] | None, str, ArrivingResult[ResultT]] | None = None

    def validated(self, message: ModelResponse, *, allow_partial: bool) -> ResultT:
        """The data in a message.

        Raises:
            pydantic.ValidationError: It does not fit.
            UserError: There is none.
        """
        if not isinstance(message, ModelResponse):
            raise UserError(f'Pass a message that stream_structured() gave, not {type(message).__name__}')
        if self._by_text:
            if allow_partial:
                return self._so_far(None, message.text)
            return self._spec.validate_answer(message.text)
        for call in message.tool_calls:
            if call.tool_name in self._spec.tools:
                return self._of_call(self._spec.tools[call.tool_name], call.args, allow_partial)
        raise UserError('There is no structured result in this message: pass one that stream_structured() gave')

    def _of_call(self, tool: ResultTool[ResultT], args: str | dict[str, Any] | None, allow_partial: bool) -> ResultT:
        if allow_partial and isinstance(args, str):
            return self._so_far(tool, args)
        return tool.validate(args, allow_partial=allow_partial)

    def _so_far(self, tool: ResultTool[ResultT] | None, text: str) -> ResultT:
        last, self._last = self._last, None
        if last is not None and last[0] is tool and text.startswith(last[1]):
            arriving, new = last[2], text[len(last[1]) :]
        else:
            arriving, new = self._spec.arriving(tool), text
        arriving.add(new)
        try:
            return arriving.value()
        finally:
            self._last = tool, text, arriving
