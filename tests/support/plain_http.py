"""A client of plain sockets and `http.client`, for tests of the model server."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from syncai._bridge import loop_thread
from syncai.testing import ModelServer


def wire(*, stream: bool = True, **more: Any) -> bytes:
    body = json.dumps({'model': 'm', 'stream': stream, 'messages': [], **more}).encode()
    head = f'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n'
    return head.encode() + body


@contextmanager
def connected(server: ModelServer, request: bytes = b'', receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.settimeout(5)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(('127.0.0.1', server.port))
        sock.sendall(request)
        yield sock


@contextmanager
def client(server: ModelServer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def post(server: ModelServer, *, stream: bool = True, **more: Any) -> tuple[http.client.HTTPResponse, bytes]:
    with client(server) as connection:
        body = json.dumps({'model': 'm', 'stream': stream, 'messages': [], **more})
        connection.request('POST', '/v1/chat/completions', body, {'Content-Type': 'application/json'})
        response = connection.getresponse()
        return response, response.read()


def payloads(body: bytes) -> list[Any]:
    data = [event.removeprefix(b'data: ') for event in body.split(b'\n\n') if event]
    return [item.decode() if item == b'[DONE]' else json.loads(item) for item in data]


def text_of(body: bytes) -> str:
    chunks = [p for p in payloads(body) if p != '[DONE]' and p['choices']]
    return ''.join(chunk['choices'][0]['delta'].get('content') or '' for chunk in chunks)


def read_all(sock: socket.socket) -> bytes:
    received = b''
    while data := sock.recv(65_536):
        received += data
    return received


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def wait_for_the_log() -> None:
    """Wait until the loop's worker threads, which write its warnings, are idle."""
    loop = loop_thread._loop
    wait_until(lambda: loop is None or not loop.workers._busy)
