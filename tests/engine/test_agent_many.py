"""Many runs: `map_sync` in one process and on an executor's workers, and `submit`."""

from __future__ import annotations

import contextvars
import itertools
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from plain_http import wait_until
from pooled_agent import pooled

from syncai.agent import Agent
from syncai.exceptions import ServerError, UserError
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall
from syncai.tools import RunContext

ONCE = HttpOptions(max_retries=0)


def echo(request: RecordedRequest) -> Reply:
    """Answers with the prompt in capitals; slow for prompts that say so."""
    prompt = request.json['messages'][-1]['content']
    if prompt == 'fail':
        return Reply(status=500)
    return Reply(prompt.upper(), delay_headers=0.3 if prompt.startswith('slow') else 0.02)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(echo) as started:
        yield started


def agent_of(server: ModelServer) -> Agent:
    return Agent(OpenAIChatModel('m', base_url=server.base_url, http=ONCE))


def test_results_come_in_the_order_of_their_prompts(server: ModelServer) -> None:
    prompts = ['slow', *(f'p{n}' for n in range(30))]
    assert [r.data for r in agent_of(server).map_sync(prompts, max_concurrency=8)] == [p.upper() for p in prompts]


def test_at_most_max_concurrency_requests_are_under_way(server: ModelServer) -> None:
    now: set[int] = set()
    most = 0
    lock = threading.Lock()

    def answer(request: RecordedRequest) -> Reply:
        nonlocal most
        with lock:
            now.difference_update(r.number for r in list(counting.requests) if r.finished_at)
            now.add(request.number)
            most = max(most, len(now))
        return Reply('x', delay_headers=0.01)

    with ModelServer(answer) as counting:
        assert len(list(agent_of(counting).map_sync(map(str, range(40)), max_concurrency=4))) == 40
    assert 2 <= most <= 4


def test_nothing_starts_before_it_is_asked_for_and_prompts_are_read_as_needed(server: ModelServer) -> None:
    read: list[int] = []
    me = threading.get_ident()

    def endless() -> Iterator[str]:
        for number in itertools.count():
            assert threading.get_ident() == me
            read.append(number)
            yield f'p{number}'

    results = agent_of(server).map_sync(endless(), max_concurrency=3)
    assert read == []
    assert [next(results).data for _ in range(5)] == ['P0', 'P1', 'P2', 'P3', 'P4']
    count = len(read)
    results.close()
    assert len(read) == count


def test_few_runs_at_a_time_read_no_prompt_ahead(server: ModelServer) -> None:
    """A prompt may be made of the result before it."""
    answers = ['p']

    def prompts() -> Iterator[str]:
        for number in range(4):
            yield f'{answers[-1]}{number}'

    for result in agent_of(server).map_sync(prompts(), max_concurrency=1):
        answers.append(result.data)  # noqa: PERF401 - the prompts read it meanwhile
    assert answers == ['p', 'P0', 'P01', 'P012', 'P0123']


def test_many_runs_at_a_time_have_the_next_prompt_ready(server: ModelServer) -> None:
    read: list[int] = []

    def prompts() -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield f'slow{number}'

    results = agent_of(server).map_sync(prompts(), max_concurrency=16)
    assert next(results).data == 'SLOW0'
    assert 16 + 2 <= len(read) <= 2 * 16
    results.close()


def test_what_a_run_sets_is_not_seen_by_the_run_after_it(server: ModelServer) -> None:
    mark: contextvars.ContextVar[str] = contextvars.ContextVar('mark', default='none')
    agent, seen = agent_of(server), list[str]()

    @agent.system_prompt
    async def remember(ctx: RunContext[None]) -> str:
        seen.append(mark.get())
        mark.set(str(ctx.prompt))
        return 'x'

    assert len(list(agent.map_sync(map(str, range(40)), max_concurrency=16))) == 40
    assert set(seen) == {'none'}


def test_leaving_early_stops_the_rest(server: ModelServer) -> None:
    for result in agent_of(server).map_sync(['a', *(f'slow{n}' for n in range(9))], max_concurrency=10):
        assert result.data == 'A'
        break
    under_way = [r for r in server.requests if r.finished_at is None]
    assert under_way
    wait_until(lambda: all(r.disconnected_at for r in under_way))


def test_errors_in_their_place(server: ModelServer) -> None:
    agent = agent_of(server)
    rows = list(agent.map_sync(['a', 'fail', '', 'b'], return_exceptions=True))
    assert [type(row.error).__name__ for row in rows] == ['NoneType', 'ServerError', 'UserError', 'NoneType']
    results = agent.map_sync(['a', 'fail', 'b'])
    assert next(results).data == 'A'
    with pytest.raises(ServerError):
        next(results)
    assert list(results) == []


def test_an_iterator_that_fails_ends_the_map_after_what_was_begun(server: ModelServer) -> None:
    def prompts() -> Iterator[str]:
        yield from ('a', 'b')
        raise KeyError('the database is gone')

    seen: list[object] = []
    with pytest.raises(KeyError, match='database'):
        seen.extend(agent_of(server).map_sync(prompts(), return_exceptions=True))
    assert len(seen) == 2
    for result in agent_of(server).map_sync(['c']):
        assert result.data == 'C'


def test_sync_tools_run_in_the_caller_s_thread_while_others_wait() -> None:
    threads: list[int] = []

    def answer(request: RecordedRequest) -> Reply:
        last = request.json['messages'][-1]
        return Reply(last['content']) if last['role'] == 'tool' else Reply(tool_calls=[ToolCall('double', {'n': 4})])

    with ModelServer(answer) as server:
        agent = agent_of(server)

        @agent.tool_plain
        def double(n: int) -> int:
            threads.append(threading.get_ident())
            return 2 * n

        assert [r.data for r in agent.map_sync(list('abcdefgh'), max_concurrency=4)] == ['8'] * 8
    assert threads == [threading.get_ident()] * 8


