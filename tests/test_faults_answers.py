"""Faults of answers, for every wire format: their status, their hints, their type, their size and their sense."""

from __future__ import annotations

import email.utils
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from faults import GOOD, KEY, TEXT, Answer, Fault, ask, both_forms, every_format, faulty, good, model_of

from syncai.exceptions import (
    AuthenticationError,
    BadRequestError,
    DeadlineExceeded,
    IncompleteStreamError,
    ModelAPIError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
)
from syncai.testing import ModelServer, Reply

CLASSES: dict[int, type[ModelHTTPError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: ServerError,
    409: BadRequestError,
    413: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}


@pytest.mark.slow
@pytest.mark.many(7)
@every_format
@both_forms
@pytest.mark.parametrize('body', ["the provider's own", 'none', 'a web page', 'an object of another shape'])
def test_every_error_status(wire: str, streamed: bool, body: str) -> None:
    """All from 400 to 599; every seventh where the body is none of the provider's."""
    status = 0

    def refused(answer: Answer) -> None:
        line = b'HTTP/1.1 %d Refused' % status
        if body == "the provider's own":
            answer.measured(answer.body, status=line)
        elif body == 'none':
            answer.measured(b'', b'content-type:', status=line)
        elif body == 'a web page':
            answer.measured(b'<html><h1>Bad gateway</h1></html>', b'content-type: text/html', status=line)
        else:
            answer.measured(b'{"error":[[{"x":null}],7],"message":{"deep":[]},"code":{}}', status=line)

    with faulty(refused, Reply(status=418)) as server:
        model = model_of(wire, server.base_url)
        for status in range(400, 600, 1 if body == "the provider's own" and not streamed else 7):
            with pytest.raises(ModelHTTPError) as caught:
                ask(model, streamed)
            error = caught.value
            assert (error.status_code, error.attempts) == (status, 1)
            assert isinstance(error, CLASSES.get(status, ServerError if status >= 500 else ModelHTTPError))
            assert KEY not in f'{error} {error!r} {error.__dict__}'


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


RETRY_INFO = {
    'error': {
        'code': 429,
        'status': 'RESOURCE_EXHAUSTED',
        'message': 'slow down',
        'details': [{'@type': 'type.googleapis.com/google.rpc.RetryInfo', 'retryDelay': '7.5s'}],
    }
}
HINTS: list[tuple[str, Any, dict[str, Any], float | None]] = [
    ('seconds', lambda: {'retry-after': '7'}, {}, 7),
    ('a part of a second', lambda: {'retry-after': '0.25'}, {}, 0.25),
    ('a date', lambda: {'retry-after': email.utils.format_datetime(in_seconds(20), usegmt=True)}, {}, 20),
    (
        'a date that has passed',
        lambda: {'retry-after': email.utils.format_datetime(in_seconds(-9), usegmt=True)},
        {},
        None,
    ),
    ('milliseconds', lambda: {'retry-after-ms': '1500', 'retry-after': '2'}, {}, 1.5),
    ('RetryInfo', dict, RETRY_INFO, 7.5),
    ('a duration', lambda: {'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1m2s'}, {}, None),
    ('a short one', lambda: {'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '12ms'}, {}, 0.012),
    (
        'a date of Anthropic',
        lambda: {
            'anthropic-ratelimit-tokens-remaining': '0',
            'anthropic-ratelimit-tokens-reset': in_seconds(30).isoformat(),
        },
        {},
        30,
    ),
    ('one without a number', lambda: {'retry-after': 'soon', 'x-ratelimit-reset-requests': '-'}, {}, None),
    ('none', dict, {}, None),
]


@every_format
@both_forms
def test_every_hint_of_a_429(wire: str, streamed: bool) -> None:
    for name, headers, body, seconds in HINTS:
        reply = Reply(status=429, headers=headers(), body=body or None)
        with ModelServer(reply) as server, pytest.raises(RateLimitError) as caught:
            ask(model_of(wire, server.base_url), streamed)
        wait = caught.value.retry_after
        assert wait is None if seconds is None else wait == pytest.approx(seconds, abs=1.5), name


@pytest.mark.slow
@every_format
@both_forms
@pytest.mark.parametrize(
    'headers',
    [
        {'retry-after': '0.2'},
        {'retry-after-ms': '200'},
        {'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '200ms'},
    ],
)
def test_a_hint_is_waited_for(wire: str, streamed: bool, headers: dict[str, str]) -> None:
    with ModelServer([Reply(status=429, headers=headers), GOOD]) as server:
        assert ask(model_of(wire, server.base_url, max_retries=1), streamed).text == TEXT
        first, second = (request.received_at for request in server.requests)
    assert second - first >= 0.19


@every_format
@both_forms
@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_key_goes_with_it(wire: str, streamed: bool, status: int) -> None:
    with ModelServer(GOOD) as elsewhere:
        target = f'{elsewhere.base_url}/somewhere?secret=of-theirs'
        with (
            ModelServer(Reply(status=status, headers={'location': target}, body='')) as server,
            pytest.raises(ModelHTTPError, match='Redirects are not followed') as caught,
        ):
            ask(model_of(wire, server.base_url, max_retries=2), streamed)
        assert f'{elsewhere.base_url}/somewhere' in str(caught.value)
        assert 'of-theirs' not in str(caught.value)
        assert not elsewhere.requests
        assert elsewhere.connections_accepted == 0


def web_page(answer: Answer) -> None:
    answer.measured(b'<!doctype html><title>Log in</title>', b'content-type: text/html; charset=utf-8')


def web_page_in_disguise(answer: Answer) -> None:
    answer.measured(b' \n<html>Log in</html>')


def not_json(answer: Answer) -> None:
    answer.measured(b'data: {"choi\n\nnonsense \xff\xfe\x00')


def empty(answer: Answer) -> None:
    answer.measured(b'')


def another_json(answer: Answer) -> None:
    answer.measured(b'{"detail":"welcome"}', b'content-type: application/json')


def a_list(answer: Answer) -> None:
    answer.measured(b'[1,2,3]', b'content-type: application/json')


def deep(answer: Answer) -> None:
    answer.measured(b'{"choices":' * 5000, b'content-type: application/json')


SENSELESS = [web_page, web_page_in_disguise, not_json, empty, another_json, a_list, deep]


@every_format
@both_forms
@pytest.mark.parametrize('fault', SENSELESS, ids=lambda fault: fault.__name__)
def test_an_answer_without_sense(wire: str, streamed: bool, fault: Fault) -> None:
    with faulty(fault) as server:
        with pytest.raises((UnexpectedModelBehavior, IncompleteStreamError)) as caught:
            ask(model_of(wire, server.base_url, max_retries=2), streamed)
        assert len(server.requests) == 1
    if fault in (web_page, web_page_in_disguise):
        assert 'Log in' in str(caught.value)


@every_format
@both_forms
@pytest.mark.parametrize('kind', ['text/plain', 'application/octet-stream', ''])
def test_a_content_type_that_only_says_nothing(wire: str, streamed: bool, kind: str) -> None:
    with faulty(lambda answer: answer.measured(answer.body, f'content-type:{kind}'.encode())) as server:
        assert ask(model_of(wire, server.base_url), streamed).text == TEXT


@pytest.mark.slow
@every_format
def test_an_event_of_20_megabytes(wire: str) -> None:
    with ModelServer(Reply('small', big_event_bytes=20_000_000)) as server:
        assert len(ask(model_of(wire, server.base_url), True).text) >= 20_000_000
        for streamed, limit in ((True, 'max_event_bytes'), (False, 'max_body_bytes')):
            with pytest.raises(UnexpectedModelBehavior, match=limit) as caught:
                ask(model_of(wire, server.base_url, **{limit: 1_000_000}), streamed)
            assert len(str(caught.value)) < 5000


def endless(piece: bytes, head: bytes | None = None) -> Fault:
    def answer_for_ever(answer: Answer) -> None:
        answer.send(head or answer.head_with(b'content-length:', b'transfer-encoding: chunked'))
        while True:
            answer.send(b'%x\r\n%s\r\n' % (len(piece), piece))

    return answer_for_ever


@every_format
@both_forms
def test_a_body_without_end(wire: str, streamed: bool) -> None:
    limits = {'max_body_bytes': 1_000_000, 'max_event_bytes': 1_000_000}
    piece = b'a' * 65_536 if wire != 'bedrock' else b'\x7f' * 65_536
    with faulty(endless(piece)) as server, pytest.raises(UnexpectedModelBehavior):
        ask(model_of(wire, server.base_url, **limits), streamed)


@every_format
@both_forms
def test_an_error_without_end(wire: str, streamed: bool) -> None:
    head = b'HTTP/1.1 500 X\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n'
    with faulty(endless(b'no ' * 10_000, head)) as server, pytest.raises(ServerError) as caught:
        ask(model_of(wire, server.base_url), streamed)
    assert len(str(caught.value)) < 5000


@pytest.mark.slow
@pytest.mark.parametrize('wire', ['chat', 'responses', 'anthropic', 'google'])
def test_only_the_deadline_ends_pings_without_end(wire: str) -> None:
    def pings(answer: Answer) -> None:
        answer.send(answer.head)
        while True:
            answer.send(b'8\r\n: ping\n\n\r\n')
            time.sleep(0.005)

    with faulty(pings) as server, pytest.raises(DeadlineExceeded) as caught:
        ask(model_of(wire, server.base_url, idle_timeout=0.2), True, timeout=0.5)
    assert caught.value.phase == 'first event'


@every_format
@both_forms
def test_headers_without_end(wire: str, streamed: bool) -> None:
    def headers(answer: Answer) -> None:
        answer.send(b'HTTP/1.1 200 OK\r\n')
        number = 0
        while True:
            number += 1
            answer.send(b'x-%d: %s\r\n' % (number, b'y' * 8000))

    def one_header(answer: Answer) -> None:
        answer.send(b'HTTP/1.1 200 OK\r\nx: ')
        while True:
            answer.send(b'y' * 65_536)

    for fault in (headers, one_header):
        with faulty(fault) as server, pytest.raises((ModelAPIError, UnexpectedModelBehavior)):
            ask(model_of(wire, server.base_url, first_event_timeout=1.0), streamed)


@every_format
@both_forms
def test_an_error_that_repeats_the_key(wire: str, streamed: bool) -> None:
    def echo(answer: Answer) -> None:
        answer.measured(json.dumps({'error': {'message': f'invalid key {KEY}'}}).encode(), status=b'HTTP/1.1 401 No')

    with faulty(echo) as server, pytest.raises(AuthenticationError) as caught:
        ask(model_of(wire, server.base_url), streamed)
    assert KEY not in f'{caught.value} {caught.value!r} {caught.value.__dict__}'
    with faulty(good) as server:
        ask(model_of(wire, server.base_url), streamed)
        assert KEY.encode() in server.requests[0]  # it was sent, and in a header
        assert KEY.encode() not in server.requests[0].partition(b'\r\n')[0]
