"""Journals on real servers of PostgreSQL and Redis: what a SQLite file does, and what is refused or lost there."""

from __future__ import annotations

import importlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from capitals import Provider
from postgres_place import postgres_server
from redis_place import PROGRAM, redis_server
from serving import only_in_make_places

from syncai import Agent, MapRow
from syncai.exceptions import RateLimitError, StoreError, UserError
from syncai.journal import Journal
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer

only_in_make_places()

ONCE = HttpOptions(max_retries=0)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def server(provider: Provider) -> Iterator[ModelServer]:
    with ModelServer(provider) as started:
        yield started


@pytest.fixture(scope='module')
def postgres() -> Iterator[str]:
    with postgres_server() as port:
        yield f'postgresql://postgres@127.0.0.1:{port}/postgres'


@pytest.fixture(scope='module')
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if PROGRAM is None:
        pytest.skip('redis-server is not installed (Debian: redis-server)')
    with redis_server(tmp_path_factory.mktemp('redis')) as url:
        yield url


@pytest.fixture(params=['postgres', 'redis'])
def place(request: pytest.FixtureRequest) -> str:
    return f'{request.getfixturevalue(request.param)}#{request.node.name.partition("[")[0]}'


def agent_of(server: ModelServer, **options: Any) -> Agent[None, str]:
    return Agent(OpenAIChatModel('m', base_url=server.base_url, http=ONCE), **options)


@pytest.mark.parametrize('share', [False, True])
def test_what_a_file_does(place: str, server: ModelServer, provider: Provider, share: bool) -> None:
    place += f'-{share}'
    provider.failing = {'bad'}
    prompts = ['a', 'bad', 'a', '\u00e9 \x00 \U0001f600']
    first = list(agent_of(server).map_sync(prompts, journal=place, share=share))
    assert [row.error is None for row in first] == [True, False, True, True]
    again = list(agent_of(server).map_sync(prompts, journal=place, share=share, retry_failed=False))
    assert [row.stored for row in again] == [True] * 4
    assert isinstance(again[1].error, RateLimitError)
    assert [row.data for row in again if row.error is None] == [row.data for row in first if row.error is None]
    assert again[3].all_messages() == first[3].all_messages()
    assert len(server.requests) == 4
    provider.failing = set()
    assert [row.stored for row in agent_of(server).map_sync(prompts, journal=place)] == [True, False, True, True]
    assert Journal(place).counts() == {'done': 4, 'failed': 0, 'claimed': 0, 'sent': 0}
    assert {row.key for row in Journal(place).rows()} == {row.key for row in first}
    assert Journal(place).forget([first[0].key, 'none']) == 1
    assert [row.stored for row in agent_of(server).map_sync(prompts, journal=place)] == [False, True, True, True]


def test_changes(place: str, server: ModelServer) -> None:
    old, new = agent_of(server), agent_of(server, instructions='Be long.')
    list(old.map_sync(['a'], journal=place))
    with pytest.raises(UserError, match=r"instructions: \['Be long.'\]|instructions.*Be long"):
        list(new.map_sync(['a'], journal=place))
    assert [row.stored for row in new.map_sync(['a', 'b'], journal=place, on_change='keep')] == [True, False]
    assert [row.stored for row in new.map_sync(['a', 'b'], journal=place)] == [True, True]
    third = agent_of(server, instructions='Be kind.')
    assert [row.stored for row in third.map_sync(['a', 'b'], journal=place, on_change='redo')] == [False, False]


def test_a_second_map_needs_share(place: str, server: ModelServer) -> None:
    rows = agent_of(server).map_sync(['a', 'b'], journal=place)
    next(rows)
    with pytest.raises(UserError, match=r'in use by process .*share=True'):
        next(agent_of(server).map_sync(['a'], journal=place))
    rows.close()
    assert len(list(agent_of(server).map_sync(['a', 'b'], journal=place))) == 2


def test_journals_of_one_server_know_nothing_of_each_other(place: str, server: ModelServer) -> None:
    for name in ('one', 'two'):
        assert [row.stored for row in agent_of(server).map_sync(['a'], journal=f'{place}-{name}')] == [False]


def test_a_newer_journal_in_redis_stays_as_it_is(redis: str, server: ModelServer) -> None:
    client = importlib.import_module('redis').Redis.from_url(redis)
    list(agent_of(server).map_sync(['a'], journal=f'{redis}#newer'))
    client.hset('syncai:journal:{newer}:notes', 'format', '2')
    before = client.hgetall('syncai:journal:{newer}:rows')
    with pytest.raises(UserError, match='format 2 of another version of syncai'):
        list(agent_of(server).map_sync(['a'], journal=f'{redis}#newer'))
    assert client.hgetall('syncai:journal:{newer}:rows') == before
    client.set('syncai:journal:{foreign}:notes', 'of another program')
    with pytest.raises(StoreError, match='refused a command for the journal'):
        list(agent_of(server).map_sync(['a'], journal=f'{redis}#foreign'))
    assert client.get('syncai:journal:{foreign}:notes') == b'of another program'
    client.close()


