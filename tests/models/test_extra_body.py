"""`extra_body` adds to what a request has: in every format, and nothing is replaced in silence."""

from __future__ import annotations

from typing import Any

import pytest
from every_provider import EVERY, Make, chat

from syncai import Agent
from syncai.exceptions import UserError
from syncai.models._http.extra_body import with_extra_body
from syncai.models.openai import OpenAIChatModel
from syncai.settings import merge_settings
from syncai.testing import ModelServer, Reply

# A tool of the provider's own, as each documents it: https://console.groq.com/docs/browser-search, https://platform.openai.com/docs/guides/tools-web-search,
# https://docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool, https://ai.google.dev/gemini-api/docs/google-search,
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_SystemTool.html
OF_PROVIDERS: dict[str, tuple[dict[str, Any], Any]] = {
    'chat': ({'tools': [{'type': 'browser_search'}]}, {'type': 'browser_search'}),
    'responses': ({'tools': [{'type': 'web_search'}]}, {'type': 'web_search'}),
    'anthropic': (
        {'tools': [{'type': 'web_search_20250305', 'name': 'web_search'}]},
        {'type': 'web_search_20250305', 'name': 'web_search'},
    ),
    'google': ({'tools': [{'googleSearch': {}}]}, {'googleSearch': {}}),
    'bedrock': (
        {'toolConfig': {'tools': [{'systemTool': {'name': 'nova_grounding'}}]}},
        {'systemTool': {'name': 'nova_grounding'}},
    ),
}


def look() -> str:
    """Looks."""
    return 'seen'


def sent(make: Make, **options: Any) -> Any:
    with ModelServer([Reply('done')]) as server:
        assert Agent(make(server), **options).run_sync('go').data == 'done'
        return server.requests[0].json


@EVERY
def test_tools_are_added(make: Make) -> None:
    extra, tool = OF_PROVIDERS[make.__name__]
    plain = sent(make, tools=[look])
    body = sent(make, tools=[look], model_settings={'extra_body': extra})
    if make.__name__ == 'bedrock':
        plain, body = plain['toolConfig'], body['toolConfig']
    assert body['tools'] == [*plain['tools'], tool]
    alone = sent(make, model_settings={'extra_body': extra})
    assert (alone.get('toolConfig') or alone)['tools'] == [tool]


@EVERY
def test_what_the_request_has_stays(make: Make) -> None:
    """The conversation goes on with what is added, as an answer begun for the model; fields of objects stay."""
    name = {'responses': 'input', 'google': 'contents'}.get(make.__name__, 'messages')
    plain = sent(make)
    body = sent(make, model_settings={'extra_body': {name: [{'role': 'assistant', 'content': '{'}], 'mine': {'a': 1}}})
    assert body[name] == [*plain[name], {'role': 'assistant', 'content': '{'}]
    assert body['mine'] == {'a': 1}


def test_lists_objects_and_other_values() -> None:
    body = {'tools': [1], 'stream_options': {'include_usage': True}, 'seed': 1, 'stop': ['a'], 'n': None}
    extra = {
        'tools': (2, 1),
        'stream_options': {'include_obfuscation': False, 'include_usage': False},
        'seed': 2,
        'stop': None,
        'n': {'x': 1},
        'unknown': None,
    }
    assert with_extra_body(body, {'extra_body': extra}) == {
        'tools': [1, 2],
        'stream_options': {'include_usage': False, 'include_obfuscation': False},
        'seed': 2,
        'n': {'x': 1},
        'unknown': None,
    }
    assert body['tools'] == [1]
    assert with_extra_body(body, {}) == with_extra_body(body, {'extra_body': {}}) == body


def test_an_object_of_another_type_is_another_choice() -> None:
    body = {'thinking': {'type': 'enabled', 'budget_tokens': 5000}, 'tool_choice': 'auto'}
    extra: Any = {'thinking': {'type': 'disabled'}, 'tool_choice': {'type': 'any'}}
    assert with_extra_body(body, {'extra_body': extra}) == extra
    more: Any = {'thinking': {'type': 'enabled', 'display': 'omitted'}}
    merged = with_extra_body(body, {'extra_body': more})
    assert merged['thinking'] == {'type': 'enabled', 'budget_tokens': 5000, 'display': 'omitted'}


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        ({'tools': {'type': 'web_search'}}, r"extra_body\['tools'\] is dict, where the request has a list"),
        ({'messages': 'Hello'}, r"extra_body\['messages'\] is str, where the request has a list"),
        ({'stream_options': True}, r"extra_body\['stream_options'\] is bool, where the request has an object"),
        ({'response_format': {'type': 'json_object'}}, r"asks for 'json_object', where the request has the schema"),
        (
            {'response_format': {'json_schema': {'schema': []}}},
            r"extra_body\['response_format'\]\['json_schema'\]\['schema'\]",
        ),
    ],
)
def test_what_would_replace_something_is_refused(extra: dict[str, Any], message: str) -> None:
    with ModelServer([Reply('{"response": 1}')]) as server:
        agent = Agent(chat(server), tools=[look], result_type=int, result_mode='native')
        with (
            pytest.raises(UserError, match=message),
            agent.run_stream_sync('go', model_settings={'extra_body': extra}) as run,
        ):
            run.get_data()
        assert not server.requests


def test_the_fields_of_model_agent_and_run_come_together() -> None:
    with ModelServer([Reply('done')]) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, settings={'extra_body': {'a': 1, 'b': 1}})
        agent = Agent(model, model_settings={'extra_body': {'b': 2, 'c': 2}})
        agent.run_sync('go', model_settings={'extra_body': {'c': 3}, 'extra_headers': {'x-a': '1'}})
        assert {name: server.requests[0].json[name] for name in 'abc'} == {'a': 1, 'b': 2, 'c': 3}
    assert merge_settings({'extra_body': {'a': 1}}, {'extra_body': None}, {}) == {'extra_body': {'a': 1}}


@pytest.mark.parametrize('field', ['system', 'instructions'])
@pytest.mark.parametrize('value', ['another', [{'type': 'text', 'text': 'another'}]])
def test_a_system_prompt_that_is_one_text_is_not_replaced(field: str, value: object) -> None:
    body = {'model': 'm', field: 'Be brief.'}
    with pytest.raises(UserError, match='system prompt'):
        with_extra_body(body, {'extra_body': {field: value}})
    assert with_extra_body(body, {'extra_body': {field: None}}) == {'model': 'm'}
    assert with_extra_body({'model': 'm'}, {'extra_body': {field: value}}) == {'model': 'm', field: value}
