"""A fast local chat-completions server: the same pre-encoded bytes for every client.

The first part of the path chooses the answer: `/burst-2000/v1` gives 2,000 events at once, `/paced-100-50/v1` gives
100 events, 50 a second, `/short/v1` one short body, `/slow-50/v1` the same after 50 ms, and `/rows-25/v1` a structured
result of 25 kB. `GET /left` gives the times, by the system's monotonic clock,
at which clients left a paced answer before its end. Prints its port and the one where it speaks TLS, writes the
certificate for its clients into the folder it is given, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import ssl
import sys
import time
from functools import cache
from pathlib import Path

import trustme

TEXT = ' token'
HEAD = b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n'
LENGTH = re.compile(rb'\r\ncontent-length: *(\d+)', re.IGNORECASE)
COMMON = {'id': 'chatcmpl-BenchmarkBenchmarkBenchmark', 'created': 1760000000, 'model': 'gpt-5.4-mini-2026-03-17'}


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b'%x\r\n%b\r\n' % (len(data), data)


def event(delta: dict[str, object], finish_reason: str | None = None) -> bytes:
    """One event of about 250 bytes, with the fields a real one has."""
    choice = {'index': 0, 'delta': delta, 'logprobs': None, 'finish_reason': finish_reason}
    extra = {'service_tier': 'default', 'system_fingerprint': None, 'obfuscation': 'Kq3ZxT'}
    data = {**COMMON, 'object': 'chat.completion.chunk', **extra, 'choices': [choice]}
    return http_chunk(b'data: ' + json.dumps(data, separators=(',', ':')).encode() + b'\n\n')


DELTA = event({'content': TEXT})
TAIL = event({}, 'stop') + http_chunk(b'data: [DONE]\n\n') + b'0\r\n\r\n'


@cache
def burst(count: int) -> bytes:
    """The whole response of a burst."""
    return HEAD + DELTA * count + TAIL


@cache
def short() -> bytes:
    """The whole response of a call that is not streamed."""
    message: dict[str, object] = {'role': 'assistant', 'content': 'Four.', 'refusal': None, 'annotations': []}
    choice = {'index': 0, 'message': message, 'logprobs': None, 'finish_reason': 'stop'}
    usage = {'prompt_tokens': 9, 'completion_tokens': 2, 'total_tokens': 11}
    body = json.dumps({**COMMON, 'object': 'chat.completion', 'choices': [choice], 'usage': usage}).encode()
    return whole(body)


def whole(body: bytes) -> bytes:
    """A response that is one JSON body."""
    return b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b' % (len(body), body)


@cache
def rows(size: int) -> bytes:
    """The whole response of a structured result of that many kB, as a tool call in pieces of four characters."""
    lines: list[dict[str, object]] = []
    length = 0
    while length < size * 1000:
        row = {'number': len(lines), 'name': f'row "{len(lines)}" of the list', 'tags': ['a', 'b{', ']c']}
        length += len(json.dumps(row)) + 2
        lines.append(row)
    text = json.dumps({'response': lines})
    first = {'index': 0, 'id': 'call_1', 'type': 'function', 'function': {'name': 'final_result', 'arguments': ''}}
    pieces = [event({'tool_calls': [first]})]
    for start in range(0, len(text), 4):
        piece = {'index': 0, 'function': {'arguments': text[start : start + 4]}}
        pieces.append(event({'tool_calls': [piece]}))
    tail = event({}, 'tool_calls') + http_chunk(b'data: [DONE]\n\n') + b'0\r\n\r\n'
    return HEAD + b''.join(pieces) + tail


LEFT: list[float] = []


class ChatProtocol(asyncio.Protocol):
    """One connection, kept alive; one request at a time."""

    def __init__(self) -> None:
        self.pacing = False
        self.received = b''
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        if self.pacing:
            LEFT.append(time.monotonic())

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, body = self.received.partition(b'\r\n\r\n')
        length = LENGTH.search(head)
        if separator and len(body) >= (int(length[1]) if length else 0):
            self.received = b''
            self.answer(head.split(b' ', 2)[1].decode().split('/')[1])

    def answer(self, mode: str) -> None:
        """Send the answer of the mode."""
        name, *numbers = mode.split('-')
        if name == 'burst':
            self.transport.write(burst(int(numbers[0])))
        elif name == 'paced':
            self.transport.write(HEAD)
            self.pace(self.loop.time(), 0, int(numbers[0]), 1 / float(numbers[1]))
        elif name == 'rows':
            self.transport.write(rows(int(numbers[0])))
        elif name == 'slow':
            self.loop.call_later(int(numbers[0]) / 1e3, self.transport.write, short())
        elif name == 'left':
            self.transport.write(whole(json.dumps(LEFT).encode()))
        else:
            self.transport.write(short())

    def pace(self, started: float, position: int, count: int, interval: float) -> None:
        """Send the events that are due by an absolute schedule, and schedule the next ones."""
        if self.transport.is_closing():
            return
        self.pacing = True
        due = min(count, int((self.loop.time() - started) / interval + 1e-6))
        self.transport.write(DELTA * (due - position) + (TAIL if due == count else b''))
        self.pacing = due < count
        if self.pacing:
            self.loop.call_at(started + (due + 1) * interval, self.pace, started, due, count, interval)


async def serve() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    tls = certified(Path(sys.argv[1]))
    servers = [
        await loop.create_server(ChatProtocol, '127.0.0.1', 0, backlog=4096, ssl=context) for context in (None, tls)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for server in servers:
        server.close()


def certified(folder: Path) -> ssl.SSLContext:
    """The TLS context of the server; its clients need `ca.pem`, in the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / 'ca.pem'))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert('127.0.0.1').configure_cert(context)
    return context


def many_descriptors() -> None:
    """Raise the limit of open files to that of the system."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == '__main__':
    many_descriptors()
    asyncio.run(serve())
