"""The readers of pages themselves: the AI SDK in three majors with their first releases, and AG-UI's client.

The result of each for the stream of a run is compared with the messages of the run, for each kind of run that ends
well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from page_readers import READERS, ChatEndpoint, Reader, Seen, of_messages, only_with_readers
from pydantic import BaseModel
from serving import only_in_make_places
from streams import model_of

from syncai import Agent
from syncai.exceptions import ModelRetry
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall

only_in_make_places()
only_with_readers()


@pytest.fixture(scope='module', params=READERS)
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    with Reader(request.param) as reader:
        yield reader


class Box(BaseModel):
    width: int


def doubling(server: ModelServer, **options: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(model_of(server, http=HttpOptions(max_retries=1)), **options)

    @agent.tool_plain
    def double(number: int) -> int | None:
        if number < 0:
            raise ModelRetry('Not below zero.')
        return 2 * number or None

    return agent


def calls(*numbers: int) -> list[ToolCall]:
    return [ToolCall('double', json.dumps({'number': number}), f'c{number}') for number in numbers]


def result_call(args: str) -> Reply:
    return Reply(tool_calls=[ToolCall('final_result', args, 'c1')])


@dataclass(frozen=True)
class Run:
    """The answer of the model, the kind of the result, and the number of failures of the provider before."""

    replies: Sequence[Reply]
    options: dict[str, Any] = field(default_factory=dict)


RUNS: dict[str, Run] = {
    'text': Run([Reply('Four', '. \U0001f600', usage=(12, 7))]),
    'a text cut into bytes': Run([Reply('Cinq \u20ac, \U0001f600', cut_bytes=1)]),
    'a long text': Run([Reply('Four times four. ', repeat=3000, events_per_write=100)]),
    'white space': Run([Reply('\n\n', ' ', 'Four\r\n', '\u2028')]),
    'thinking': Run([Reply('Four', thinking=['Two ', 'and two'])]),
    'parallel': Run([Reply('I look.', thinking='Hm', tool_calls=calls(2, 3, 0)), Reply('4, 6')]),
    'one of them fails': Run([Reply(tool_calls=calls(2, -1, 3)), Reply('4, 6')]),
    'arguments in many pieces': Run([Reply(tool_calls=[ToolCall('double', '{"number": 7}', pieces=13)]), Reply('14')]),
    'retries': Run([Reply(tool_calls=calls(-1)), Reply(tool_calls=calls(1)), Reply('2')]),
    'the same ids': Run([Reply(tool_calls=calls(1)), Reply(tool_calls=calls(1)), Reply('2')]),
    'many steps': Run([*[Reply('Look. ', tool_calls=calls(number)) for number in range(1, 9)], Reply('Done')]),
    'an unknown tool': Run([Reply(tool_calls=[ToolCall('nope', '{}', 'c1')]), Reply('No.')]),
    'wrong arguments': Run([Reply(tool_calls=[ToolCall('double', '{"number": "x"}', 'c1')]), Reply('No.')]),
    'broken arguments': Run([Reply(tool_calls=[ToolCall('double', '[1', 'c1')]), Reply('No.')]),
    'cut': Run([Reply('Fo', finish_reason='length')]),
    'a provider that fails once': Run([Reply(status=503), Reply('Four')]),
}


@pytest.mark.parametrize('name', RUNS)
def test_a_client_sees_what_the_run_gave(name: str, reader: Reader, model_server: ModelServer) -> None:
    model_server.reply(*RUNS[name].replies)
    endpoint = ChatEndpoint(doubling(model_server))
    seen = endpoint.seen_by(reader)
    expect_no_error(seen, reader)
    [result] = endpoint.results
    expected = of_messages(result.all_messages())
    assert seen.texts == expected.texts
    assert seen.thoughts == expected.thoughts
    assert [tool for tool, _ in seen.calls] == [tool for tool, _ in expected.calls]
    if name != 'broken arguments':
        assert seen.calls == expected.calls
    assert len(seen.returns) == len(expected.returns)
    for shown, returned in zip(seen.returns, expected.returns, strict=True):
        if isinstance(returned, list):  # what does not fit in the arguments, which a page gets as a sentence
            assert str(returned[0]['msg']) in shown
        else:
            assert shown == returned
    expect_closed(seen, reader)
    expect_usage(seen, reader, result.usage().request_tokens)


def expect_no_error(seen: Seen, reader: Reader) -> None:
    """5.0.0 to 5.0.92 know no reason for the end: they have the whole message by then, and refuse the last event."""
    assert seen.warnings == []
    if reader.name == 'ai5first':
        assert len(seen.errors) == 1, seen
        assert 'AI_TypeValidationError' in seen.errors[0]
        assert '{"type":"finish","finishReason"' in seen.errors[0]
    else:
        assert seen.errors == [], seen


def expect_closed(seen: Seen, reader: Reader) -> None:
    if reader.name != 'ag-ui':
        assert {part['state'] for part in seen.parts if part['type'] in ('text', 'reasoning')} <= {'done'}
        tools = [part for part in seen.parts if part['type'].startswith('tool-')]
        assert {part['state'] for part in tools} <= {'output-available', 'output-error'}


def expect_usage(seen: Seen, reader: Reader, tokens: int | None) -> None:
    if reader.name == 'ag-ui':
        assert seen.finished[0]['outcome'] == {'type': 'success'}
        assert seen.finished[0]['usage'][0].get('inputTokens') == tokens
    elif reader.name != 'ai5first':
        assert seen.messages[-1]['metadata']['usage'].get('inputTokens') == tokens


STRUCTURED: dict[str, Run] = {
    'by a tool': Run([result_call('{"width": 7}')], {'result_type': Box}),
    'after a refused one': Run([result_call('{"width": "x"}'), result_call('{"width": 7}')], {'result_type': Box}),
    'after a call': Run([Reply(tool_calls=calls(1)), result_call('{"width": 7}')], {'result_type': Box}),
    'beside a text': Run(
        [Reply('Here it is.', tool_calls=[ToolCall('final_result', '{"width": 7}')])], {'result_type': Box}
    ),
    "by the provider's JSON": Run([Reply('{"wid', 'th": 7}')], {'result_type': Box, 'result_mode': 'native'}),
    'a list': Run([result_call('{"response": [1, 2]}')], {'result_type': list[int]}),
    'a number': Run([result_call('{"response": 4}')], {'result_type': int}),
}


@pytest.mark.parametrize('name', STRUCTURED)
def test_a_structured_result_is_data(name: str, reader: Reader, model_server: ModelServer) -> None:
    model_server.reply(*STRUCTURED[name].replies)
    endpoint = ChatEndpoint(doubling(model_server, **STRUCTURED[name].options))
    seen = endpoint.seen_by(reader)
    expect_no_error(seen, reader)
    [result] = endpoint.results
    expected = result.data.model_dump() if isinstance(result.data, BaseModel) else result.data
    if reader.name == 'ag-ui':
        assert seen.finished[0]['result'] == expected
    else:
        assert [part['data'] for part in seen.parts if part['type'] == 'data-result'] == [expected]
    assert 'final_result' not in [tool for tool, _ in seen.calls], 'the call of the result is no call of a tool'


def test_a_refused_text_and_the_next_one(reader: Reader, model_server: ModelServer) -> None:
    model_server.reply(Reply('Five'), Reply('Four'))
    agent = doubling(model_server)

    @agent.result_validator
    def check(text: str) -> str:
        if text == 'Five':
            raise ModelRetry('Count again.')
        return text

    endpoint = ChatEndpoint(agent)
    seen = endpoint.seen_by(reader)
    expect_no_error(seen, reader)
    assert seen.texts == of_messages(endpoint.results[0].all_messages()).texts == ['Five', 'Four']
