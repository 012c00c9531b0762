"""A real Redis server, and one that is lost."""

from __future__ import annotations

import builtins
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_place import free_port, needs_redis, redis_server

from syncai._stores.redis import RedisServer
from syncai.exceptions import StoreError, UserError

ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture(scope='module')
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp('redis')) as address:
        yield address


@needs_redis
def test_commands_and_scripts(address: str) -> None:
    server = RedisServer(address, 'counts')
    with server.commands() as client:
        client.set('a', 1)
    assert server.run(ADD, ['a'], [2]) == 3
    again = pickle.loads(pickle.dumps(server))
    with again.commands() as client:
        client.script_flush()  # as a server that was started again
        assert client.get('a') == b'3'
    assert server.run(ADD, ['a'], [2]) == 5
    again.close()
    server.close()


@needs_redis
def test_a_client_of_the_caller_stays_the_callers(address: str) -> None:
    import redis

    with redis.Redis.from_url(address, decode_responses=True) as client:
        server = RedisServer(client, 'counts')
        assert server.run(ADD, ['b'], [1]) == 1
        server.close()
        assert client.get('b') == '1'
        with pytest.raises(UserError, match='cannot be pickled'):
            pickle.dumps(server)


@needs_redis
def test_a_refused_command_is_an_error_of_the_store(address: str) -> None:
    server = RedisServer(address, 'counts')
    with pytest.raises(StoreError, match='refused a command for the counts'), server.commands() as client:
        client.set('text', 'x')
        client.incr('text')
    server.close()


@needs_redis
def test_a_wrong_password_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with redis_server(tmp_path, '--requirepass', 'right') as address:
        server = RedisServer(address.replace('//', '//:wrong@'), 'counts')
        with pytest.raises(UserError, match='refuses the name or password') as caught, server.commands() as client:
            client.get('a')
        server.close()
    assert 'wrong' not in f'{caught.value}{server!r}'


@needs_redis
def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    port = free_port()
    with redis_server(tmp_path, port=port) as address:
        server = RedisServer(address, 'counts')
        assert server.run(ADD, ['a'], [1]) == 1
    with pytest.raises(StoreError, match=f'Redis at 127.0.0.1:{port} could not be reached'):
        server.run(ADD, ['a'], [1])
    with redis_server(tmp_path, port=port):
        assert server.run(ADD, ['a'], [1]) == 1
    server.close()


@pytest.mark.parametrize('source', ['localhost', 'http://localhost', 3, None])
def test_what_is_no_address_is_refused(source: Any) -> None:
    with pytest.raises(UserError, match='Redis'):
        RedisServer(source, 'counts')


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == 'redis':
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, '__import__', without)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[redis\]'"):
        RedisServer('redis://localhost', 'counts')