def test_a_newer_journal_in_postgres_stays_as_it_is(server: ModelServer) -> None:
    with postgres_server() as port:
        url = f'postgresql://postgres@127.0.0.1:{port}/postgres'
        list(agent_of(server).map_sync(['a'], journal=url))
        database = importlib.import_module('psycopg').connect(url, autocommit=True)
        database.execute("COMMENT ON TABLE syncai_journal_rows IS 'format 2'")
        with pytest.raises(UserError, match='format 2 of another version of syncai'):
            list(agent_of(server).map_sync(['a', 'b'], journal=url))
        assert database.execute('SELECT count(*) FROM syncai_journal_rows').fetchone() == (1,)
        database.close()


@pytest.mark.parametrize('share', [False, True])
def test_a_postgres_that_goes_away_ends_a_map_whose_rows_all_come(server: ModelServer, share: bool) -> None:
    taken: list[MapRow[str]] = []
    with postgres_server() as port:
        url = f'postgresql://postgres@127.0.0.1:{port}/postgres?connect_timeout=2'
        rows = agent_of(server).map_sync(map(str, range(5000)), journal=url, share=share)
        for row in rows:
            taken.append(row)
            if len(taken) == 50:
                break
    with pytest.raises(StoreError, match='could not be reached for the journal, or was lost'):
        taken.extend(rows)
    asked = {request.json['messages'][-1]['content'] for request in server.requests}
    assert {row.prompt for row in taken if row.error is None} == asked
    assert len(asked) < 5000


def test_wrong_addresses(postgres: str, server: ModelServer, tmp_path: Path) -> None:
    with redis_server(tmp_path, '--requirepass', 'right') as locked:
        for place, error, words in (
            (postgres.removesuffix('/postgres') + '/none', StoreError, 'database "none" does not exist'),
            ('postgresql://postgres:secret-word@127.0.0.1:1/x', StoreError, '127.0.0.1:1/x could not be reached'),
            ('redis://127.0.0.1:1/0', StoreError, 'Redis at 127.0.0.1:1 could not be reached for the journal'),
            (locked.replace('redis://', 'redis://:secret-word@'), UserError, 'refuses the name or password'),
            (locked, UserError, 'refuses the name or password'),
        ):
            with pytest.raises(error, match=words) as raised:
                list(agent_of(server).map_sync(['a'], journal=place))
            assert 'secret-word' not in str(raised.value)
            assert '\n' not in str(raised.value)
    assert len(server.requests) == 0


DJANGO = """
import json, sys
from django.conf import settings
settings.configure(DATABASES=json.loads(sys.argv[1]))
import django; django.setup()
from syncai import Agent
from syncai.exceptions import UserError
from syncai.journal import Journal
from syncai.models.test import TestModel
seen = []
for _ in range(2):
    seen.append([row.stored for row in Agent(TestModel()).map_sync(['a', 'b'], journal='django:default', share=True)])
print(seen, dict(Journal('django:default').counts())['done'])
for place in ('django:other', 'django:memory'):
    try:
        Journal(place)
    except UserError as error:
        print(error)
"""


@pytest.mark.parametrize('kind', ['sqlite', 'postgres'])
def test_the_database_of_django(kind: str, postgres: str, tmp_path: Path) -> None:
    port = int(postgres.partition('127.0.0.1:')[2].partition('/')[0])
    kinds = {
        'sqlite': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': str(tmp_path / 'db.sqlite3')},
        'postgres': {
            'ENGINE': 'django.db.backends.postgresql',
            'NAME': 'postgres',
            'USER': 'postgres',
            'HOST': '127.0.0.1',
            'PORT': port,
        },
    }
    with sqlite3.connect(tmp_path / 'db.sqlite3') as project:
        project.execute('CREATE TABLE auth_user (id INTEGER PRIMARY KEY)')
    project.close()
    memory = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}
    databases = json.dumps({'default': kinds[kind], 'memory': memory})
    done = subprocess.run(
        [sys.executable, '-c', DJANGO, databases], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    rows, other, unusable = done.stdout.splitlines()
    assert rows == '[[False, False], [True, True]] 2'
    assert other == "There is no database 'other' in Django's DATABASES"
    assert unusable.startswith("':memory:' is no path of a SQLite file")
    with sqlite3.connect(tmp_path / 'db.sqlite3') as project:
        assert project.execute('SELECT count(*) FROM auth_user').fetchone() == (0,)
        assert project.execute('PRAGMA application_id').fetchone() == (0,), 'the file is not marked as another one'
        assert project.execute('PRAGMA journal_mode').fetchone() == ('delete',)
    project.close()
