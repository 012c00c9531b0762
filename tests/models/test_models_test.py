from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from syncai.exceptions import UnexpectedModelBehavior, UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
)
from syncai.models import Model, ModelRequestParameters, ResultSchema
from syncai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from syncai.models.test import TestModel
from syncai.settings import ModelSettings
from syncai.tools import ToolDefinition

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
SCHEMA = {'type': 'object', 'properties': {'x': {'type': 'integer'}}, 'required': ['x']}
TOOLS = ModelRequestParameters(function_tools=[ToolDefinition(name='f', parameters_json_schema=SCHEMA)])
RESULT = ModelRequestParameters(
    result_tools=[ToolDefinition(name='final_result', parameters_json_schema=SCHEMA, outer_typed_dict_key=None)],
    allow_text_result=False,
)


def asked(
    model: Model, messages: list[ModelMessage] = HELLO, parameters: ModelRequestParameters | None = None
) -> ModelResponse:
    return asyncio.run(model.request(messages, None, parameters or ModelRequestParameters()))


def streamed(
    model: Model, parameters: ModelRequestParameters | None = None
) -> tuple[list[ModelResponseStreamEvent], ModelResponse]:
    async def read() -> tuple[list[ModelResponseStreamEvent], ModelResponse]:
        async with model.request_stream(HELLO, None, parameters or ModelRequestParameters()) as stream:
            assert stream.get().incomplete
            events = [event async for event in stream]
            return events, stream.get()

    return asyncio.run(read())


def test_plain_text() -> None:
    response = asked(TestModel())
    assert response.text == 'success (no tool calls)'
    assert (response.model_name, response.usage.request_tokens, response.usage.response_tokens) == ('test', 51, 4)


def test_the_stream_of_the_documents() -> None:
    events, response = streamed(TestModel())
    assert events == [
        PartStartEvent(0, TextPart('')),
        PartDeltaEvent(0, TextPartDelta('success ')),
        PartDeltaEvent(0, TextPartDelta('(no ')),
        PartDeltaEvent(0, TextPartDelta('tool ')),
        PartDeltaEvent(0, TextPartDelta('calls)')),
    ]
    assert response.text == 'success (no tool calls)'
    assert not response.incomplete


def test_tools_are_called_first_and_their_returns_told() -> None:
    model = TestModel()
    response = asked(model, parameters=TOOLS)
    (call,) = response.tool_calls
    assert (call.tool_name, call.args, response.finish_reason) == ('f', {'x': 0}, 'tool_call')
    assert model.last_model_request_parameters is TOOLS
    after: list[ModelMessage] = [*HELLO, response, ModelRequest([ToolReturnPart('f', 7, call.tool_call_id)])]
    assert asked(model, after, TOOLS).text == '{"f":7}'
    again: list[ModelMessage] = [
        *HELLO,
        response,
        ModelRequest([RetryPromptPart('no', tool_name='f', tool_call_id='c')]),
    ]
    assert asked(model, again, TOOLS).tool_calls[0].tool_name == 'f'
    assert asked(TestModel(call_tools=[]), parameters=TOOLS).text == 'success (no tool calls)'
    with pytest.raises(UserError, match="names 'g'"):
        asked(TestModel(call_tools=['g']), parameters=TOOLS)


def test_results() -> None:
    assert asked(TestModel(), parameters=RESULT).tool_calls[0].args == {'x': 0}
    assert asked(TestModel(seed=3), parameters=RESULT).tool_calls[0].args == {'x': 3}
    assert asked(TestModel(custom_result_args={'x': 9}), parameters=RESULT).tool_calls[0].args == {'x': 9}
    wrapped = ModelRequestParameters(result_tools=[ToolDefinition(name='r', outer_typed_dict_key='response')])
    assert asked(TestModel(custom_result_args=[1]), parameters=wrapped).tool_calls[0].args == {'response': [1]}
    assert asked(TestModel(custom_result_text='hi')).text == 'hi'
    with pytest.raises(UserError, match='Plain response not allowed'):
        asked(TestModel(custom_result_text='hi'), parameters=RESULT)
    with pytest.raises(UserError, match='no result tool'):
        asked(TestModel(custom_result_args=1))
    native = ModelRequestParameters(result_mode='native', result_schema=ResultSchema(name='r', schema=SCHEMA))
    assert asked(TestModel(), parameters=native).text == '{"x":0}'


