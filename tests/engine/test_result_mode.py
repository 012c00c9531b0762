"""How results are asked for: strict schemas by themselves, plain dicts, and the choice of the mode by `auto`."""

# No `from __future__ import annotations`: tools are made of functions of the tests.

import json
from typing import Any

import pytest
from agent_faces import Ask, both
from strict_rules import Cat, Dog, Home, Open, Size, Tree, violations

from syncai import Agent, HttpOptions, ModelRequest, Tool, ToolDefinition, UserError, model_request_sync
from syncai.models import Model, ModelRequestParameters, ResultSchema
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.fallback import FallbackModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall

# --- what is sent -----------------------------------------------------------------------------------------------------

ONCE = HttpOptions(max_retries=0)
MAKERS: dict[str, Any] = {
    'chat': lambda url: OpenAIChatModel('gpt-5.4-mini', base_url=url, http=ONCE),
    'responses': lambda url: OpenAIResponsesModel('gpt-5.4-mini', base_url=url, http=ONCE),
    'anthropic': lambda url: AnthropicModel('claude-sonnet-4-5', base_url=url, http=ONCE),
    'google': lambda url: GoogleModel('gemini-2.5-flash', base_url=url, http=ONCE),
}
UNKNOWN: dict[str, Any] = {
    'chat of another name': lambda url: OpenAIChatModel('our-model', base_url=url, http=ONCE),
    'responses of another name': lambda url: OpenAIResponsesModel('our-model', base_url=url, http=ONCE),
}


