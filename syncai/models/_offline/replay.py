"""A whole answer as a stream, for models that have the answer before the stream begins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_never

from ...messages import ModelResponse, ModelResponsePart, ModelResponseStreamEvent, TextPart, ThinkingPart, ToolCallPart
from ...usage import Usage
from .._interface import StreamedResponse

__all__ = ['ReplayedStreamedResponse']


class ReplayedStreamedResponse(StreamedResponse):
    """The parts of `response`, text and thoughts word by word."""

    def __init__(self, response: ModelResponse) -> None:
        super().__init__(response.model_name or '', response.provider_name)
        self._response = response
        self._timestamp = response.timestamp

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """One event at a time, as a slow provider would send them."""
        for index, part in enumerate(self._response.parts):
            for event in self._events(index, part):
                yield [event]
        self._complete = True

    def get(self) -> ModelResponse:
        """The answer as far as it was streamed; at the end, the whole answer."""
        return self._response if self._complete else super().get()

    def usage(self) -> Usage:
        """What the request has used."""
        return self._response.usage

    def _events(self, index: int, part: ModelResponsePart) -> Iterator[ModelResponseStreamEvent]:
        if isinstance(part, ToolCallPart):
            args, call_id = part.args_as_json_str(), part.tool_call_id
            event = self._builder.tool_call(index, name=part.tool_name, args=args, call_id=call_id)
            if event is not None:
                yield event
        elif isinstance(part, TextPart):
            yield self._builder.text('', index)
            for word in _words(part.content):
                yield self._builder.text(word, index)
        elif isinstance(part, ThinkingPart):
            yield self._builder.thinking('', index, part_id=part.id, provider_name=part.provider_name)
            for word in _words(part.content):
                yield self._builder.thinking(word, index)
            if part.signature is not None:
                yield self._builder.thinking(None, index, signature=part.signature, provider_name=part.provider_name)
        else:
            assert_never(part)


def _words(text: str) -> list[str]:
    *words, last = text.split(' ')
    if not words and len(last) > 2:
        return [last[: len(last) // 2], last[len(last) // 2 :]]
    return [word for word in (*(f'{word} ' for word in words), last) if word]
