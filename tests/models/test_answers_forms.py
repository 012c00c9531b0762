"""Answers in another form than was asked for: whole ones in place of streams, and the reverse, under any content type.

The bodies are those that the model server gives to the other kind of request, so that they are whole in each format.
"""

from __future__ import annotations

import json

import pytest
from faults import GOOD, QUESTION, TEXT, Answer, ask, every_format, faulty, model_of

from syncai.direct import model_request_stream_sync
from syncai.exceptions import AgentRunError, IncompleteStreamError, UnexpectedModelBehavior
from syncai.messages import ModelResponse, PartStartEvent
from syncai.testing import Reply, ToolCall

CALL = Reply('I look. ', tool_calls=[ToolCall('weather', {'city': 'Oslo'})], usage=(11, 5))


def captured(wire: str, reply: Reply, *, streamed: bool) -> tuple[bytes, bytes]:
    """The body of an answer, and its content type."""
    seen: list[tuple[bytes, bytes]] = []

    def keep(answer: Answer) -> None:
        kind = next(line for line in answer.lines if line.lower().startswith(b'content-type:'))
        seen.append((answer.body, kind))
        answer.send(answer.head + answer.wire_body)

    with faulty(keep, reply) as server:
        ask(model_of(wire, server.base_url), streamed)
    return seen[0]


def answered(wire: str, body: bytes, kind: bytes, *, streamed: bool) -> ModelResponse:
    with faulty(lambda answer: answer.measured(body, kind)) as server:
        return ask(model_of(wire, server.base_url), streamed)


@every_format
@pytest.mark.parametrize('streamed', [False, True], ids=['a stream for a whole', 'a whole for a stream'])
@pytest.mark.parametrize('reply', [GOOD, CALL], ids=['text', 'call'])
def test_the_other_form_is_used(wire: str, streamed: bool, reply: Reply) -> None:
    body, kind = captured(wire, reply, streamed=not streamed)
    answer = answered(wire, body, kind, streamed=streamed)
    assert answer.text == ''.join(reply.text)
    assert [call.args_as_dict() for call in answer.tool_calls] == [call.args for call in reply.tool_calls]
    assert (answer.usage.request_tokens, answer.usage.response_tokens) == (11, 5)
    assert answer.finish_reason == ('tool_call' if reply.tool_calls else 'stop')
    assert not answer.incomplete


@pytest.mark.many(5)
@every_format
@pytest.mark.parametrize(
    'kind',
    ['text/event-stream', 'text/plain', 'text/html; charset=UTF-8', 'application/octet-stream', 'application/json'],
)
def test_what_the_body_is_counts_more_than_its_type(wire: str, kind: str) -> None:
    named = b'content-type: ' + kind.encode()
    whole, _ = captured(wire, GOOD, streamed=False)
    for streamed in (False, True):
        assert answered(wire, whole, named, streamed=streamed).text == TEXT
        assert answered(wire, b'\r\n\r\n' + whole, named, streamed=streamed).text == TEXT
    if wire != 'bedrock':  # binary messages are known by their type
        stream, _ = captured(wire, GOOD, streamed=True)
        for streamed in (False, True):
            assert answered(wire, stream, named, streamed=streamed).text == TEXT
            assert answered(wire, b': wait\n\n' + stream, named, streamed=streamed).text == TEXT


@every_format
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_events_as_a_list_and_one_in_a_line(wire: str, streamed: bool) -> None:
    """Gemini streams a list of JSON without `alt=sse` (https://ai.google.dev/api/generate-content), gateways NDJSON."""
    if wire == 'bedrock':
        pytest.skip('its streams are of binary messages')
    body, _ = captured(wire, GOOD, streamed=True)
    data = [line[6:] for line in body.decode().splitlines() if line.startswith('data: ') and 'DONE' not in line]
    for text in (f'[{",".join(data)}]', '\n'.join(data)):
        assert answered(wire, text.encode(), b'content-type: application/json', streamed=streamed).text == TEXT


@every_format
@pytest.mark.parametrize('filler', [b'data:\n\n', b'data: null\n\n', b'event: ping\ndata: \n\n'])
def test_events_that_only_keep_the_connection_open(wire: str, filler: bytes) -> None:
    if wire == 'bedrock':
        pytest.skip('its streams are of binary messages')
    body, kind = captured(wire, GOOD, streamed=True)
    beats = body.replace(b'\r\n', b'\n').replace(b'\n\n', b'\n\n' + filler)
    for ending in (b'[DONE]', b'[DONE] '):  # as the client of OpenAI takes it, with something behind it
        answer = answered(wire, filler + beats.replace(b'[DONE]', ending), kind, streamed=True)
        assert answer.text == TEXT
        assert answer.finish_reason == 'stop'


@every_format
def test_a_whole_answer_as_the_only_event(wire: str) -> None:
    if wire == 'bedrock':
        pytest.skip('its streams are of binary messages')
    for reply in (GOOD, CALL):
        body, _ = captured(wire, reply, streamed=False)
        event = b'data: ' + json.dumps(json.loads(body)).encode() + b'\n\n'
        for sent in (event, event + b'data: [DONE]\n\n'):
            answer = answered(wire, sent, b'content-type: text/event-stream', streamed=True)
            assert answer.text == ''.join(reply.text)
            assert [call.args_as_dict() for call in answer.tool_calls] == [call.args for call in reply.tool_calls]
            assert (answer.usage.request_tokens, answer.usage.response_tokens) == (11, 5)
            assert answer.finish_reason == ('tool_call' if reply.tool_calls else 'stop')


@every_format
def test_a_whole_answer_in_a_stream_is_an_event_for_each_part(wire: str) -> None:
    body, kind = captured(wire, CALL, streamed=False)
    with (
        faulty(lambda answer: answer.measured(body, kind)) as server,
        model_request_stream_sync(model_of(wire, server.base_url), QUESTION) as stream,
    ):
        events = list(stream)
        answer = stream.get()
    assert events == [PartStartEvent(index, part) for index, part in enumerate(answer.parts)]
    assert [part.part_kind for part in answer.parts] == ['text', 'tool-call']


@every_format
def test_a_cut_stream_in_place_of_a_whole_is_no_answer(wire: str) -> None:
    body, kind = captured(wire, GOOD, streamed=True)
    with pytest.raises(AgentRunError) as caught:
        answered(wire, body[: len(body) // 2], kind, streamed=False)
    assert isinstance(caught.value, IncompleteStreamError | UnexpectedModelBehavior)
    assert caught.value.partial is not None
    assert TEXT.startswith(caught.value.partial.text)


REASON = b'upstream connect error or disconnect/reset before headers. reset reason: overflow'


@every_format
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
@pytest.mark.parametrize('kind', ['text/plain', 'text/event-stream'])
def test_a_reason_in_plain_text_is_shown(wire: str, streamed: bool, kind: str) -> None:
    """Envoy's words (https://github.com/envoyproxy/envoy, local replies), as proxies send them with any status."""
    if wire == 'bedrock' and streamed:
        kind = 'text/plain'
    with pytest.raises(AgentRunError, match='reset reason: overflow'):
        answered(wire, REASON, b'content-type: ' + kind.encode(), streamed=streamed)


def test_a_reason_in_plain_text_amid_a_stream_is_shown() -> None:
    chunk = {'choices': [{'index': 0, 'delta': {'content': 'Hel'}}]}
    body = b'data: %s\n\n%s' % (json.dumps(chunk).encode(), REASON)
    with pytest.raises(IncompleteStreamError, match='reset reason: overflow') as caught:
        answered('chat', body, b'content-type: text/event-stream', streamed=True)
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'Hel'
