"""`async for row in agent.map(rows, batch=True)`: the loop of the caller goes on, and runs its functions."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from batch_servers import created, echo, limited, weather
from batch_wires import SEVEN, Make, chat

from syncai import Agent
from syncai.exceptions import BadRequestError, UserError
from syncai.models._http.batches import BatchLimits
from syncai.testing import BatchPlan, ModelServer


@pytest.mark.parametrize('make', SEVEN)
def test_rows_come_in_their_order_while_the_loop_goes_on(make: Make, journal: str) -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    async def main() -> list[Any]:
        ticking = asyncio.create_task(tick())
        rows = [row async for row in Agent(make(server)).map(['a', 'b', 'bad'], journal=journal, batch=True)]
        ticking.cancel()
        return rows

    with ModelServer(echo, batches=BatchPlan(polls=2)) as server:
        rows = asyncio.run(main())
        assert [row.data for row in rows[:2]] == ['you said a', 'you said b']
        assert isinstance(rows[2].error, BadRequestError)
        assert turns > 2
        assert len(created(server)) == 1


@pytest.mark.slow
def test_async_tools_run_on_the_loop_of_the_caller_and_sync_ones_beside_it(journal: str) -> None:
    seen: dict[str, Any] = {}

    async def look(city: str) -> str:
        """Look."""
        seen['loop'] = asyncio.get_running_loop()
        return f'sunny in {city}'

    async def main() -> list[str]:
        seen['own'] = asyncio.get_running_loop()
        agent = Agent(chat(server), tools=[look])

        @agent.result_validator
        def check(value: str) -> str:
            seen['thread'] = threading.get_ident()
            return value.upper()

        return [row.data async for row in agent.map(['Rome'], journal=journal, batch=True, rounds=2)]

    with ModelServer(weather) as server:
        assert asyncio.run(main()) == ['IT IS SUNNY IN ROME.']
        assert seen['loop'] is seen['own']
        assert seen['thread'] != threading.get_ident()


@pytest.mark.parametrize('how', ['break', 'cancel'])
def test_who_leaves_early_ends_the_waiting_alone(how: str, journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [BatchPlan(polls=0), BatchPlan(polls=10**6)]
    arrived: list[str] = []

    async def main() -> None:
        agent = Agent(limited(chat(server), monkeypatch, BatchLimits(1, 10**6)))
        rows = agent.map(['a', 'b'], journal=journal, batch=True)

        async def read() -> None:
            async with contextlib.aclosing(rows):
                async for row in rows:
                    arrived.append(row.data)
                    if how == 'break':
                        break

        reading = asyncio.create_task(read())
        while not arrived:
            await asyncio.sleep(0.005)
        if how == 'cancel':
            await asyncio.sleep(0.05)
            reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(reading, 20)

    with ModelServer(echo, batches=plans) as server:
        asyncio.run(main())
        assert arrived == ['you said a']
        assert not [one for one in server.requests if one.path.endswith('/cancel')]
        job = Agent(chat(server)).batch(journal=journal)
        assert (job.state, job.counts.done, job.counts.sent) == ('running', 1, 1)


def test_nothing_starts_before_the_first_row_is_asked_for(journal: str) -> None:
    async def main() -> None:
        rows = Agent(chat(server)).map(['a'], journal=journal, batch=True)
        await rows.aclose()

    with ModelServer(echo) as server:
        asyncio.run(main())
        assert server.requests == []


def test_wrong_options_say_what_is_wrong() -> None:
    async def main(**options: Any) -> None:
        async for _ in Agent(chat(server)).map(['a'], batch=True, **options):
            pass

    with ModelServer(echo) as server:
        with pytest.raises(UserError, match='needs a journal'):
            asyncio.run(main())
        with pytest.raises(UserError, match='neither an executor nor share'):
            asyncio.run(main(journal='x.sqlite', share=True))
        assert server.requests == []


def test_the_calls_of_a_batch_in_threads_of_a_loop(journal: str) -> None:
    async def main() -> list[str]:
        agent = Agent(chat(server))
        job = await asyncio.to_thread(agent.batch, ['a'], journal=journal)
        while await asyncio.to_thread(job.poll) != 'ended':
            await asyncio.sleep(0.01)
        return [row.data for row in await asyncio.to_thread(lambda: list(job.results()))]

    with ModelServer(echo) as server:
        assert asyncio.run(main()) == ['you said a']


@pytest.mark.timeout(50)
def test_more_batches_than_the_loop_has_threads(tmp_path: Path) -> None:
    """The functions of each, and its journal, need threads of the loop while it waits."""

    async def one(number: int) -> list[str]:
        rows = Agent(chat(server)).map([f'row {number}'], journal=str(tmp_path / f'{number}.sqlite'), batch=True)
        return [row.data async for row in rows]

    async def main() -> list[list[str]]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        return list(await asyncio.gather(*(one(number) for number in range(6))))

    with ModelServer(echo, batches=BatchPlan(polls=1)) as server:
        assert asyncio.run(main()) == [[f'you said row {number}'] for number in range(6)]
