"""Faults of connections, for every wire format: what is raised, and how often it was tried."""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from faults import TEXT, Answer, Fault, ask, both_forms, every_format, faulty, good, model_of, trickle

from syncai.exceptions import (
    AgentRunError,
    DeadlineExceeded,
    IncompleteStreamError,
    ModelAPIError,
    ModelConnectionError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
)
from syncai.messages import ModelResponse
from syncai.models import Model
from syncai.testing import ModelServer


def reset_before_headers(answer: Answer) -> None:
    answer.reset()


def closed_before_headers(answer: Answer) -> None:
    answer.close()


def reset_inside_headers(answer: Answer) -> None:
    answer.send(answer.head[:30])
    answer.reset()


def closed_inside_headers(answer: Answer) -> None:
    answer.send(answer.head[:30])
    answer.close()


def no_http(answer: Answer) -> None:
    answer.send(b'SSH-2.0-OpenSSH_9.6\r\n\r\n')
    answer.close()


def reset_after_headers(answer: Answer) -> None:
    answer.send(answer.head)
    answer.reset()


def closed_after_headers(answer: Answer) -> None:
    answer.send(answer.head)
    answer.close()


def closed_after_early_hints(answer: Answer) -> None:
    answer.send(b'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n')  # of a gateway: says nothing of the answer
    answer.close()


def closed_inside_the_status(answer: Answer) -> None:
    answer.send(b'HTTP/1.1 2')
    answer.close()


BEFORE_THE_ANSWER = [reset_before_headers, closed_before_headers, closed_after_early_hints]
IN_THE_ANSWER = [
    closed_inside_the_status,
    reset_inside_headers,
    closed_inside_headers,
    no_http,
    reset_after_headers,
    closed_after_headers,
]


@pytest.mark.many(5)
@every_format
@both_forms
@pytest.mark.parametrize('fault', BEFORE_THE_ANSWER, ids=lambda fault: fault.__name__)
def test_before_the_answer_it_is_tried_again(wire: str, streamed: bool, fault: Fault) -> None:
    with faulty(fault) as server, pytest.raises(ModelConnectionError) as caught:
        ask(model_of(wire, server.base_url, max_retries=1), streamed)
    assert (caught.value.attempts, len(server.requests)) == (2, 2)
    assert str(caught.value.host) in server.base_url
    assert not isinstance(caught.value, IncompleteStreamError)

    def only_first(answer: Answer) -> None:
        (fault if answer.number == 1 else good)(answer)

    with faulty(only_first) as server:
        assert ask(model_of(wire, server.base_url, max_retries=1), streamed).text == TEXT
        assert len(server.requests) == 2


@pytest.mark.many(7)
@every_format
@both_forms
@pytest.mark.parametrize('fault', IN_THE_ANSWER, ids=lambda fault: fault.__name__)
def test_once_the_answer_has_begun_it_is_not_asked_for_again(wire: str, streamed: bool, fault: Fault) -> None:
    """The server took the request, so that the provider may have billed it."""
    with faulty(fault) as server, pytest.raises(ModelConnectionError, match='may have billed it') as caught:
        ask(model_of(wire, server.base_url, max_retries=2), streamed)
    assert (caught.value.attempts, len(server.requests)) == (1, 1)
    assert str(caught.value.host) in server.base_url
    assert not isinstance(caught.value, IncompleteStreamError)


@contextmanager
def nobody_listens() -> Iterator[str]:
    with socket.socket() as bound:  # a port that is taken, so that no other test listens there meanwhile
        bound.bind(('127.0.0.1', 0))
        yield f'http://127.0.0.1:{bound.getsockname()[1]}/v1'


@contextmanager
def no_such_name() -> Iterator[str]:
    yield 'http://nowhere.invalid/v1'


@contextmanager
def no_tls() -> Iterator[str]:
    with ModelServer() as server:
        yield server.base_url.replace('http:', 'https:')


@contextmanager
def certificate_of_nobody() -> Iterator[str]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert('localhost').configure_cert(tls)
    with faulty(good, tls=tls) as server:
        yield server.base_url


@every_format
@both_forms
@pytest.mark.parametrize('where', [nobody_listens, no_such_name, no_tls, certificate_of_nobody])
def test_no_connection(wire: str, streamed: bool, where: Any) -> None:
    with where() as url, pytest.raises(ModelConnectionError) as caught:
        ask(model_of(wire, url), streamed)
    assert str(caught.value.host) in url
    assert caught.value.attempts == 1
    assert 'sk-planted' not in f'{caught.value} {caught.value!r} {caught.value.__dict__}'


@every_format
@both_forms
def test_a_certificate_for_another_host_is_refused(wire: str, streamed: bool, tmp_path: Any) -> None:
    authority, bundle = trustme.CA(), tmp_path / 'ca.pem'
    authority.cert_pem.write_to_path(str(bundle))
    for name, right in (('other.example', False), ('localhost', True)):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(tls)
        with faulty(good, tls=tls) as server:
            model = model_of(wire, server.base_url, verify=str(bundle))
            if right:
                assert ask(model, streamed).text == TEXT
                continue
            with pytest.raises(ModelConnectionError, match=r'(?i)certificate'):
                ask(model, streamed)
            assert not server.requests


