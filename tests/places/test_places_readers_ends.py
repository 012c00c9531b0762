"""The readers of pages with runs that do not end by themselves: stopped, paused, failed, limited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from page_readers import READERS, ChatEndpoint, Reader, of_messages, only_with_readers
from pydantic import BaseModel
from serving import only_in_make_places
from streams import model_of

from syncai import Agent
from syncai.exceptions import ModelRetry
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import UsageLimits

only_in_make_places()
only_with_readers()
pytestmark = pytest.mark.leaky('clients that met an error leave their connections for a moment')
UNAVAILABLE = 'The model is not available at the moment. Please try again later.'
OVERLOADED = 'The model is overloaded at the moment. Please try again later.'
BROKE_OFF = 'The answer broke off. Please try again.'
INTERNAL = 'Something went wrong on the server. Please try again later.'
NONSENSE = 'The model gave no usable answer. Please try again.'
LIMIT = 'This answer would pass a limit that is set for it.'


@pytest.fixture(scope='module', params=READERS)
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    with Reader(request.param) as reader:
        yield reader


class Box(BaseModel):
    width: int


def agent_of(server: ModelServer, **options: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(model_of(server, http=HttpOptions(max_retries=0)), **options)

    @agent.tool_plain
    def double(number: int) -> int:
        if number > 99:
            raise ZeroDivisionError('of the tool: sk-secret')
        return 2 * number

    @agent.tool_plain(approve=True)
    def refund(order: int) -> str:
        return f'Refunded order {order}.'

    return agent


def double(number: int) -> ToolCall:
    return ToolCall('double', {'number': number}, f'c{number}')


# --- stopped by the user ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('first', [[], [Reply('I look.', tool_calls=[double(2)])]])
def test_stop_leaves_what_came_and_stops_the_run(first: list[Reply], reader: Reader, model_server: ModelServer) -> None:
    model_server.reply(*first, Reply('word ', repeat=100_000, delay_between_events=0.01))
    endpoint = ChatEndpoint(agent_of(model_server))
    seen = endpoint.seen_by(reader, 'say:Hi', 'stop')
    model_server.wait_for_disconnect(timeout=5)
    assert reader.name == 'ag-ui' or seen.errors == []
    run = of_messages(endpoint.streams[0].all_messages())
    assert run.texts[-1].startswith(seen.texts[-1]), 'the run has what was seen, and perhaps a little more'
    assert seen.texts[:-1] == run.texts[: len(seen.texts) - 1]
    assert seen.calls == run.calls[: len(seen.calls)]
    assert endpoint.results == []


# --- paused for a decision --------------------------------------------------------------------------------------------

ASKS = Reply('I ask.', tool_calls=[double(2), ToolCall('refund', {'order': 7}, 'r1')])
PAUSING = [name for name in READERS if not name.startswith('ai5')]


@pytest.mark.parametrize('decision', ['approve', 'deny:Not today'])
def test_a_paused_run_goes_on_in_the_same_message(decision: str, reader: Reader, model_server: ModelServer) -> None:
    if reader.name not in PAUSING:
        pytest.skip('AI SDK 5 has no approvals')
    model_server.reply(ASKS, Reply('Done.'))
    endpoint = ChatEndpoint(agent_of(model_server))
    seen = endpoint.seen_by(reader, 'say:Hi', decision)
    assert seen.errors == [], seen
    assert seen.warnings == []
    [paused], [result] = endpoint.paused, endpoint.results
    run = of_messages(result.all_messages())
    assert [call.tool_name for call in paused.pending] == ['refund']
    assert seen.texts == run.texts == ['I ask.', 'Done.']
    assert seen.calls == run.calls == [('double', {'number': 2}), ('refund', {'order': 7})]
    assert seen.returns == run.returns
    assert seen.returns[0] == 4
    if decision == 'approve':
        assert seen.returns[1] == 'Refunded order 7.'
    else:
        assert model_server.requests[1].json['messages'][-1]['content'] == run.returns[1]
        assert 'Not today' in run.returns[1]
    if reader.name != 'ag-ui':
        assert len([message for message in seen.messages if message['role'] == 'assistant']) == 1


def test_two_pauses_in_one_conversation(reader: Reader, model_server: ModelServer) -> None:
    if reader.name not in PAUSING:
        pytest.skip('AI SDK 5 has no approvals')
    second = Reply(tool_calls=[ToolCall('refund', {'order': 8}, 'r1')])  # a provider that repeats its ids
    model_server.reply(ASKS, second, Reply('Done.'))
    endpoint = ChatEndpoint(agent_of(model_server))
    seen = endpoint.seen_by(reader, 'say:Hi', 'approve', 'approve')
    assert seen.errors == [], seen
    assert seen.returns == [4, 'Refunded order 7.', 'Refunded order 8.'], seen
    assert seen.texts == ['I ask.', 'Done.']


def test_ai_sdk_5_reports_a_pause_as_an_error(reader: Reader, model_server: ModelServer) -> None:
    """It has no event for it, and refuses an unknown one; the call and what was said before stay in the message."""
    if reader.name in PAUSING:
        pytest.skip('it has approvals')
    model_server.reply(ASKS)
    seen = ChatEndpoint(agent_of(model_server)).seen_by(reader)
    assert len(seen.errors) == 1
    assert 'AI_TypeValidationError' in seen.errors[0]
    assert 'tool-approval-request' in seen.errors[0]
    assert seen.texts == ['I ask.']
    assert seen.calls == [('double', {'number': 2}), ('refund', {'order': 7})]


# --- errors in the middle ---------------------------------------------------------------------------------------------

FAILURES: dict[str, tuple[list[Reply], str]] = {
    'in a text': ([Reply('Half', ' of', ending='error')], UNAVAILABLE),
    'in thoughts': ([Reply('never', thinking=['Hm', ' well'], ending='error', cut_after_events=2)], UNAVAILABLE),
    'in the arguments of a call': ([Reply(tool_calls=[double(2)], ending='error', cut_after_events=3)], UNAVAILABLE),
    'in the second response': ([Reply(tool_calls=[double(2)]), Reply('Half', ending='error')], UNAVAILABLE),
    'a second response that does not begin': ([Reply(tool_calls=[double(2)]), Reply(status=503)], OVERLOADED),
    'a body that ends early': ([Reply('Half', ' of', ending='eof')], BROKE_OFF),
    'a connection that is cut': ([Reply('Half', ' of', ending='cut')], BROKE_OFF),
    'a connection that is reset': ([Reply('Half', ' of', ending='reset')], ''),
    'an event that is no JSON': ([Reply('Half', ' of', ' it', malformed_event_at=2)], ''),
    'a tool that fails': ([Reply('I look.', tool_calls=[double(2), double(100)])], INTERNAL),
}


@pytest.mark.parametrize('name', FAILURES)
def test_an_error_in_the_middle_is_a_sentence(name: str, reader: Reader, model_server: ModelServer) -> None:
    replies, sentence = FAILURES[name]
    model_server.reply(*replies)
    endpoint = ChatEndpoint(agent_of(model_server))
    seen = endpoint.seen_by(reader)
    assert len(seen.errors) == 1, seen
    shown = seen.errors[0].partition(': ')[2]
    assert shown == sentence if sentence else shown in (BROKE_OFF, UNAVAILABLE, NONSENSE)
    run = of_messages(endpoint.streams[0].all_messages())
    assert seen.texts == run.texts, 'what came stays'
    assert seen.thoughts == run.thoughts
    assert [tool for tool, _ in seen.calls] == [tool for tool, _ in run.calls]


# --- limits and refused results ---------------------------------------------------------------------------------------

LIMITS: dict[str, UsageLimits] = {
    'requests': UsageLimits(request_limit=1),
    'tokens': UsageLimits(total_tokens_limit=10),
}


@pytest.mark.parametrize('name', LIMITS)
def test_a_limit_is_an_error_and_what_was_done_before_is_whole(
    name: str, reader: Reader, model_server: ModelServer
) -> None:
    model_server.reply(Reply('I look.', tool_calls=[double(2)], usage=(12, 7)), Reply('4'))
    endpoint = ChatEndpoint(agent_of(model_server), usage_limits=LIMITS[name])
    seen = endpoint.seen_by(reader)
    assert [error.partition(': ')[2] for error in seen.errors] == [LIMIT]
    assert seen.texts == ['I look.']
    run = of_messages(endpoint.streams[0].all_messages())
    assert seen.calls == run.calls == [('double', {'number': 2})]
    if name == 'requests':
        assert seen.returns == run.returns == [4]


def check_and_refuse(agent: Agent[Any, Any]) -> None:
    @agent.result_validator
    def refuse(data: Any) -> Any:
        raise ModelRetry('Not this one.')


@pytest.mark.parametrize(
    ('options', 'reply'),
    [({}, Reply('Five')), ({'result_type': Box}, Reply(tool_calls=[ToolCall('final_result', '{"width": 7}', 'c1')]))],
    ids=['text', 'data'],
)
def test_results_that_are_refused_to_the_end_are_an_error(
    options: dict[str, Any], reply: Reply, reader: Reader, model_server: ModelServer
) -> None:
    model_server.reply(reply, reply)
    agent = agent_of(model_server, **options)
    check_and_refuse(agent)
    endpoint = ChatEndpoint(agent)
    seen = endpoint.seen_by(reader)
    assert [error.partition(': ')[2] for error in seen.errors] == [NONSENSE]
    assert seen.texts == of_messages(endpoint.streams[0].all_messages()).texts
    if reader.name != 'ag-ui':
        assert [part for part in seen.parts if part['type'] == 'data-result'] == []
