"""The event stream decoder: every case of the conformance file, however the bytes are cut."""

from __future__ import annotations

import functools
import itertools
import json
import time
from typing import Any

import pytest
from beside import SSE_CASES
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from syncai._transport.sse import EventStreamDecoder, EventTooLargeError


@functools.cache
def cases() -> list[dict[str, Any]]:
    loaded = json.loads(SSE_CASES.read_text())['cases'] if SSE_CASES.exists() else []
    for case in loaded:
        case['bytes'] = ''.join(case['chunks_latin1']).encode('latin-1')
        if case['name'].startswith('big line'):
            case['bytes'] = b'data: ' + b'x' * 1048576 + b'\n\n'
            case['expected'] = [[None, 'x' * 1048576, None, None]]
    return loaded


def decode(pieces: list[bytes]) -> tuple[list[list[Any]], list[Any] | None]:
    decoder = EventStreamDecoder()
    events = [list(event) for piece in pieces for event in decoder.feed(piece)]
    pending = decoder.pending()
    return events, None if pending is None else list(pending)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(points), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@pytest.mark.needs_sse_cases
def test_all_cases_are_there() -> None:
    assert len(cases()) == 63


@pytest.mark.needs_sse_cases
@pytest.mark.parametrize('case', cases(), ids=lambda case: case['name'])
def test_a_case_gives_the_same_under_every_cut(case: dict[str, Any]) -> None:
    data, expected = case['bytes'], (case['expected'], case['pending_at_eof'])
    small = len(data) < 2000
    points = range(len(data) + 1) if small else [0, 1, 5, 6, 7, 99999, len(data) - 2, len(data) - 1, len(data)]
    assert decode([piece.encode('latin-1') for piece in case['chunks_latin1']]) == expected or not small
    for point in points:
        assert decode([data[:point], data[point:]]) == expected
    size = 1 if small else 1024
    assert decode([data[i : i + size] for i in range(0, len(data), size)]) == expected


@pytest.mark.slow
@pytest.mark.needs_sse_cases
@settings(deadline=None, max_examples=examples(300))
@given(st.data())
def test_random_cuts_of_the_cases_change_nothing(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from([case for case in cases() if len(case['bytes']) < 2000]))
    points = data.draw(st.lists(st.integers(0, len(case['bytes'])), max_size=12))
    assert decode(cut(case['bytes'], points)) == (case['expected'], case['pending_at_eof'])


@pytest.mark.needs_sse_cases
@settings(deadline=None, max_examples=examples(30))
@given(st.data())
def test_random_cuts_of_the_case_of_a_megabyte_change_nothing(data: st.DataObject) -> None:
    case = next(case for case in cases() if len(case['bytes']) > 1_000_000)
    points = data.draw(st.lists(st.integers(0, len(case['bytes'])), max_size=50))
    assert decode(cut(case['bytes'], points)) == (case['expected'], case['pending_at_eof'])


PARTS = st.sampled_from(
    [b'data', b'event', b'id', b'retry', b':', b' ', b'\n', b'\r', b'\r\n', b'\n\n', b'x', b'7', b'\xff']
)


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(300))
@given(st.lists(PARTS, max_size=40), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_decode_alike_whole_and_cut(parts: list[bytes], points: list[int]) -> None:
    data = b''.join(parts)
    assert decode(cut(data, [min(point, len(data)) for point in points])) == decode([data])


@pytest.mark.parametrize('size', [7, 1000, 100000])
def test_an_event_that_is_too_large_is_refused_however_it_comes(size: int) -> None:
    data = b'data: ' + b'x' * 5000 + b'\n\n'
    with pytest.raises(EventTooLargeError):
        decoder = EventStreamDecoder(max_event_bytes=4000)
        for start in range(0, len(data), size):
            decoder.feed(data[start : start + size])


def test_many_small_events_may_come_at_once_under_a_small_limit() -> None:
    assert len(EventStreamDecoder(max_event_bytes=20).feed(b'data: x\n\n' * 1000)) == 1000


def test_the_work_grows_with_the_bytes_and_not_with_their_square() -> None:
    def seconds(size: int) -> float:
        decoder, begun = EventStreamDecoder(), time.process_time()
        decoder.feed(b'data: ')
        for _ in range(size // 64):
            decoder.feed(b'x' * 64)
        assert len(decoder.feed(b'\n\n')[0].data) == size // 64 * 64
        return time.process_time() - begun

    small = min(seconds(500_000) for _ in range(3))
    assert min(seconds(4_000_000) for _ in range(3)) < 40 * small  # eight times the bytes; the square would be 64


def bare_json(data: bytes, size: int = 1000) -> str | None:
    decoder = EventStreamDecoder()
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
    decoder.pending()
    found = decoder.bare_json()
    return None if found is None else found.data


def test_json_that_is_no_field_is_kept_apart() -> None:
    error = ['{', '  "error": {', '    "code": 503', '  }', '}']
    for end, last, size in itertools.product(('\r\n', '\n'), ('', '\n'), (1, 5, 1000)):
        stream = f'data: 1{end}{end}{end.join(error)}{last}'.encode()
        assert bare_json(stream, size) == '\n'.join(error)
    assert bare_json(b'what: {\n}\ndata: {\n\n') is None
    kept = bare_json(b'{\n' * 100_000)
    assert kept is not None
    assert len(kept) < 200_000
