"""The same script for every wire format: what a program sees does not depend on who answers."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from every_provider import EVERY, PROVIDERS, Make, bedrock
from pydantic import BaseModel

from syncai import Agent
from syncai.content import BinaryContent, ImageUrl
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AuthenticationError,
    BadRequestError,
    IncompleteStreamError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
)
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import Model
from syncai.testing import ModelServer, Reply, ToolCall

QUESTION: list[ModelMessage] = [ModelRequest.user_text_prompt('What is two and two?')]
PIXEL = BinaryContent(
    base64.b64decode(
        'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=='
    ),
    'image/png',
)


FORMS = pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])


def answer(model: Model, streamed: bool, messages: list[ModelMessage] = QUESTION, **options: Any) -> ModelResponse:
    if not streamed:
        return model_request_sync(model, messages, **options)
    with model_request_stream_sync(model, messages, **options) as stream:
        for _ in stream:
            pass
        return stream.get()


def kinds(response: ModelResponse) -> list[type]:
    return [type(part) for part in response.parts]


@EVERY
@FORMS
def test_text_and_usage(model_server: ModelServer, make: Make, streamed: bool) -> None:
    model_server.reply(Reply('Four', ', I ', 'think.', usage=(11, 5)))
    response = answer(make(model_server), streamed)
    assert response.text == 'Four, I think.'
    assert kinds(response) == [TextPart]
    usage = response.usage
    assert (usage.requests, usage.request_tokens, usage.response_tokens, usage.total_tokens) == (1, 11, 5, 16)
    assert response.finish_reason == 'stop'
    assert response.provider_name == make(model_server).system
    assert not response.incomplete


@EVERY
@FORMS
@pytest.mark.parametrize(('given', 'reason'), [('length', 'length'), ('content_filter', 'content_filter')])
def test_stop_reasons(model_server: ModelServer, make: Make, streamed: bool, given: str, reason: str) -> None:
    model_server.reply(Reply('Fo', finish_reason=given))
    assert answer(make(model_server), streamed).finish_reason == reason


@EVERY
@FORMS
def test_parallel_calls(model_server: ModelServer, make: Make, streamed: bool) -> None:
    calls = [ToolCall('add', {'a': 2, 'b': 2}, 'call_a'), ToolCall('add', {'a': 3, 'b': "}{'"}, 'call_b')]
    model_server.reply(Reply('Let me see.', tool_calls=calls))
    response = answer(make(model_server), streamed)
    assert [call.args_as_dict() for call in response.tool_calls] == [{'a': 2, 'b': 2}, {'a': 3, 'b': "}{'"}]
    assert len({call.tool_call_id for call in response.tool_calls}) == 2
    assert response.text == 'Let me see.'
    assert response.finish_reason in ('tool_call', 'stop')  # Google has no word of its own for it


@EVERY
@FORMS
def test_thinking(model_server: ModelServer, make: Make, streamed: bool) -> None:
    model_server.reply(Reply('Four', thinking=['Two and ', 'two...'], thinking_signature='c2lnbmF0dXJl'))
    response = answer(make(model_server), streamed)
    assert response.thinking == 'Two and two...'
    assert response.text == 'Four'


@EVERY
def test_images(model_server: ModelServer, make: Make) -> None:
    model_server.reply(Reply('A dot.'))
    address = 's3://examples/dot.png' if make is bedrock else 'https://example.com/dot.png'
    prompt = UserPromptPart(['What is this?', PIXEL, ImageUrl(address)])
    assert answer(make(model_server), False, [ModelRequest([prompt])]).text == 'A dot.'
    body = model_server.requests[0].body.decode()
    assert PIXEL.base64 in body
    assert address in body


STATUSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
    500: ServerError,
    503: OverloadedError,
}


@pytest.mark.many(7)
@EVERY
@FORMS
@pytest.mark.parametrize('status', STATUSES)
def test_statuses(model_server: ModelServer, make: Make, streamed: bool, status: int) -> None:
    model_server.reply(Reply(status=status, headers={'retry-after': '7'} if status == 429 else {}))
    model = make(model_server)
    with pytest.raises(STATUSES[status]) as caught:
        answer(model, streamed)
    error = caught.value
    assert isinstance(error, ModelHTTPError)
    assert (error.status_code, error.provider, error.model_name) == (status, model.system, model.model_name)
    assert error.attempts == 1
    assert error.retry_after == (7 if status == 429 else None)


@EVERY
@pytest.mark.parametrize('ending', ['eof', 'cut', 'reset'])
def test_a_stream_cut_short(model_server: ModelServer, make: Make, ending: Any) -> None:
    model_server.reply(Reply('Four', ', I ', 'think.', ending=ending))
    with pytest.raises(IncompleteStreamError) as caught:
        answer(make(model_server), True)
    assert caught.value.partial is not None
    assert caught.value.partial.incomplete
    assert 'Four, I think.'.startswith(caught.value.partial.text)


@EVERY
@FORMS
def test_an_error_within_the_answer(model_server: ModelServer, make: Make, streamed: bool) -> None:
    model_server.reply(Reply('Four', ending='error'))
    with pytest.raises(ServerError) as caught:
        answer(make(model_server), streamed)
    if streamed:
        assert caught.value.partial is not None
        assert caught.value.partial.text == 'Four'


@EVERY
@FORMS
def test_malformed_json(model_server: ModelServer, make: Make, streamed: bool) -> None:
    model_server.reply(Reply('Four', ', I ', 'think.', malformed_event_at=1))
    with pytest.raises(UnexpectedModelBehavior):
        answer(make(model_server), streamed)


@pytest.mark.many(5)
@EVERY
@FORMS
@pytest.mark.parametrize('cut', [1, 7])
def test_bytes_cut_anywhere(model_server: ModelServer, make: Make, streamed: bool, cut: int) -> None:
    call = ToolCall('add', {'text': 'zwölf 🎂', 'b': [1, {'c': None}]}, pieces=5)
    model_server.reply(Reply('Höre', ' zu: ', tool_calls=[call], usage=(3, 4), cut_bytes=cut))
    response = answer(make(model_server), streamed)
    assert response.text == 'Höre zu: '
    assert response.tool_calls[0].args_as_dict() == {'text': 'zwölf 🎂', 'b': [1, {'c': None}]}


# --- agents -----------------------------------------------------------------------------------------------------------


class City(BaseModel):
    name: str
    inhabitants: int


def finder(model: Model, **options: Any) -> Agent[Any, Any]:
    agent: Agent[Any, Any] = Agent(model, result_type=City, system_prompt='Look it up.', **options)

    @agent.tool_plain
    def count(city: str) -> int:
        """Counts the people in a city."""
        return {'Paris': 2_100_000, 'Bern': 134_000}[city]

    return agent


def script() -> list[Reply]:
    return [
        Reply(
            'I look it up.',
            thinking=['Hm.'],
            thinking_signature='c2ln',
            tool_calls=[ToolCall('count', {'city': 'Paris'}), ToolCall('count', {'city': 'Bern'}, 'call_1')],
            usage=(20, 5),
        ),
        Reply(tool_calls=[ToolCall('final_result', {'name': 'Paris', 'inhabitants': 2_100_000})], usage=(40, 9)),
    ]


@EVERY
@pytest.mark.parametrize('form', ['sync', 'async', 'stream', 'async stream'])
def test_the_loop_of_tools_to_a_structured_result(model_server: ModelServer, make: Make, form: str) -> None:
    model_server.reply(*script())
    agent, prompt = finder(make(model_server)), 'Which is larger, Paris or Bern?'

    async def streamed() -> Any:
        async with agent.run_stream(prompt) as stream:
            return await stream.get_data(), stream.usage(), stream.all_messages()

    if form == 'stream':
        with agent.run_stream_sync(prompt) as stream:
            data, usage, messages = stream.get_data(), stream.usage(), stream.all_messages()
    elif form == 'async stream':
        data, usage, messages = asyncio.run(streamed())
    else:
        result = agent.run_sync(prompt) if form == 'sync' else asyncio.run(agent.run(prompt))
        data, usage, messages = result.data, result.usage(), result.all_messages()
    assert data == City(name='Paris', inhabitants=2_100_000)
    assert (usage.requests, usage.request_tokens, usage.response_tokens) == (2, 60, 14)
    assert [part.content for part in messages[2].parts if isinstance(part, ToolReturnPart)] == [2_100_000, 134_000]


@EVERY
def test_a_structured_result_by_the_provider_s_own_schema(model_server: ModelServer, make: Make) -> None:
    model_server.reply(Reply('{"name": "Bern", ', '"inhabitants": 134000}'))
    agent = Agent(make(model_server), result_type=City, result_mode='native')
    assert agent.run_sync('Bern?').data == City(name='Bern', inhabitants=134_000)
    assert 'inhabitants' in model_server.requests[0].body.decode()


@EVERY
def test_a_structured_result_asked_for_in_words(model_server: ModelServer, make: Make) -> None:
    model_server.reply(Reply('```json\n{"name": "Bern", "inhabitants": 134000}\n```'))
    agent = Agent(make(model_server), result_type=City, result_mode='prompted')
    assert agent.run_sync('Bern?').data == City(name='Bern', inhabitants=134_000)


@EVERY
def test_arguments_that_do_not_fit_go_back(model_server: ModelServer, make: Make) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('final_result', {'name': 'Bern'})]),
        Reply(tool_calls=[ToolCall('final_result', {'name': 'Bern', 'inhabitants': 134_000})]),
    )
    assert finder(make(model_server)).run_sync('Bern?').data.inhabitants == 134_000
    assert 'Field required' in model_server.requests[1].body.decode()


# --- from one to another ----------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize('other', PROVIDERS, ids=lambda make: f'to {make.__name__}')
def test_a_conversation_goes_on_with_any_other(model_server: ModelServer, make: Make, other: Make) -> None:
    model_server.reply(*script(), Reply('You are welcome.'))
    first = finder(make(model_server)).run_sync('Which is larger, Paris or Bern?')
    second = Agent(other(model_server)).run_sync('Thank you.', message_history=first.all_messages())
    assert second.data == 'You are welcome.'
    body = model_server.requests[-1].body.decode()
    for words in ('Look it up.', 'Which is larger', 'I look it up.', 'Bern', '134000', 'Thank you.'):
        assert words in body


@EVERY
@pytest.mark.parametrize('other', PROVIDERS, ids=lambda make: f'to {make.__name__}')
def test_open_calls_of_one_are_answered_to_another(model_server: ModelServer, make: Make, other: Make) -> None:
    model_server.reply(script()[0], script()[1])
    opened = model_request_sync(make(model_server), QUESTION)
    history: list[ModelMessage] = [*QUESTION, opened]
    assert [call.tool_name for call in opened.parts if isinstance(call, ToolCallPart)] == ['count', 'count']
    assert [part.content for part in opened.parts if isinstance(part, ThinkingPart)] == ['Hm.']
    assert finder(other(model_server)).run_sync(message_history=history).data.name == 'Paris'
