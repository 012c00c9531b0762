"""Refused, repeated, timed out, too large: what becomes of requests that fail."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest
import trustme
from transport_server import KEY, Connection, Server, fine, options, request, run, send, send_and_close

from syncai._transport import ErrorFacts, shared_client
from syncai.exceptions import (
    AuthenticationError,
    ContextWindowExceeded,
    IncompleteStreamError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
    UserError,
)


@pytest.mark.parametrize(('status', 'kind'), [(401, AuthenticationError), (404, NotFoundError)])
def test_a_refused_request_is_not_repeated_and_names_no_key(status: int, kind: type[ModelHTTPError]) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(status, b'{"error":{"message":"bad key %s"}}' % KEY.encode(), x_request_id='r')

    error, requests = send(handler, max_retries=2)
    assert isinstance(error, kind)
    assert (requests, error.attempts, error.request_id) == (1, 1, 'r')
    assert KEY not in f'{error} {error.body} {error!r} {request("http://x/?key=" + KEY)!r}'


def test_a_server_error_is_repeated_until_it_works() -> None:
    async def handler(connection: Connection, number: int) -> None:
        await (connection.answer(503, retry_after_ms='1') if number < 3 else connection.answer())

    response, requests = send(handler, max_retries=2)
    assert (response.attempts, requests) == (3, 3)
    error, requests = send(handler, max_retries=1)
    assert isinstance(error, ServerError)
    assert (error.attempts, requests) == (2, 2)


@pytest.mark.parametrize(
    ('body', 'headers'), [(b'{"error":{"code":"insufficient_quota"}}', {}), (b'{}', {'retry_after': '61'})]
)
def test_a_rate_limit_is_not_repeated_without_credit_or_within_too_long_a_wait(
    body: bytes, headers: dict[str, str]
) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(429, body, **headers)

    error, requests = send(handler, max_retries=2)
    assert isinstance(error, RateLimitError)
    assert requests == 1
    assert error.retry_after == (61.0 if headers else None)


def test_the_provider_classifies_its_errors() -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer(400, b'{"code":"too_long"}')

    def classify(status: int, body: object, headers: Any) -> ErrorFacts:
        return ErrorFacts(ContextWindowExceeded if body == {'code': 'too_long'} else None, hint='Shorten it.')

    async def test(server: Server) -> None:
        with pytest.raises(ContextWindowExceeded, match=r'Shorten it\.'):
            await shared_client(options()).send(request(server.url, classify=classify))

    run(handler, test)


def test_a_connection_closed_while_idle_is_replaced() -> None:
    async def handler(connection: Connection, number: int) -> None:
        if number == 2:
            connection.reset()  # the moment at which the client sends on a connection that is gone
        else:
            await connection.answer()

    async def test(server: Server) -> None:
        client = shared_client(options(max_retries=1))
        assert (await client.send(request(server.url))).attempts == 1
        assert (await client.send(request(server.url))).attempts == 2
        assert server.opened == 2

    run(handler, test)


@pytest.mark.parametrize('seconds', [0, 0.02])
def test_a_server_that_closes_after_each_answer_costs_no_request(seconds: float) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.answer()
        connection.writer.close()  # without having said so: the client finds out before, while or after it sends

    async def test(server: Server) -> None:
        for _ in range(20):
            assert (await shared_client(options(max_retries=2)).send(request(server.url))).status == 200
            await asyncio.sleep(seconds)

    run(handler, test)


def test_a_connection_that_breaks_in_the_body_is_not_repeated() -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        await connection.chunk(b'data: 1\n\n')
        await connection.write(b'5\r\nab')
        connection.writer.close()

    async def test(server: Server) -> None:
        with pytest.raises(IncompleteStreamError) as caught:
            async with await shared_client(options(max_retries=2)).stream(request(server.url)) as stream:
                assert [[event.data for event in events] async for events in stream] == [['1']]
        assert len(server.requests) == 1
        assert 'httptools' not in f'{type(caught.value.__cause__)}'

    run(handler, test)


def test_a_connection_that_is_refused_names_host_and_cause() -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        host = f'127.0.0.1:{free.getsockname()[1]}'
    with pytest.raises(ModelConnectionError, match=host) as caught:
        asyncio.run(send_and_close(f'http://{host}/'))
    assert caught.value.host == host


def test_an_unknown_host_is_named_and_an_address_that_is_none_is_the_users_error() -> None:
    with pytest.raises(ModelConnectionError, match=r'nowhere\.invalid'):
        asyncio.run(send_and_close('http://nowhere.invalid/'))
    with pytest.raises(UserError):
        asyncio.run(send_and_close('ftp://example.invalid/'))


def test_certificates_are_checked(tmp_path: Any) -> None:
    authority, bundle = trustme.CA(), tmp_path / 'ca.pem'
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert('localhost').configure_cert(tls)
    error, requests = send(fine, tls, max_retries=2)
    assert isinstance(error, ModelConnectionError)
    assert 'certificate' in str(error).lower()
    assert (error.attempts, requests) == (1, 0)
    assert send(fine, tls, verify=str(bundle))[0].status == 200
    assert send(fine, tls, verify=False)[0].status == 200


@pytest.mark.parametrize('phase', ['first event', 'headers then nothing', 'next event'])
def test_silence_ends_by_the_limit_of_its_phase(phase: str) -> None:
    async def handler(connection: Connection, number: int) -> None:
        if phase != 'first event':
            await connection.begin_events()
        if phase == 'next event':
            await connection.chunk(b'data: 1\n\n')
        await connection.reader.read()

    async def test(server: Server) -> None:
        limits = {'idle_timeout': 0.05} if phase == 'next event' else {'first_event_timeout': 0.05}
        with pytest.raises(ModelTimeoutError) as caught:
            async with await shared_client(options(**limits)).stream(request(server.url)) as stream:
                _ = [events async for events in stream]
        assert caught.value.phase == ('next event' if phase == 'next event' else 'first event')
        assert caught.value.limit == 0.05

    run(handler, test)


@pytest.mark.parametrize('option', ['connect_timeout', 'first_event_timeout'])
def test_a_connection_that_is_never_accepted_times_out(option: str) -> None:
    with socket.socket() as full:
        full.bind(('127.0.0.1', 0))
        full.listen(1)
        with pytest.raises(ModelTimeoutError) as caught:  # TLS never begins: connecting includes it
            asyncio.run(send_and_close(f'https://127.0.0.1:{full.getsockname()[1]}/', **{option: 0.05}))
    assert (caught.value.phase, caught.value.limit) == ('connect', 0.05)
    assert f'timeout of 0.05 s (connect); HttpOptions.{option} sets it' in str(caught.value)


def test_the_idle_timeout_does_not_count_the_consumers_time() -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.begin_events()
        for _ in range(4):
            await connection.chunk(b'data: 1\n\n')
            await asyncio.sleep(0.01)
        await connection.chunk(b'')

    async def test(server: Server) -> None:
        async with await shared_client(options(idle_timeout=0.1)).stream(request(server.url)) as stream:
            await anext(stream)
            await asyncio.sleep(0.3)
            assert sum([len(events) async for events in stream]) == 3

    run(handler, test)


def test_too_large_answers_and_web_pages_are_unexpected() -> None:
    async def large(connection: Connection, number: int) -> None:
        await connection.answer(body=b'"' + b'x' * 5000 + b'"')

    async def page(connection: Connection, number: int) -> None:
        await connection.answer(body=b'<html>Welcome</html>', kind='text/html')

    async def event(connection: Connection, number: int) -> None:
        await connection.answer(body=b'data: ' + b'x' * 5000 + b'\n\n', kind='text/event-stream')

    async def stream(server: Server) -> Any:
        with pytest.raises(UnexpectedModelBehavior) as caught:
            async with await shared_client(options(max_event_bytes=4000)).stream(request(server.url)) as opened:
                _ = [events async for events in opened]
        return caught.value

    error, _ = send(large, max_body_bytes=4000)
    assert isinstance(error, UnexpectedModelBehavior)
    assert 'max_body_bytes' in str(error)
    for error in (send(page)[0], run(page, stream)):
        assert isinstance(error, UnexpectedModelBehavior)
        assert 'Welcome' in str(error)
    assert 'max_event_bytes' in str(run(event, stream))


def test_a_bundle_that_cannot_be_read_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r'verify=.*missing\.pem'):
        asyncio.run(send_and_close('https://127.0.0.1:1/', verify='/missing.pem'))


@pytest.mark.parametrize('status', [401, 400, 503])
def test_an_error_whose_body_breaks_off_is_still_that_error(status: int) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await connection.write(b'HTTP/1.1 %d X\r\ncontent-length: 100\r\n\r\n{"error": "half' % status)
        connection.writer.close()

    error, requests = send(handler)
    assert isinstance(error, ModelHTTPError)
    assert (error.status_code, error.body, requests) == (status, '{"error": "half', 1)
