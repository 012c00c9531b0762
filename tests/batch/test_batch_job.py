"""`agent.batch`: rows sent and waited for, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_servers import City, city, created, echo, limited, rows_sent
from batch_wires import SEVEN, Make, anthropic, chat, google

from syncai import Agent
from syncai.batch import BatchJob
from syncai.exceptions import (
    BadRequestError,
    BatchError,
    DeadlineExceeded,
    UserError,
)
from syncai.models._http.batches import BatchLimits
from syncai.models.fallback import FallbackModel
from syncai.models.test import TestModel
from syncai.tape import Tape
from syncai.testing import BatchPlan, ModelServer, Reply


@pytest.mark.parametrize('make', SEVEN)
def test_rows_are_answered_by_every_provider(make: Make, journal: str) -> None:
    with ModelServer(city) as server:
        agent: Agent[None, City] = Agent(make(server), result_type=City)
        job = agent.batch(['Paris', 'Rome', 'Oslo'], journal=journal, key=lambda name: name.lower())
        assert (job.state, job.counts.sent, job.counts.done) == ('running', 3, 0)
        rows = {row.key: row for row in job.results(interval=0.01)}
        assert {key: row.data for key, row in rows.items()} == {
            name.lower(): City(name=name, size=3) for name in ('Paris', 'Rome', 'Oslo')
        }
        assert rows['rome'].prompt == 'Rome'
        assert rows['rome'].usage().requests == 1
        assert rows['rome'].response.provider_details is not None
        assert rows['rome'].response.provider_details['processing'] == 'batch'
        assert (job.state, job.counts.done, job.counts.sent) == ('ended', 3, 0)
        assert len(created(server)) == 1


@pytest.mark.parametrize('make', [chat, anthropic])
def test_another_process_finds_the_batch(make: Make, journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(polls=2)) as server:
        Agent(make(server)).batch(['a', 'b'], journal=journal)
        other = Agent(make(server)).batch(journal=journal)
        states = [other.poll(), other.poll(), other.poll()]
        assert states == ['running', 'running', 'ended']
        assert {row.prompt: row.data for row in other.results()} == {'a': 'you said a', 'b': 'you said b'}
        assert len(created(server)) == 1


def test_what_is_done_or_under_way_is_not_sent_again(journal: str) -> None:
    with ModelServer(echo) as server:
        agent = Agent(chat(server))
        agent.batch(['a', 'b'], journal=journal)
        job = agent.batch(['a', 'b', 'c', 'c'], journal=journal)
        assert [row.data for row in job.results(ordered=True)] == [
            'you said a',
            'you said b',
            'you said c',
            'you said c',
        ]
        again = agent.batch(['a', 'b', 'c', 'c'], journal=journal)
        assert [row.stored for row in again.results(ordered=True)] == [True] * 4
        assert rows_sent(server) == 4


def test_rows_that_failed_have_errors_of_their_own_and_are_sent_again(journal: str) -> None:
    with ModelServer(echo) as server:
        agent = Agent(chat(server))
        rows = {row.prompt: row for row in agent.batch(['a', 'bad'], journal=journal).results(interval=0.01)}
        assert isinstance(rows['bad'].error, BadRequestError)
        assert rows['a'].data == 'you said a'
        assert agent.batch(['a', 'bad'], journal=journal, retry_failed=False).ended
        job = agent.batch(['a', 'bad'], journal=journal)
        assert job.counts.sent == 1
        with pytest.raises(BadRequestError):
            list(job.results(return_exceptions=False))
        assert rows_sent(server) == 3


@pytest.mark.parametrize(
    ('plan', 'reason'),
    [
        (BatchPlan(ending='expired', reached=1), 'expired'),
        (BatchPlan(ending='cancelled', reached=1), 'cancelled'),
        (BatchPlan(missing={1, 2}), 'missing'),
    ],
)
@pytest.mark.parametrize('make', [chat, anthropic])
def test_rows_without_an_answer_say_why(make: Make, plan: BatchPlan, reason: str, journal: str) -> None:
    with ModelServer(echo, batches=[plan, BatchPlan()]) as server:
        agent = Agent(make(server))
        rows = list(agent.batch(['a', 'b', 'c'], journal=journal).results(ordered=True))
        assert rows[0].data == 'you said a'
        for row in rows[1:]:
            assert isinstance(row.error, BatchError)
            assert row.error.reason == reason
            assert row.error.job_id is not None
            assert row.prompt in ('b', 'c')
        job = agent.batch(['a', 'b', 'c'], journal=journal)
        assert job.counts.sent == 2
        assert [row.error for row in job.results()] == [None] * 3


def test_a_job_that_the_provider_did_not_begin(journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(ending='failed', problem='token limit of 90,000')) as server:
        (row,) = Agent(chat(server)).batch(['a'], journal=journal).results(interval=0.01)
        assert isinstance(row.error, BatchError)
        assert row.error.reason == 'failed'
        assert 'token limit of 90,000' in str(row.error)


def test_results_that_are_gone(journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(results='gone')) as server:
        (row,) = Agent(chat(server)).batch(['a'], journal=journal).results(interval=0.01)
        assert isinstance(row.error, BatchError)
        assert row.error.reason == 'gone'


def test_results_that_are_there_twice_or_of_nobody(journal: str, caplog: pytest.LogCaptureFixture) -> None:
    with ModelServer(echo, batches=BatchPlan(repeated={0}, unknown=2)) as server:
        rows = list(Agent(chat(server)).batch(['a', 'b'], journal=journal).results(interval=0.01))
        assert sorted(row.data for row in rows) == ['you said a', 'you said b']
        assert all(row.usage().requests == 1 for row in rows)
    assert 'rows that nobody sent (2), or for the second time (1)' in caplog.text


def test_cancelling(journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(polls=9, reached=1)) as server:
        job = Agent(chat(server)).batch(['a', 'b'], journal=journal)
        job.cancel()
        assert job.state == 'cancelling'
        rows = list(job.results(ordered=True))
        assert rows[0].data == 'you said a'
        assert isinstance(rows[1].error, BatchError)
        assert rows[1].error.reason == 'cancelled'
        job.cancel()  # of what has ended: nothing to do


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_a_timeout_ends_the_waiting_and_not_the_batch(journal: str) -> None:
    with ModelServer(echo, batches=BatchPlan(polls=10**6)) as server:
        job = Agent(chat(server)).batch(['a'], journal=journal)
        with pytest.raises(DeadlineExceeded, match=r"agent\.batch\(journal='.*run.sqlite'\) finds it again"):
            list(job.results(timeout=0.05))
        assert job.state == 'running'


def test_an_interrupt_says_where_the_batch_is(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with ModelServer(echo, batches=BatchPlan(polls=3)) as server:
        job = Agent(chat(server)).batch(['a'], journal=journal)
        with monkeypatch.context() as patch:
            patch.setattr('syncai.batch._waiting.time.sleep', interrupted)
            with pytest.raises(KeyboardInterrupt) as caught:
                list(job.results(interval=0.01))
        (note,) = caught.value.__notes__
        assert 'batch_2' in note
        assert 'is paid for' in note
        assert not [one for one in server.requests if one.path.endswith('/cancel')]
        assert [row.data for row in Agent(chat(server)).batch(journal=journal).results()] == ['you said a']


def test_rows_come_as_their_jobs_end(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [BatchPlan(polls=0), BatchPlan(polls=4)]
    with ModelServer(echo, batches=plans) as server:
        agent = Agent(limited(chat(server), monkeypatch, BatchLimits(1, 10**6)))
        rows = agent.batch(['a', 'b'], journal=journal).results(interval=0.01)
        assert next(rows).prompt == 'a'
        assert [part.state for part in agent.batch(journal=journal).parts] == ['ended', 'running']
        assert next(rows).prompt == 'b'


# --- as a map ---------------------------------------------------------------------------------------------------------


def test_a_map_in_batches_waits_and_keeps_the_order(journal: str) -> None:
    with ModelServer(echo) as server:
        agent = Agent(chat(server))
        rows = agent.map_sync(['a', 'b', 'bad'], journal=journal, batch=True)
        assert server.requests == []  # nothing starts before the first row is asked for
        assert [row.prompt for row in rows] == ['a', 'b', 'bad']
        again = list(agent.map_sync(['a', 'b'], journal=journal))
        assert [(row.data, row.stored) for row in again] == [('you said a', True), ('you said b', True)]
        assert len(created(server)) == 1
        with pytest.raises(BadRequestError):
            list(agent.map_sync(['bad'], journal=journal, batch=True, return_exceptions=False, progress=True))


def test_a_live_map_does_not_pay_for_rows_that_are_in_a_batch(journal: str) -> None:
    with ModelServer(echo) as server:
        agent = Agent(chat(server))
        agent.batch(['a'], journal=journal)
        with pytest.raises(UserError, match='in a batch at the provider'):
            list(agent.map_sync(['a'], journal=journal))


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'batch': True}, 'needs a journal'),
        ({'batch': 1}, 'batch must be True or False'),
        ({'rounds': 2}, 'rounds needs batch=True'),
        ({'batch': True, 'share': True}, 'neither an executor nor share'),
    ],
)
def test_wrong_maps_say_what_is_wrong(options: dict[str, Any], words: str) -> None:
    with ModelServer(echo) as server, pytest.raises(UserError, match=words):
        list(Agent(chat(server)).map_sync(['a'], **options))


# --- wrong use --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('model', [TestModel(), FallbackModel(TestModel(), TestModel())])
def test_a_model_without_batches_names_map_sync(model: Any, journal: str) -> None:
    with pytest.raises(UserError, match='map_sync'):
        Agent(model).batch(['a'], journal=journal)
    assert not Path(journal).exists()


def test_a_tape_does_not_let_batches_through(journal: str, tmp_path: Path) -> None:
    with ModelServer(echo) as server, Tape(tmp_path / 'tape.json', mode='once'):
        with pytest.raises(UserError, match='A tape is in force'):
            Agent(chat(server)).batch(['a'], journal=journal)
        assert server.requests == []


def wrong_calls() -> Iterator[tuple[dict[str, Any], str]]:
    yield {'rows': 'text'}, 'rows must be an iterable of prompts'
    yield {'rows': ['a'], 'journal': None}, 'needs a journal'
    yield {'rows': ['a'], 'rounds': 0}, 'rounds must be an integer'
    yield {'rows': ['a'], 'repair': 'later'}, 'repair must be'
    yield {'rows': ['a'], 'key': 3}, 'key must be a function'
    yield {'rows': ['a'], 'timeout': 3}, 'timeout is for runs'
    yield {'rows': ['a', 'b'], 'key': lambda _: 1}, 'for a second row'
    yield {'rows': None}, 'There is no journal'
    yield {'rows': ['a'], 'on_change': 'never'}, 'on_change must be'
    yield {'rows': ['a'], 'temperature': 3}, 'temperature'


@pytest.mark.parametrize(('call', 'words'), list(wrong_calls()))
def test_wrong_calls_say_what_is_wrong(call: dict[str, Any], words: str, journal: str) -> None:
    with ModelServer(echo) as server, pytest.raises(UserError, match=words):
        Agent(chat(server)).batch(**{'journal': journal, **call})
    assert created(server) == []


def test_a_journal_that_is_misspelt_is_not_made(journal: str) -> None:
    with ModelServer(echo) as server:
        with pytest.raises(UserError, match='There is no journal'):
            Agent(chat(server)).batch(journal=journal)
        assert not Path(journal).exists()
        list(Agent(chat(server)).map_sync(['a'], journal=journal))
        with pytest.raises(UserError, match='holds no batch'):
            Agent(chat(server)).batch(journal=journal)


def test_a_prompt_that_cannot_be_made_is_an_error_of_its_row(journal: str) -> None:
    with ModelServer(echo) as server:
        job: BatchJob[str] = Agent(chat(server)).batch(
            [1, 0], journal=journal, key=lambda n: n, prompt=lambda n: f'row {1 // n}'
        )
        rows = {row.key: row for row in job.results(interval=0.01)}
        assert rows[1].data == 'you said row 1'
        assert 'ZeroDivisionError' in str(rows[0].error)


def test_a_changed_agent_is_an_error_that_lists_what_changed(journal: str) -> None:
    with ModelServer(echo) as server:
        Agent(chat(server)).batch(['a'], journal=journal)
        with pytest.raises(UserError, match='settings'):
            Agent(chat(server), model_settings={'temperature': 1}).batch(journal=journal).poll()
        kept = Agent(chat(server), model_settings={'temperature': 1}).batch(journal=journal, on_change='keep')
        assert [row.data for row in kept.results(interval=0.01)] == ['you said a']


def test_an_empty_batch_has_ended(journal: str) -> None:
    with ModelServer(echo) as server:
        job = Agent(chat(server)).batch([], journal=journal)
        assert job.ended
        assert list(job.results()) == []
        assert Agent(chat(server)).batch(journal=journal).ended


@pytest.mark.parametrize('make', [google])
def test_gemini_is_asked_with_the_schema_that_batches_keep_to(make: Make, journal: str) -> None:
    with ModelServer(lambda _: Reply('{"name": "x", "size": 1}')) as server:
        agent: Agent[None, City] = Agent(make(server), result_type=City, result_mode='native')
        (row,) = agent.batch(['a'], journal=journal).results(interval=0.01)
        assert row.data == City(name='x', size=1)
        (request,) = created(server)
        config = request.json['batch']['inputConfig']['requests']['requests'][0]['request']['generationConfig']
        assert config['responseSchema']['properties']['size'] == {'type': 'INTEGER'}
        assert 'responseJsonSchema' not in config
