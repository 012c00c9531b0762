"""Rows of a map: what they hold, in which order they come, and what a slow one may hold up."""

from __future__ import annotations

import asyncio
import gc
import itertools
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from plain_http import wait_until

from syncai import Agent, MapRow, ModelRetry, RunContext, RunResult
from syncai.exceptions import ServerError, UnexpectedModelBehavior, UserError
from syncai.messages import ModelResponse
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

ONCE = HttpOptions(max_retries=0)
Read = Callable[..., list[MapRow[str]]]


class Gated:
    """Answers with the prompt in capitals; `slow` not before the gate is open."""

    def __init__(self) -> None:
        self.open = threading.Event()

    async def __call__(self, request: RecordedRequest) -> Reply:
        prompt = request.json['messages'][-1]['content']
        while prompt == 'slow' and not self.open.is_set():
            await asyncio.sleep(0.005)
        return Reply(status=500) if prompt == 'fail' else Reply(prompt.upper(), usage=(3, 2))


@pytest.fixture
def gate() -> Gated:
    return Gated()


@pytest.fixture
def server(gate: Gated) -> Iterator[ModelServer]:
    with ModelServer(gate) as started:
        yield started
        gate.open.set()


def agent_of(server: ModelServer) -> Agent:
    return Agent(OpenAIChatModel('m', base_url=server.base_url, http=ONCE))


def in_thread(agent: Agent, prompts: Any, **options: Any) -> list[MapRow[str]]:
    return list(agent.map_sync(prompts, **options))


def on_loop(agent: Agent, prompts: Any, **options: Any) -> list[MapRow[str]]:
    async def read() -> list[MapRow[str]]:
        return [row async for row in agent.map(prompts, **options)]

    return asyncio.run(read())


def on_workers(agent: Agent, prompts: Any, **options: Any) -> list[MapRow[str]]:
    with ThreadPoolExecutor(4) as pool:
        return list(agent.map_sync(prompts, executor=pool, **options))


def on_workers_from_loop(agent: Agent, prompts: Any, **options: Any) -> list[MapRow[str]]:
    with ThreadPoolExecutor(4) as pool:
        return on_loop(agent, prompts, executor=pool, **options)


ways = pytest.mark.parametrize('read', [in_thread, on_loop, on_workers, on_workers_from_loop])


@contextmanager
def once(condition: Callable[[], bool], then: threading.Event) -> Iterator[None]:
    """Set an event as soon as the condition holds, from another thread; it must, by the end of the block."""

    def watch() -> None:
        while not (condition() or given_up.wait(0.005)):
            pass
        then.set()

    given_up = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch)
        yield
        given_up.set()
    assert condition()


def answered(server: ModelServer) -> int:
    return sum(request.finished_at is not None for request in server.requests)


@ways
def test_a_slow_row_stops_no_other(server: ModelServer, gate: Gated, read: Read) -> None:
    """All others are answered while the first still waits; far more than `max_concurrency` of them."""
    prompts = ['slow', *(f'p{number}' for number in range(60))]
    with once(lambda: answered(server) >= 60, gate.open):
        rows = read(agent_of(server), iter(prompts), max_concurrency=4)
    assert [row.prompt for row in rows] == prompts
    assert [row.data for row in rows] == [prompt.upper() for prompt in prompts]


@ways
def test_unordered_rows_come_as_their_runs_end(server: ModelServer, gate: Gated, read: Read) -> None:
    prompts = ['slow', *(f'p{number}' for number in range(20))]
    with once(lambda: answered(server) >= 20, gate.open):
        rows = read(agent_of(server), prompts, max_concurrency=4, ordered=False)
    assert sorted(row.data for row in rows) == sorted(prompt.upper() for prompt in prompts)
    assert rows[-1].prompt == 'slow'


def test_an_unordered_row_is_given_before_a_slow_one_ends(server: ModelServer, gate: Gated) -> None:
    rows = agent_of(server).map_sync(['slow', 'a'], ordered=False)
    assert next(rows).data == 'A'
    gate.open.set()
    assert next(rows).data == 'SLOW'
    assert list(rows) == []


def test_an_endless_iterable_behind_a_row_that_never_ends_is_read_as_far_as_the_window() -> None:
    """As the documentation says: 1,000 rows."""
    read: list[int] = []
    release = threading.Event()

    def prompts() -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield str(number)

    agent = Agent(TestModel())

    @agent.result_validator
    async def hold(ctx: RunContext[None], data: str) -> str:
        while ctx.prompt == '0' and not release.is_set():
            await asyncio.sleep(0.005)
        return data

    rows = agent.map_sync(prompts(), max_concurrency=4)
    with once(lambda: len(read) >= 1000, release):
        assert next(rows).prompt == '0'
    rows.close()
    assert 1000 <= len(read) <= 1008


