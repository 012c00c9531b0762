"""Failed calls leave nothing to the garbage collector, even if a package has changed the copying of errors."""

from __future__ import annotations

import asyncio
import contextlib
import copyreg
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cyclic_garbage import left_by, left_in_a_process
from plain_http import wait_until
from streams import model_of

from syncai import Agent, ModelRequest, model_request_stream, model_request_stream_sync
from syncai._bridge import call_user_function, run_sync
from syncai.exceptions import AgentRunError
from syncai.models.bedrock import BedrockModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

QUESTION = [ModelRequest.user_text_prompt('hi')]
ONCE = HttpOptions(max_retries=0)


def keep_tracebacks(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    """The change of `tblib` to all errors, once Django's test runner or dask.distributed imports it: copies keep their
    tracebacks.
    """

    def reduce(error: BaseException) -> Any:
        reduced: Any = error.__reduce__()
        make, arguments, *state = reduced
        return again, (make, arguments, error.__traceback__), *state

    copyreg.pickle(kind, reduce)
    yield kind
    for other in kind.__subclasses__():
        yield from keep_tracebacks(other)


def again(make: Callable[..., BaseException], arguments: tuple[Any, ...], frames: Any) -> BaseException:
    return make(*arguments).with_traceback(frames)


def direct_stream(server: ModelServer) -> None:
    server.reply(Reply(status=400))
    with model_request_stream_sync(model_of(server, http=ONCE), QUESTION) as stream:
        for _ in range(2):
            with contextlib.suppress(AgentRunError):
                list(stream)


def direct_stream_async(server: ModelServer) -> None:
    server.reply(Reply('a', 'b', ending='cut', cut_after_events=1))

    async def main() -> None:
        async with model_request_stream(model_of(server, http=ONCE), QUESTION) as stream:
            for _ in range(2):
                with contextlib.suppress(AgentRunError):
                    async for _ in stream:
                        pass

    asyncio.run(main())


def streamed_run(server: ModelServer) -> None:
    server.reply(Reply('a', 'b', ending='cut', cut_after_events=1))
    with Agent(model_of(server, http=ONCE)).run_stream_sync('hi') as stream:
        for _ in range(2):
            with contextlib.suppress(AgentRunError):
                stream.get_data()


def damaged_bedrock(server: ModelServer) -> None:
    server.reply(Reply('a', 'b', malformed_event_at=1))
    model = BedrockModel('m', base_url=server.base_url, api_key='k', http=ONCE)
    with model_request_stream_sync(model, QUESTION) as stream, contextlib.suppress(AgentRunError):
        list(stream)


def map_that_fails(server: ModelServer) -> None:
    server.reply(Reply(status=400))
    with contextlib.suppress(AgentRunError):
        list(Agent(model_of(server, http=ONCE)).map_sync(['hi']))


def map_of_prompts_that_fail(server: ModelServer) -> None:
    def prompts() -> Iterator[str]:
        yield 'hi'
        raise LookupError

    server.reply(Reply('fine'))
    with contextlib.suppress(LookupError):
        list(Agent(model_of(server, http=ONCE)).map_sync(prompts()))


def submitted(server: ModelServer) -> None:
    server.reply(Reply(status=400))
    with contextlib.suppress(AgentRunError):
        Agent(model_of(server, http=ONCE)).submit('hi').result(20)


CASES = {
    case.__name__: case
    for case in (
        direct_stream,
        direct_stream_async,
        streamed_run,
        damaged_bedrock,
        map_that_fails,
        map_of_prompts_that_fail,
        submitted,
    )
}


def garbage_of(name: str) -> list[str]:
    """The kinds of our objects that a case leaves to the collector."""
    all(keep_tracebacks(BaseException))
    with ModelServer() as server:
        return left_by(lambda: CASES[name](server))


@pytest.mark.slow
@pytest.mark.parametrize('name', CASES)
def test_nothing_is_left_to_the_collector(name: str) -> None:
    assert left_in_a_process('test_cycles', name) == '[]'


def test_a_function_that_fails_as_its_call_is_left_is_not_held_by_its_error() -> None:
    class BrokenError(Exception):
        pass

    known: list[weakref.ref[BrokenError]] = []
    loop: Any = None

    def leave_between_the_answer_and_who_waits_for_it(task: asyncio.Task[None]) -> None:
        wait_until(lambda: len(loop._ready) > 0)  # the answer is on its way
        loop.call_soon(task.cancel)  # comes after it, and before the task goes on

    def fail(task: asyncio.Task[None]) -> None:
        loop.call_soon_threadsafe(leave_between_the_answer_and_who_waits_for_it, task)
        error = BrokenError()
        known.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    async def main() -> bool:
        nonlocal loop
        loop = asyncio.get_running_loop()
        task: asyncio.Task[None] = asyncio.create_task(call_user_function(lambda: fail(task)))
        await asyncio.wait([task])
        return task.cancelled()

    gc.disable()
    try:
        assert run_sync(main)
        wait_until(lambda: known[0]() is None)
    finally:
        gc.enable()
