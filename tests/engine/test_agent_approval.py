"""Calls that wait for a decision: the run pauses, and goes on with the decisions as if it had never stopped."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call
from shop import LOOK, REFUND, Shop, answers_of

from syncai import (
    Agent,
    Answered,
    Approve,
    Deny,
    Pause,
    PendingCall,
    RunContext,
    RunPaused,
    Tool,
    UserError,
    capture_run_messages,
)
from syncai.approvals import Decision
from syncai.messages import ModelRequest, RetryPromptPart, ToolReturnPart, UserPromptPart


def resume_sync(agent: Agent[Any, Any], *args: Any, **options: Any) -> Any:
    return agent.resume_sync(*args, **options)


def resume_async(agent: Agent[Any, Any], *args: Any, **options: Any) -> Any:
    return asyncio.run(agent.resume(*args, **options))


def resume_stream(agent: Agent[Any, Any], *args: Any, **options: Any) -> Any:
    with agent.resume_stream_sync(*args, **options) as stream:
        stream.get_data()
        return _Streamed(stream)


def resume_events(agent: Agent[Any, Any], *args: Any, **options: Any) -> Any:
    with agent.resume_stream_events_sync(*args, **options) as stream:
        list(stream)
        return stream.result


def resume_stream_async(agent: Agent[Any, Any], *args: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with agent.resume_stream(*args, **options) as stream:
            await stream.get_data()
            return _Streamed(stream)

    return asyncio.run(main())


def resume_events_async(agent: Agent[Any, Any], *args: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with agent.resume_stream_events(*args, **options) as stream:
            async for _ in stream:
                pass
            return stream.result

    return asyncio.run(main())


class _Streamed:
    def __init__(self, stream: Any) -> None:
        self.all_messages, self.usage = stream.all_messages, stream.usage


every_way = pytest.mark.parametrize(
    'resume', [resume_sync, resume_async, resume_stream, resume_events, resume_stream_async, resume_events_async]
)


# --- the pause --------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize('calls', [[REFUND, LOOK], [LOOK, REFUND]], ids=['first', 'last'])
def test_siblings_run_and_the_call_waits(ask: Ask, calls: list[Any]) -> None:
    shop = Shop(calls)
    with capture_run_messages() as captured:
        paused = shop.paused(ask)
    assert shop.done == [('look', 7)]
    assert paused.pending == (PendingCall('r', 'refund', {'order': 7, 'amount': 250}),)
    assert answers_of(paused.messages) == {'l': 'a shoe'}
    assert captured == paused.messages
    assert paused.usage.requests == 1
    assert 'refund (r)' in str(paused)


@every_way
@pytest.mark.parametrize('travel', ['object', 'pickle', 'json'])
def test_the_decision_goes_on_and_nothing_runs_twice(resume: Ask, travel: str) -> None:
    shop = Shop([REFUND, LOOK], 'Done.')
    paused = shop.paused()
    if travel == 'pickle':
        paused = pickle.loads(pickle.dumps(paused))
    messages = paused.messages_json() if travel == 'json' else paused.messages
    result = resume(shop.agent, messages, {'r': Approve()}, usage=paused.usage)
    assert shop.done == [('look', 7), ('refund', 7, 250, True)]
    assert answers_of(result.all_messages()) == {'l': 'a shoe', 'r': 'refunded 250.0'}
    assert result.usage().requests == 2
    # The messages for the model have all the returns in one request, right after the calls.
    *_, last = shop.script.asked[-1]
    assert [part.tool_call_id for part in last.parts if isinstance(part, ToolReturnPart)] == ['l', 'r']


def test_denied_answered_and_approved_with_other_arguments() -> None:
    calls = [call('refund', {'order': n}, f'c{n}') for n in range(4)]
    shop = Shop(calls, 'Done.')
    paused = shop.paused()
    decisions: dict[str, Decision] = {
        'c0': Deny('not above 100'),
        'c1': Answered({'euros': 3}),
        'c2': Approve({'order': 2, 'amount': '1.5'}),
        'c3': Deny(),
    }
    result = shop.agent.resume_sync(paused.messages, decisions)
    assert shop.done == [('refund', 2, 1.5, True)]
    assert answers_of(result.all_messages()) == {
        'c0': 'The call was denied, and not made. The reason: not above 100',
        'c1': {'euros': 3},
        'c2': 'refunded 1.5',
        'c3': 'The call was denied, and not made.',
    }
    said = [part.content for part in shop.script.last_parts() if isinstance(part, UserPromptPart)]
    assert said == [['The call c2 of \'refund\' was made with other arguments: {"order":2,"amount":"1.5"}']]


def test_the_pending_calls_themselves_are_keys() -> None:
    shop = Shop([REFUND], 'Done.')
    paused = shop.paused()
    assert shop.agent.resume_sync(paused.messages, {one: Approve() for one in paused.pending}).data == 'Done.'


@pytest.mark.parametrize('amount', [99, 101])
@pytest.mark.parametrize('asynchronous', [False, True])
def test_a_function_decides_by_the_validated_arguments(amount: int, asynchronous: bool) -> None:
    def above_100(ctx: RunContext[None], args: dict[str, Any]) -> bool:
        assert isinstance(args['amount'], float)
        assert ctx.tool_call_id == 'r'
        return bool(args['amount'] > 100)

    async def later(ctx: RunContext[None], args: dict[str, Any]) -> str | None:
        await asyncio.sleep(0)
        return 'above 100' if above_100(ctx, args) else None

    shop = Shop(
        [call('refund', {'order': 7, 'amount': str(amount)}, 'r')],
        'Done.',
        approve=later if asynchronous else above_100,
    )
    if amount > 100:
        assert shop.paused().pending[0].reason == ('above 100' if asynchronous else None)
    else:
        assert shop.agent.run_sync('x').data == 'Done.'
        assert shop.done == [('refund', 7, 99, False)]


def test_the_function_sees_defaults_and_the_fields_of_a_flat_argument() -> None:
    seen: list[Any] = []
    shop = Shop([call('refund', {'order': 7}, 'r')], 'Done.', approve=lambda _, args: seen.append(args))
    assert shop.agent.run_sync('x').data == 'Done.'
    assert seen == [{'order': 7, 'amount': 1.0}]


def test_a_tool_pauses_itself_and_is_called_again_once_approved() -> None:
    agent: Agent[None, str] = Agent(Script([call('pay', {}, 'p'), call('look', {}, 'l')], 'Done.').model)
    done: list[str] = []

    @agent.tool
    def pay(ctx: RunContext[None]) -> str:
        if not ctx.approved:
            raise Pause('over the limit', details={'limit': 100})
        done.append('pay')
        return 'paid'

    @agent.tool_plain
    async def look() -> str:
        done.append('look')
        return 'seen'

    with pytest.raises(RunPaused) as caught:
        agent.run_sync('x')
    assert caught.value.pending == (PendingCall('p', 'pay', {}, 'over the limit', {'limit': 100}),)
    assert agent.resume_sync(caught.value.messages_json(), {'p': Approve()}).data == 'Done.'
    assert done == ['look', 'pay']


@pytest.mark.parametrize('kind', ['thread', 'async', 'awaitable'])
def test_a_pause_of_every_kind_of_tool(kind: str) -> None:
    def pause() -> str:
        raise Pause('wait')

    async def pause_later() -> str:
        raise Pause('wait')

    tools: dict[str, Tool[Any]] = {
        'thread': Tool(pause, run_in='thread'),
        'async': Tool(pause_later, name='pause'),
        'awaitable': Tool(lambda: pause_later(), name='pause'),
    }
    with pytest.raises(RunPaused) as caught:
        Agent(Script([call('pause')]).model, tools=[tools[kind]]).run_sync('x')
    assert caught.value.pending[0].reason == 'wait'


def test_wrong_arguments_go_to_the_model_and_not_to_a_person() -> None:
    shop = Shop([call('refund', {'order': 'seven'}, 'r')], REFUND)
    paused = shop.paused()
    assert paused.pending[0].args == REFUND.args
    assert isinstance(shop.script.last_parts()[0], RetryPromptPart)
    assert shop.done == []


def test_calls_without_a_decision_go_on_waiting_and_no_request_is_sent() -> None:
    calls = [call('refund', {'order': n}, f'c{n}') for n in range(3)]
    shop = Shop(calls, 'Done.')
    messages = shop.paused().messages
    with pytest.raises(RunPaused) as caught:
        shop.agent.resume_sync(messages, {})
    assert caught.value.messages == messages
    for number in range(2):
        with pytest.raises(RunPaused) as caught:
            shop.agent.resume_sync(messages, {f'c{number}': Approve()})
        assert [one.id for one in caught.value.pending] == [f'c{n}' for n in range(number + 1, 3)]
        messages = caught.value.messages
    assert shop.agent.resume_sync(caught.value.messages_json(), {'c2': Approve()}).data == 'Done.'
    assert [order for _, order, *_ in shop.done] == [0, 1, 2]
    assert len(shop.script.asked) == 2
    assert len(shop.script.last_parts()) == 3


def test_an_undecided_tool_that_paused_itself_is_not_called_again() -> None:
    calls: list[str] = []

    def pause() -> str:
        calls.append('pause')
        raise Pause('why', details=[1])

    agent = Agent(Script([call('pause')]).model, tools=[pause])
    with pytest.raises(RunPaused) as first:
        agent.run_sync('x')
    with pytest.raises(RunPaused) as second:
        agent.run_sync(message_history=first.value.messages)
    assert calls == ['pause']
    assert second.value.pending == first.value.pending


# --- a function that decides at once ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ('answer', 'returned'),
    [
        (True, 'refunded 250.0'),
        (Approve(), 'refunded 250.0'),
        (False, 'The call was denied, and not made.'),
        (Answered('elsewhere'), 'elsewhere'),
        (Approve({'order': 1, 'amount': 2}), 'refunded 2.0'),
    ],
)
def test_approve_of_the_run_is_asked_after_the_siblings(ask: Ask, answer: Any, returned: str) -> None:
    shop = Shop([REFUND, LOOK], 'Done.')
    asked: list[Any] = []

    def approve(pending: PendingCall) -> Any:
        asked.append((pending.id, list(shop.done)))
        return answer

    result = ask(shop.agent, 'x', approve=approve)
    assert asked == [('r', [('look', 7)])]
    assert answers_of(result.all_messages()) == {'r': returned, 'l': 'a shoe'}


def test_approve_may_leave_calls_waiting_and_is_asked_again_on_resuming() -> None:
    shop = Shop([call('refund', {'order': 1}, 'a'), call('refund', {'order': 2}, 'b')], 'Done.')
    paused = shop.paused(approve=lambda pending: True if pending.id == 'a' else None)
    assert [one.id for one in paused.pending] == ['b']
    assert shop.agent.resume_sync(paused.messages, {}, approve=lambda _: True).data == 'Done.'
    assert [order for _, order, *_ in shop.done] == [1, 2]


def test_what_fails_while_a_person_is_asked_loses_nothing() -> None:
    shop = Shop([REFUND, LOOK], 'Done.')

    def approve(_: PendingCall) -> bool:
        raise KeyError('typo')

    with capture_run_messages() as messages, pytest.raises(KeyError):
        shop.agent.run_sync('x', approve=approve)
    assert isinstance(messages[-1], ModelRequest)
    assert [one.id for one in messages[-1].pending] == ['r']
    assert shop.agent.resume_sync(messages, {'r': Approve()}).data == 'Done.'
    assert len(shop.done) == 2


@pytest.mark.parametrize(
    ('answer', 'words'),
    [('yes', 'must return'), (Approve({'order': 'x'}), 'does not fit')],
)
def test_wrong_answers_of_approve(answer: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Shop([REFUND]).agent.run_sync('x', approve=lambda _: answer)