@ways
def test_a_row_reads_like_the_result_of_its_run(server: ModelServer, read: Read) -> None:
    agent = agent_of(server)
    [row] = read(agent, ['a'])
    result = agent.run_sync('a')
    assert (row.data, row.error, row.prompt) == ('A', None, 'a')
    assert row.usage() == result.usage()
    assert row.cost() == result.cost()
    assert row.response.text == 'A'
    assert row.timestamp() == row.response.timestamp
    assert [type(m) for m in row.all_messages()] == [type(m) for m in result.all_messages()]
    assert row.all_messages_json() == row.new_messages_json()
    assert repr(row) == "MapRow(prompt='a', data='A')"
    assert pickle.loads(pickle.dumps(row)) == row


def test_a_row_has_all_that_a_result_has() -> None:
    public = {name for name in vars(RunResult) if not name.startswith('_')}
    assert public <= {name for name in vars(MapRow) if not name.startswith('_')}


@ways
def test_the_row_of_a_failed_run(server: ModelServer, read: Read) -> None:
    rows = read(agent_of(server), ['a', 'fail', '', 'b'], return_exceptions=True)
    assert [row.prompt for row in rows] == ['a', 'fail', '', 'b']
    assert [type(row.error) for row in rows] == [type(None), ServerError, UserError, type(None)]
    failed = rows[1]
    with pytest.raises(ServerError) as raised:
        print(failed.data)
    assert raised.value is failed.error
    with pytest.raises(ServerError):
        print(failed.response)
    assert len(failed.all_messages()) == 1
    assert failed.usage().requests == 0
    assert repr(failed).startswith("MapRow(prompt='fail', error=ServerError(")
    assert rows[2].all_messages() == []
    with pytest.raises(UserError):
        print(rows[2].data)


@pytest.mark.parametrize('read', [in_thread, on_loop, on_workers])
def test_what_a_failed_run_had_used_is_known(read: Read) -> None:
    """A run that fails after an answer was paid for."""
    with ModelServer(Reply(tool_calls=[ToolCall('look')], usage=(7, 5))) as server:
        agent = agent_of(server)

        @agent.tool_plain(retries=0)
        def look() -> str:
            raise ModelRetry('not now')

        [row] = read(agent, ['x'], return_exceptions=True)
    assert isinstance(row.error, UnexpectedModelBehavior)
    assert (row.usage().requests, row.usage().total_tokens) == (1, 12)
    assert isinstance(row.response, ModelResponse)


@pytest.mark.timing
def test_the_error_that_a_row_raises_is_no_garbage_of_it() -> None:
    rows = list(Agent(TestModel()).map_sync([''], return_exceptions=True))
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(UserError):
            print(rows[0].data)
        assert rows[0].error is not None
        frames = []
        traceback = rows[0].error.__traceback__
        while traceback is not None:
            frames.append(traceback.tb_frame)
            traceback = traceback.tb_next
        assert not any(value is rows[0] for frame in frames[1:] for value in frame.f_locals.values())
    finally:
        gc.enable()


def test_a_file_that_is_missing_is_the_error_of_its_row(tmp_path: Any) -> None:
    def rows(pool: Executor | None) -> list[MapRow[str]]:
        prompts: list[Any] = ['a', ['Look', tmp_path / 'no.png'], 'b']
        return list(Agent(TestModel()).map_sync(prompts, executor=pool, return_exceptions=True))

    with ThreadPoolExecutor(1) as pool:
        for read in (rows(None), rows(pool)):
            assert [type(row.error) for row in read] == [type(None), UserError, type(None)]


def test_leaving_an_async_map_stops_its_runs(server: ModelServer) -> None:
    async def leave() -> None:
        async for row in agent_of(server).map(['a', 'slow', 'slow'], max_concurrency=3):
            assert row.data == 'A'
            break

    asyncio.run(leave())
    wait_until(lambda: all(r.finished_at or r.disconnected_at for r in server.requests))


def test_an_async_map_runs_beside_others_and_reads_its_prompts_elsewhere(server: ModelServer) -> None:
    threads: set[int] = set()

    def prompts() -> Iterator[str]:
        for name in 'abc':
            threads.add(threading.get_ident())
            yield name

    async def main() -> list[list[str]]:
        async def texts() -> list[str]:
            return [row.data async for row in agent_of(server).map(prompts())]

        return list(await asyncio.gather(texts(), texts()))

    assert asyncio.run(main()) == [['A', 'B', 'C']] * 2
    assert threading.get_ident() not in threads
