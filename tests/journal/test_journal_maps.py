"""Maps with a journal: what comes back unpaid, what is made again, and what is refused."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from capitals import Provider
from pydantic import BaseModel

from syncai import Agent, MapRow
from syncai.exceptions import AgentRunError, BudgetExceeded, RateLimitError, StoreError, UserError
from syncai.journal import Journal
from syncai.journal._owners import this_place
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

ONCE = HttpOptions(max_retries=0)
Read = Callable[..., list[MapRow[Any]]]


class City(BaseModel):
    name: str
    people: int


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def server(provider: Provider) -> Iterator[ModelServer]:
    with ModelServer(provider) as started:
        yield started


def agent_of(server: ModelServer, **options: Any) -> Agent[None, str]:
    return Agent(OpenAIChatModel('m', base_url=server.base_url, http=ONCE), **options)


def in_thread(agent: Agent[None, Any], prompts: Any, **options: Any) -> list[MapRow[Any]]:
    return list(agent.map_sync(prompts, **options))


def on_loop(agent: Agent[None, Any], prompts: Any, **options: Any) -> list[MapRow[Any]]:
    async def read() -> list[MapRow[Any]]:
        return [row async for row in agent.map(prompts, **options)]

    return asyncio.run(read())


def on_workers(agent: Agent[None, Any], prompts: Any, **options: Any) -> list[MapRow[Any]]:
    with ThreadPoolExecutor(2) as executor:
        return list(agent.map_sync(prompts, executor=executor, **options))


ways = pytest.mark.parametrize('read', [in_thread, on_loop, on_workers])


@ways
def test_rows_that_are_done_come_back_unpaid(server: ModelServer, tmp_path: Path, read: Read) -> None:
    journal = tmp_path / 'run.sqlite'
    first = read(agent_of(server), ['a', 'b', 'a'], journal=journal)
    again = read(agent_of(server), ['a', 'b', 'a', 'c'], journal=journal)
    assert len(server.requests) == 4
    assert [row.data for row in again] == ['A', 'B', 'A', 'C']
    assert [row.prompt for row in again] == ['a', 'b', 'a', 'c']
    assert [row.stored for row in again] == [True, True, True, False]
    assert [row.key for row in again[:3]] == [row.key for row in first]
    assert len({row.key for row in again}) == 4
    assert [row.usage() for row in again[:3]] == [row.usage() for row in first]
    assert again[0].all_messages() == first[0].all_messages()
    assert again[0].response == first[0].response


@ways
def test_failed_rows_keep_their_error_and_are_tried_again(
    server: ModelServer, provider: Provider, tmp_path: Path, read: Read
) -> None:
    provider.failing = {'bad'}
    journal = tmp_path / 'run.sqlite'
    rows = read(agent_of(server), ['bad', 'good'], journal=journal)
    assert isinstance(rows[0].error, RateLimitError)
    assert rows[1].data == 'GOOD'
    kept = read(agent_of(server), ['bad', 'good'], journal=journal, retry_failed=False)
    assert len(server.requests) == 2
    assert type(kept[0].error) is RateLimitError
    assert str(kept[0].error) == str(rows[0].error)
    assert kept[0].error.status_code == 429
    with pytest.raises(RateLimitError):
        print(kept[0].data)
    with pytest.raises(RateLimitError):
        read(agent_of(server), ['bad', 'good'], journal=journal, retry_failed=False, return_exceptions=False)
    provider.failing = set()
    assert [row.data for row in read(agent_of(server), ['bad', 'good'], journal=journal)] == ['BAD', 'GOOD']
    assert len(server.requests) == 3


def test_the_callers_key_decides(server: ModelServer, tmp_path: Path) -> None:
    @dataclass
    class Ticket:
        pk: int
        text: str

    journal = tmp_path / 'run.sqlite'
    tickets = [Ticket(7, 'x'), Ticket(8, 'y')]
    options: Any = {'journal': journal, 'key': lambda one: one.pk, 'prompt': lambda one: f'say {one.text}'}
    rows = list(agent_of(server).map_sync(tickets, **options))
    assert [(row.key, row.prompt, row.data) for row in rows] == [(7, 'say x', 'SAY X'), (8, 'say y', 'SAY Y')]
    again = list(agent_of(server).map_sync(reversed(tickets), ordered=False, **options))
    assert [(row.key, row.data) for row in again] == [(8, 'SAY Y'), (7, 'SAY X')]
    assert len(server.requests) == 2
    assert [(row.key, row.prompt, row.data) for row in Journal(journal).rows()] == [
        (7, 'say x', 'SAY X'),
        (8, 'say y', 'SAY Y'),
    ]
    assert Journal(journal).forget([7]) == 1
    assert [row.stored for row in agent_of(server).map_sync(tickets, **options)] == [False, True]


def test_keys_that_are_text_and_numbers_stay_apart_and_one_key_is_for_one_row(tmp_path: Path) -> None:
    agent = Agent(TestModel())
    rows = list(agent.map_sync([1, '1'], key=lambda item: item, prompt=str, journal=tmp_path / 'a'))
    assert [row.key for row in rows] == [1, '1']
    with pytest.raises(UserError, match='gave 1 for a second row'):
        list(agent.map_sync([1, 1], key=lambda item: item, prompt=str, journal=tmp_path / 'b'))
    with pytest.raises(UserError, match='key must give a str, an int'):
        list(agent.map_sync([1.5], key=lambda item: item, prompt=str, journal=tmp_path / 'c'))


def test_a_key_is_on_the_row_without_a_journal_too() -> None:
    rows = list(Agent(TestModel()).map_sync(['a'], key=str.upper))
    assert (rows[0].key, rows[0].stored) == ('A', False)
    assert next(Agent(TestModel()).map_sync(['a'])).key is None


def test_another_run_is_refused_and_what_changed_is_listed(server: ModelServer, tmp_path: Path) -> None:
    journal = tmp_path / 'run.sqlite'
    old = agent_of(server, instructions='Be short.', model_settings={'temperature': 0.0})
    list(old.map_sync(['a'], journal=journal))
    before = journal.read_bytes()

    def look(name: str) -> str:
        """Look it up."""
        return name

    new = agent_of(server, instructions='Be long.', model_settings={'temperature': 0.5}, tools=[look])
    with pytest.raises(UserError) as raised:
        list(new.map_sync(['a'], journal=journal))
    words = str(raised.value)
    assert "instructions[0]: 'Be long.', was 'Be short.'" in words
    assert 'settings.temperature: 0.5, was 0' in words
    assert 'tools.look: ' in words
    assert 'on_change="redo"' in words
    assert journal.read_bytes() == before
    assert len(server.requests) == 1


def test_keep_and_redo(server: ModelServer, tmp_path: Path) -> None:
    journal = tmp_path / 'run.sqlite'
    new = agent_of(server, instructions='Be long.')
    list(agent_of(server).map_sync(['a', 'b'], journal=journal))
    kept = list(new.map_sync(['a', 'b', 'c'], journal=journal, on_change='keep'))
    assert [row.stored for row in kept] == [True, True, False]
    assert [row.stored for row in new.map_sync(['a', 'b', 'c'], journal=journal)] == [True] * 3
    third = agent_of(server, instructions='Be kind.')
    rows = third.map_sync(['a', 'b', 'c'], journal=journal, on_change='redo', max_concurrency=1)
    assert next(rows).stored is False
    rows.close()  # what was not made before is made when it goes on, without a word
    rest = [row.stored for row in third.map_sync(['a', 'b', 'c'], journal=journal)]
    assert rest[0] is True
    assert rest[2] is False
    assert [row.stored for row in third.map_sync(['a', 'b', 'c'], journal=journal)] == [True] * 3


def test_structured_results_come_back_as_their_type(tmp_path: Path) -> None:
    model = TestModel(custom_result_args={'name': 'Rome', 'people': 3})
    agent = Agent(model, result_type=City)
    for _ in range(2):
        assert [row.data for row in agent.map_sync(['a'], journal=tmp_path / 'j')] == [City(name='Rome', people=3)]
    [entry] = Journal(tmp_path / 'j').entries()
    assert json.loads(entry.data or '') == {'name': 'Rome', 'people': 3}
    [row] = Journal(tmp_path / 'j').rows(City)
    assert row.data == City(name='Rome', people=3)


def test_a_row_is_kept_while_the_caller_is_busy_with_another(server: ModelServer, tmp_path: Path) -> None:
    journal = Journal(tmp_path / 'run.sqlite')
    rows = agent_of(server).map_sync([f'p{number}' for number in range(8)], journal=journal, ordered=False)
    next(rows)
    for _ in range(1000):
        if journal.counts()['done'] == 8:
            break
        asyncio.run(asyncio.sleep(0.01))
    assert journal.counts()['done'] == 8
    rows.close()


def test_a_second_map_needs_share(server: ModelServer, tmp_path: Path) -> None:
    journal = tmp_path / 'run.sqlite'
    rows = agent_of(server).map_sync(['a', 'b'], journal=journal)
    next(rows)
    with pytest.raises(UserError, match=r'in use by process .*share=True'):
        next(agent_of(server).map_sync(['a'], journal=journal))
    rows.close()
    assert len(list(agent_of(server).map_sync(['a', 'b'], journal=journal))) == 2


@pytest.mark.timing
def test_two_that_share_pay_once_and_both_get_all(server: ModelServer, tmp_path: Path) -> None:
    prompts = [f'p{number}' for number in range(60)]

    def work(_: int) -> list[str]:
        rows = agent_of(server).map_sync(prompts, journal=tmp_path / 'j', share=True, max_concurrency=4)
        return [row.data for row in rows]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(work, range(3)))
    assert results == [[prompt.upper() for prompt in prompts]] * 3
    assert sorted(r.json['messages'][-1]['content'] for r in server.requests) == sorted(prompts)


@pytest.mark.timing
def test_claims_of_a_silent_process_are_free_after_the_lease(server: ModelServer, tmp_path: Path) -> None:
    path = tmp_path / 'j'
    list(agent_of(server).map_sync(['a', 'b'], journal=path, share=True))
    database = sqlite3.connect(path, isolation_level=None)  # as a process of another machine leaves it when it dies
    database.execute("INSERT INTO syncai_journal_owners VALUES ('them', '', 'elsewhere', 1, 1, ?)", (time.time(),))
    database.execute("UPDATE syncai_journal_rows SET state = 'claimed', owner = 'them' WHERE data LIKE '%A%'")
    database.close()
    rows = agent_of(server).map_sync(['a', 'b'], journal=Journal(path, lease=1), share=True, ordered=False)
    assert [(row.data, row.stored) for row in rows] == [('B', True), ('A', False)]
    assert len(server.requests) == 3


def test_claims_of_a_process_of_this_machine_that_is_gone_are_free_at_once(server: ModelServer, tmp_path: Path) -> None:
    path = tmp_path / 'j'
    list(agent_of(server).map_sync(['a'], journal=path, share=True))
    gone = subprocess.Popen(['true'])
    gone.wait()
    database = sqlite3.connect(path, isolation_level=None)
    them = ('them', '', this_place(), gone.pid, 1, time.time())
    database.execute('INSERT INTO syncai_journal_owners VALUES (?, ?, ?, ?, ?, ?)', them)
    database.execute("UPDATE syncai_journal_rows SET state = 'claimed', owner = 'them'")
    database.close()
    assert [row.stored for row in agent_of(server).map_sync(['a'], journal=path)] == [False]


def test_an_endless_iterable_and_leaving_early(tmp_path: Path) -> None:
    def prompts() -> Iterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1

    rows = Agent(TestModel()).map_sync(prompts(), journal=tmp_path / 'j')
    for row in rows:
        if row.prompt == '100':
            break
    rows.close()
    assert Journal(tmp_path / 'j').counts()['done'] >= 101


def test_wrong_places_are_refused_and_stay_as_they_are(tmp_path: Path) -> None:
    agent = Agent(TestModel())
    text = tmp_path / 'notes.txt'
    text.write_text('no database, but long enough to be looked at as one ' * 20)
    foreign = tmp_path / 'foreign.sqlite'
    with sqlite3.connect(foreign) as database:
        database.execute('CREATE TABLE rows (a)')
    database.close()
    newer = tmp_path / 'newer.sqlite'
    list(agent.map_sync(['a'], journal=newer))
    with sqlite3.connect(newer) as database:
        database.execute('UPDATE syncai_parts SET version = 99')
    database.close()
    for path, words in (
        (text, 'no SQLite database'),
        (foreign, 'another program'),
        (newer, 'newer version'),
        (tmp_path, 'directory'),
        (tmp_path / 'no' / 'j', 'make it first'),
    ):
        before = path.read_bytes() if path.is_file() else b''
        with pytest.raises(UserError, match=words):
            list(agent.map_sync(['a'], journal=path))
        assert (path.read_bytes() if path.is_file() else b'') == before


def test_a_full_disk_ends_the_map_with_a_clear_error(server: ModelServer, tmp_path: Path) -> None:
    journal = Journal(tmp_path / 'j')
    list(agent_of(server).map_sync(['first'], journal=journal))
    full: Any = sqlite3.OperationalError('database or disk is full')
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    class Full:
        def __call__(self, *args: Any) -> None:
            raise StoreError('The disk of j is full')

    store: Any = journal._store
    put, store.put = store.put, Full()
    with pytest.raises(StoreError, match='is full'):
        list(agent_of(server).map_sync([str(number) for number in range(2000)], journal=journal))
    store.put = put
    assert journal.counts()['done'] == 1
    assert len(server.requests) < 2000


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'share': True}, 'share needs a journal'),
        ({'retry_failed': False}, 'retry_failed needs a journal'),
        ({'on_change': 'redo'}, 'on_change needs a journal'),
        ({'journal': 'j', 'on_change': 'again'}, "on_change must be None, 'redo' or 'keep'"),
        ({'journal': 3}, 'journal must be a path'),
        ({'journal': 'mysql://x/y'}, 'postgresql://'),
        ({'key': 'pk'}, 'key must be a function'),
        ({'progress': 1}, 'progress must be True or False'),
        ({'jounal': 'j'}, 'jounal'),
    ],
)
def test_wrong_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Agent(TestModel()).map_sync(['a'], **options)


def test_a_failing_iterable_ends_the_map_and_keeps_what_was_made(server: ModelServer, tmp_path: Path) -> None:
    def prompts() -> Iterator[str]:
        yield 'a'
        raise LookupError('lost')

    with pytest.raises(LookupError):
        list(agent_of(server).map_sync(prompts(), journal=tmp_path / 'j'))
    assert Journal(tmp_path / 'j').counts()['done'] == 1


def test_a_tools_own_error_is_kept_by_its_name(tmp_path: Path) -> None:
    agent = Agent(TestModel())

    @agent.tool_plain
    def broken() -> str:
        raise KeyError('nothing there')

    [row] = agent.map_sync(['a'], journal=tmp_path / 'j')
    assert isinstance(row.error, KeyError)
    [kept] = agent.map_sync(['a'], journal=tmp_path / 'j', retry_failed=False)
    assert isinstance(kept.error, AgentRunError)
    assert str(kept.error) == "KeyError: 'nothing there'"


def test_a_map_stops_at_its_dollars(model_server: ModelServer) -> None:
    """gpt-4o costs 2.50 and 10 dollars for a million tokens of prompts and answers: a row 0.0125 here."""
    model_server.reply(*[Reply('yes', usage=(1000, 1000))] * 10)
    agent = Agent(OpenAIChatModel('gpt-4o', base_url=model_server.base_url, api_key='k'))
    settings: Any = {'max_tokens': 1000}
    rows = list(
        agent.map_sync(
            list('abcdef'), max_concurrency=1, return_exceptions=True, dollars=Decimal('0.03'), model_settings=settings
        )
    )
    assert [type(row.error) for row in rows] == [type(None)] * 2 + [BudgetExceeded] * 4
    assert len(model_server.requests) == 2
    with pytest.raises(UserError, match='dollars'):
        list(agent.map_sync(['a'], dollars='much'))  # type: ignore[call-overload]
