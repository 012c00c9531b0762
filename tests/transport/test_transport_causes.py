"""Errors of connections name the cause and the remedy; errors of waits name the phase."""

from __future__ import annotations

import asyncio
import logging
import re
import socket

import pytest
from transport_server import KEY, Connection, Server, options, request, run, send_and_close

from syncai._base.phases import Phases
from syncai._transport import HttpClient, HttpRequest, shared_client
from syncai.exceptions import ModelConnectionError, ModelTimeoutError, SyncAIError
from syncai.settings import HttpOptions
from syncai.testing import ModelServer

OBJECT = re.compile(r'object at 0x|<\w+Error|ssl:default')


def failure(url: str, **more: object) -> SyncAIError:
    with pytest.raises(SyncAIError) as caught:
        asyncio.run(send_and_close(url, **more))
    error = caught.value
    assert not OBJECT.search(str(error))
    assert KEY not in str(error)
    assert error.__cause__ is error.__context__ is None
    return error


@pytest.mark.parametrize('scheme', ['http', 'https'])
@pytest.mark.parametrize('max_retries', [0, 1])
def test_a_name_that_does_not_exist(scheme: str, max_retries: int) -> None:
    error = failure(f'{scheme}://nowhere.invalid/v1', max_retries=max_retries)
    assert isinstance(error, ModelConnectionError)
    assert str(error).startswith('cannot reach nowhere.invalid: the host name was not found')
    assert 'base_url' in str(error)


@pytest.mark.parametrize('scheme', ['http', 'https'])
@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost'])
def test_a_refused_connection(scheme: str, host: str) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    assert f'cannot reach {host}:{port}: Connection refused: is the server running' in str(
        failure(f'{scheme}://{host}:{port}/v1')
    )


def test_a_server_that_speaks_no_tls() -> None:
    with ModelServer() as server:
        error = failure(server.base_url.replace('http://', 'https://'))
    assert 'does not speak TLS' in str(error)
    assert 'http://' in str(error)


@pytest.mark.parametrize(
    'answer', [b'SSH-2.0-OpenSSH_9.6\r\n\r\n', b'', b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{']
)
def test_a_server_that_speaks_no_http_or_stops(answer: bytes) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.write(answer)
        connection.writer.close()

    async def test(server: Server) -> SyncAIError:
        with pytest.raises(SyncAIError) as caught:
            await shared_client(options()).send(request(f'{server.url}?key={KEY}'))
        return caught.value

    error = run(handler, test)
    assert '127.0.0.1' in str(error)
    assert KEY not in str(error)
    assert not OBJECT.search(str(error))


def test_a_request_that_the_server_does_not_take() -> None:
    async def main() -> ModelTimeoutError:
        with socket.socket() as deaf:  # the system accepts for it; nothing is ever read
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.bind(('127.0.0.1', 0))
            deaf.listen(1)
            client = HttpClient(options(first_event_timeout=0.1))
            url = f'http://127.0.0.1:{deaf.getsockname()[1]}/'
            with pytest.raises(ModelTimeoutError, match='first_event_timeout') as caught:
                await client.send(HttpRequest('POST', url, {}, bytes(30_000_000)))
            await client.aclose()
            return caught.value

    error = asyncio.run(main())
    assert (error.phase, error.limit) == ('send', 0.1)


def test_waiting_for_a_slot_is_told(caplog: pytest.LogCaptureFixture) -> None:
    arrived, let_go = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection, number: int) -> None:
        arrived.set()
        await let_go.wait()
        await connection.answer()

    async def test(server: Server) -> None:
        client = shared_client(HttpOptions(max_connections=1))
        first = asyncio.create_task(client.send(request(server.url)))
        await arrived.wait()
        for _ in range(2):
            phases = Phases()
            outer = phases.observe()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.send(request(server.url))
            phases.observe_no_more(outer)
            assert phases.interrupted == 'connection slot'
            assert dict(phases.spent())['connection slot'] >= 0.015
        let_go.set()
        assert (await first).status == 200
        assert (await client.send(request(server.url))).status == 200

    with caplog.at_level(logging.WARNING, 'syncai'):
        run(slow, test)
    assert [record.getMessage() for record in caplog.records] == [
        'All 1 connection slots are taken: requests wait. HttpOptions.max_connections sets their number'
    ]
