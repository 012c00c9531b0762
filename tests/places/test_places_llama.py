"""A real server of llama.cpp, in three wire formats: what it takes and gives is decided by it, and not by a test."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
from pydantic import BaseModel, Field
from serving import Program, only_in_make_places

from syncai import Agent, ModelRetry
from syncai.exceptions import ContextWindowExceeded, UnexpectedModelBehavior
from syncai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import ModelSettings

only_in_make_places()
pytest.importorskip('xllamacpp', reason='the wheel xllamacpp, which has the server, is not installed')
pytest.importorskip('gguf', reason='the package gguf, which writes the model, is not installed')

SHORT: ModelSettings = {'max_tokens': 40}
AMPLE: ModelSettings = {'max_tokens': 3000}
FORMATS = ['chat', 'llamacpp', 'responses', 'anthropic']


class Forecast(BaseModel):
    place: Literal['town', 'city']
    degrees: int = Field(ge=0, le=99)
    rain: bool


@pytest.fixture(scope='module')
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp('llama')
    with Program('python', 'llama_server.py', str(folder / 'tiny.gguf'), log=folder / 'log') as program:
        yield program.serves(r'listening on http://127\.0\.0\.1:(\d+)', path='/health')


@pytest.fixture(params=FORMATS)
def model(request: pytest.FixtureRequest, server: Program) -> Model:
    return model_of(request.param, server)


def model_of(kind: str, server: Program) -> Model:
    url = f'http://127.0.0.1:{server.port}'
    if kind == 'responses':
        return OpenAIResponsesModel('tiny', base_url=f'{url}/v1')
    if kind == 'anthropic':
        return AnthropicModel('tiny', base_url=url, api_key='any')
    provider = 'openai' if kind == 'chat' else kind
    return OpenAIChatModel('tiny', base_url=f'{url}/v1', provider=provider)


def is_idle(server: Program) -> bool:
    return not any(slot['is_processing'] for slot in json.loads(server.get('/slots')))


def forecaster(model: Model, *, forced: bool = False) -> tuple[Agent, list[tuple[str, int]]]:
    """An agent with a tool, and the calls of it."""
    calls: list[tuple[str, int]] = []
    settings: ModelSettings = {**AMPLE, 'tool_choice': 'required'} if forced else AMPLE
    agent = Agent(model, model_settings=settings, system_prompt='Ask for the forecast.')

    @agent.tool_plain
    def forecast(city: Literal['Paris', 'Rome'], days: Literal[1, 2]) -> str:
        """The weather of the next days."""
        calls.append((city, days))
        return 'the rain is on the roof'

    return agent, calls


def calls_in(messages: list[ModelMessage]) -> list[str]:
    return [part.tool_call_id or '' for m in messages for part in m.parts if isinstance(part, ToolCallPart)]


def returns_in(messages: list[ModelMessage]) -> list[str]:
    return [part.tool_call_id or '' for m in messages for part in m.parts if isinstance(part, ToolReturnPart)]


def test_text_whole_and_streamed_over_several_turns(model: Model) -> None:
    agent = Agent(model, system_prompt='Be brief.', model_settings=SHORT)
    first = agent.run_sync('How is the weather?')
    with agent.run_stream_sync('And tomorrow?', message_history=first.all_messages()) as stream:
        pieces = list(stream.stream_text(delta=True, debounce_by=None))
    assert ''.join(pieces) == stream.get_data() != ''
    assert len(pieces) > 1
    last = agent.run_sync('Thanks', message_history=stream.all_messages())
    assert [message.kind for message in last.all_messages()] == ['request', 'response'] * 3
    for usage in (first.usage(), stream.usage(), last.usage()):
        assert usage.request_tokens
        assert 0 < (usage.response_tokens or 0) <= 40


def test_a_refused_answer_goes_back_and_is_asked_for_again(model: Model) -> None:
    agent = Agent(model, model_settings=AMPLE, result_retries=2)
    refused: list[str] = []

    @agent.result_validator
    def twice(data: str) -> str:
        if len(refused) < 2:
            refused.append(data)
            raise ModelRetry('Say it in other words.')
        return data

    result = agent.run_sync('How is the weather?')
    assert len(refused) == 2
    assert result.usage().requests == 3
    assert [message.kind for message in result.all_messages()] == ['request', 'response'] * 3


@pytest.mark.parametrize('forced', [False, True], ids=['', 'forced'])
def test_a_tool_is_called_and_its_return_goes_back(model: Model, forced: bool) -> None:
    agent, calls = forecaster(model, forced=forced)
    first = agent.run_sync('How is the weather?')
    assert calls
    assert calls_in(first.all_messages()) == returns_in(first.all_messages())
    assert len(returns_in(first.all_messages())) == len(calls)
    again = agent.run_sync('Thanks', message_history=first.all_messages())
    assert isinstance(again.all_messages()[-1].parts[-1], TextPart)


def test_a_tool_in_a_stream(model: Model) -> None:
    agent, calls = forecaster(model)
    with agent.run_stream_sync('How is the weather?') as stream:
        text = ''.join(stream.stream_text(delta=True, debounce_by=None))
    assert calls
    assert len(calls) == len(returns_in(stream.all_messages())) == len(calls_in(stream.all_messages()))
    assert text.endswith(stream.get_data())


@pytest.mark.parametrize('mode', ['tool', 'native', 'auto'])
def test_data_is_valid_at_once(model: Model, mode: Literal['tool', 'native', 'auto']) -> None:
    if mode == 'native' and not isinstance(model, OpenAIChatModel):
        pytest.skip('llama.cpp holds to a schema in the chat format alone, and to arguments of tools in all')
    agent = Agent(model, result_type=Forecast, result_mode=mode, result_retries=0, model_settings=AMPLE)
    assert isinstance(agent.run_sync('The weather?').data, Forecast)
    with agent.run_stream_sync('The weather?') as stream:
        states = list(stream.stream(debounce_by=None))
    assert states[-1] == stream.get_data()
    assert isinstance(states[-1], Forecast)


def test_a_cut_answer_is_not_taken_for_a_whole_one(model: Model) -> None:
    """After 40 signs, which end within the arguments. In the format of Responses the server calls it complete."""
    agent = Agent(model, result_type=Forecast, result_mode='tool', result_retries=0, model_settings=SHORT)
    with pytest.raises(UnexpectedModelBehavior, match='raise max_tokens'):
        agent.run_sync('The weather?')
    with pytest.raises(UnexpectedModelBehavior, match='raise max_tokens'), agent.run_stream_sync('Well?') as stream:
        stream.get_data()
    text = Agent(model, model_settings={'max_tokens': 3})  # it never ends so soon
    with text.run_stream_sync('The weather?') as words:
        words.get_data()
    for messages in (text.run_sync('The weather?').all_messages(), words.all_messages()):
        assert isinstance(messages[-1], ModelResponse)
        assert messages[-1].finish_reason == 'length'


def test_a_prompt_that_is_too_long(model: Model) -> None:
    agent = Agent(model, model_settings=SHORT)
    with pytest.raises(ContextWindowExceeded):
        agent.run_sync('rain ' * 4000)
    with pytest.raises(ContextWindowExceeded), agent.run_stream_sync('rain ' * 4000) as stream:
        stream.get_data()


def test_a_stream_that_is_left_frees_its_slot(model: Model, server: Program) -> None:
    agent = Agent(model, model_settings={'max_tokens': 3500, 'extra_body': {'ignore_eos': True}})
    with agent.run_stream_sync('How is the weather?') as stream:
        next(iter(stream.stream_text(delta=True, debounce_by=None)))
    deadline = time.monotonic() + 20
    while not is_idle(server):
        assert time.monotonic() < deadline, 'the server still generates'


def test_fifty_threads(server: Program) -> None:
    models = [model_of(kind, server) for kind in FORMATS]

    def asked(number: int) -> bool:
        model = models[number % len(models)]
        match number % 3:
            case 0:
                return bool(Agent(model, model_settings=SHORT).run_sync('The weather?').data)
            case 1:
                with Agent(model, model_settings=SHORT).run_stream_sync('The weather?') as stream:
                    return ''.join(stream.stream_text(delta=True, debounce_by=None)) == stream.get_data() != ''
            case _:
                agent, calls = forecaster(model)
                return len(returns_in(agent.run_sync('The weather?').all_messages())) == len(calls) > 0

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(asked, range(150)))
    assert is_idle(server)