@pytest.mark.slow
@every_format
@both_forms
def test_silence(wire: str, streamed: bool) -> None:
    def half(answer: Answer) -> None:
        answer.send(answer.head + answer.wire_body[: len(answer.wire_body) // 2])
        answer.wait()

    def headers_only(answer: Answer) -> None:
        answer.send(answer.head)
        answer.wait()

    for fault, phase in ((Answer.wait, 'first event'), (headers_only, 'first event'), (half, 'next event')):
        limits = {'idle_timeout': 0.1} if fault is half else {'first_event_timeout': 0.1}
        with faulty(fault) as server, pytest.raises(ModelTimeoutError) as caught:
            ask(model_of(wire, server.base_url, max_retries=2, **limits), streamed)
        error = caught.value
        assert (error.phase, error.limit, error.attempts, len(server.requests)) == (phase, 0.1, 1, 1)
        assert not isinstance(error, DeadlineExceeded)
        if streamed and fault is half:
            assert error.partial is not None
            assert error.partial.incomplete
            assert TEXT.startswith(error.partial.text)


@pytest.mark.slow
@every_format
@both_forms
def test_a_trickle_is_an_answer_unless_the_deadline_passes(wire: str, streamed: bool) -> None:
    with faulty(trickle) as server:
        assert ask(model_of(wire, server.base_url), streamed).text == TEXT
    with faulty(lambda answer: trickle(answer, 0.01)) as server, pytest.raises(DeadlineExceeded) as caught:
        ask(model_of(wire, server.base_url, idle_timeout=5.0), streamed, timeout=0.3)
    assert caught.value.phase in ('first event', 'next event') if streamed else caught.value.phase == 'model request'


def asked(model: Model, streamed: bool) -> tuple[ModelResponse | None, AgentRunError | None]:
    try:
        return ask(model, streamed), None
    except AgentRunError as error:
        return None, error


def cuts(length: int) -> list[int]:
    """The positions of cuts: all of them at both ends, and some between them, at equal distances."""
    return sorted({*range(1, 6), *range(6, length, max(1, length // 14)), *range(length - 6, length)})


@pytest.mark.many(5)
@every_format
@both_forms
@pytest.mark.parametrize('framing', ['chunked or measured', 'by the end of the connection', 'clean end of the chunks'])
def test_truncated_anywhere_it_is_never_a_success(wire: str, streamed: bool, framing: str) -> None:
    place, after_the_end = 0, 0

    def cut(answer: Answer) -> None:
        if framing == 'chunked or measured':
            answer.send(answer.head + answer.wire_body[:place])
            answer.close()
        elif framing == 'clean end of the chunks':
            body = answer.body[:place]
            head = answer.head_with(b'content-length:', b'transfer-encoding: chunked')
            answer.send(head + b'%x\r\n%s\r\n0\r\n\r\n' % (len(body), body))
        else:
            answer.unframed(answer.body[:place])

    sizes: dict[str, int] = {}

    def measure(answer: Answer) -> None:
        sizes['body'] = len(answer.wire_body if framing == 'chunked or measured' else answer.body)
        good(answer)

    with faulty(measure) as server:
        ask(model_of(wire, server.base_url), streamed)
    with faulty(cut) as server:
        model = model_of(wire, server.base_url)
        for place in cuts(sizes['body']):  # noqa: B007 - read by the server
            response, error = asked(model, streamed)
            if response is not None:  # what was cut came after the provider's sign of the end
                assert (response.text, response.incomplete) == (TEXT, False)
                after_the_end += 1
                continue
            assert isinstance(error, ModelConnectionError | IncompleteStreamError | UnexpectedModelBehavior)
            if streamed and error.partial is not None:
                assert TEXT.startswith(error.partial.text)
                assert error.partial.incomplete
    assert after_the_end <= 22


@every_format
@both_forms
def test_a_chunk_of_no_size(wire: str, streamed: bool) -> None:
    def broken(answer: Answer) -> None:
        head = answer.head_with(b'content-length:', b'transfer-encoding: chunked')
        body = answer.body[: len(answer.body) // 2]
        answer.send(head + b'%x\r\n%s\r\n' % (len(body), body) + b'zz\r\n' + answer.body)
        answer.close()

    with faulty(broken) as server, pytest.raises(ModelAPIError):
        ask(model_of(wire, server.base_url), streamed)


@every_format
@both_forms
def test_http_1_0(wire: str, streamed: bool) -> None:
    def old(answer: Answer) -> None:
        answer.unframed(answer.body, status=b'HTTP/1.0 200 OK')

    with faulty(old) as server:
        model = model_of(wire, server.base_url)
        for _ in range(2):
            assert ask(model, streamed).text == TEXT


@every_format
@both_forms
@pytest.mark.parametrize('how', [Answer.reset, Answer.close])
def test_a_connection_closed_while_idle_is_replaced(wire: str, streamed: bool, how: Any) -> None:
    """The server ends it at the moment at which the second request arrives on it."""

    def keeps_too_short(answer: Answer) -> None:
        if answer.number == 2:
            how(answer)
        good(answer)

    with faulty(keeps_too_short) as server:
        model = model_of(wire, server.base_url, max_retries=2)
        for _ in range(3):
            response = ask(model, streamed)
            assert response.text == TEXT
        assert len(server.requests) == 4


@every_format
@both_forms
def test_a_compressed_answer_is_read_and_a_bomb_bounded(wire: str, streamed: bool) -> None:
    """We ask for none, and some servers pack all the same."""
    bomb = gzip.compress(bytes(1 << 24))
    assert len(bomb) < 20_000

    def compressed(answer: Answer) -> None:
        assert b'accept-encoding: identity' in server.requests[-1].lower()
        answer.measured(gzip.compress(answer.body) if answer.number == 1 else bomb, b'content-encoding: gzip')

    with faulty(compressed) as server:
        model = model_of(wire, server.base_url, max_body_bytes=1 << 20, max_event_bytes=1 << 20)
        assert ask(model, streamed).text == TEXT
        with pytest.raises(UnexpectedModelBehavior, match=r'1048576 bytes|damaged'):
            ask(model, streamed)
