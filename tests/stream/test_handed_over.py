"""Streams whose events are handed over in the turn of the loop in which they arrive: nothing is lost, doubled or late.

The server is a plain socket that writes what each test says, cut where it says, since the bytes are what matters.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from syncai import Agent, ModelRequest
from syncai._bridge.channel import Channel
from syncai._transport.sse import EventStreamDecoder
from syncai.direct import model_request_stream_sync
from syncai.exceptions import AgentRunError, IncompleteStreamError, ModelTimeoutError, UnexpectedModelBehavior
from syncai.messages import PartDeltaEvent, TextPartDelta
from syncai.models import Model
from syncai.models._chat.response import ChatStreamDecoder
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions

QUESTION = [ModelRequest.user_text_prompt('Count')]
HEAD = b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n'
CHUNKED = HEAD + b'transfer-encoding: chunked\r\n\r\n'
WORDS = [f'word {number} ' for number in range(300)]
Piece = bytes | float
"""The data to write, or the seconds before the next data."""


def event(text: str, **more: Any) -> bytes:
    choice = {'index': 0, 'delta': {'content': text}, 'finish_reason': None, **more}
    return b'data: ' + json.dumps({'id': 'c', 'model': 'm', 'choices': [choice]}).encode() + b'\n\n'


def chunk(data: bytes) -> bytes:
    return b'%x\r\n%s\r\n' % (len(data), data)


END = chunk(event('', finish_reason='stop')) + chunk(b'data: [DONE]\n\n') + chunk(b'')


@contextmanager
def server(pieces: Sequence[Piece]) -> Iterator[str]:
    """The address of a server that answers one request with these pieces, and hangs up."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(20)
            connection.recv(65_536)
            try:
                for piece in pieces:
                    time.sleep(piece) if isinstance(piece, float) else connection.sendall(piece)
            except OSError:  # the client has left
                pass

    with socket.create_server(('127.0.0.1', 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f'http://127.0.0.1:{listening.getsockname()[1]}/v1'
        finally:
            thread.join(20)


def model(url: str, **options: Any) -> OpenAIChatModel:
    return OpenAIChatModel('m', base_url=url, api_key='sk-secret-key-1', http=HttpOptions(max_retries=0, **options))


def texts(stream: Any, pause: Callable[[], object] = lambda: None) -> Iterator[str]:
    for item in stream:
        pause()
        if isinstance(item, PartDeltaEvent) and isinstance(item.delta, TextPartDelta):
            yield item.delta.content_delta


def slow(seconds: float = 0.001) -> list[Piece]:
    return [piece for word in WORDS for piece in (chunk(event(word)), seconds)]


def cut(data: bytes, seed: int) -> list[Piece]:
    """The bytes in pieces of all lengths, some of which arrive together."""
    die, pieces = random.Random(seed), list[Piece]()
    while data:
        length = die.choice((1, 7, 60, 170, 171, 400, 3000))
        pieces += [data[:length], die.choice((0.0, 0.0, 0.002))]
        data = data[length:]
    return pieces


@pytest.mark.slow
@pytest.mark.parametrize('pause', [0.0, 0.002], ids=['a fast reader', 'a slow reader'])
@pytest.mark.parametrize('seed', range(4))
def test_all_arrives_once_and_in_order_however_it_is_cut(seed: int, pause: float) -> None:
    body = CHUNKED + b''.join(chunk(event(word)) for word in WORDS) + END
    with server(cut(body, seed)) as url, model_request_stream_sync(model(url), QUESTION) as stream:
        assert ''.join(texts(stream, lambda: time.sleep(pause))) == ''.join(WORDS)[len(WORDS[0]) :]
        assert stream.get().text == ''.join(WORDS)


def count_emits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted = [0]
    emit = Channel.emit

    async def counting(self: Channel[Any], batch: list[Any]) -> None:
        counted[0] += 1
        await emit(self, batch)

    monkeypatch.setattr(Channel, 'emit', counting)
    return counted


@pytest.mark.parametrize('around', [lambda asked: asked, FallbackModel])
def test_no_step_of_a_task_is_made_for_each_event(
    around: Callable[[Model], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    emits = count_emits(monkeypatch)
    with server([CHUNKED, *slow(), END]) as url, model_request_stream_sync(around(model(url)), QUESTION) as stream:
        assert len(list(texts(stream))) == len(WORDS) - 1
    assert emits[0] < len(WORDS) / 3


def test_nor_in_the_stream_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    emits = count_emits(monkeypatch)
    with server([CHUNKED, *slow(), END]) as url, Agent(model(url)).run_stream_sync('Count') as stream:
        assert ''.join(stream.stream_text(delta=True, debounce_by=None)) == ''.join(WORDS)
    assert emits[0] < len(WORDS) / 3


def test_what_arrived_before_a_failure_is_given_first() -> None:
    with server([CHUNKED, *slow()]) as url, model_request_stream_sync(model(url), QUESTION) as stream:
        received = list[str]()
        with pytest.raises(IncompleteStreamError) as caught:
            received.extend(texts(stream))
    assert received == WORDS[1:]
    assert caught.value.partial is not None
    assert caught.value.partial.text == ''.join(WORDS)


@pytest.mark.parametrize('said', [b'data: {"error": {"message": "overloaded"}}\n\n', b'data: {"choices": 3}\n\n'])
def test_an_error_in_the_middle_follows_what_came_before(said: bytes) -> None:
    received, pieces = list[str](), [CHUNKED, *slow()[:60], chunk(event('last ') + said), 0.01, *slow()]
    refused = pytest.raises(AgentRunError, match=r'overloaded|unknown shape|understood')
    with server(pieces) as url, model_request_stream_sync(model(url), QUESTION) as stream, refused as caught:
        received.extend(texts(stream))
    assert received == [*WORDS[1:30], 'last ']
    assert caught.value.partial is not None
    assert caught.value.partial.text == ''.join(WORDS[:30]) + 'last '


def test_a_failure_of_the_decoder_reaches_the_reader_and_not_the_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    choice = ChatStreamDecoder._choice

    def failing(self: Any, given: Any, batch: Any) -> None:
        if given['delta']['content'] == WORDS[40]:
            raise MemoryError('no room')
        choice(self, given, batch)

    monkeypatch.setattr(ChatStreamDecoder, '_choice', failing)
    raised = pytest.raises(MemoryError, match='no room')
    with server([CHUNKED, *slow(), END]) as url, model_request_stream_sync(model(url), QUESTION) as stream, raised:
        list(stream)
    assert caplog.records == []


def test_so_does_a_failure_of_the_event_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    feed = EventStreamDecoder.feed

    def failing(self: EventStreamDecoder, chunk: bytes) -> Any:
        if WORDS[40].encode() in chunk:
            raise MemoryError('no room')
        return feed(self, chunk)

    monkeypatch.setattr(EventStreamDecoder, 'feed', failing)
    raised = pytest.raises(MemoryError, match='no room')
    with server([CHUNKED, *slow(), END]) as url, model_request_stream_sync(model(url), QUESTION) as stream, raised:
        list(stream)
    assert caplog.records == []


def test_an_event_that_is_too_long_is_refused() -> None:
    pieces = [CHUNKED, *slow()[:40], chunk(event('x' * 5000)), *slow(), END]
    too_long = pytest.raises(UnexpectedModelBehavior, match='longer than 2000 bytes')
    with server(pieces) as url:
        asked = model(url, max_event_bytes=2000)
        with model_request_stream_sync(asked, QUESTION) as stream, too_long:
            list(stream)


@pytest.mark.slow
def test_silence_counts_from_the_last_bytes() -> None:
    pieces = [piece for word in WORDS[:10] for piece in (chunk(event(word)), 0.07)]
    with server([CHUNKED, *pieces, 0.8]) as url:
        asked = model(url, idle_timeout=0.5)
        with model_request_stream_sync(asked, QUESTION) as stream, pytest.raises(ModelTimeoutError) as caught:
            list(stream)
    assert caught.value.partial is not None
    assert caught.value.partial.text == ''.join(WORDS[:10])


def test_a_key_that_is_repeated_over_two_reads_is_hidden() -> None:
    halves = event('my sk-secret-key-1')
    middle = halves.index(b'secret')
    spoken = [*slow()[:20], chunk(halves[:middle]), 0.02, chunk(halves[middle:]), 0.02]
    with server([CHUNKED, *spoken, END]) as url, model_request_stream_sync(model(url), QUESTION) as stream:
        said = ''.join(texts(stream))
    assert said.startswith(''.join(WORDS[1:10]) + 'my ')
    assert 'secret' not in said


@pytest.mark.slow
def test_a_reader_that_stays_away_holds_the_server_up() -> None:
    """The socket is not read on: what is kept here is bounded, and comes to nothing less in the end."""
    sent = 0
    big = chunk(event('y' * 20_000))

    def pieces() -> Iterator[Piece]:
        nonlocal sent
        yield CHUNKED
        for _ in range(1500):
            yield big
            sent += 1
        yield END

    with server(pieces()) as url, model_request_stream_sync(model(url), QUESTION) as stream:  # type: ignore[arg-type]
        received = texts(stream)
        first = len(next(received))
        time.sleep(0.5)
        assert sent < 1000  # of 30 MB, what sockets and the channel hold
        assert first + sum(map(len, received)) == 1499 * 20_000


def test_a_stream_that_is_left_ends_its_request() -> None:
    with server([CHUNKED, *slow(0.005), END]) as url, model_request_stream_sync(model(url), QUESTION) as stream:
        received = texts(stream)
        assert [next(received) for _ in range(5)] == WORDS[1:6]
