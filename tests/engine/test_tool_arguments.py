"""The arguments of tool calls as models write them: what the function gets, and how they go back in a history."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from every_provider import EVERY, Make
from pydantic import BaseModel

from syncai import Agent
from syncai._base.tool_arguments import args_text_to_send, args_to_send
from syncai.direct import model_request_sync
from syncai.exceptions import UnexpectedModelBehavior
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.testing import ModelServer, Reply, ToolCall

Sent = dict[str, Any]
Ids = tuple[list[str], list[str]]


class Point(BaseModel):
    x: int


NESTED = json.dumps({'point': json.dumps({'x': 1}), 'tags': '["a", "b"]', 'note': '{"kept": "as text"}'})
READ = [
    pytest.param('{"x": 1}', {'x': 1}, id='an object'),
    pytest.param('', {}, id='nothing'),
    pytest.param('  \n', {}, id='blank'),
    pytest.param('null', {}, id='null'),
    pytest.param('[]', {}, id='the empty object of PHP'),
    pytest.param('""', {}, id='an empty text in JSON'),
    pytest.param('"{\\"x\\": 1}"', {'x': 1}, id='JSON in JSON'),
    pytest.param('{}{"x": 1}', {'x': 1}, id='after the placeholder of a gateway'),
    pytest.param('\ufeff{"x": 1}', {'x': 1}, id='after a byte order mark'),
    pytest.param('{"text": "one\ntwo"}', {'text': 'one\ntwo'}, id='a raw line break'),
    pytest.param('{"text": "half \\ud83d"}', {'text': 'half \ufffd'}, id='half a surrogate pair'),
]
BROKEN = ['{"city": "Par', '[1, 2]', '"Paris"', '7', 'city=Paris', '{"a": 1} and more', '{' * 5000, '[' * 100_000]


@pytest.mark.parametrize(('args', 'expected'), READ)
def test_what_counts_as_an_object(args: str, expected: Sent) -> None:
    assert ToolCallPart('f', args).args_as_dict() == expected
    assert json.loads(args_text_to_send(args)) == args_to_send(args) == expected


def test_text_that_is_an_object_is_sent_as_it_came() -> None:
    for args in ('{"x": 1}', '{ "x":1 }\n', '{"x": "\\u00e9"}', '{"x": 123456789012345678901234567890}'):
        assert args_text_to_send(args) == args


@pytest.mark.parametrize('args', BROKEN, ids=lambda args: args[:20])
def test_what_is_no_object_goes_back_as_text_in_one(args: str) -> None:
    """Under the key that Anthropic's page on fine-grained tool streaming shows."""
    assert args_to_send(args) == {'INVALID_JSON': args} == json.loads(args_text_to_send(args))
    with pytest.raises(UnexpectedModelBehavior, match=r"Arguments of tool 'f' are not a JSON object"):
        ToolCallPart('f', args).args_as_dict()


def test_numbers_that_json_lacks() -> None:
    expected = {'a': 'NaN', 'b': ['Infinity', '-Infinity', 1.5]}
    assert args_to_send('{"a": NaN, "b": [Infinity, -Infinity, 1.5]}') == expected
    assert args_to_send({'a': float('nan'), 'b': (float('inf'), float('-inf'), 1.5)}) == expected


# --- what the function gets -------------------------------------------------------------------------------------------


def answers(args: str) -> list[Reply]:
    return [Reply(tool_calls=ToolCall('tool', args)), Reply('done')]


@EVERY
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
def test_wrapped_arguments_reach_the_function(make: Make, stream: bool) -> None:
    calls: list[Any] = []

    def tool(point: Point, tags: list[str], note: str = '') -> str:
        calls.append((point, tags, note))
        return 'ok'

    for args in (NESTED, json.dumps(NESTED), '{}' + NESTED):
        with ModelServer(answers(args)) as server:
            agent = Agent(make(server), tools=[tool])
            if stream:
                with agent.run_stream_sync('go') as run:
                    assert run.get_data() == 'done'
            else:
                assert agent.run_sync('go').data == 'done'
    assert calls == [(Point(x=1), ['a', 'b'], '{"kept": "as text"}')] * 3


@EVERY
def test_no_arguments_in_all_their_forms(make: Make) -> None:
    calls: list[int] = []

    def tool(size: int = 3) -> str:
        calls.append(size)
        return 'ok'

    for args in ('', ' ', 'null', '[]', '{}'):
        with ModelServer(answers(args)) as server:
            assert Agent(make(server), tools=[tool]).run_sync('go').data == 'done'
    assert calls == [3] * 5


@EVERY
def test_broken_arguments_are_answered_and_go_back_as_json(make: Make) -> None:
    def tool(city: str) -> str:
        return city

    # Gemini's arguments are an object on the wire, which cannot be broken, but of another type.
    broken = '[1]' if make.__name__ == 'google' else '{"city": "Par'
    script = [
        Reply(tool_calls=ToolCall('tool', broken)),
        Reply(tool_calls=ToolCall('tool', '{"city": "x"}')),
        Reply('done'),
    ]
    with ModelServer(script) as server:
        result = Agent(make(server), tools=[tool]).run_sync('go')
        assert result.data == 'done'
        for request in server.requests:
            json.loads(request.body, parse_constant=pytest.fail)
    assert isinstance(result.all_messages()[2].parts[0], RetryPromptPart)