def test_an_interrupt_in_a_tool_stops_all_runs() -> None:
    agent = Agent(TestModel())

    @agent.tool_plain
    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(agent.map_sync(['a', 'b', 'c']))


@pytest.mark.parametrize(
    ('prompts', 'options', 'words'),
    [
        ('text', {}, 'iterable'),
        (['a'], {'max_concurrency': 0}, 'above 0'),
        (['a'], {'timeout': -1}, 'timeout'),
        (['a'], {'ordered': 'no'}, 'ordered must be True or False'),
        (['a'], {'modle': 'x'}, "'model'"),
        (7, {}, 'iterable'),
        (['a'], {'executor': 3}, r'executor must be a concurrent.futures.Executor that was made, not 3'),
        (['a'], {'executor': ThreadPoolExecutor}, 'executor must be'),
    ],
)
def test_wrong_input_is_an_error_before_anything_starts(
    prompts: object, options: dict[str, object], words: str
) -> None:
    agent = Agent(TestModel())
    with pytest.raises(UserError, match=words):
        agent.map_sync(prompts, **options)  # type: ignore[call-overload]


# --- submit -----------------------------------------------------------------------------------------------------------


def test_submit_gives_a_future(server: ModelServer) -> None:
    agent = agent_of(server)
    done = threading.Event()
    future = agent.submit('a')
    future.add_done_callback(lambda _: done.set())
    assert future.result(10).data == 'A'
    assert done.wait(5)
    assert isinstance(agent.submit('fail').exception(10), ServerError)
    with pytest.raises(UserError):
        agent.submit('')


def test_cancelling_the_future_cancels_the_run(server: ModelServer) -> None:
    future = agent_of(server).submit('slow')
    assert server.wait_for_requests(1, 5)
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(5)
    wait_until(lambda: server.requests[0].disconnected_at is not None)
    finished = agent_of(server).submit('a')
    finished.result(10)
    assert not finished.cancel()


def test_sync_tools_of_a_submitted_run_run_in_worker_threads() -> None:
    agent = Agent(TestModel())
    names: list[str] = []

    @agent.tool_plain
    def where() -> str:
        names.append(threading.current_thread().name)
        return agent_inside.run_sync('x').data

    @agent.tool_plain
    async def where_async() -> str:
        names.append(threading.current_thread().name)
        return 'y'

    agent_inside = Agent(TestModel(custom_result_text='inside'))
    assert 'inside' in agent.submit('a').result(10).data
    assert sorted(names) == ['syncai-loop', 'syncai-worker']


# --- executors --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.leaky('a process pool keeps its pipes and the resource tracker of multiprocessing')
@pytest.mark.parametrize('method', ['spawn', 'fork'])
def test_runs_on_a_process_pool(method: str) -> None:
    if method == 'fork' and sys.version_info >= (3, 12):
        pytest.skip('Python warns of forks of processes with threads')
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        results = list(pooled.map_sync(map(str, range(10)), executor=pool, max_concurrency=4))
        pids = {int(r.data.rpartition(' ')[2]) for r in results}
        assert os.getpid() not in pids
        assert 1 <= len(pids) <= 2
        rows = list(pooled.map_sync(['a', ''], executor=pool, return_exceptions=True))
    assert [type(row.error).__name__ for row in rows] == ['NoneType', 'UserError']


def test_an_iterator_that_fails_ends_the_map_of_an_executor_after_what_was_begun() -> None:
    def prompts() -> Iterator[str]:
        yield from ('a', 'b')
        raise ValueError('no more')

    seen: list[object] = []
    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match='no more'):
        seen.extend(pooled.map_sync(prompts(), executor=pool))
    assert len(seen) == 2


def test_an_executor_of_threads_is_asked_lazily() -> None:
    read: list[int] = []

    def prompts() -> Iterator[str]:
        for number in itertools.count():
            read.append(number)
            yield str(number)

    with ThreadPoolExecutor(2) as pool:
        for result in pooled.map_sync(prompts(), executor=pool, max_concurrency=4):
            assert result.data.startswith('from a worker')
            break
    assert len(read) < 100


def test_overrides_travel_to_the_workers() -> None:
    with ThreadPoolExecutor(2) as pool, pooled.override(model=TestModel(custom_result_text='overridden')):
        results = list(pooled.map_sync(['a', 'b'], executor=pool))
    assert all(r.data.startswith('overridden') for r in results)


DASK = """
from distributed import Client, LocalCluster
from pooled_agent import pooled

if __name__ == '__main__':
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        results = list(pooled.map_sync(map(str, range(8)), executor=client.get_executor(pure=False)))
    print(len({r.data for r in results}), all(r.data.startswith('from a worker') for r in results))
"""


@pytest.mark.slow
def test_runs_on_a_dask_cluster(tmp_path: Path) -> None:
    pytest.importorskip('distributed')
    script = tmp_path / 'cluster.py'
    script.write_text(DASK)
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    workers, right = done.stdout.split() or ('0', done.stderr)
    assert right == 'True'
    assert int(workers) in (1, 2)


def test_a_map_holds_up_in_many_threads_at_once(server: ModelServer) -> None:
    agent = agent_of(server)

    def work(number: int) -> bool:
        prompts = [f't{number}-{n}' for n in range(20)]
        return [r.data for r in agent.map_sync(prompts, max_concurrency=5)] == [p.upper() for p in prompts]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
