"""Old and odd shapes of answers, used as far as they say something, whole and streamed.

`function_call` and `text` are those of OpenAI until 2023 (https://platform.openai.com/docs/api-reference/chat/object,
deprecated; https://platform.openai.com/docs/api-reference/completions/object); content in parts is Mistral's; a message
without `choices` is that of Ollama's own API (https://github.com/ollama/ollama/blob/main/docs/api.md) and of Cohere's
(https://docs.cohere.com/reference/chat); answers within `result` are Cloudflare's
(https://developers.cloudflare.com/workers-ai/get-started/rest-api/).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from faults import answering, ask, model_of

from syncai import Agent
from syncai.exceptions import AgentRunError, UnexpectedModelBehavior
from syncai.messages import ModelResponse


def choice(message: Any, reason: Any = 'stop', **more: Any) -> dict[str, Any]:
    return {'choices': [{'index': 0, 'message': message, 'finish_reason': reason, **more}]}


def answered(wire: str, body: Any, *, streamed: bool = False) -> ModelResponse:
    with answering(body, kind='text/event-stream' if streamed else 'application/json') as server:
        return ask(model_of(wire, server.base_url), streamed)


def events(*payloads: Any, end: bytes = b'data: [DONE]\n\n') -> bytes:
    return b''.join(b'data: %s\n\n' % json.dumps(payload).encode() for payload in payloads) + end


WHOLE = {
    'content as parts': choice({'content': [{'type': 'text', 'text': 'Hel'}, {'type': 'text', 'text': 'lo'}]}),
    'content as texts': choice({'content': ['Hel', 'lo']}),
    'content as one part': choice({'content': {'type': 'text', 'text': 'Hello'}}),
    'text within an object': choice({'content': [{'type': 'text', 'text': {'value': 'Hello'}}]}),
    'content with parts inside': choice({'content': {'content': [{'text': 'Hello'}]}}),
    'the message is a text': choice('Hello'),
    'a delta for a message': {'choices': [{'delta': {'content': 'Hello'}, 'finish_reason': 'stop'}]},
    'the older completions': {'choices': [{'text': 'Hello', 'index': 0, 'finish_reason': 'stop'}]},
    'content in the choice': {'choices': [{'role': 'assistant', 'content': 'Hello', 'finish_reason': 'stop'}]},
    'choices as one object': {'choices': {'message': {'content': 'Hello'}, 'finish_reason': 'stop'}},
    'choices by number': {'choices': {'0': {'message': {'content': 'Hello'}, 'finish_reason': 'stop'}}},
    'ollama': {'model': 'm', 'message': {'role': 'assistant', 'content': 'Hello'}, 'done': True, 'done_reason': 'stop'},
    'cohere': {'message': {'content': [{'type': 'text', 'text': 'Hello'}]}, 'finish_reason': 'COMPLETE'},
    'within result': {'result': choice({'content': 'Hello'}), 'success': True, 'errors': []},
    'within data': {'code': 0, 'msg': 'ok', 'data': choice({'content': 'Hello'})},
    'a finish reason in capitals': choice({'content': 'Hello'}, 'STOP'),
    'the index of the only choice is 1': {'choices': [{**choice({'content': 'Hello'})['choices'][0], 'index': 1}]},
}


@pytest.mark.parametrize('body', WHOLE.values(), ids=WHOLE)
def test_whole_answers(body: Any) -> None:
    answer = answered('chat', body)
    assert (answer.text, answer.finish_reason, len(answer.parts)) == ('Hello', 'stop', 1)


def test_json_that_the_server_has_read_is_text_again() -> None:
    assert answered('chat', choice({'content': {'name': 'Oslo', 'people': 7}})).text == '{"name":"Oslo","people":7}'
    assert answered('chat', choice({'content': 7})).text == '7'


def piece(delta: Any = None, reason: str | None = None, index: Any = 0, **more: Any) -> dict[str, Any]:
    known = {} if index is None else {'index': index}
    return {'choices': [{**known, **({} if delta is None else {'delta': delta}), 'finish_reason': reason, **more}]}


STREAMS = {
    'the index is always 1': [
        piece({'content': 'Hel'}, index=1),
        piece({'content': 'lo'}, index=1),
        piece({}, 'stop', 1),
    ],
    'the index comes and goes': [
        piece({'content': 'Hel'}, index=None),
        piece({'content': 'lo'}),
        piece({}, 'stop', None),
    ],
    'the older completions': [piece(text='Hel'), piece(text='lo'), piece(reason='stop', text='')],
    'content as parts': [piece({'content': [{'type': 'text', 'text': 'Hel'}]}), piece({'content': ['lo']}, 'stop')],
    'a whole message as an event': [piece(message={'role': 'assistant', 'content': 'Hello'}, reason='stop')],
    'choices as one object': [{'choices': piece({'content': 'Hello'}, 'stop')['choices'][0]}],
    'a message beside each delta': [
        piece({'content': 'Hel'}, message={'content': 'Hel'}),
        piece({'content': 'lo'}, 'stop', message={'content': 'Hello'}),
    ],
    'a whole message after the pieces': [
        piece({'content': 'Hello'}),
        piece(reason='stop', message={'content': 'Hello'}),
    ],
    'two answers': [
        piece({'role': 'assistant', 'content': ''}),
        piece({'role': 'assistant', 'content': ''}, index=1),
        piece({'content': 'Hel'}),
        piece({'content': 'Guten Tag'}, index=1),
        piece({'content': 'lo'}),
        piece({}, 'length', 1),
        piece({}, 'stop'),
    ],
}


@pytest.mark.parametrize('payloads', STREAMS.values(), ids=STREAMS)
def test_streams(payloads: list[Any]) -> None:
    answer = answered('chat', events(*payloads), streamed=True)
    assert (answer.text, answer.finish_reason, len(answer.parts)) == ('Hello', 'stop', 1)


def test_the_call_of_function_call() -> None:
    call = {'name': 'look', 'arguments': '{"city": "Oslo"}'}
    answers = [answered('chat', choice({'content': None, 'function_call': call}, 'function_call'))]
    pieces = [{'name': 'look', 'arguments': ''}, {'arguments': '{"city": '}, {'arguments': '"Oslo"}'}]
    stream = [piece({'function_call': part}) for part in pieces]
    answers.append(answered('chat', events(*stream, piece({}, 'function_call')), streamed=True))
    for answer in answers:
        (call_part,) = answer.tool_calls
        assert (call_part.tool_name, call_part.args_as_dict(), answer.finish_reason) == (
            'look',
            {'city': 'Oslo'},
            'tool_call',
        )
        assert call_part.tool_call_id


def test_an_agent_answers_function_call() -> None:
    first = choice({'content': None, 'function_call': {'name': 'look', 'arguments': '{}'}}, 'function_call')
    with answering(first, choice({'content': 'Oslo'})) as server:
        agent = Agent(model_of('chat', server.base_url))

        @agent.tool_plain
        def look() -> str:
            return 'Oslo'

        assert agent.run_sync('go').data == 'Oslo'


OTHERS = [
    ('responses', {'object': 'response', 'status': 'completed', 'output': [{'role': 'assistant', 'content': 'Hello'}]}),
    ('responses', {'object': 'response', 'status': 'completed', 'output': {'type': 'message', 'content': 'Hello'}}),
    ('responses', {'object': 'response', 'status': 'completed', 'output_text': 'Hello'}),
    ('responses', {'object': 'response', 'output': [{'type': 'message', 'content': [{'text': 'Hello'}]}]}),
    ('anthropic', {'type': 'message', 'role': 'assistant', 'content': 'Hello', 'stop_reason': 'end_turn'}),
    ('google', {'candidates': [{'content': {'parts': {'text': 'Hello'}}, 'finishReason': 'STOP'}]}),
    ('google', {'candidates': [{'content': [{'text': 'Hello'}], 'finishReason': 'STOP'}]}),
    ('google', {'response': {'candidates': [{'content': {'parts': [{'text': 'Hello'}]}, 'finishReason': 'STOP'}]}}),
    ('bedrock', {'output': {'message': {'role': 'assistant', 'content': 'Hello'}}, 'stopReason': 'end_turn'}),
]


@pytest.mark.parametrize(('wire', 'body'), OTHERS)
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_other_formats(wire: str, body: Any, streamed: bool) -> None:
    with answering(body) as server:
        answer = ask(model_of(wire, server.base_url), streamed)
    assert (answer.text, answer.finish_reason) == ('Hello', 'stop')


NOT_UNDERSTOOD = [
    ('chat', choice({'content': [{'type': 'hologram', 'hologram': 'AAAA'}]})),
    ('chat', {'choices': [None]}),
    ('chat', {'choices': 'Hello'}),
    ('chat', {'generated_text': 'Hello'}),
    ('chat', {'id': 'x', 'type': 'message', 'role': 'assistant', 'content': [{'type': 'text', 'text': 'Hello'}]}),
    ('responses', choice({'content': 'Hello'})),
    ('responses', {'object': 'response', 'status': 'completed', 'output': [None, 7, {}]}),
    ('anthropic', choice({'content': 'Hello'})),
    ('anthropic', {'type': 'message', 'content': [{'text': 'Hello'}, 'Hello', None], 'stop_reason': None}),
    ('anthropic', {'type': 'message', 'content': [{'type': 'hologram', 'data': 'A'}], 'stop_reason': 'end_turn'}),
    ('responses', {'object': 'response', 'status': 'completed', 'output': [{'type': 'hologram', 'data': 'AAAA'}]}),
    ('google', {'candidates': [{'content': {'parts': [{'hologram': {'data': 'A'}}]}, 'finishReason': 'STOP'}]}),
    ('google', choice({'content': 'Hello'})),
    ('google', {'candidates': [{}]}),
    ('google', {'candidates': [None]}),
    ('bedrock', choice({'content': 'Hello'})),
    ('bedrock', {'output': {'message': {'content': [{'hologram': {'bytes': 'AAAA'}}]}}, 'stopReason': 'end_turn'}),
]


@pytest.mark.parametrize(('wire', 'body'), NOT_UNDERSTOOD)
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_what_is_not_understood_is_an_error_that_shows_it(wire: str, body: Any, streamed: bool) -> None:
    with answering(body) as server, pytest.raises(AgentRunError) as caught:
        ask(model_of(wire, server.base_url), streamed)
    assert isinstance(caught.value, UnexpectedModelBehavior)
    assert json.dumps(body, separators=(',', ':'))[:40] in str(caught.value)


def test_a_stream_whose_content_is_not_understood_is_no_empty_answer() -> None:
    odd = piece({'content': [{'type': 'hologram', 'hologram': 'AAAA'}]})
    with pytest.raises(UnexpectedModelBehavior, match='hologram'):
        answered('chat', events(odd, piece({}, 'stop')), streamed=True)
