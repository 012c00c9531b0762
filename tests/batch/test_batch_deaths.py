"""Processes that die in the middle of a batch, and connections that break: no row is paid for twice or lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from batch_servers import created, echo, rows_sent, weather
from batch_wires import SEVEN, Make, anthropic, chat

from syncai import Agent
from syncai.batch import _sending
from syncai.exceptions import (
    ModelConnectionError,
)
from syncai.testing import BatchPlan, ModelServer

# --- crashes ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


Step = Callable[[pytest.MonkeyPatch], None]


def before_the_job_is_noted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr('syncai.batch._ledger.Ledger.add', killed)


def before_the_job_is_made(patch: pytest.MonkeyPatch) -> None:
    async def create(*_: object) -> None:
        raise Killed

    patch.setattr(_sending, 'create', create)


def before_its_name_is_noted(patch: pytest.MonkeyPatch) -> None:
    async def adopt(*_: object) -> None:
        raise Killed

    patch.setattr(_sending, 'adopt', adopt)


def killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.many(5)
@pytest.mark.parametrize('make', SEVEN)
@pytest.mark.parametrize(
    ('step', 'jobs'), [(before_the_job_is_noted, 1), (before_the_job_is_made, 1), (before_its_name_is_noted, 1)]
)
def test_a_death_while_sending_pays_for_no_row_twice(
    make: Make, step: Step, jobs: int, journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(echo) as server:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            step(patch)
            Agent(make(server)).batch(['a', 'b'], journal=journal)
        rows = Agent(make(server)).batch(['a', 'b'], journal=journal).results(ordered=True, interval=0.01)
        assert [row.data for row in rows] == ['you said a', 'you said b']
        assert len(created(server)) == jobs


@pytest.mark.parametrize('make', SEVEN)
def test_a_job_whose_answer_never_came_is_found(make: Make, journal: str) -> None:
    plans = [BatchPlan(creation='lost'), BatchPlan()]
    with ModelServer(echo, batches=plans) as server:
        rows = Agent(make(server)).batch(['a', 'b'], journal=journal).results(ordered=True, interval=0.01)
        assert [row.data for row in rows] == ['you said a', 'you said b']
        assert len(created(server)) == 1


def test_jobs_of_others_are_not_taken_for_ours(journal: str, tmp_path: Path) -> None:
    """Anthropic keeps no names: what has ended is known by the ids of its rows."""
    plans = [BatchPlan(polls=0), BatchPlan(polls=0), BatchPlan(creation='lost', polls=1)]
    with ModelServer(echo, batches=plans) as server:
        for number in range(2):
            other = Agent(anthropic(server)).batch(['x', 'y'], journal=str(tmp_path / f'{number}.sqlite'))
            list(other.results(interval=0.01))
        job = Agent(anthropic(server)).batch(['a', 'b'], journal=journal)
        assert [row.data for row in job.results(ordered=True, interval=0.01)] == ['you said a', 'you said b']
        assert len(created(server)) == 3
        assert len(job.parts[0].others) == 2


@pytest.mark.parametrize('make', SEVEN)
def test_a_job_that_was_refused_once_is_made_again(make: Make, journal: str) -> None:
    with ModelServer(echo, batches=[BatchPlan(creation='refused'), BatchPlan()]) as server:
        rows = Agent(make(server)).batch(['a'], journal=journal).results(interval=0.01)
        assert [row.data for row in rows] == ['you said a']


def test_a_death_while_collecting_puts_no_answer_to_its_run_twice(
    journal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[str]()
    with ModelServer(weather) as server:

        def agent() -> Agent[None, str]:
            def look(city: str) -> str:
                """Look."""
                calls.append(city)
                return 'sunny'

            return Agent(chat(server), tools=[look])

        prompts = [f'city {n}' for n in range(5)]
        agent().batch(prompts, journal=journal, rounds=2)
        monkeypatch.setattr('syncai.batch._collecting._AT_ONCE', 2)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr('syncai.batch._ledger.Ledger.end', killed)
            job = agent().batch(journal=journal, rounds=2)
            while True:
                job.poll()
        rows = agent().batch(journal=journal, rounds=2).results(interval=0.01)
        assert [row.data for row in rows] == ['It is sunny.'] * 5
        assert sorted(calls) == prompts


@pytest.mark.parametrize('make', [chat, anthropic])
def test_results_that_break_off_are_read_again(make: Make, journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(results='broken', polls=0)) as server:
        job = Agent(make(server)).batch([f'row {n}' for n in range(50)], journal=journal)
        with pytest.raises(Exception, match='broke'):
            job.poll()
        assert len(list(job.results())) == 50


@pytest.mark.slow
def test_a_provider_that_cannot_be_reached_loses_nothing(journal: str) -> None:
    server = ModelServer(echo)
    server.start()
    agent = Agent(chat(server))
    server.stop()
    with pytest.raises(ModelConnectionError):
        agent.batch(['a'], journal=journal)
    with ModelServer(echo) as other:
        rows = Agent(chat(other)).batch(['a'], journal=journal).results(interval=0.01)
        assert [row.data for row in rows] == ['you said a']
        assert rows_sent(other) == 1