def test_a_streamed_tool_call() -> None:
    events, response = streamed(TestModel(), RESULT)
    assert len(events) == 1
    assert response.tool_calls[0].args_as_dict() == {'x': 0}


def test_functions_of_both_kinds() -> None:
    def sync(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        assert (info.allow_text_result, info.function_tools[0].name) == (True, 'f')
        return ModelResponse([TextPart(f'{len(messages)}')])

    async def asynchronous(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return sync(messages, info)

    for function in (sync, asynchronous):
        response = asked(FunctionModel(function), parameters=TOOLS)
        assert (response.text, response.usage.requests) == ('1', 1)
        assert response.model_name == f'function:{function.__name__}:'


def test_settings_reach_the_function() -> None:
    seen: list[Any] = []

    def function(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(info.model_settings)
        return ModelResponse([TextPart('x')])

    model = FunctionModel(function, settings={'temperature': 1, 'seed': 1})
    asyncio.run(model.request(HELLO, ModelSettings(seed=2), ModelRequestParameters()))
    assert seen == [{'temperature': 1, 'seed': 2}]


def test_generators_of_both_kinds() -> None:
    def sync(messages: list[ModelMessage], info: AgentInfo) -> Iterator[str | DeltaToolCalls]:
        yield 'a'
        yield 'b'
        yield {0: DeltaToolCall('f', '{"x"', 'c')}
        yield {0: DeltaToolCall(json_args=': 1}')}

    async def asynchronous(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        for piece in sync(messages, info):
            yield piece

    for function in (sync, asynchronous):
        events, response = streamed(FunctionModel(stream_function=function))
        assert len(events) == 4
        assert response.parts == [TextPart('ab'), ToolCallPart('f', '{"x": 1}', 'c')]
        assert (response.finish_reason, response.incomplete) == ('tool_call', False)


def test_a_generator_is_closed_when_its_stream_is_left() -> None:
    closed: list[str] = []

    def function(messages: list[ModelMessage], info: AgentInfo) -> Iterator[str]:
        try:
            yield 'a'
            yield 'b'
        finally:
            closed.append('yes')

    async def leave() -> None:
        async with FunctionModel(stream_function=function).request_stream(HELLO, None, RESULT) as stream:
            async for _ in stream.batches():
                break

    asyncio.run(leave())
    assert closed == ['yes']


def test_wrong_functions() -> None:
    with pytest.raises(UserError, match="FunctionModel takes functions, not 'answer'"):
        FunctionModel('answer')  # type: ignore[arg-type]
    with pytest.raises(UserError, match='needs'):
        FunctionModel()
    wrong: Any = lambda messages, info: 7  # noqa: E731
    empty: Any = lambda messages, info: iter(())  # noqa: E731
    seven: Any = lambda messages, info: iter([7])  # noqa: E731
    for ask in (asked, streamed):
        with pytest.raises(UserError, match='must return a ModelResponse or a str, not 7'):
            ask(FunctionModel(wrong))
    with pytest.raises(UserError, match='`function`'):
        asked(FunctionModel(stream_function=wrong))
    with pytest.raises(UserError, match='must be a generator'):
        streamed(FunctionModel(stream_function=wrong))
    with pytest.raises(UserError, match='yields str or dict'):
        streamed(FunctionModel(stream_function=seven))
    with pytest.raises(UnexpectedModelBehavior, match='at least one item'):
        streamed(FunctionModel(stream_function=empty))
