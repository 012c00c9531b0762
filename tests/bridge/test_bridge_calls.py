"""Calls over the bridge: from any thread and any loop, with context variables and errors; deadlocks are reported."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import janus
import pytest

from syncai._bridge import (
    Channel,
    call_user_function,
    iterate_user_generator,
    loop_thread,
    open_sync,
    run_async,
    run_sync,
)
from syncai._bridge.batch_queue import BatchQueue
from syncai._bridge.event_loop import BridgeLoop
from syncai._bridge.threads import SafeCondition, new_thread
from syncai.exceptions import CallCancelled, LoopThreadError

var: contextvars.ContextVar[str] = contextvars.ContextVar('var', default='unset')


async def one() -> int:
    return 1


def test_a_call_returns_what_the_work_returned() -> None:
    assert run_sync(one) == 1


def test_64_threads_start_one_loop_thread() -> None:
    loop_thread.shutdown()
    barrier = threading.Barrier(64)

    def call(_: int) -> int:
        barrier.wait()

        async def ident() -> int:
            return threading.get_ident()

        return run_sync(ident)

    with ThreadPoolExecutor(64) as pool:
        idents = set(pool.map(call, range(64)))
    assert len(idents) == 1
    assert sum(t.name == 'syncai-loop' for t in threading.enumerate()) == 1


def test_works_inside_a_running_loop() -> None:
    async def main() -> int:
        return run_sync(one)

    assert asyncio.run(main()) == 1


def test_async_callers_on_many_loops_share_the_loop_thread() -> None:
    async def ident() -> int:
        return threading.get_ident()

    idents = {asyncio.run(run_async(ident)) for _ in range(3)} | {run_sync(ident)}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_a_sync_call_on_the_loop_thread_says_what_to_do() -> None:
    async def deadlock() -> int:
        return run_sync(one)

    with pytest.raises(LoopThreadError, match='use the async form'):
        run_sync(deadlock)
    assert run_sync(one) == 1


class Custom(Exception):
    pass


@pytest.mark.parametrize('kind', [Custom, TimeoutError, StopAsyncIteration])
def test_an_exception_reaches_the_caller(kind: type[Exception]) -> None:
    async def fail() -> None:
        raise kind('reason')

    with pytest.raises(kind, match='reason'):
        run_sync(fail)


@pytest.mark.parametrize('kind', [SystemExit, KeyboardInterrupt])
def test_an_exit_raised_in_the_work_reaches_its_caller_and_leaves_the_loop_alive(kind: type[BaseException]) -> None:
    async def leave() -> None:
        raise kind

    with pytest.raises(kind):
        run_sync(leave)
    assert run_sync(one) == 1


def test_work_that_cancels_itself_raises() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CallCancelled):
        run_sync(cancelled)


def test_the_loop_survives_a_foreign_stop() -> None:
    async def stop() -> int:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        return 2

    assert run_sync(stop) == 2


def test_the_traceback_does_not_grow_with_repeated_calls() -> None:
    error = Custom('always the same')

    async def fail() -> None:
        raise error

    lengths = []
    for _ in range(20):
        with pytest.raises(Custom):
            run_sync(fail)
        length, tb = 0, error.__traceback__
        while tb is not None:
            length, tb = length + 1, tb.tb_next
        lengths.append(length)
        error.__traceback__ = None
    assert len(set(lengths)) == 1


def test_calls_leave_no_cyclic_garbage() -> None:
    async def fail() -> None:
        raise Custom

    def cycle() -> None:
        run_sync(one)
        with pytest.raises(Custom) as caught:
            run_sync(fail)
        caught.value.__traceback__ = None
        del caught

    for _ in range(10):
        cycle()
    gc.collect()
    earlier = [o for o in gc.get_objects() if type(o) is BridgeLoop]  # of other tests: kept, or they would be found
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        for _ in range(50):
            run_sync(one)
        run_sync(lambda: asyncio.sleep(0))
        gc.collect()
        assert [o for o in gc.garbage if type(o).__module__.startswith(('syncai', 'janus'))] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        del earlier
        gc.enable()


def test_context_variables_reach_the_work_and_do_not_leak_into_the_loop() -> None:
    async def read() -> str:
        return var.get()

    token = var.set('mine')
    try:
        assert run_sync(read) == 'mine'
    finally:
        var.reset(token)
    assert run_sync(read) == 'unset'


def test_nothing_keeps_a_callers_context_alive() -> None:
    class Value:
        pass

    box: contextvars.ContextVar[Value] = contextvars.ContextVar('box')

    def call() -> weakref.ref[Value]:
        value = Value()
        box.set(value)
        run_sync(one)
        return weakref.ref(value)

    ref = contextvars.Context().run(call)
    run_sync(lambda: asyncio.sleep(0))
    gc.collect()
    assert ref() is None


# --- the user's functions ---------------------------------------------------------------------------------------------


def test_a_sync_function_runs_in_the_callers_thread_with_its_locals() -> None:
    local = threading.local()
    local.value = 'here'

    def tool(suffix: str) -> tuple[int, str]:
        return threading.get_ident(), local.value + suffix

    async def work() -> tuple[int, str]:
        found: tuple[int, str] = await call_user_function(tool, suffix='!')
        return found

    assert run_sync(work) == (threading.get_ident(), 'here!')


def test_context_variables_follow_a_function_both_ways() -> None:
    inner: contextvars.ContextVar[str] = contextvars.ContextVar('inner')

    def tool() -> str:
        var.set('set by the tool')
        return inner.get()

    async def work() -> tuple[str, str]:
        inner.set('set on the loop')
        return await call_user_function(tool), var.get()

    def check() -> None:
        assert run_sync(work) == ('set on the loop', 'set by the tool')
        assert var.get() == 'set by the tool'
        assert inner.get(None) is None

    contextvars.copy_context().run(check)


def test_an_async_function_of_a_sync_caller_runs_on_the_loop_thread() -> None:
    async def tool() -> bool:
        return loop_thread.is_current()

    assert run_sync(lambda: call_user_function(tool)) is True


def test_functions_of_an_async_caller_run_on_its_loop_and_in_worker_threads() -> None:
    async def main() -> None:
        mine = asyncio.get_running_loop()

        async def async_tool() -> bool:
            return asyncio.get_running_loop() is mine

        async def work() -> tuple[bool, int]:
            return await call_user_function(async_tool), await call_user_function(threading.get_ident)

        on_my_loop, ident = await run_async(work)
        assert on_my_loop
        assert ident != threading.get_ident()
        assert not any(t.ident == ident and t.name == 'syncai-loop' for t in threading.enumerate())

    asyncio.run(main())


def test_a_function_may_make_calls_of_its_own_five_deep() -> None:
    def nest(depth: int) -> int:
        return 0 if depth == 0 else 1 + run_sync(lambda: call_user_function(nest, depth - 1))

    assert nest(5) == 5


def test_a_functions_exception_reaches_the_work() -> None:
    def tool() -> None:
        raise Custom('from the tool')

    async def work() -> str:
        try:
            await call_user_function(tool)
        except Custom as error:
            return str(error)
        return 'nothing raised'

    assert run_sync(work) == 'from the tool'


def test_a_keyboard_interrupt_in_a_function_stops_the_call() -> None:
    stopped = threading.Event()

    def tool() -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        try:
            await call_user_function(tool)
        finally:
            stopped.set()

    with pytest.raises(KeyboardInterrupt):
        run_sync(work)
    assert stopped.is_set()
    assert run_sync(one) == 1


def test_generators_are_stepped_where_the_caller_is() -> None:
    idents = []

    def generator() -> object:
        for i in range(3):
            idents.append(threading.get_ident())
            yield i

    async def work() -> list[int]:
        return [item async for item in iterate_user_generator(generator())]  # type: ignore[arg-type]

    assert run_sync(work) == [0, 1, 2]
    assert set(idents) == {threading.get_ident()}


# --- what we rely on inside janus -------------------------------------------------------------------------------------


def test_a_queue_has_all_that_janus_makes_but_its_conditions() -> None:
    plain: janus.Queue[None] = janus.Queue(1)
    ours = BatchQueue(1)
    kinds = (threading.Condition, asyncio.Condition)
    conditions = {name for name, value in vars(plain).items() if isinstance(value, kinds)}
    assert len(conditions) == 6
    unused = conditions | {'_async_mutex', '_async_queue', '_sync_queue'}
    unused |= {name for name in vars(plain) if name.endswith('_waiting')}
    assert {*vars(plain)} - {*vars(ours)} == unused | {'_pending'}
    assert not any(isinstance(value, kinds) for value in vars(ours).values()), 'an interrupt could lock them'


def test_the_private_names_of_threading_that_we_replace_still_exist() -> None:
    assert type(threading.Thread()._started._cond) is threading.Condition  # type: ignore[attr-defined]
    ours = new_thread(print, 'any')._started._cond  # type: ignore[attr-defined]
    assert type(ours) is SafeCondition
    assert not hasattr(type(ours.__enter__), '__code__'), 'entering must not run Python code'


def test_the_loop_thread_never_waits_for_a_consumers_lock() -> None:
    async def emit(channel: Channel[None]) -> None:
        while True:
            await channel.emit([1])
            await asyncio.sleep(0)

    channel = open_sync(emit)
    assert channel.next_batch() == [1]
    with channel._channel.queue._sync_mutex:  # as a signal handler finds it that interrupted the consumer
        assert run_sync(one) == 1
        channel._channel.cancel()
        assert run_sync(one) == 1
    assert channel.close()
