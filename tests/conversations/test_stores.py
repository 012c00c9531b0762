"""The stores: the protocol, and what is particular to each."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_place import needs_redis, redis_server
from store_conformance import FILE, StoreConformance, turn

from syncai import BinaryContent, UserError
from syncai.conversations import MemoryStore, RedisStore, SQLiteStore, Store, messages_of, record_of
from syncai.exceptions import StoreError


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestSQLiteStore(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SQLiteStore(tmp_path / 'chats.db')
        yield store
        store.close()


@pytest.fixture(scope='module')
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp('redis')) as address:
        yield address


@needs_redis
class TestRedisStore(StoreConformance):
    @pytest.fixture(params=[False, True], ids=['bytes', 'decoded'])
    def store(self, address: str, request: pytest.FixtureRequest) -> Iterator[Store]:
        import redis

        with redis.Redis.from_url(address, decode_responses=request.param) as client:
            client.flushall()
            yield RedisStore(client)

    def test_an_address_will_do(self, address: str) -> None:
        store = RedisStore(address, prefix='other:')
        store.append('a', 0, turn())
        assert store.list() == ['a']
        store.close()

    def test_a_long_file_is_kept_under_its_hash(self, address: str) -> None:
        import redis

        store = RedisStore(address, prefix='files:')
        store.append('a', 0, [*turn(['See', FILE]), *turn(['Again', FILE])])
        with redis.Redis.from_url(address) as client:
            assert client.hkeys('files:files:a') == [hashlib.sha256(FILE.data).hexdigest().encode()]
            assert max(map(len, client.lrange('files:log:a', 0, -1))) < 1000
            store.delete('a')
            assert client.keys('files:*') == []
        store.close()


def test_a_lost_server_is_a_clear_error() -> None:
    store = RedisStore('redis://127.0.0.1:1/0')
    with pytest.raises(StoreError, match=r'Redis at 127.0.0.1:1 could not be reached for the conversations'):
        store.load('a')


@pytest.mark.parametrize(('size', 'blobs'), [(64 * 1024, 0), (64 * 1024 + 1, 1)])
def test_files_above_64_kb_lie_beside_their_message(size: int, blobs: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    file = BinaryContent(data[:size], 'application/pdf')
    record = record_of(turn(['See', file])[0])
    assert [*record.blobs] == [hashlib.sha256(file.data).hexdigest()] * blobs
    assert messages_of([record.text], lambda names: record.blobs, 'a') == turn(['See', file])[:1]


def test_a_long_file_is_kept_once_and_removed_with_the_last(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / 'chats.db')
    for name in ('a', 'b'):
        store.append(name, 0, turn(['See', FILE]))
    assert rows(tmp_path, 'SELECT count(*), sum(length(data)) FROM conversation_blobs') == [(1, len(FILE.data))]
    ((longest,),) = rows(tmp_path, 'SELECT max(length(text)) FROM conversation_messages')
    assert longest < 1000
    store.delete('a')
    assert store.load('b')[0] == turn(['See', FILE])
    store.delete('b')
    assert rows(tmp_path, 'SELECT count(*) FROM conversation_blobs') == [(0,)]
    store.close()


def test_a_text_that_names_the_file_of_another_conversation_does_not_get_it(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / 'chats.db')
    store.append('a', 0, turn(['See', FILE]))
    name = next(iter(record_of(turn(['See', FILE])[0]).blobs))
    stored: Any = turn(['See', FILE])
    text = record_of(stored[0]).text.replace('bill.pdf', 'stolen.pdf')
    assert f'sha256:{name}' in text
    store.append('b', 0, turn())
    change(tmp_path, "UPDATE conversation_messages SET text = ? WHERE id = 'b' AND number = 0", text)
    with pytest.raises(UserError, match=r'A file of conversation .* is gone'):
        store.load('b')
    store.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / 'chats.db')
    store.append('a', 0, turn())
    newer = json.dumps({'format': 2, 'message': {'kind': 'poem'}})
    change(tmp_path, "UPDATE conversation_messages SET text = ? WHERE id = 'a' AND number = 1", newer)
    with pytest.raises(UserError, match=r"Message 1 of conversation 'a' in .* has the format 2 .* upgrade syncai"):
        store.load('a')
    store.close()


@pytest.mark.parametrize('text', ['{}', 'x', '[]', '{"format": 1, "message": {"kind": "poem"}}', '{"format": 1}'])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(UserError, match='no message'):
        messages_of([text], lambda names: {}, "conversation 'a'")


def test_the_same_json_of_another_writer_is_read() -> None:
    value = json.loads(record_of(turn()[0]).text)
    text = json.dumps({'message': value['message'], 'format': 1}, indent=2)
    assert messages_of([text], lambda names: {}, 'a') == turn()[:1]


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'chats.db').write_text('a diary')
    with pytest.raises(UserError, match='is no SQLite database: give the conversations another file'):
        SQLiteStore(tmp_path / 'chats.db').load('a')
    assert (tmp_path / 'chats.db').read_text() == 'a diary'


def rows(folder: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(folder / 'chats.db')
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def change(folder: Path, query: str, text: str) -> None:
    connection = sqlite3.connect(folder / 'chats.db')
    with connection:
        connection.execute(query, (text,))
    connection.close()