# --- histories --------------------------------------------------------------------------------------------------------


def args_in(node: Any) -> Iterator[Any]:
    """The arguments of each call in a request, as strict JSON."""
    if isinstance(node, list):
        for item in node:
            yield from args_in(item)
    elif isinstance(node, dict):
        if 'arguments' in node:
            yield json.loads(node['arguments'], parse_constant=pytest.fail)
        elif node.get('type') == 'tool_use' or ('toolUseId' in node and 'input' in node):
            yield node['input']
        elif 'functionCall' in node:
            yield node['functionCall']['args']
        for value in node.values():
            yield from args_in(value)


@pytest.mark.many(7)
@EVERY
@pytest.mark.parametrize(
    'args',
    [*BROKEN, '{"city": NaN}', None, ' ', {'city': float('inf')}, {'raw': b'\xff'}],
    ids=lambda args: str(args)[:20],
)
def test_a_history_holds_json_objects_alone(make: Make, args: Any) -> None:
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart('Weather?')]),
        ModelResponse([ToolCallPart('weather', args, 'call_1')], provider_name='openai'),
        ModelRequest([ToolReturnPart('weather', 'not valid JSON', 'call_1')]),
        ModelResponse([TextPart('Sorry.')]),
        ModelRequest([UserPromptPart('Again?')]),
    ]
    with ModelServer([Reply('fine')]) as server:
        model_request_sync(make(server), history)
        body = json.loads(server.requests[0].body, parse_constant=pytest.fail)
    assert [type(sent) for sent in args_in(body)] == [dict]


@EVERY
@pytest.mark.parametrize('call_id', ['same', ''])
def test_calls_under_one_id_are_sent_with_ids_of_their_own(make: Make, call_id: str) -> None:
    """The returns follow their calls, by the name of the tool and then by order, and what is stored stays."""
    calls = [
        ToolCallPart('add', '{"x": 1}', call_id),
        ToolCallPart('mul', '{}', call_id),
        ToolCallPart('add', '{}', call_id),
    ]
    returns: list[ModelRequestPart] = [
        ToolReturnPart('mul', 'of mul', call_id),
        RetryPromptPart('of add', tool_name='add', tool_call_id=call_id),
        ToolReturnPart('add', 'of add again', call_id),
    ]
    history: list[ModelMessage] = [ModelRequest([UserPromptPart('go')]), ModelResponse(calls), ModelRequest(returns)]
    stored = repr(history)
    with ModelServer([Reply('fine')]) as server:
        model_request_sync(make(server), history)
        request = server.requests[0]
    assert repr(history) == stored
    called, answered = IDS_OF[make.__name__](request.json)
    assert len(set(called)) == 3
    assert all(called)
    assert answered == called
    assert re.findall('of mul|of add(?: again)?', request.body.decode()) == ['of add', 'of mul', 'of add again']


def ids_of_chat(body: Any) -> Ids:
    called = [call['id'] for message in body['messages'] for call in message.get('tool_calls', ())]
    return called, [message['tool_call_id'] for message in body['messages'] if message['role'] == 'tool']


def ids_of_responses(body: Any) -> Ids:
    calls, returns = (
        [item['call_id'] for item in body['input'] if item.get('type') == kind]
        for kind in ('function_call', 'function_call_output')
    )
    return calls, returns


def ids_of_anthropic(body: Any) -> Ids:
    blocks = [block for message in body['messages'] for block in message['content']]
    called = [block['id'] for block in blocks if block['type'] == 'tool_use']
    return called, [block['tool_use_id'] for block in blocks if block['type'] == 'tool_result']


def ids_of_google(body: Any) -> Ids:
    """Calls of other providers have no id there: their returns stand in the order of the calls."""
    parts = [part for turn in body['contents'] for part in turn['parts']]
    calls, returns = (
        [f'{number} {part[kind]["name"]}' for number, part in enumerate(part for part in parts if kind in part)]
        for kind in ('functionCall', 'functionResponse')
    )
    return calls, returns


def ids_of_bedrock(body: Any) -> Ids:
    blocks = [block for message in body['messages'] for block in message['content']]
    called = [block['toolUse']['toolUseId'] for block in blocks if 'toolUse' in block]
    return called, [block['toolResult']['toolUseId'] for block in blocks if 'toolResult' in block]


IDS_OF: dict[str, Callable[[Any], Ids]] = {
    'chat': ids_of_chat,
    'responses': ids_of_responses,
    'anthropic': ids_of_anthropic,
    'google': ids_of_google,
    'bedrock': ids_of_bedrock,
}


@EVERY
def test_a_call_of_an_invented_tool_goes_back_under_a_name_that_is_taken(make: Make) -> None:
    history: list[ModelMessage] = [
        ModelRequest.user_text_prompt('look'),
        ModelResponse([ToolCallPart('functions.look at!', {'x': 1}, 'call_1')]),
        ModelRequest([RetryPromptPart('Unknown tool', tool_name='functions.look at!', tool_call_id='call_1')]),
    ]
    with ModelServer([Reply('done')]) as server:
        model_request_sync(make(server), history)
        sent = json.dumps(server.requests[0].json)
    assert history[1].parts == [ToolCallPart('functions.look at!', {'x': 1}, 'call_1')]
    assert ('functions_look_at_' in sent) or 'functionCall' in sent  # Gemini takes more
