"""A model whose answers come from a function of the program."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from .._base.json_values import whole_text
from .._bridge.caller import call_user_function, iterate_user_generator
from ..exceptions import UnexpectedModelBehavior, UserError
from ..messages import ModelMessage, ModelResponse, ModelResponsePart, ModelResponseStreamEvent, TextPart
from ..parameters import ModelRequestParameters, ToolDefinition
from ..settings import ModelSettings, merge_settings
from ._http.estimate import estimate_usage
from ._interface import Model, StreamedResponse
from ._offline.replay import ReplayedStreamedResponse

__all__ = ['AgentInfo', 'DeltaToolCall', 'DeltaToolCalls', 'FunctionDef', 'FunctionModel', 'StreamFunctionDef']


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentInfo:
    """The request, besides its messages."""

    function_tools: list[ToolDefinition]
    allow_text_result: bool
    result_tools: list[ToolDefinition]
    model_settings: ModelSettings | None


@dataclass(slots=True)
class DeltaToolCall:
    """A fragment of a tool call: the first has the name, the arguments are JSON text in pieces."""

    name: str | None = None
    json_args: str | None = None
    tool_call_id: str | None = None


DeltaToolCalls: TypeAlias = dict[int, DeltaToolCall]
"""Fragments of tool calls, by the number of the call."""

FunctionDef: TypeAlias = Callable[
    [list[ModelMessage], AgentInfo], ModelResponse | str | Awaitable[ModelResponse] | Awaitable[str]
]
"""Returns a whole answer, or its text; may be a coroutine function."""

StreamFunctionDef: TypeAlias = Callable[
    [list[ModelMessage], AgentInfo], Iterator[str | DeltaToolCalls] | AsyncIterator[str | DeltaToolCalls]
]
"""Yields an answer in pieces; a generator or an async generator."""


class FunctionModel(Model):
    """A model whose answers come from a function, which runs in the thread of the request's caller.

    Args:
        function: Called with the messages and an `AgentInfo`; returns the answer, or its text. It also serves streams,
            with its text word by word.
        stream_function: The same for streams alone: a generator of the pieces, which are text, or dicts of
            `DeltaToolCall` by the number of the call.
        model_name: Its name; None makes one from the functions' names.
        settings: Settings for every call, which the functions find in `AgentInfo`.

    Raises:
        UserError: No function was given, or a value is not a function.
    """

    stream_name = 'FunctionStreamedResponse'

    def __init__(
        self,
        function: FunctionDef | None = None,
        *,
        stream_function: StreamFunctionDef | None = None,
        model_name: str | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        if function is None and stream_function is None:
            raise UserError('FunctionModel needs `function`, `stream_function` or both')
        for candidate in (function, stream_function):
            if candidate is not None and not callable(candidate):
                raise UserError(f'FunctionModel takes functions, not {candidate!r:.100}')
            _check_parameters(candidate)
        self.function = function
        self.stream_function = stream_function
        self.settings = settings
        names = (getattr(f, '__name__', type(f).__name__) if f else '' for f in (function, stream_function))
        self._model_name = model_name or f'function:{":".join(names)}'

    @property
    def model_name(self) -> str:
        """The name of the model."""
        return self._model_name

    @property
    def system(self) -> str:
        """`function`."""
        return 'function'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The answer of `function`."""
        return await self._answer(messages, model_settings, model_request_parameters)

    async def _answer(
        self, messages: Sequence[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> ModelResponse:
        if self.function is None:
            raise UserError('FunctionModel must receive a `function` to support non-streamed requests')
        response = await call_user_function(self.function, list(messages), self._info(settings, parameters))
        if isinstance(response, str):
            response = ModelResponse([TextPart(response)])
        if not isinstance(response, ModelResponse):
            raise UserError(_no_answer(response))
        usage = response.usage if response.usage.has_values() else estimate_usage([*messages, response])
        name, provider = response.model_name or self._model_name, response.provider_name or self.system
        parts = [_whole(part) for part in response.parts]
        return replace(response, parts=parts, usage=usage, model_name=name, provider_name=provider)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """The pieces of `stream_function`, or the answer of `function`, word by word."""
        if self.stream_function is None:
            response = await self._answer(messages, model_settings, model_request_parameters)
            yield ReplayedStreamedResponse(response)
            return
        info = self._info(model_settings, model_request_parameters)
        source = await call_user_function(self.stream_function, list(messages), info)
        if not (hasattr(source, '__anext__') or hasattr(source, '__next__')):
            raise UserError(f'The stream function of a FunctionModel must be a generator; it returned {source!r:.200}')
        pieces = iterate_user_generator(source)
        try:
            yield FunctionStreamedResponse(pieces, list(messages), self._model_name, self.system)
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]

    def _info(self, settings: ModelSettings | None, parameters: ModelRequestParameters) -> AgentInfo:
        return AgentInfo(
            function_tools=list(parameters.function_tools),
            allow_text_result=parameters.allow_text_result,
            result_tools=list(parameters.result_tools),
            model_settings=merge_settings(self.settings, settings) or None,
        )


def _no_answer(response: object) -> str:
    if hasattr(response, '__next__') or hasattr(response, '__anext__'):
        return 'The function of a FunctionModel is a generator: pass it as FunctionModel(stream_function=...)'
    return f'The function of a FunctionModel must return a ModelResponse or a str, not {response!r:.200}'


def _whole(part: ModelResponsePart) -> ModelResponsePart:
    return replace(part, content=whole_text(part.content)) if isinstance(part, TextPart) else part


class FunctionStreamedResponse(StreamedResponse):
    """The pieces of a stream function, as events."""

    def __init__(
        self, pieces: AsyncIterator[Any], messages: list[ModelMessage], model_name: str, provider_name: str
    ) -> None:
        super().__init__(model_name, provider_name)
        self._pieces = pieces
        self._messages = messages
        self._usage = estimate_usage(messages)

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """One list for each yielded piece."""
        async for piece in self._pieces:
            batch = self._events(piece)
            if batch:
                yield batch
        response = self.get()
        if not response.parts:
            raise UnexpectedModelBehavior(
                'Stream function must return at least one item', model_name=self._model_name, provider='function'
            )
        self._usage = estimate_usage([*self._messages, response])
        self._finish_reason = 'tool_call' if response.tool_calls else 'stop'
        self._complete = True

    def _events(self, piece: object) -> list[ModelResponseStreamEvent]:
        if isinstance(piece, str):
            return [self._builder.text(whole_text(piece))] if piece else []
        if not isinstance(piece, Mapping):
            raise UserError(f'A stream function yields str or dict[int, DeltaToolCall], not {piece!r:.200}')
        events = (
            self._builder.tool_call(index, name=call.name, args=call.json_args, call_id=call.tool_call_id)
            for index, call in piece.items()
        )
        return [event for event in events if event is not None]


def _check_parameters(function: Callable[..., Any] | None) -> None:
    """Raise UserError unless the function takes the two arguments that it will get."""
    try:
        parameters = None if function is None else inspect.signature(function)
    except (TypeError, ValueError):  # it is not written in Python
        return
    try:
        if parameters is not None:
            parameters.bind(None, None)
    except TypeError:
        raise UserError(
            f'A function of FunctionModel is called with the messages and an AgentInfo: write it as '
            f'(messages, info), not {parameters}'
        ) from None
