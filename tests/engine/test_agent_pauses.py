"""Answers that a provider interrupts and goes on with when it gets them back.

Anthropic: "Continue the conversation by sending the response back as-is"
(https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn), in the same container
(https://github.com/enricoros/big-AGI/issues/1010 has the traffic). Gemini: the same contents with `continuationToken`,
as google-genai 3.6 does (`_generate_content_with_continuation`).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from faults import answering, ask, model_of, sent
from pydantic import BaseModel

from syncai import Agent, UsageLimits
from syncai._base.pauses import is_pause
from syncai.direct import model_request_sync
from syncai.events import FinalResultEvent
from syncai.exceptions import UsageLimitExceeded
from syncai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    PartStartEvent,
    TextPart,
)

SEARCH = {'type': 'server_tool_use', 'id': 'srvtoolu_1', 'name': 'web_search', 'input': {'query': 'capital'}}
LATER = {'id': 'container_1', 'expires_at': '2999-01-01T00:00:00Z'}


class City(BaseModel):
    name: str


def said(text: str) -> dict[str, Any]:
    return {'type': 'text', 'text': text}


def message(reason: str, *content: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {'input_tokens': 3, 'output_tokens': 2}
    return {
        'type': 'message',
        'role': 'assistant',
        'content': [*content],
        'stop_reason': reason,
        'usage': usage,
        **more,
    }


def events(reason: str, *texts: str) -> bytes:
    items: list[dict[str, Any]] = [{'type': 'message_start', 'message': message('', container=LATER)}]
    for index, text in enumerate(texts):
        items.append({'type': 'content_block_start', 'index': index, 'content_block': said('')})
        items.append({'type': 'content_block_delta', 'index': index, 'delta': {'type': 'text_delta', 'text': text}})
        items.append({'type': 'content_block_stop', 'index': index})
    items += [{'type': 'message_delta', 'delta': {'stop_reason': reason}, 'usage': {}}, {'type': 'message_stop'}]
    return b''.join(b'event: %s\ndata: %s\n\n' % (i['type'].encode(), json.dumps(i).encode()) for i in items)


@pytest.mark.parametrize('reason', ['pause_turn', 'compaction', 'pause_for_review', 'TO_BE_CONTINUED'])
def test_the_answer_goes_back_unchanged_and_is_one_with_the_next(reason: str) -> None:
    half, rest = message(reason, said('The capital is Pa'), SEARCH, container=LATER), message('end_turn', said('ris.'))
    with answering(half, rest) as server:
        result = Agent(model_of('anthropic', server.base_url)).run_sync('Which?')
        question, answer = sent(server, 1)['messages']
    assert (question['role'], answer) == ('user', {'role': 'assistant', 'content': half['content']})
    assert sent(server, 1)['container'] == 'container_1'
    assert 'container' not in sent(server, 0)
    assert result.data == 'The capital is Paris.'
    assert (result.usage().requests, result.usage().total_tokens) == (2, 10)
    assert [type(m) for m in result.all_messages()] == [ModelRequest, ModelResponse, ModelResponse]
    assert ModelMessagesTypeAdapter.validate_json(result.all_messages_json()) == result.all_messages()
    assert (result.response.finish_reason, result.response.paused) == ('stop', False)


def test_a_direct_call_gives_the_interrupted_answer() -> None:
    with answering(message('pause_turn', SEARCH)) as server:
        answer = ask(model_of('anthropic', server.base_url), False)
    assert answer.paused
    assert (answer.finish_reason, answer.provider_finish_reason) == (None, 'pause_turn')
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    'texts',
    [('{"name": "Pa', 'ris"}'), ('I look it up. ', '{"name": "Paris"}')],
    ids=['cut in the middle', 'whole in the last'],
)
def test_json_after_a_pause(texts: tuple[str, str]) -> None:
    bodies = [message('pause_turn', said(texts[0]), SEARCH), message('end_turn', said(texts[1]))]
    with answering(*bodies) as server:
        agent = Agent(model_of('anthropic', server.base_url), result_type=City, result_mode='prompted')
        assert agent.run_sync('Which?').data == City(name='Paris')
        assert len(server.requests) == 2


STREAMS = (events('pause_turn', 'I ', 'look. '), events('end_turn', 'Pa', 'ris.'))


def test_the_stream_shows_one_answer() -> None:
    with answering(*STREAMS, kind='text/event-stream') as server:
        agent = Agent(model_of('anthropic', server.base_url))
        with agent.run_stream_sync('Which?') as stream:
            assert ''.join(stream.stream_text(delta=True, debounce_by=None)) == 'I look. Paris.'
            assert stream.get_data() == 'I look. Paris.'
    assert sent(server, 1)['container'] == 'container_1'


def test_whole_texts_of_a_stream_grow_over_a_pause() -> None:
    with answering(*STREAMS, kind='text/event-stream') as server:
        agent = Agent(model_of('anthropic', server.base_url))
        with agent.run_stream_sync('Which?') as stream:
            texts = list(stream.stream_text(debounce_by=None))
    assert texts == ['I ', 'I look. ', 'I look. Pa', 'I look. Paris.']


def test_the_events_of_a_stream_are_those_of_one_answer() -> None:
    with (
        answering(*STREAMS, kind='text/event-stream') as server,
        Agent(model_of('anthropic', server.base_url)).run_stream_events_sync('Which?') as stream,
    ):
        seen = list(stream)
    assert [event.index for event in seen if isinstance(event, PartStartEvent)] == [0, 1, 2, 3]
    assert sum(isinstance(event, FinalResultEvent) for event in seen) == 1


def test_pauses_without_end_reach_the_limit_of_requests() -> None:
    with answering(message('pause_turn', said('More.'), SEARCH)) as server:
        agent = Agent(model_of('anthropic', server.base_url))
        with pytest.raises(UsageLimitExceeded, match='request_limit') as caught:
            agent.run_sync('Which?', usage_limits=UsageLimits(request_limit=3))
        assert len(server.requests) == 3
    assert caught.value.messages is not None
    assert [m.kind for m in caught.value.messages] == ['request', 'response', 'response', 'response']


def test_a_history_that_ends_in_a_pause_goes_on() -> None:
    with answering(message('pause_turn', said('Pa'), SEARCH), message('end_turn', said('ris.'))) as server:
        model = model_of('anthropic', server.base_url)
        half = model_request_sync(model, [ModelRequest.user_text_prompt('Which?')])
        result = Agent(model).run_sync(message_history=[ModelRequest.user_text_prompt('Which?'), half])
    assert result.data == 'Paris.'
    assert result.new_messages() == [result.response]


def test_a_call_that_stays_open_is_left_out_when_the_user_goes_on() -> None:
    result_block = {'type': 'web_search_tool_result', 'tool_use_id': 'srvtoolu_0', 'content': []}
    done = {**SEARCH, 'id': 'srvtoolu_0'}
    for content in (
        [said('I look.'), done, result_block, {**SEARCH, 'id': 'srvtoolu_7'}],
        [{**SEARCH, 'id': 'srvtoolu_8'}],
    ):
        with answering(message('pause_turn', *content), message('end_turn', said('Fine.'))) as server:
            model = model_of('anthropic', server.base_url)
            half = model_request_sync(model, [ModelRequest.user_text_prompt('Which?')])
            history: list[ModelMessage] = [ModelRequest.user_text_prompt('Which?'), half]
            assert Agent(model).run_sync('Never mind.', message_history=history).data == 'Fine.'
            turns = sent(server, 1)['messages']
        if len(content) > 1:
            assert turns[1] == {'role': 'assistant', 'content': content[:-1]}
        assert [turn['role'] for turn in turns] == (['user', 'assistant', 'user'] if len(content) > 1 else ['user'])
        assert turns[-1]['content'][-1] == said('Never mind.')


@pytest.mark.parametrize(
    ('container', 'asked', 'expected'),
    [
        (LATER, {'skills': [{'skill_id': 'pptx'}]}, {'skills': [{'skill_id': 'pptx'}], 'id': 'container_1'}),
        (LATER, 'container_2', 'container_2'),
        ({**LATER, 'expires_at': '2025-01-01T00:00:00Z'}, None, None),
    ],
    ids=['beside skills', 'another one is asked for', 'it has expired'],
)
def test_the_container_of_the_second_request(container: Any, asked: Any, expected: Any) -> None:
    with answering(message('pause_turn', SEARCH, container=container), message('end_turn', said('Paris.'))) as server:
        settings: Any = {'anthropic_container': asked} if asked else None
        Agent(model_of('anthropic', server.base_url)).run_sync('Which?', model_settings=settings)
        assert sent(server, 1).get('container') == expected


def gemini(reason: str, text: str, **more: Any) -> dict[str, Any]:
    return {'candidates': [{'content': {'parts': [{'text': text}]}, 'finishReason': reason, **more}]}


@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_gemini_goes_on_for_its_token(streamed: bool) -> None:
    bodies = [
        gemini('CONTINUATION', 'Pa', continuationToken='AAA='),
        gemini('CONTINUATION', 'r', continuationToken='BBB='),
    ]
    with answering(*bodies, gemini('STOP', 'is.')) as server:
        agent = Agent(model_of('google', server.base_url))
        if streamed:
            with agent.run_stream_sync('Which?') as stream:
                assert stream.get_data() == 'Paris.'
        else:
            assert agent.run_sync('Which?').data == 'Paris.'
    assert [sent(server, n).get('continuationToken') for n in range(3)] == [None, 'AAA=', 'BBB=']
    assert [sent(server, n)['contents'] for n in range(3)] == [sent(server, 0)['contents']] * 3


CHAT = {'choices': [{'message': {'content': 'Pa'}, 'finish_reason': 'paused'}]}
RESPONSES = {
    'object': 'response',
    'status': 'incomplete',
    'incomplete_details': {'reason': 'max_messages'},
    'output': [{'type': 'message', 'content': [{'type': 'output_text', 'text': 'Pa'}]}],
}
CONVERSE = {'output': {'message': {'role': 'assistant', 'content': [{'text': 'Pa'}]}}, 'stopReason': 'pause_turn'}


@pytest.mark.parametrize(
    ('wire', 'half', 'rest', 'field'),
    [
        ('chat', CHAT, {'choices': [{'message': {'content': 'ris.'}, 'finish_reason': 'stop'}]}, 'messages'),
        (
            'responses',
            RESPONSES,
            {'object': 'response', 'status': 'completed', 'output': [{'type': 'message', 'content': 'ris.'}]},
            'input',
        ),
        (
            'bedrock',
            CONVERSE,
            {'output': {'message': {'role': 'assistant', 'content': [{'text': 'ris.'}]}}, 'stopReason': 'end_turn'},
            'messages',
        ),
    ],
    ids=['chat', 'responses', 'bedrock'],
)
def test_words_of_other_formats_that_mean_the_same(wire: str, half: Any, rest: Any, field: str) -> None:
    with answering(half, rest) as server:
        assert Agent(model_of(wire, server.base_url)).run_sync('Which?').data == 'Paris.'
        last = sent(server, 1)[field][-1]
    assert last['role'] == 'assistant'
    assert 'Pa' in json.dumps(last)


@pytest.mark.parametrize('reason', [None, 'stop', 'discontinued', 'max_tokens', 'length', 'completed'])
def test_words_that_are_no_pause(reason: str | None) -> None:
    assert not is_pause(reason)
    assert not ModelResponse([TextPart('a')], provider_finish_reason=reason).paused
