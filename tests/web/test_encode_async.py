"""The same streams for coroutines: silence, leaving, and runs that are to finish."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pages import chunks, kinds
from streams import model_of

from syncai import Agent
from syncai.result import RunResult
from syncai.testing import ModelServer, Reply
from syncai.web import encode_async


def test_a_run_is_a_stream(model_server: ModelServer) -> None:
    model_server.reply(Reply('Hi', delay_headers=0.3))

    async def main() -> list[bytes]:
        body = encode_async(Agent(model_of(model_server)).run_stream_events('Hi'), keepalive=0.05)
        return [piece async for piece in body]

    pieces = asyncio.run(main())
    assert kinds(chunks(pieces[0])) == ['start', 'start-step']
    assert pieces.count(b': ping\n\n') >= 2
    assert kinds(chunks(b''.join(pieces)))[-1] == 'data: [DONE]'


def test_a_silent_run_stops_at_the_disconnect(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_first_event=60))
    left: list[float] = []

    async def receive() -> dict[str, Any]:
        while not model_server.requests:
            await asyncio.sleep(0.01)
        left.append(1)
        return {'type': 'http.disconnect'}

    async def main() -> bytes:
        body = encode_async(Agent(model_of(model_server)).run_stream_events('Hi'), receive=receive)
        return b''.join([piece async for piece in body])

    assert kinds(chunks(asyncio.run(main()))) == ['start', 'start-step'], 'nothing is written for nobody'
    assert left == [1]
    model_server.wait_for_disconnect()


@pytest.mark.timing
def test_a_cancelled_response_stops_the_run_or_lets_it_finish(model_server: ModelServer) -> None:
    results: list[RunResult[Any]] = []

    async def read(way: Any) -> None:
        stream = Agent(model_of(model_server)).run_stream_events('Hi')
        body = encode_async(stream, on_leave=way, on_finish=results.append)
        async for _ in body:
            pass

    async def cancelled(way: Any) -> None:
        task = asyncio.create_task(read(way))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.01 if way == 'stop' else 1)

    model_server.reply(*[Reply('x', repeat=20, delay_between_events=0.02) for _ in range(2)])
    asyncio.run(cancelled('stop'))
    assert results == []
    model_server.wait_for_disconnect()
    asyncio.run(cancelled('finish'))
    assert [result.data for result in results] == ['x' * 20]
