"""AWS event streams: cut anywhere, damaged anywhere, never held without bound; botocore is the witness."""

from __future__ import annotations

import json
import random
import struct
from binascii import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from syncai._transport.aws_events import AwsEventStreamDecoder
from syncai._transport.sse import EventTooLargeError, ServerSentEvent
from syncai.exceptions import UnexpectedModelBehavior
from syncai.testing._wire.bedrock import encode_event

HEADERS = {':event-type': 'contentBlockDelta', ':content-type': 'application/json', ':message-type': 'event'}
PAYLOADS = [{'delta': {'text': 'Grüße 🎉'}}, {}, {'text': 'x' * 700}, {'delta': {'text': '"\\\n'}}]
STREAM = b''.join(encode_event(HEADERS, json.dumps(payload, ensure_ascii=False).encode()) for payload in PAYLOADS)


def decoded(pieces: list[bytes]) -> list[ServerSentEvent]:
    decoder = AwsEventStreamDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.pending()
    return events


def payloads(events: list[ServerSentEvent]) -> list[object]:
    assert {event.event for event in events} <= {'contentBlockDelta'}
    return [json.loads(event.data)['contentBlockDelta'] for event in events]


def test_whole_and_byte_by_byte() -> None:
    assert payloads(decoded([STREAM])) == PAYLOADS
    assert payloads(decoded([STREAM[i : i + 1] for i in range(len(STREAM))])) == PAYLOADS


def test_every_cut_in_two() -> None:
    for cut in range(len(STREAM) + 1):
        assert payloads(decoded([STREAM[:cut], STREAM[cut:]])) == PAYLOADS


def test_random_cuts() -> None:
    rng = random.Random(7)
    for _ in range(300):
        cuts = sorted(rng.sample(range(len(STREAM)), rng.randint(1, 12)))
        assert (
            payloads(decoded([STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)])) == PAYLOADS
        )


def test_an_event_is_given_as_soon_as_it_is_complete() -> None:
    decoder, first = AwsEventStreamDecoder(), encode_event(HEADERS, b'{}')
    assert decoder.feed(first[:-1]) == []
    assert len(decoder.feed(first[-1:] + STREAM[:20])) == 1


def test_botocore_reads_what_the_model_server_writes() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(STREAM)
    read = list(buffer)
    assert [json.loads(event.payload) for event in read] == PAYLOADS
    assert all(event.headers == HEADERS for event in read)


@pytest.mark.many(5)
@pytest.mark.parametrize('at', range(len(encode_event(HEADERS, b'{"text":"hello"}'))))
def test_a_damaged_byte_is_seen_wherever_it_is(at: int) -> None:
    sound = encode_event(HEADERS, b'{"text":"hello"}')
    damaged = sound[:at] + bytes([sound[at] ^ 0x10]) + sound[at + 1 :]
    decoder = AwsEventStreamDecoder()
    with pytest.raises(UnexpectedModelBehavior, match=r'damaged: .*(checksum|contradict)'):
        decoder.feed(damaged)


def test_what_came_before_the_damage_is_given_first() -> None:
    damaged = bytearray(encode_event(HEADERS, b'{}'))
    damaged[-1] ^= 1
    decoder = AwsEventStreamDecoder()
    assert len(decoder.feed(STREAM + damaged)) == len(PAYLOADS)
    with pytest.raises(UnexpectedModelBehavior):
        decoder.pending()
    with pytest.raises(UnexpectedModelBehavior):
        decoder.feed(b'')


def test_lengths_that_contradict_each_other() -> None:
    for total, headers in ((15, 0), (0, 0), (100, 90)):
        prelude = struct.pack('>II', total, headers)
        with pytest.raises(UnexpectedModelBehavior, match='contradict'):
            AwsEventStreamDecoder().feed(prelude + struct.pack('>I', crc32(prelude)))


def test_an_event_too_large_is_refused_by_its_first_bytes() -> None:
    decoder = AwsEventStreamDecoder(max_event_bytes=100)
    event = encode_event(HEADERS, b'x' * 1000)
    assert decoder.feed(event[:11]) == []
    with pytest.raises(EventTooLargeError, match='100 bytes'):
        decoder.feed(event[11:12])


def test_a_web_page_is_no_event_stream() -> None:
    with pytest.raises(UnexpectedModelBehavior) as caught:
        AwsEventStreamDecoder().feed(b'<html>Bad gateway</html>')
    assert 'Bad gateway' in (caught.value.body or '')


def test_headers_of_every_type() -> None:
    def header(name: bytes, kind: int, value: bytes) -> bytes:
        return bytes([len(name)]) + name + bytes([kind]) + value

    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    headers = b''.join(header(b'h', kind, bytes(size)) for kind, size in sizes.items())
    headers += header(b'raw', 6, b'\x00\x02ab') + header(b':event-type', 7, b'\x00\x04name')
    assert [event.event for event in decoded([with_headers(headers)])] == ['name']
    for wrong in (header(b'h', 12, b''), header(b'h', 7, b'\x00\x09ab'), b'\x09h', header(b'h', 5, b'12')):
        with pytest.raises(UnexpectedModelBehavior, match='headers'):
            AwsEventStreamDecoder().feed(with_headers(wrong))


def with_headers(headers: bytes, payload: bytes = b'{}') -> bytes:
    prelude = struct.pack('>II', len(headers) + len(payload) + 16, len(headers))
    message = prelude + struct.pack('>I', crc32(prelude)) + headers + payload
    return message + struct.pack('>I', crc32(message))


def test_exceptions_and_errors() -> None:
    thrown = {':message-type': 'exception', ':exception-type': 'throttlingException'}
    plain = {':message-type': 'error', ':error-code': 'InternalFailure', ':error-message': 'no'}
    events = decoded([encode_event(thrown, b'{"message":"slow"}'), encode_event(plain, b'')])
    assert [json.loads(event.data) for event in events] == [
        {'throttlingException': {'message': 'slow'}},
        {'error': {'code': 'InternalFailure', 'message': 'no'}},
    ]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_give_events_or_our_errors(pieces: list[bytes]) -> None:
    decoder = AwsEventStreamDecoder(1000)
    try:
        for piece in pieces:
            decoder.feed(piece)
    except (UnexpectedModelBehavior, EventTooLargeError):
        pass


def test_a_large_event_in_small_pieces_takes_linear_time() -> None:
    # A million bytes by tens: copying what is held at every piece would move fifty thousand million bytes.
    event = encode_event(HEADERS, json.dumps({'text': 'x' * 1_000_000}).encode())
    assert len(decoded([event[i : i + 10] for i in range(0, len(event), 10)])) == 1
