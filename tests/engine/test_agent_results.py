"""Results of every kind, by tool, by the provider's schema and by words: what is asked for, and how it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Literal

import pytest
from agent_faces import Ask, Script, both, call, model_of
from pydantic import BaseModel, field_validator
from typing_extensions import TypedDict

from syncai.agent import Agent
from syncai.exceptions import ModelRetry
from syncai.messages import ModelResponse, RetryPromptPart, TextPart, ThinkingPart, ToolReturnPart
from syncai.models.test import TestModel
from syncai.result import Cost
from syncai.testing import ModelServer, Reply, ToolCall


class City(BaseModel):
    """A city in the world."""

    city: str
    country: str


@dataclass
class Point:
    x: int
    y: int


class Profile(TypedDict):
    name: str
    age: int


class Colour(Enum):
    RED = 'red'
    BLUE = 'blue'


class Node(BaseModel):
    value: int
    next: Node | None = None


LONDON = {'city': 'London', 'country': 'UK'}


@both
def test_a_model_is_asked_for_by_a_tool(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('final_result', LONDON, 'call_1')], usage=(56, 8)))
    agent = Agent(model_of(model_server), result_type=City, system_prompt='Be brief.')
    result = ask(agent, 'Where were the olympics held in 2012?')
    assert result.data == City(city='London', country='UK')
    assert repr(result.cost()) == 'Cost(request_tokens=56, response_tokens=8, total_tokens=64, details=None)'
    assert result.cost() == Cost(56, 8, 64)
    assert result.usage().requests == 1
    sent = model_server.requests[0].json
    assert [m['role'] for m in sent['messages']] == ['developer', 'user']
    (tool,) = sent['tools']
    assert tool['function']['name'] == 'final_result'
    assert tool['function']['description'] == 'A city in the world.'
    assert set(tool['function']['parameters']['properties']) == {'city', 'country'}
    assert sent['tool_choice'] == 'required'
    last = result.all_messages()[-1].parts[0]
    assert (last.tool_call_id, last.content) == ('call_1', 'Final result processed.')


@both
def test_plain_text_is_the_result_of_str(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply('Hello ', 'world', usage=(3, 2)))
    result = ask(Agent(model_of(model_server)), 'Hi')
    assert result.data == 'Hello world'
    assert 'tools' not in model_server.requests[0].json
    assert result.response.text == 'Hello world'
    assert result.timestamp() == result.response.timestamp


@pytest.mark.parametrize(
    ('result_type', 'args', 'data'),
    [
        (City, LONDON, City(city='London', country='UK')),
        (Point, {'x': 1, 'y': 2}, Point(1, 2)),
        (Profile, {'name': 'Ada', 'age': 36}, {'name': 'Ada', 'age': 36}),
        (int, {'response': 3}, 3),
        (float, {'response': 1.5}, 1.5),
        (bool, {'response': True}, True),
        (date, {'response': '2024-02-29'}, date(2024, 2, 29)),
        (list[str], {'response': ['a', 'b']}, ['a', 'b']),
        (None, {'response': None}, None),
        (list[City], {'response': [LONDON]}, [City(city='London', country='UK')]),
        (dict[str, int], {'a': 1}, {'a': 1}),
        (Literal['yes', 'no'], {'response': 'no'}, 'no'),
        (Colour, {'response': 'blue'}, Colour.BLUE),
        (Node, {'value': 1, 'next': {'value': 2}}, Node(value=1, next=Node(value=2))),
        (tuple[int, str], {'response': [1, 'a']}, (1, 'a')),
    ],
    ids=lambda value: getattr(value, '__name__', None),
)
@both
def test_types_by_tool(ask: Ask, result_type: Any, args: dict[str, Any], data: Any) -> None:
    for given in (args, json.dumps(args)):
        script = Script(call('final_result', given))
        assert ask(Agent(script.model, result_type=result_type), 'x').data == data
        (tool,) = script.infos[0].result_tools
        assert tool.parameters_json_schema['type'] == 'object'
        assert (tool.outer_typed_dict_key == 'response') == ('response' in args)
        assert not script.infos[0].allow_text_result


@pytest.mark.parametrize('result_type', [City, Point, Profile, int, list[str], Literal['a', 'b'], Colour, City | Point])
@pytest.mark.parametrize('mode', ['auto', 'tool', 'native', 'prompted'])
@both
def test_a_test_model_answers_in_every_mode(ask: Ask, result_type: Any, mode: Any) -> None:
    result = ask(Agent(TestModel(), result_type=result_type, result_mode=mode), 'x')
    assert result.data is not None
    assert result.all_messages_json()


@both
def test_none_as_a_member_of_a_union(ask: Ask) -> None:
    script = Script(call('final_result_None', {'response': None}))
    agent = Agent(script.model, result_type=City | None)
    assert ask(agent, 'x').data is None
    assert [tool.name for tool in script.infos[0].result_tools] == ['final_result_City', 'final_result_None']


@both
def test_union_with_str(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(
        Reply('What is the country?'), Reply(tool_calls=[ToolCall('final_result', LONDON)]), Reply('Thanks.')
    )
    agent = Agent(model_of(model_server), result_type=City | str)
    first = ask(agent, 'London')
    assert first.data == 'What is the country?'
    second = ask(agent, 'the UK', message_history=first.all_messages())
    assert second.data == City(city='London', country='UK')
    third = ask(agent, 'ok', message_history=second.all_messages())
    assert third.data == 'Thanks.'
    assert model_server.requests[0].json['tool_choice'] == 'auto'
    roles = [m['role'] for m in model_server.requests[2].json['messages']]
    assert roles == ['user', 'assistant', 'user', 'assistant', 'tool', 'user']


@both
def test_union_without_str(ask: Ask) -> None:
    script = Script(call('final_result_list_int', '{"response": [1, 2]}'))
    agent = Agent(script.model, result_type=list[str] | list[int])
    assert ask(agent, 'x').data == [1, 2]
    assert [tool.name for tool in script.infos[0].result_tools] == ['final_result_list_str', 'final_result_list_int']


def test_name_and_description_of_the_result_tool() -> None:
    script = Script(call('report', LONDON))
    agent = Agent(script.model, result_type=City, result_tool_name='report', result_tool_description='Say where.')
    assert agent.run_sync('x').data.city == 'London'
    assert script.infos[0].result_tools[0].description == 'Say where.'


# --- the other modes --------------------------------------------------------------------------------------------------


@both
def test_native(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(json.dumps(LONDON)))
    result = ask(Agent(model_of(model_server), result_type=City, result_mode='native'), 'x')
    assert result.data == City(city='London', country='UK')
    sent = model_server.requests[0].json
    assert 'tools' not in sent
    assert sent['response_format']['type'] == 'json_schema'
    assert sent['response_format']['json_schema']['name'] == 'City'
    assert set(sent['response_format']['json_schema']['schema']['properties']) == {'city', 'country'}


@both
def test_prompted(ask: Ask, model_server: ModelServer) -> None:
    fenced = f'Here it is:\n```json\n{json.dumps(LONDON)}\n```\n'
    model_server.reply(Reply('no idea'), Reply(fenced))
    result = ask(Agent(model_of(model_server), result_type=City, result_mode='prompted'), 'x')
    assert result.data == City(city='London', country='UK')
    first, second = (request.json['messages'] for request in model_server.requests)
    for messages in (first, second):
        assert messages[0]['role'] == 'developer'
        assert '"country"' in messages[0]['content']
    assert 'Invalid JSON' in second[-1]['content']


def test_prompted_goes_on_from_a_history_without_a_new_prompt() -> None:
    script = Script(json.dumps(LONDON))
    before = Agent(TestModel()).run_sync('Where?').all_messages()[:1]
    result = Agent(script.model, result_type=City, result_mode='prompted').run_sync(message_history=before)
    assert result.data.city == 'London'
    assert '"country"' in script.asked[0][-1].instructions  # type: ignore[operator, union-attr]


@both
def test_native_with_function_tools_and_several_types(ask: Ask) -> None:
    answer = '{"result": {"kind": "Point", "data": {"x": 1, "y": 2}}}'
    script = Script(call('look'), answer)
    agent = Agent(script.model, result_type=City | Point, result_mode='native')

    @agent.tool_plain
    def look() -> str:
        return 'seen'

    assert ask(agent, 'x').data == Point(1, 2)
    assert script.infos[0].result_tools == []
    assert script.last_parts()[0].content == 'seen'


def test_in_native_mode_the_result_tool_does_not_exist() -> None:
    script = Script(call('final_result', LONDON), json.dumps(LONDON))
    agent = Agent(script.model, result_type=City, result_mode='native')
    assert agent.run_sync('x').data.city == 'London'
    (part,) = script.last_parts()
    assert isinstance(part, RetryPromptPart)
    assert part.content == "There is no tool 'final_result'. The tools are: none."


# --- what else an answer may hold -------------------------------------------------------------------------------------


@both
def test_the_first_valid_result_counts(ask: Ask) -> None:
    script = Script([call('final_result', {'x': 'no'}, '1'), call('final_result', {'x': 1, 'y': 2}, '2')])
    result = ask(Agent(script.model, result_type=Point), 'x')
    assert result.data == Point(1, 2)
    returned = result.all_messages()[-1].parts
    assert [(type(p), p.tool_call_id) for p in returned] == [(ToolReturnPart, '1'), (ToolReturnPart, '2')]
    assert result.all_messages(result_tool_return_content='ok')[-1].parts[1].content == 'ok'
    assert result.all_messages()[-1].parts[1].content == 'Final result processed.'


def test_thoughts_are_not_the_result() -> None:
    script = Script(ModelResponse([ThinkingPart('hm'), TextPart('yes'), TextPart(' sir')]))
    assert Agent(script.model).run_sync('x').data == 'yes sir'


@both
def test_validators_of_the_type_may_ask_again(ask: Ask) -> None:
    class Even(BaseModel):
        number: int

        @field_validator('number')
        @classmethod
        def even(cls, number: int) -> int:
            if number < 0:
                raise ModelRetry('No negative numbers.')
            if number % 2:
                raise ValueError('not even')
            return number

    script = Script(*(call('final_result', {'number': number}) for number in (1, -2, 4)))
    assert ask(Agent(script.model, result_type=Even, result_retries=2), 'x').data.number == 4
    (odd,), (negative,) = script.last_parts(1), script.last_parts(2)
    assert odd.content[0]['msg'] == 'Value error, not even'
    assert (odd.content[0]['loc'], odd.content[0]['input']) == (['number'], 1)
    assert negative.content == 'No negative numbers.'
