"""Regressions of the bridge: each of these once hung, leaked or reported a wrong state."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time

import pytest

from syncai import ModelRequest
from syncai._bridge import Channel, call_user_function, open_async, open_sync, run_async, run_sync
from syncai._bridge import loop_thread as the_loop_thread
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import CallCancelled, LoopThreadError, ModelConnectionError, UserError
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions

var: contextvars.ContextVar[str] = contextvars.ContextVar('var', default='unset')
QUESTION = [ModelRequest.user_text_prompt('hi')]


async def calls_in_flight() -> int:
    await asyncio.sleep(0.02)
    loop = asyncio.get_running_loop()
    return len(loop.calls) - 1  # type: ignore[attr-defined]


def test_a_hundred_functions_at_once_beside_a_stream() -> None:
    async def work(channel: Channel[int]) -> int:
        async def emit() -> None:
            for i in range(200):
                await channel.emit([i])

        results = await asyncio.gather(emit(), *(call_user_function(lambda n=n: n) for n in range(100)))
        return sum(results[1:])

    consumer = open_sync(work)
    events = []
    while (batch := consumer.next_batch()) is not None:
        events += batch
    assert events == list(range(200))
    assert consumer.finish() == sum(range(100))


def test_reading_a_stream_on_the_loop_thread_is_refused() -> None:
    async def tool() -> object:
        return list(stream)

    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        with pytest.raises(LoopThreadError):
            run_sync(tool)
        assert list(stream)


async def silent(_: Channel[None]) -> None:
    await asyncio.sleep(3600)


def test_closing_an_async_stream_ends_the_wait_of_another_task() -> None:
    async def main() -> None:
        consumer = open_async(silent)
        reader = asyncio.create_task(consumer.next_batch())
        await asyncio.sleep(0.02)
        assert await consumer.close()
        assert await reader is None
        with pytest.raises(CallCancelled):
            consumer.finish()

    asyncio.run(main())


def test_two_tasks_may_not_read_one_stream() -> None:
    async def main() -> None:
        consumer = open_async(silent)
        reader = asyncio.create_task(consumer.next_batch())
        await asyncio.sleep(0.02)
        with pytest.raises(UserError, match='Another task'):
            await consumer.next_batch()
        await consumer.close()
        await reader

    asyncio.run(main())


def test_a_function_of_an_async_caller_that_ends_cancelled_ends_the_call() -> None:
    async def tool() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CallCancelled):
        asyncio.run(run_async(lambda: call_user_function(tool)))


def test_an_interrupt_right_after_the_start_leaves_no_call_running(monkeypatch: pytest.MonkeyPatch) -> None:
    submit = the_loop_thread.submit

    def interrupted(call: object) -> None:
        submit(call)  # type: ignore[arg-type]
        time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(the_loop_thread, 'submit', interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sync(lambda: asyncio.sleep(3600))
    with pytest.raises(KeyboardInterrupt):
        model_request_stream_sync(TestModel(), QUESTION).__enter__()
    monkeypatch.undo()
    gc.collect()
    assert run_sync(calls_in_flight) == 0


def test_a_stream_that_failed_says_so_again() -> None:
    model = OpenAIChatModel('m', base_url='http://127.0.0.1:9/v1', api_key='k', http=HttpOptions(max_retries=0))
    with model_request_stream_sync(model, QUESTION) as stream:
        for _ in range(3):
            with pytest.raises(ModelConnectionError):
                stream.get()
            with pytest.raises(ModelConnectionError):
                list(stream)


def test_a_dropped_async_consumer_is_collected_with_its_loop() -> None:
    async def main() -> None:
        consumer = open_async(silent)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(consumer.next_batch())), 0.02)

    asyncio.run(main())
    gc.collect()
    assert run_sync(calls_in_flight) == 0


def test_a_task_that_outlives_its_call_is_told() -> None:
    errors: list[BaseException] = []
    late = threading.Event()

    async def background() -> None:
        try:
            await asyncio.sleep(0.02)
            await call_user_function(lambda: None)
        except CallCancelled as error:
            errors.append(error)
        finally:
            late.set()

    tasks = []

    async def work() -> None:
        tasks.append(asyncio.create_task(background()))

    run_sync(work)
    assert late.wait(5)
    assert len(errors) == 1


@pytest.mark.parametrize('kind', ['sync', 'async'])
def test_context_variables_follow_the_functions_of_an_async_caller(kind: str) -> None:
    def sync_tool() -> None:
        var.set('set by the tool')

    async def async_tool() -> None:
        var.set('set by the tool')

    async def work() -> str:
        await call_user_function(sync_tool if kind == 'sync' else async_tool)
        return var.get()

    async def main() -> None:
        assert await run_async(work) == 'set by the tool'
        assert var.get() == 'set by the tool'

    asyncio.run(main())


def test_what_a_function_sets_wins_over_what_the_call_had_set() -> None:
    async def work() -> str:
        var.set('set by the call')
        await call_user_function(lambda: var.set('set by the tool'))
        return var.get()

    def check() -> None:
        assert run_sync(work) == 'set by the tool'
        assert var.get() == 'set by the tool'

    contextvars.copy_context().run(check)


def test_wrong_parameters_and_empty_requests_are_named() -> None:
    with pytest.raises(UserError, match='model_request_parameters'):
        model_request_sync(TestModel(), QUESTION, model_request_parameters={'a': 1})  # type: ignore[arg-type]
    with pytest.raises(UserError, match='without parts'):
        model_request_sync(TestModel(), [ModelRequest(parts=[])])
