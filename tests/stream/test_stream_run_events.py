"""Every event of a run, tool calls included, and its result after the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from streams import Pieces, both_events, events_in_async, eventually, model_of

from syncai.agent import Agent
from syncai.events import (
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    ResponseEndEvent,
    ResultRefusedEvent,
)
from syncai.exceptions import AuthenticationError, UnexpectedModelBehavior, UserError
from syncai.messages import (
    ModelResponse,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall

Open = Callable[..., Any]


class Box(BaseModel):
    width: int


def agent_with_tool(model: Any, **options: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(model, **options)

    @agent.tool_plain
    def double(number: int) -> int:
        return 2 * number

    return agent


@both_events
def test_all_events_of_a_run(events_of: Open, model_server: ModelServer) -> None:
    model_server.reply(
        Reply('Wait.', tool_calls=[ToolCall('double', '{"number": 2}', 'c1', pieces=1)], usage=(5, 5)),
        Reply('Four', '.', usage=(7, 2)),
    )
    call = ToolCallPart('double', '{"number": 2}', 'c1')
    with events_of(agent_with_tool(model_of(model_server))) as events:
        with pytest.raises(UserError, match='The run has no result yet'):
            _ = events.result
        seen = list(events)
        result = events.result
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    plain = [event for event in seen if not isinstance(event, FunctionToolCallEvent | FunctionToolResultEvent)]
    assert plain == [
        FinalResultEvent(),
        PartStartEvent(0, TextPart('Wait.')),
        PartEndEvent(0, TextPart('Wait.')),
        PartStartEvent(1, ToolCallPart('double', None, 'c1')),
        PartDeltaEvent(1, ToolCallPartDelta(args_delta='{"number": 2}')),
        PartEndEvent(1, call),
        ResponseEndEvent(responses[0]),
        FinalResultEvent(),
        PartStartEvent(0, TextPart('Four')),
        PartDeltaEvent(0, TextPartDelta('.')),
        PartEndEvent(0, TextPart('Four.')),
        ResponseEndEvent(responses[1]),
    ]
    (called, returned) = [event for event in seen if event not in plain]
    assert called == FunctionToolCallEvent(call)
    assert isinstance(returned.result, ToolReturnPart)
    assert (returned.result.content, returned.tool_call_id) == (4, 'c1')
    assert seen.index(called) + 1 == seen.index(returned) == 8
    assert result.data == 'Four.'
    assert events.all_messages() == result.all_messages() == events.new_messages()
    assert events.usage() == result.usage()
    assert events.usage().total_tokens == 19


@both_events
def test_a_structured_result_is_announced(events_of: Open) -> None:
    with events_of(Agent(TestModel(), result_type=Box)) as events:
        seen = list(events)
        assert events.result.data == Box(width=0)
    (announced, started, part_end, response_end) = seen
    assert part_end.part == response_end.response.tool_calls[0]
    assert part_end.part.tool_call_id == started.part.tool_call_id
    assert announced == FinalResultEvent('final_result', started.part.tool_call_id)


@both_events
def test_each_result_that_begins_within_one_read_is_announced(events_of: Open, model_server: ModelServer) -> None:
    calls = [ToolCall('final_result', '{"width": 1}', 'c1'), ToolCall('final_result', '{"width": 2}', 'c2')]
    model_server.reply(Reply('Here: ', tool_calls=calls, events_per_write=20))
    agent: Agent[None, Any] = Agent(model_of(model_server), result_type=Box | str)
    with events_of(agent) as events:
        announced = [event for event in events if isinstance(event, FinalResultEvent)]
        assert announced == [FinalResultEvent(), FinalResultEvent('final_result', 'c1')]
        assert events.result.data == Box(width=1)


@both_events
def test_a_refused_result_is_an_event(events_of: Open) -> None:
    model = Pieces([('final_result', '{"width": "x"}')], ['No.'], [('final_result', '{"width": 1}')]).model
    with events_of(Agent(model, result_type=Box, result_retries=2)) as events:
        seen = list(events)
        assert events.result.data == Box(width=1)
    refused = [event for event in seen if isinstance(event, ResultRefusedEvent)]
    ends = [event for event in seen if isinstance(event, ResponseEndEvent)]
    assert [event.result.tool_name for event in refused] == ['final_result', None]
    assert refused[0].tool_call_id == ends[0].response.tool_calls[0].tool_call_id
    assert [seen.index(event) for event in refused] == [seen.index(end) + 1 for end in ends[:2]]


@both_events
def test_the_last_refused_result_is_an_event_too(events_of: Open) -> None:
    model = Pieces(['No.'], [('unknown', '{}')]).model
    seen: list[Any] = []
    refusal = pytest.raises(UnexpectedModelBehavior, match='no valid result in 2 attempts')
    with events_of(Agent(model, result_type=Box, result_retries=1)) as events, refusal:
        seen.extend(events)
    refused = [event.result.tool_name for event in seen if isinstance(event, ResultRefusedEvent)]
    assert refused == [None, 'unknown']


@both_events
def test_thoughts_end_when_the_text_begins(events_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('Four', '.', thinking='Two and two'))
    with events_of(Agent(model_of(model_server))) as events:
        seen = list(events)
    kinds = [event.event_kind for event in seen if not isinstance(event, PartDeltaEvent)]
    assert kinds == ['part_start', 'part_end', 'final_result', 'part_start', 'part_end', 'response_end']
    ends = [event.part for event in seen if isinstance(event, PartEndEvent)]
    assert ends == list(seen[-1].response.parts)


@both_events
def test_a_failed_call_is_an_event(events_of: Open) -> None:
    model = Pieces([('double', '{"number": "x"}')], [('double', '{"number": 1}')], ['Two.']).model
    with events_of(agent_with_tool(model)) as events:
        results = [event.result for event in events if isinstance(event, FunctionToolResultEvent)]
    assert [type(result) for result in results] == [RetryPromptPart, ToolReturnPart]


@both_events
def test_a_loop_left_with_break_goes_on_where_it_stopped(events_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*'abcd', events_per_write=10))
    with events_of(Agent(model_of(model_server))) as events:
        first = []
        for event in events:
            first.append(event)
            if len(first) == 2:
                break
        rest = list(events)
        assert [event.index for event in first[1:] + rest[:3]] == [0, 0, 0, 0]
        assert [type(event) for event in rest[3:]] == [PartEndEvent, ResponseEndEvent]
        with pytest.raises(UserError, match='already read to their end'):
            list(events)
        assert events.result.data == 'abcd'
    assert events.result.data == 'abcd', 'what is there stays readable'


@both_events
def test_leaving_early(events_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=100_000, delay_between_events=0.005))
    with events_of(Agent(model_of(model_server))) as events:
        for number, _ in enumerate(events):
            if number == 5:
                break
        assert events.all_messages()[-1].incomplete
    model_server.wait_for_disconnect(timeout=2.0)
    assert events.all_messages()[-1].incomplete
    with pytest.raises(UserError, match='closed'):
        list(events)
    with pytest.raises(UserError, match='closed'):
        _ = events.result


@both_events
def test_an_error(events_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(status=401))
    with events_of(Agent(model_of(model_server))) as events:
        with pytest.raises(AuthenticationError) as failed:
            list(events)
        with pytest.raises(AuthenticationError):
            list(events)
        with pytest.raises(AuthenticationError):
            _ = events.result
        assert failed.value.messages == events.all_messages()


@both_events
def test_not_entered(events_of: Open, model_server: ModelServer) -> None:
    events = events_of(Agent(model_of(model_server)))
    for use in (lambda: list(events), events.all_messages, events.usage, lambda: events.result):
        with pytest.raises(RuntimeError, match=r'^StreamedRunEvents(Sync)? must be used as a context manager\. '):
            use()
    assert model_server.requests == []


def test_entering_waits_for_nothing(model_server: ModelServer) -> None:
    model_server.reply(*(Reply('a', delay_headers=0.3) for _ in range(3)))
    agent = Agent(model_of(model_server))
    runs = [agent.run_stream_events_sync('Hi').__enter__() for _ in range(3)]
    assert eventually(lambda: len(model_server.requests) == 3)
    assert [list(run)[1] for run in runs] == [PartStartEvent(0, TextPart('a'))] * 3
    assert all(run.close() for run in runs)


def test_tools_run_in_the_thread_that_reads() -> None:
    threads = []
    agent: Agent[None, str] = Agent(TestModel())

    @agent.tool_plain
    def where() -> str:
        threads.append(threading.get_ident())
        return 'here'

    with agent.run_stream_events_sync('Hi') as events:
        list(events)
    assert threads == [threading.get_ident()]
    with events_in_async(agent) as events:
        list(events)
    assert threads[1] != threading.get_ident(), 'a loop is not to be blocked'


@both_events
def test_events_are_waited_for_as_long_as_one_likes(events_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('a', delay_headers=0.3))
    with events_of(Agent(model_of(model_server))) as events:
        seen, empty = [], 0
        while (batch := events.next_events(0.02)) is not None:
            seen += batch
            empty += not batch
        assert empty > 1, 'it said nothing while the model was silent'
        assert seen[1] == PartStartEvent(0, TextPart('a'))
        assert events.result.data == 'a'
        with pytest.raises(UserError, match='already read to their end'):
            events.next_events()
