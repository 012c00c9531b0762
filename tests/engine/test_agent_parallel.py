"""Several calls in one answer: what runs side by side, what takes turns, what a failure or a timeout stops."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call, in_async, in_sync

from syncai.agent import Agent
from syncai.exceptions import ModelRetry, UserError
from syncai.messages import ToolReturnPart
from syncai.models.test import TestModel
from syncai.tools import Tool


def contents(script: Script) -> list[Any]:
    return [part.content for part in script.last_parts()]


class Broken(Exception):
    pass


@both
def test_threads_are_truly_parallel(ask: Ask) -> None:
    barrier = threading.Barrier(3)
    agent: Agent[None, str] = Agent()

    @agent.tool_plain(run_in='thread')
    def meet(n: int) -> int:
        barrier.wait(5)
        time.sleep(0.01 * (3 - n))  # the last to be called is the first to return
        return n

    script = Script([call('meet', {'n': n}, str(n)) for n in range(3)], 'done')
    assert ask(agent, 'x', model=script.model).data == 'done'
    assert contents(script) == [0, 1, 2]
    assert [part.tool_call_id for part in script.last_parts()] == ['0', '1', '2']


@both
def test_async_tools_are_truly_parallel(ask: Ask) -> None:
    agent: Agent[None, str] = Agent()
    barriers: list[asyncio.Barrier] = []

    @agent.tool_plain
    async def meet(n: int) -> int:
        if not barriers:
            barriers.append(asyncio.Barrier(3))
        await asyncio.wait_for(barriers[0].wait(), 5)
        await asyncio.sleep(0.01 * (3 - n))
        return n

    script = Script([call('meet', {'n': n}, str(n)) for n in range(3)], 'done')
    ask(agent, 'x', model=script.model)
    assert contents(script) == [0, 1, 2]


@both
def test_all_kinds_side_by_side(ask: Ask) -> None:
    """The async tool and the one in a thread wait for what the sync one does last."""
    agent: Agent[None, str] = Agent()
    done = threading.Event()

    @agent.tool_plain
    async def waits() -> str:
        while not done.is_set():
            await asyncio.sleep(0.001)
        return 'async'

    @agent.tool_plain(run_in='thread')
    def blocks() -> str:
        return 'thread' if done.wait(5) else 'timeout'

    @agent.tool_plain
    def last() -> str:
        done.set()
        return 'sync'

    script = Script([call('waits'), call('blocks'), call('last')], 'done')
    ask(agent, 'x', model=script.model)
    assert contents(script) == ['async', 'thread', 'sync']


def test_sync_tools_of_a_sync_caller_take_turns_in_order() -> None:
    running: list[int] = []
    order: list[int] = []

    def alone(n: int) -> int:
        running.append(n)
        assert len(running) == 1
        time.sleep(0.002)
        order.append(running.pop())
        return n

    script = Script([call('alone', {'n': n}, str(n)) for n in range(20)], 'done')
    Agent(script.model, tools=[alone]).run_sync('x')
    assert order == list(range(20))


# --- failures ---------------------------------------------------------------------------------------------------------


def test_after_a_failure_no_other_sync_tool_begins() -> None:
    begun: list[int] = []

    def step(n: int) -> int:
        begun.append(n)
        if n == 1:
            raise Broken
        return n

    for _ in range(30):
        begun.clear()
        script = Script([call('step', {'n': n}, str(n)) for n in range(6)])
        with pytest.raises(Broken):
            Agent(script.model, tools=[step]).run_sync('x')
        assert begun == [0, 1]


@both
def test_a_failure_lets_the_async_calls_beside_it_end(ask: Ask) -> None:
    """Tools that have returned are not called again when the run continues: their returns are kept."""
    agent: Agent[None, str] = Agent()
    ended: list[str] = []
    begun, failed = threading.Event(), threading.Event()

    @agent.tool_plain
    async def patient() -> None:
        begun.set()
        while not failed.is_set():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        ended.append('ended')

    @agent.tool_plain(run_in='thread')
    def fails() -> None:
        assert begun.wait(5)
        failed.set()
        raise Broken

    script = Script([call('patient'), call('fails')])
    with pytest.raises(Broken):
        ask(agent, 'x', model=script.model)
    assert ended == ['ended']


def test_cancelling_an_async_run_cancels_its_tools() -> None:
    ended: list[str] = []
    agent = Agent(Script(call('patient')).model)

    async def main() -> None:
        begun = asyncio.Event()

        @agent.tool_plain
        async def patient() -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append('ended')

        task = asyncio.create_task(agent.run('x'))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ['ended']

    asyncio.run(main())


def test_ctrl_c_in_a_tool() -> None:
    begun: list[str] = []

    def interrupted() -> None:
        begun.append('interrupted')
        signal.raise_signal(signal.SIGINT)

    def second() -> None:
        begun.append('second')

    agent = Agent(Script([call('interrupted'), call('second')]).model, tools=[interrupted, second])
    with pytest.raises(KeyboardInterrupt):
        agent.run_sync('x')
    assert begun == ['interrupted']
    assert agent.run_sync('x', model=Script('works').model).data == 'works'


def test_exit_in_a_tool() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        Agent(Script(call('leave')).model, tools=[leave]).run_sync('x')


@pytest.mark.parametrize('beside', [False, True])
@pytest.mark.parametrize('kind', ['thread', 'async'])
def test_exit_in_a_tool_elsewhere(kind: str, beside: bool, caplog: pytest.LogCaptureFixture) -> None:
    def leave() -> None:
        raise SystemExit(3)

    async def leave_later() -> None:
        raise SystemExit(3)

    def look() -> str:
        return 'seen'

    tool = Tool(leave_later, name='leave') if kind == 'async' else Tool(leave, run_in='thread')
    calls = [call('leave'), call('look')] if beside else [call('leave')]
    with pytest.raises(SystemExit):
        Agent(Script(calls).model, tools=[tool, look]).run_sync('x')
    assert caplog.records == []
    assert Agent(TestModel()).run_sync('x').data


# --- timeouts ---------------------------------------------------------------------------------------------------------


@both
def test_a_timeout_of_an_async_tool(ask: Ask) -> None:
    ended: list[str] = []

    async def slow(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            ended.append('cancelled')
            raise
        return 'in time'

    script = Script(call('slow', {'seconds': 60}), call('slow', {'seconds': 0}), 'done')
    assert ask(Agent(script.model, tools=[Tool(slow, timeout=0.05)]), 'x').data == 'done'
    assert script.last_parts(1)[0].content == 'The call took longer than 0.05 seconds and was stopped.'
    assert script.last_parts(2)[0].content == 'in time'
    assert ended == ['cancelled']


@both
def test_a_timeout_of_a_thread(ask: Ask) -> None:
    release = threading.Event()

    def slow() -> str:
        release.wait(5)
        return 'late'

    script = Script(call('slow'), 'done')
    assert ask(Agent(script.model, tools=[Tool(slow, run_in='thread', timeout=0.05)]), 'x').data == 'done'
    release.set()
    (part,) = script.last_parts()
    assert not isinstance(part, ToolReturnPart)
    assert part.content == 'The call took longer than 0.05 seconds and was stopped.'


@pytest.mark.parametrize('kind', ['async', 'thread'])
@both
def test_a_tools_own_timeout_error_is_its_own(ask: Ask, kind: str) -> None:
    def fails() -> None:
        raise TimeoutError('mine')

    async def fails_later() -> None:
        raise TimeoutError('mine')

    tool = Tool(fails_later, name='fails', timeout=5) if kind == 'async' else Tool(fails, run_in='thread', timeout=5)
    with pytest.raises(TimeoutError, match=r'^mine$'):
        ask(Agent(Script(call('fails')).model, tools=[tool]), 'x', timeout=5)


def quick() -> None:
    raise ModelRetry('never called')


async def quick_later() -> None:
    raise ModelRetry('never called')


@pytest.mark.parametrize('timeout', [0, -1, float('nan'), float('inf'), True, '3'])
def test_a_timeout_that_is_none(timeout: Any) -> None:
    with pytest.raises(UserError, match="timeout of tool 'quick_later' must be a number of seconds above 0"):
        Tool(quick_later, timeout=timeout)


def test_what_cannot_be_stopped_takes_no_timeout() -> None:
    with pytest.raises(UserError, match=r"make it async, or register it with run_in='thread'"):
        Tool(quick, timeout=1)
    with pytest.raises(UserError, match=r"run_in='thread' is for sync functions"):
        Tool(quick_later, run_in='thread')
    with pytest.raises(UserError, match=r"run_in of tool 'quick' must be 'caller' or 'thread', not 'process'"):
        Tool(quick, run_in='process')  # type: ignore[arg-type]


def test_a_sync_tool_waits_for_nobody_in_an_async_run() -> None:
    """Worker threads take the sync tools of an async caller, so that its loop goes on."""
    ticks: list[int] = []
    release = threading.Event()

    def blocks(n: int) -> int:
        release.wait(5)
        return n

    script = Script([call('blocks', {'n': n}, str(n)) for n in range(2)], 'done')
    agent = Agent(script.model, tools=[blocks])

    async def main() -> None:
        task = asyncio.create_task(agent.run('x'))
        for _ in range(20):
            ticks.append(1)
            await asyncio.sleep(0.005)
        release.set()
        assert (await task).data == 'done'

    asyncio.run(main())
    assert len(ticks) == 20
    assert contents(script) == [0, 1]


def test_the_two_faces_agree() -> None:
    """The same conversation with a synchronous and an asynchronous caller."""

    def add(a: int, b: int) -> int:
        return a + b

    calls = [call('add', {'a': n, 'b': n}, str(n)) for n in range(4)]
    kept = []
    for ask in (in_sync, in_async):
        script = Script(calls, 'done')
        ask(Agent(script.model, tools=[add]), 'x')
        kept.append([[type(part), getattr(part, 'content', None)] for part in script.asked[-1][-1].parts])
    assert kept[0] == kept[1]
