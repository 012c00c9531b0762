"""Calls that people try, since other libraries have them: wrong arguments, methods read as attributes, assignments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any
from unittest.mock import patch

import pytest
from pydantic import Field

import syncai
from syncai import Agent, BinaryContent, HttpOptions, ImageUrl, Tool, ToolReturn, UsageLimits, UserError, ask
from syncai._base import other_arguments
from syncai.direct import model_request_sync
from syncai.limits import limit
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.function import FunctionModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.models.test import TestModel
from syncai.settings import ModelSettings
from syncai.stream import StreamedRunResultSync
from syncai.testing import ModelServer

agent = Agent('test')
asked: Any = agent  # as a checker sees it that does not know our names
server: Any = ModelServer
KEY = 'sk-0123456789abcdef'


def said(call: Callable[[], Any]) -> str:
    with pytest.raises((TypeError, AttributeError, UserError)) as caught:
        call()
    assert '\n' not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ('kind', 'arguments', 'remedy'),
    [
        (UsageLimits, {'input_tokens_limit': 5}, 'request_tokens_limit='),
        (UsageLimits, {'output_tokens_limit': 5}, 'response_tokens_limit='),
        (UsageLimits, {'requests': 5}, 'request_limit='),
        (UsageLimits, {'tool_calls_limits': 5}, "did you mean 'tool_calls_limit'"),
        (UsageLimits, {'colour': 5}, 'known are request_limit, '),
        (HttpOptions, {'timeout': 5}, 'run_sync(prompt, timeout=...)'),
        (HttpOptions, {'read_timeout': 5}, 'idle_timeout='),
        (HttpOptions, {'verify_ssl': False}, 'verify='),
        (HttpOptions, {'proxies': {}}, 'proxy='),
        (BinaryContent, {'data': b'x', 'mime_type': 'image/png'}, 'media_type='),
        (ImageUrl, {'uri': 'https://host/a.png'}, 'url='),
        (Tool, {'function': print, 'retry': 2}, 'retries='),
        (ToolReturn, {'return_value': 2}, 'value='),
        (limit, {'rpm': 2}, 'requests_per_minute='),
        (TestModel, {'custom_output_text': 'x'}, 'custom_result_text='),
    ],
)
def test_an_argument_that_other_libraries_have(kind: Any, arguments: dict[str, Any], remedy: str) -> None:
    wrong = [*arguments][-1]
    assert remedy in (text := said(lambda: kind(**arguments)))
    assert f'has no argument {wrong!r}: ' in text


@pytest.mark.parametrize('kind', [AnthropicModel, GoogleModel, OpenAIChatModel, OpenAIResponsesModel])
@pytest.mark.parametrize(
    ('wrong', 'remedy'),
    [
        ('apikey', 'api_key='),
        ('api_base', 'base_url='),
        ('temperature', 'model_settings='),
        ('timeout', 'HttpOptions(idle_timeout=...)'),
        ('http_client', 'HttpOptions(...)'),
        ('model', 'first argument'),
    ],
)
def test_of_a_model(kind: Any, wrong: str, remedy: str) -> None:
    assert remedy in (text := said(lambda: kind('m', api_key=KEY, **{wrong: KEY})))
    assert text.startswith(f'{kind.__name__} has no argument {wrong!r}: ')
    with pytest.raises(TypeError) as caught:
        kind('m', api_key=KEY, **{wrong: KEY})
    traceback = caught.value.__traceback__
    while traceback is not None:
        if 'syncai' in traceback.tb_frame.f_globals['__name__']:
            assert KEY not in repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next


def test_what_is_wrong_otherwise_is_said_by_python() -> None:
    assert 'missing 1 required positional argument' in said(lambda: ImageUrl())  # type: ignore[call-arg]
    assert 'positional argument' in said(lambda: HttpOptions(5))  # type: ignore[call-arg]
    assert 'missing' in said(lambda: OpenAIChatModel())  # type: ignore[call-arg]


def test_signatures_are_what_they_were() -> None:
    assert [*inspect.signature(UsageLimits).parameters][:2] == ['request_limit', 'request_tokens_limit']
    assert [*inspect.signature(limit).parameters][:2] == ['name', 'requests_per_minute']


def test_every_remedy_names_an_argument_that_exists() -> None:
    kinds = {
        'OF_FILES': (BinaryContent, ImageUrl),
        'OF_HTTP': (HttpOptions,),
        'OF_LIMIT': (limit,),
        'OF_MESSAGES': (model_request_sync,),
        'OF_MODELS': (OpenAIChatModel, AnthropicModel, GoogleModel, BedrockModel),
        'OF_READING': (StreamedRunResultSync.stream_text,),
        'OF_RETURNS': (ToolReturn,),
        'OF_SETTINGS': (),
        'OF_TEST_MODELS': (TestModel,),
        'OF_TOOLS': (Tool,),
        'OF_USAGE_LIMITS': (UsageLimits,),
    }
    assert {*kinds} == {*other_arguments.__all__}
    for table, takers in kinds.items():
        known = {name for taker in takers for name in inspect.signature(taker).parameters}
        known |= {*ModelSettings.__annotations__} if table == 'OF_SETTINGS' else set()
        for wrong, remedy in getattr(other_arguments, table).items():
            assert ' ' in remedy or remedy in known, (table, wrong)


@pytest.mark.parametrize(
    ('read', 'remedy'),
    [
        (lambda result: result.usage.total_tokens, '`.usage` is a method: write `.usage().total_tokens`'),
        (lambda result: result.cost.total_tokens, '`.cost().total_tokens`'),
        (lambda result: result.all_messages[0], '`.all_messages()[-1]`'),
        (lambda result: [*result.new_messages], '`.new_messages()[-1]`'),
    ],
)
def test_a_method_that_is_an_attribute_elsewhere(read: Callable[[Any], Any], remedy: str) -> None:
    (row,) = agent.map_sync(['Hi'])
    assert remedy in said(lambda: read(agent.run_sync('Hi')))
    assert remedy in said(lambda: read(row))
    with agent.run_stream_sync('Hi') as stream:
        assert remedy in said(lambda: read(stream))


def test_methods_are_called_and_looked_at_as_before() -> None:
    result = agent.run_sync('Hi')
    assert result.usage().requests == 1
    assert result.usage.__name__ == 'usage'
    assert result.usage.__self__ is result  # type: ignore[attr-defined]
    assert 'write `.usage()' in repr(result.usage)
    assert inspect.isfunction(type(result).usage)
    assert [*inspect.signature(result.all_messages).parameters] == ['result_tool_return_content']
    with patch.object(type(result), 'usage', lambda self: 5):
        assert result.usage() == 5


@pytest.mark.parametrize('name', ['system_prompt', 'temperature', 'tools', 'timeout', 'api_key', 'messages', 'deps'])
def test_an_assignment_that_nothing_reads(name: str) -> None:
    with pytest.raises(AttributeError, match=f'{name!r} of an agent cannot be assigned: '):
        setattr(Agent('test'), name, 'x')


def test_what_an_agent_may_be_assigned() -> None:
    class Mine(Agent[None, str]):
        def __init__(self) -> None:
            super().__init__('test')
            self.tools = ['mine']

    assert Mine().tools == ['mine']
    mine = Agent('test')
    mine.label = 'x'  # type: ignore[attr-defined]
    mine.model_settings = {'temperature': 0.5}
    mine.model = TestModel()
    with patch.object(mine, 'run_sync', return_value=5), patch.object(mine, 'tool'):
        assert mine.run_sync('x') == 5


@pytest.mark.parametrize('kind', [{'city': str}, {'type': 'object', 'properties': {}}, {}])
def test_a_dict_is_no_result_type(kind: Any) -> None:
    for wrong in (lambda: Agent('test', result_type=kind), lambda: agent.run_sync('x', result_type=kind)):
        assert 'result_type is a dict: write the fields as a TypedDict' in said(wrong)


class Plain:
    pass


def tool(x: Plain) -> str:
    return str(x)


def test_a_type_without_a_schema_says_so_once() -> None:
    assert 'The result type Plain has no JSON schema' in said(lambda: Agent('test', result_type=Plain))
    assert "Parameter 'x' of 'tool' has the type Plain" in said(lambda: Agent('test', tools=[tool]))


def test_a_model_is_no_result_type() -> None:
    model: Any = TestModel()
    assert "ask('...', City, model='...')" in said(lambda: ask('Hi', model))


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('OpenAI', 'Agent('),
        ('completion', 'ask('),
        ('chat', 'ask('),
        ('Message', 'messages_from_openai'),
        ('tool', '@agent.tool_plain'),
        ('APIError', 'ModelAPIError'),
        ('UnexpectedModelBehaviour', 'UnexpectedModelBehavior'),
    ],
)
def test_names_of_other_libraries_in_the_package(name: str, remedy: str) -> None:
    assert remedy in said(lambda: getattr(syncai, name))
    with pytest.raises(ImportError, match=re.escape(remedy)):
        exec(f'from syncai import {name}')
    assert not hasattr(syncai, name)


@pytest.mark.parametrize(
    ('read', 'remedy'),
    [
        (lambda: asked.submit('Hi').data, '`.result().data`'),
        (lambda: asked.conversation().ask('Hi'), '`conversation.run_sync(prompt)`'),
        (lambda: asked.conversation().stream('Hi'), '`with conversation.run_stream_sync(prompt)'),
        (lambda: server().url, '`.base_url`'),
        (lambda: server().enqueue('Hi'), "Reply('...')"),
        (lambda: server('Hi'), "not 'Hi': write Reply('Hi')"),
        (lambda: server(['Hi']), "write Reply('Hi')"),
    ],
)
def test_names_in_tests_and_conversations(read: Callable[[], Any], remedy: str) -> None:
    assert remedy in said(read)


@pytest.mark.parametrize(
    'function',
    [lambda: 'Hi', lambda messages: 'Hi', lambda messages, info, more: 'Hi'],
)
def test_a_function_model_says_what_its_function_gets(function: Any) -> None:
    assert 'write it as (messages, info), not (' in said(lambda: FunctionModel(function))
    assert 'write it as (messages, info), not (' in said(lambda: FunctionModel(stream_function=function))


def test_functions_of_a_function_model_may_take_more_that_has_a_default() -> None:
    def answer(messages: Any, info: Any = None, *, loud: bool = False) -> str:
        return 'HI' if loud else 'Hi'

    assert Agent(FunctionModel(answer)).run_sync('x').data == 'Hi'
    assert Agent(FunctionModel(lambda *all_of_it: 'Hi')).run_sync('x').data == 'Hi'


@pytest.mark.parametrize('method', ['stream', 'stream_items', 'stream_structured', 'stream_text'])
def test_a_method_of_a_stream_that_is_not_called(method: str) -> None:
    with agent.run_stream_sync('Hi') as stream:
        assert f'`.{method}` is a method: write `.{method}()`' in said(lambda: [*getattr(stream, method)])
        assert f'write `.{method}()`' in said(lambda: getattr(stream, method).upper())
        assert [*stream.stream_text()][-1] == stream.get_data()


def test_the_provider_in_the_name_of_a_model() -> None:
    assert "so write 'gpt-5.4-mini' alone" in said(lambda: OpenAIChatModel('openai:gpt-5.4-mini', api_key=KEY))
    assert OpenAIChatModel('ft:gpt-4o:acme', api_key=KEY).model_name == 'ft:gpt-4o:acme'
    assert OpenAIChatModel('openai:m', base_url='http://gateway/v1', api_key=KEY).model_name == 'openai:m'


def test_a_method_without_its_object_is_no_tool() -> None:
    class Shop:
        def stock(self, item: str) -> int:
            return len(item)

    assert 'register that of an object, as tools=[thing.stock]' in said(lambda: Agent('test', tools=[Shop.stock]))
    assert Agent('test', tools=[Shop().stock]).run_sync('Hi').data == '{"stock":1}'


def impossible(x: Annotated[int, Field(gt='a')]) -> int:
    return x


def test_a_constraint_that_is_none() -> None:
    assert "Parameter 'x' of 'impossible'" in said(lambda: Agent('test', tools=[impossible]))
    assert 'has no JSON schema' in said(lambda: Agent('test', result_type=Annotated[int, Field(gt='a')]))


def test_a_dict_is_no_list_of_tools() -> None:
    tools: Any = {'impossible': impossible}
    assert 'tools must be a list of functions and Tools, not dict' in said(lambda: Agent('test', tools=tools))
    assert 'tools must be a list of functions and Tools, not dict' in said(lambda: agent.run_sync('Hi', tools=tools))
