"""Decisions that are wrong or late, and what else may stand beside a call that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agent_faces import Script, call
from shop import LOOK, REFUND, Shop, answers_of

from syncai import (
    Agent,
    Answered,
    Approve,
    Deny,
    ModelRetry,
    PendingCall,
    RunPaused,
    ToolReturn,
    UserError,
)
from syncai.approvals import Decision
from syncai.events import FunctionToolCallEvent, FunctionToolResultEvent, ToolCallPausedEvent


@pytest.mark.parametrize(
    ('answers', 'words'),
    [
        ({'other': Approve()}, "'other' is no call of this conversation"),
        ({'l': Approve()}, "'l' has its return already"),
        ({'r': True}, 'must be Approve'),
        ({1: Approve()}, 'keys of answers'),
        ([Approve()], 'must be a dict'),
        ({'r': Approve({'order': 'x'})}, "does not fit the tool 'refund'"),
        ({'r': Approve(args_hash='0')}, 'has other arguments'),
        ({PendingCall('r', 'refund', {'order': 7, 'amount': 2500}): Approve()}, 'has other arguments'),
    ],
)
def test_wrong_answers_are_refused_before_anything_runs(answers: Any, words: str) -> None:
    shop = Shop([REFUND, LOOK])
    paused = shop.paused()
    with pytest.raises(UserError, match=words):
        shop.agent.resume_sync(paused.messages, answers)
    assert len(shop.done) == 1


def test_arguments_that_changed_since_the_pause_are_refused() -> None:
    shop = Shop([REFUND])
    forged = shop.paused().messages_json().replace(b'"amount":250}', b'"amount":900}', 1)
    with pytest.raises(UserError, match='has other arguments'):
        shop.agent.resume_sync(forged, {'r': Approve()})


def test_a_second_resume_of_what_went_on_is_refused() -> None:
    shop = Shop([REFUND], 'Done.', REFUND, 'Done.')
    result = shop.agent.resume_sync(shop.paused().messages, {'r': Approve()})
    with pytest.raises(UserError, match='already'):
        shop.agent.resume_sync(result.all_messages(), {'r': Approve()})
    assert len(shop.done) == 1


def test_a_tool_that_is_gone_cannot_be_approved_and_can_be_answered() -> None:
    paused = Shop([REFUND]).paused()
    bare = Agent(Script('Done.', 'Done.').model)
    with pytest.raises(UserError, match="no tool 'refund'"):
        bare.resume_sync(paused.messages, {'r': Approve()})
    with pytest.raises(RunPaused):
        bare.resume_sync(paused.messages, {})
    assert bare.resume_sync(paused.messages, {'r': Answered('by hand')}).data == 'Done.'
    assert bare.resume_sync(paused.messages, {'r': Deny()}).data == 'Done.'


@pytest.mark.parametrize(
    ('messages', 'words'),
    [
        (b'[{"kind": "x"}]', 'not the JSON of a conversation'),
        ('hello', 'not the JSON of a conversation'),
        ([], 'messages is empty'),
        (7, 'must be a list of messages'),
        (RunPaused('x'), 'is a RunPaused'),
    ],
)
def test_wrong_messages(messages: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Agent('test').resume_sync(messages, {})


# --- beside other things ----------------------------------------------------------------------------------------------


def test_events_of_a_pause_and_of_what_comes_after_it() -> None:
    shop = Shop([REFUND, LOOK], 'Done.')
    kinds: list[Any] = []

    def read(stream: Any) -> None:
        of_tools = (FunctionToolCallEvent, FunctionToolResultEvent, ToolCallPausedEvent)
        kinds.extend((event.event_kind, event.tool_call_id) for event in stream if isinstance(event, of_tools))

    with shop.agent.run_stream_events_sync('x') as stream, pytest.raises(RunPaused) as caught:
        read(stream)
    assert kinds == [('function_tool_call', 'l'), ('function_tool_result', 'l'), ('tool_call_paused', 'r')]
    assert stream.all_messages() == caught.value.messages
    kinds.clear()
    with shop.agent.resume_stream_events_sync(caught.value.messages, {'r': Approve()}) as stream:
        read(stream)
    assert kinds == [('function_tool_call', 'r'), ('function_tool_result', 'r')]


def test_a_stream_of_the_result_raises_at_its_end() -> None:
    shop = Shop([REFUND])
    with shop.agent.run_stream_sync('x') as stream, pytest.raises(RunPaused):
        stream.get_data()


def test_rows_of_a_map_and_a_submitted_run() -> None:
    shop = Shop([REFUND], [REFUND])
    (row,) = shop.agent.map_sync(['x'], return_exceptions=True)
    assert isinstance(row.error, RunPaused)
    assert row.all_messages() == row.error.messages
    error = shop.agent.submit('x').exception(timeout=30)
    assert isinstance(error, RunPaused)


def test_a_history_with_a_pause_goes_on_with_another_prompt() -> None:
    shop = Shop([REFUND, LOOK], 'Fine.')
    paused = shop.paused()
    assert shop.agent.run_sync('Never mind.', message_history=paused.messages).data == 'Fine.'
    assert answers_of(shop.script.asked[-1])['r'].startswith('The call has no return')
    with pytest.raises(UserError, match='answers go with a history alone'):
        shop.agent.step_sync(paused.messages, 'And now?', answers={'r': Approve()})


def test_what_siblings_say_beside_their_returns_comes_after_all_of_them() -> None:
    shop = Shop([REFUND, call('show', {}, 's')], 'Done.')

    @shop.agent.tool_plain
    def show() -> ToolReturn:
        return ToolReturn('shown', content='Look at the left.')

    result = shop.agent.resume_sync(shop.paused().messages_json(), {'r': Approve()})
    assert [type(part).__name__ for part in shop.script.last_parts()] == [
        'ToolReturnPart',
        'ToolReturnPart',
        'UserPromptPart',
    ]
    assert result.data == 'Done.'


def test_a_failed_sibling_is_answered_before_the_pause() -> None:
    shop = Shop([REFUND, call('fail', {}, 'f')], 'Done.')

    @shop.agent.tool_plain
    def fail() -> str:
        raise ModelRetry('no such order')

    paused = shop.paused()
    assert answers_of(paused.messages) == {'f': 'no such order'}
    assert shop.agent.resume_sync(paused.messages, {'r': Approve()}).data == 'Done.'


def test_a_result_beside_a_paused_call_is_the_result_after_it() -> None:
    calls: Callable[[], list[Any]] = lambda: [call('final_result', {'response': 7}, 'f'), REFUND, LOOK]  # noqa: E731
    shop = Shop(calls(), result_type=int, end_strategy='exhaustive')
    paused = shop.paused()
    assert [one.id for one in paused.pending] == ['r']
    assert answers_of(paused.messages) == {'l': 'a shoe'}
    result = shop.agent.resume_sync(paused.messages_json(), {'r': Approve()})
    assert result.data == 7
    assert len(shop.script.asked) == 1
    assert [entry[0] for entry in shop.done] == ['look', 'refund']
    with pytest.raises(UserError, match='gives the result'):
        shop.agent.resume_sync(paused.messages, {'f': Approve()})
    early = Shop(calls(), result_type=int)
    assert early.agent.run_sync('x').data == 7
    assert early.done == []


def test_a_run_within_a_tool_that_pauses_has_the_call_wait() -> None:
    inner = Shop([REFUND], 'Refunded.')
    outer = Agent(Script([call('delegate', {}, 'd')], 'Done.').model)

    @outer.tool_plain
    def delegate() -> str:
        return str(inner.agent.run_sync('x').data)

    with pytest.raises(RunPaused) as caught:
        outer.run_sync('x')
    (pending,) = caught.value.pending
    assert (pending.id, pending.details['pending'][0]['id']) == ('d', 'r')
    result = inner.agent.resume_sync(pending.details['messages'], {'r': Approve()})
    assert outer.resume_sync(caught.value.messages_json(), {'d': Answered(result.data)}).data == 'Done.'


def test_two_calls_of_one_id_are_decided_by_the_calls_themselves() -> None:
    shop = Shop([call('refund', {'order': 1}, 'same'), call('refund', {'order': 2}, 'same')], 'Done.')
    paused = shop.paused()
    with pytest.raises(UserError, match='2 calls that wait have the id'):
        shop.agent.resume_sync(paused.messages, {'same': Approve()})
    first, second = paused.pending
    decisions: dict[PendingCall, Decision] = {first: Approve(), second: Deny()}
    assert shop.agent.resume_sync(paused.messages, decisions).data == 'Done.'
    assert [order for _, order, *_ in shop.done] == [1]
