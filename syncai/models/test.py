"""A model without a provider: it calls every tool, then answers with values made up from the schemas."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from .._base.call_hints import explain_arguments
from .._base.json_values import whole_json_text, without_files
from .._base.other_arguments import OF_TEST_MODELS
from .._base.values import to_json_str
from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from ..parameters import ModelRequestParameters, ToolDefinition
from ..settings import ModelSettings
from ._http.calls import new_tool_call_id
from ._http.estimate import estimate_usage
from ._interface import Model, StreamedResponse
from ._offline.replay import ReplayedStreamedResponse
from ._offline.schema_sample import SchemaSample

__all__ = ['TestModel']


class TestModel(Model):
    """A model for tests: first it calls the function tools, then it gives a result.

    Args:
        call_tools: The names of the tools to call, or `'all'`.
        custom_result_text: The text of the answer, or None for the returns of the tools.
        custom_result_args: The arguments of the result tool, or None to make them up from its schema.
        seed: Chooses among the made-up values and among several result tools.
        model_name: Its name.
        settings: Settings for every call; nothing depends on them.

    Attributes:
        last_model_request_parameters: What the last request asked for, or None before the first.
    """

    stream_name = 'TestStreamedResponse'

    __test__ = False  # not a test case, although its name suggests it to pytest

    def __init__(
        self,
        *,
        call_tools: list[str] | Literal['all'] = 'all',
        custom_result_text: str | None = None,
        custom_result_args: Any = None,
        seed: int = 0,
        model_name: str = 'test',
        settings: ModelSettings | None = None,
    ) -> None:
        self.call_tools = call_tools
        self.custom_result_text = custom_result_text
        self.custom_result_args = custom_result_args
        self.seed = seed
        self.settings = settings
        self.last_model_request_parameters: ModelRequestParameters | None = None
        self._model_name = model_name

    @property
    def model_name(self) -> str:
        """The name of the model."""
        return self._model_name

    @property
    def system(self) -> str:
        """`test`."""
        return 'test'

    @property
    def agent_model_function_tools(self) -> list[ToolDefinition] | None:
        """The function tools that the last request offered, or None before the first."""
        parameters = self.last_model_request_parameters
        return None if parameters is None else list(parameters.function_tools)

    @property
    def agent_model_allow_text_result(self) -> bool | None:
        """Whether the last request allowed an answer in text, or None before the first."""
        parameters = self.last_model_request_parameters
        return None if parameters is None else parameters.allow_text_result

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,  # noqa: ARG002 - the interface's
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer."""
        self.last_model_request_parameters = model_request_parameters
        response = ModelResponse(parts=self._answer(messages, model_request_parameters))
        return ModelResponse(
            parts=response.parts,
            usage=estimate_usage([*messages, response]),
            model_name=self._model_name,
            provider_name=self.system,
            finish_reason='tool_call' if response.tool_calls else 'stop',
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """The same answer, word by word."""
        response = await self.request(messages, model_settings, model_request_parameters)
        yield TestStreamedResponse(response)

    def _answer(self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters) -> list[ModelResponsePart]:
        calls = self._tools_to_call(parameters)
        if calls and not any(isinstance(message, ModelResponse) for message in messages):
            return [self._call(tool) for tool in calls]
        if retried := self._retries(messages, calls, parameters):
            return retried
        if self.custom_result_text is not None:
            if not parameters.allow_text_result:
                raise UserError('Plain response not allowed, but `custom_result_text` is set.')
            return [TextPart(self.custom_result_text)]
        if self.custom_result_args is not None or (parameters.result_tools and not parameters.allow_text_result):
            return [self._result(parameters)]
        if parameters.result_schema is not None and parameters.result_mode in ('native', 'prompted'):
            return [TextPart(to_json_str(SchemaSample(parameters.result_schema.schema, self.seed).value()))]
        return [TextPart(_tool_outputs(messages))]

    def _tools_to_call(self, parameters: ModelRequestParameters) -> list[ToolDefinition]:
        if self.call_tools == 'all':
            return list(parameters.function_tools)
        tools = {tool.name: tool for tool in parameters.function_tools}
        for name in self.call_tools:
            if name not in tools:
                raise UserError(f'TestModel(call_tools=...) names {name!r}; the tools are {", ".join(tools) or "none"}')
        return [tools[name] for name in self.call_tools]

    def _retries(
        self, messages: Sequence[ModelMessage], calls: list[ToolDefinition], parameters: ModelRequestParameters
    ) -> list[ModelResponsePart]:
        last = messages[-1] if messages else None
        if not isinstance(last, ModelRequest):
            return []
        names = {part.tool_name for part in last.parts if isinstance(part, RetryPromptPart) and part.tool_name}
        again: list[ModelResponsePart] = [self._call(tool) for tool in calls if tool.name in names]
        if any(tool.name in names for tool in parameters.result_tools):
            again.append(self._result(parameters))
        return again

    def _result(self, parameters: ModelRequestParameters) -> ToolCallPart:
        if not parameters.result_tools:
            raise UserError('TestModel(custom_result_args=...) is set, and the request has no result tool')
        tool = parameters.result_tools[self.seed % len(parameters.result_tools)]
        args = self.custom_result_args
        if args is None:
            return self._call(tool)
        if tool.outer_typed_dict_key:
            args = {tool.outer_typed_dict_key: args}
        return ToolCallPart(tool.name, args, new_tool_call_id())

    def _call(self, tool: ToolDefinition) -> ToolCallPart:
        args = SchemaSample(tool.parameters_json_schema, self.seed).value()
        return ToolCallPart(tool.name, args, new_tool_call_id())


def _tool_outputs(messages: Sequence[ModelMessage]) -> str:
    returned = {
        part.tool_name: part.content
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    }
    return without_files(whole_json_text, returned)[0] if returned else 'success (no tool calls)'


class TestStreamedResponse(ReplayedStreamedResponse):
    """The answer of a `TestModel`, word by word."""

    __test__ = False


explain_arguments(TestModel, OF_TEST_MODELS)
