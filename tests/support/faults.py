"""A server that changes the bytes of the answers of a `ModelServer` as a fault says, for every wire format."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.messages import ModelMessage, ModelRequest, ModelResponse
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

KEY = 'sk-planted-0123456789'
QUESTION: list[ModelMessage] = [ModelRequest.user_text_prompt('What is two and two?')]
GOOD = Reply('Two ', 'and two ', 'is four.', usage=(11, 5))
TEXT = 'Two and two is four.'
FORMATS: Mapping[str, Callable[..., Model]] = {
    'chat': lambda **more: OpenAIChatModel('gpt-5.4-mini', **more),
    'responses': lambda **more: OpenAIResponsesModel('gpt-5.4-mini', **more),
    'anthropic': lambda **more: AnthropicModel('claude-haiku-4-5', **more),
    'google': lambda **more: GoogleModel('gemini-2.5-flash', **more),
    'bedrock': lambda **more: BedrockModel('us.anthropic.claude-haiku-4-5-20251001-v1:0', region='us-east-1', **more),
}
every_format = pytest.mark.parametrize('wire', FORMATS)
both_forms = pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])


def model_of(wire: str, base_url: str, **options: Any) -> Model:
    """A model of that wire format with short limits of time."""
    limits = {'first_event_timeout': 5.0, 'idle_timeout': 5.0, 'max_retries': 0, **options}
    return FORMATS[wire](base_url=base_url, api_key=KEY, http=HttpOptions(**limits))


def ask(model: Model, streamed: bool, **settings: Any) -> ModelResponse:
    options: Any = settings or None
    if not streamed:
        return model_request_sync(model, QUESTION, model_settings=options)
    with model_request_stream_sync(model, QUESTION, model_settings=options) as stream:
        for _ in stream:
            pass
        return stream.get()


class Answer:
    """A whole answer of the model server as bytes, and the connection to the client."""

    def __init__(self, client: socket.socket, raw: bytes, number: int, stopping: threading.Event) -> None:
        self._client, self.number, self._stopping = client, number, stopping
        head, _, self.wire_body = raw.partition(b'\r\n\r\n')
        self.lines = [line for line in head.split(b'\r\n') if not line.lower().startswith(b'connection:')]
        self.head = b'\r\n'.join(self.lines) + b'\r\n\r\n'

    @property
    def body(self) -> bytes:
        """The body without its chunks."""
        if b'transfer-encoding: chunked' not in self.head.lower():
            return self.wire_body
        body, rest = b'', self.wire_body
        while rest:
            size, _, rest = rest.partition(b'\r\n')
            length = int(size, 16)
            body, rest = body + rest[:length], rest[length + 2 :]
        return body

    def head_with(self, *lines: bytes, status: bytes | None = None) -> bytes:
        """The head with other lines in place of those of the same names; an empty value leaves a line out."""
        names = {line.partition(b':')[0].lower() for line in lines}
        own_lines = [line for line in self.lines[1:] if line.partition(b':')[0].lower() not in names]
        new_lines = [line for line in lines if not line.endswith(b':')]
        return b'\r\n'.join([status or self.lines[0], *own_lines, *new_lines]) + b'\r\n\r\n'

    def send(self, data: bytes) -> None:
        self._client.sendall(data)

    def unframed(self, body: bytes, *lines: bytes, status: bytes | None = None) -> None:
        """Send a body that ends with the connection."""
        ended = (b'transfer-encoding:', b'content-length:', b'connection: close')
        self.send(self.head_with(*ended, *lines, status=status) + body)
        self.close()

    def measured(self, body: bytes, *lines: bytes, status: bytes | None = None) -> None:
        """Send a body of a known length."""
        length = b'content-length: %d' % len(body)
        self.send(self.head_with(b'transfer-encoding:', length, *lines, status=status) + body)

    def close(self) -> None:
        """End the connection cleanly (FIN)."""
        self._client.shutdown(socket.SHUT_WR)
        self.wait()

    def reset(self) -> None:
        """End the connection with a reset (RST)."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        raise ConnectionResetError

    def wait(self) -> None:
        """Send nothing until the client has left."""
        while not self._stopping.is_set() and self._client.recv(65_536):
            pass
        raise ConnectionResetError


Fault = Callable[[Answer], None]


class FaultyServer:
    """Passes each answer of the model server to `fault`, which sends it."""

    def __init__(self, fault: Fault, behind: ModelServer, tls: ssl.SSLContext | None = None) -> None:
        self._fault, self._behind, self._tls = fault, behind, tls
        self.requests: list[bytes] = []
        self.sent = 0
        self._stopping = threading.Event()
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        scheme, host = ('http', '127.0.0.1') if tls is None else ('https', 'localhost')
        self.base_url = f'{scheme}://{host}:{self._listener.getsockname()[1]}/v1'
        self._threads[0].start()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(client)
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            client = plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True)
            self._sockets.append(client)
            with client:
                while request := _read_request(client):
                    self.requests.append(request)
                    raw = self._asked(request)
                    self._fault(Answer(client, raw, len(self.requests), self._stopping))

    def _asked(self, request: bytes) -> bytes:
        with socket.create_connection(('127.0.0.1', self._behind.port)) as behind:
            behind.sendall(request.replace(b'\r\n', b'\r\nconnection: close\r\n', 1))
            raw = b''
            while data := behind.recv(1 << 20):
                raw += data
            return raw


def _read_request(client: socket.socket) -> bytes:
    data = b''
    while b'\r\n\r\n' not in data:
        if not (more := client.recv(65_536)):
            return b''
        data += more
    head, _, body = data.partition(b'\r\n\r\n')
    length = int(head.lower().partition(b'content-length: ')[2].split(b'\r\n')[0] or 0)
    while len(body) < length:
        body += client.recv(65_536)
    return head + b'\r\n\r\n' + body


@contextmanager
def faulty(fault: Fault, reply: Reply = GOOD, tls: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    with ModelServer(reply) as behind:
        server = FaultyServer(fault, behind, tls)
        try:
            yield server
        finally:
            server.stop()


def good(answer: Answer) -> None:
    """No fault at all."""
    answer.send(answer.head + answer.wire_body)


def trickle(answer: Answer, seconds: float = 0.0) -> None:
    """One byte at a time."""
    for byte in answer.head + answer.wire_body:
        answer.send(bytes([byte]))
        time.sleep(seconds)


@contextmanager
def answering(*bodies: Any, kind: str = 'application/json') -> Iterator[FaultyServer]:
    """A server that gives each request the next of these bodies, and then the last one again and again."""

    def fault(answer: Answer) -> None:
        body = bodies[min(answer.number, len(bodies)) - 1]
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer.measured(raw, b'content-type: ' + kind.encode())

    with faulty(fault) as server:
        yield server


def sent(server: FaultyServer, number: int) -> dict[str, Any]:
    """The JSON of a request; the first has the number 0."""
    body: dict[str, Any] = json.loads(server.requests[number].partition(b'\r\n\r\n')[2])
    return body