def form_of(body: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = (
        body['response_format']['json_schema'] if 'response_format' in body else body['text']['format']
    )
    return written


@pytest.mark.parametrize('name', ['chat', 'responses', *UNKNOWN])
def test_native_mode_is_strict_where_the_schema_allows(name: str) -> None:
    home = {'pets': [{'kind': 'dog', 'barks': 2}], 'favourite': None}
    with ModelServer([Reply(json.dumps(home)), Reply('{"scores": {"a": 1}}')]) as server:
        model = {**MAKERS, **UNKNOWN}[name](server.base_url)
        assert Agent(model, result_type=Home, result_mode='native').run_sync('x').data.pets == [
            Dog(kind='dog', barks=2)
        ]
        assert Agent(model, result_type=Open, result_mode='native').run_sync('x').data == Open(scores={'a': 1})
        strict, loose = (form_of(request.json) for request in server.requests)
    assert strict['strict'] is True
    assert list(violations(strict['schema'])) == []
    assert 'strict' not in loose
    assert loose['schema']['properties']['scores']['additionalProperties'] == {'type': 'integer'}


@pytest.mark.parametrize('name', ['chat', 'responses'])
def test_strictness_that_is_asked_for_and_cannot_be(name: str) -> None:
    def keep(scores: dict[str, int]) -> str:
        return ''

    with ModelServer([]) as server:
        model = MAKERS[name](server.base_url)
        with pytest.raises(UserError, match="Tool 'keep' cannot be strict: 'scores' is an object of any keys"):
            Agent(model, tools=[Tool(keep, strict=True)]).run_sync('x')
        schema = ResultSchema(name='R', schema=Open.model_json_schema(), strict=True)
        parameters = ModelRequestParameters(result_mode='native', result_schema=schema)
        with pytest.raises(UserError, match="The schema 'R' cannot be strict: 'scores' is an object of any keys"):
            model_request_sync(model, [ModelRequest.user_text_prompt('x')], model_request_parameters=parameters)
        assert not server.requests


def test_strict_is_left_out_where_nothing_is_known_of_it() -> None:
    with ModelServer([Reply('{"name": "x", "children": []}')] * 3) as server:
        for provider, model_name in (('groq', 'llama-3.3-70b-versatile'), ('together', 'x'), ('openai', 'gpt-4-turbo')):
            model = OpenAIChatModel(model_name, provider=provider, base_url=server.base_url, http=ONCE)
            assert Agent(model, result_type=Tree, result_mode='native').run_sync('x').data == Tree(name='x')
        assert not any('strict' in form_of(request.json) for request in server.requests)


# --- plain dicts and tuples -------------------------------------------------------------------------------------------


def objects_without(node: Any, keyword: str, kind: str) -> bool:
    if isinstance(node, dict):
        if node.get('type') == kind and keyword not in node:
            return True
        return any(objects_without(child, keyword, kind) for child in node.values())
    return isinstance(node, list) and any(objects_without(child, keyword, kind) for child in node)


@pytest.mark.parametrize('name', MAKERS)
@pytest.mark.parametrize('mode', ['tool', 'auto', 'native'])
def test_a_dict_as_a_result(name: str, mode: Any) -> None:
    if (name, mode) == ('anthropic', 'native'):
        with pytest.raises(UserError, match="use result_mode 'tool'"):
            Agent(MAKERS[name]('http://localhost:1'), result_type=dict, result_mode=mode).run_sync('x')
        return
    native = mode == 'native' or (name, mode) == ('google', 'auto')
    reply = Reply('{"a": [1]}') if native else Reply(tool_calls=[ToolCall('final_result', {'a': [1]})])
    with ModelServer([reply]) as server:
        agent = Agent(MAKERS[name](server.base_url), result_type=dict, result_mode=mode)
        assert agent.run_sync('x').data == {'a': [1]}
        assert name == 'google' or not objects_without(server.requests[0].json, 'properties', 'object')


def test_tools_with_dicts_and_tuples() -> None:
    def keep(pair: tuple[int, str], size: Size, empty: tuple[()], extra: dict[str, tuple[int, int]]) -> str:
        return ''

    schema = Tool(keep).definition.parameters_json_schema
    assert not objects_without(schema, 'properties', 'object')
    assert not objects_without(schema, 'items', 'array')
    assert schema['properties']['pair']['items'] == {'anyOf': [{'type': 'integer'}, {'type': 'string'}]}
    assert schema['properties']['pair']['prefixItems'] == [{'type': 'integer'}, {'type': 'string'}]


@pytest.mark.parametrize('name', ['chat', 'responses'])
def test_a_definition_without_properties(name: str) -> None:
    """As servers of the Model Context Protocol write it for a tool without parameters."""
    tool = ToolDefinition(name='f', parameters_json_schema={'type': 'object'})
    with ModelServer([Reply('x')]) as server:
        parameters = ModelRequestParameters(function_tools=[tool])
        model_request_sync(
            MAKERS[name](server.base_url), [ModelRequest.user_text_prompt('x')], model_request_parameters=parameters
        )
        assert not objects_without(server.requests[0].json['tools'], 'properties', 'object')


# --- auto -------------------------------------------------------------------------------------------------------------


def bedrock(url: str) -> Model:
    return BedrockModel('anthropic.claude-sonnet-4-5', base_url=url, api_key='k', region='us-east-1', http=ONCE)


def chat(provider: Any, model_name: str) -> Any:
    return lambda url: OpenAIChatModel(model_name, provider=provider, base_url=url, api_key='k', http=ONCE)


@pytest.mark.parametrize(
    'make',
    [*MAKERS.values(), bedrock, chat('ollama', 'qwen3'), chat('xai', 'grok-4'), chat('groq', 'openai/gpt-oss-20b')],
)
def test_auto_is_native_where_the_provider_holds_to_schemas(make: Any) -> None:
    with ModelServer([Reply('{"kind": "cat", "meows": 1}')]) as server:
        agent = Agent(make(server.base_url), result_type=Cat, result_mode='auto')
        assert agent.run_sync('x').data == Cat(kind='cat', meows=1)
        assert 'final_result' not in json.dumps(server.requests[0].json)


def no_tool() -> str:
    return ''


@pytest.mark.parametrize(
    ('make', 'options'),
    [
        (MAKERS['chat'], {'tools': [no_tool]}),
        (MAKERS['chat'], {'result_type': Open}),
        (MAKERS['chat'], {'result_type': Cat | str}),
        (MAKERS['anthropic'], {'result_type': Tree}),
        (MAKERS['anthropic'], {'result_type': Open}),
        (lambda url: AnthropicModel('claude-3-5-haiku-latest', base_url=url, http=ONCE), {}),
        (chat('deepseek', 'deepseek-chat'), {}),
        (chat('groq', 'llama-3.3-70b-versatile'), {}),
        (chat('openai', 'gpt-4-turbo'), {}),
        (chat('openai', 'qwen3'), {}),
        # As llama.cpp, which ignores a schema in these two formats.
        (lambda url: OpenAIResponsesModel('qwen3', base_url=url, http=ONCE), {}),
        (lambda url: AnthropicModel('qwen3', base_url=url, http=ONCE), {}),
        (lambda url: FallbackModel(MAKERS['chat'](url), chat('deepseek', 'deepseek-chat')(url)), {}),
    ],
)
def test_auto_is_a_tool_elsewhere(make: Any, options: dict[str, Any]) -> None:
    options = {'result_type': Cat, **options}
    args = {'scores': {'a': 1}, 'name': 'x', 'kind': 'cat', 'meows': 1}
    with ModelServer([Reply(tool_calls=[ToolCall('final_result', args)])]) as server:
        assert Agent(make(server.base_url), result_mode='auto', **options).run_sync('x').data
        assert 'final_result' in json.dumps(server.requests[0].json)


def test_the_default_is_a_tool() -> None:
    with ModelServer([Reply(tool_calls=[ToolCall('final_result', {'kind': 'cat', 'meows': 1})])]) as server:
        assert Agent(MAKERS['chat'](server.base_url), result_type=Cat).run_sync('x').data == Cat(kind='cat', meows=1)


@both
def test_auto_looks_at_the_model_of_the_run(ask: Ask) -> None:
    with ModelServer([Reply('{"kind": "cat", "meows": 1}')]) as server:
        agent = Agent(TestModel(), result_type=Cat, result_mode='auto')
        assert ask(agent, 'x').data.kind == 'cat'
        assert ask(agent, 'x', model=MAKERS['chat'](server.base_url)).data == Cat(kind='cat', meows=1)
        both_hold = FallbackModel(MAKERS['chat'](server.base_url), MAKERS['google'](server.base_url))
        assert both_hold.holds_schema(ResultSchema(name='R', schema=Cat.model_json_schema()))
