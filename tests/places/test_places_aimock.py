"""The mock server aimock, in five wire formats, and its chaos: an answer that was cut never counts as a whole one."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from serving import Program, only_in_make_places

from syncai import Agent
from syncai.exceptions import AgentRunError, ModelAPIError
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions

only_in_make_places()
# Its package @copilotkit/aimock names the command llmock, too, as it was called before.
AIMOCK = shutil.which(os.environ.get('SYNCAI_AIMOCK') or 'llmock')
if AIMOCK is None:
    reason = 'no aimock: npm install @copilotkit/aimock, and name its llmock with SYNCAI_AIMOCK'
    pytest.skip(reason, allow_module_level=True)

FORMATS = ['chat', 'responses', 'anthropic', 'google', 'bedrock']
TEXT = ' '.join(f'word{number}' for number in range(40))
CUTS = range(1, 13)


def fixtures() -> list[dict[str, Any]]:
    call = {'name': 'forecast', 'arguments': {'city': 'Rome'}}
    long_call = {'name': 'forecast', 'arguments': {'city': 'Rome', 'reason': TEXT}}
    cut = [
        {
            'match': {'userMessage': f'{what} cut after {chunks} chunks'},
            'response': response,
            'latency': 5,
            'truncateAfterChunks': chunks,
        }
        for chunks in CUTS
        for what, response in (('text', {'content': TEXT}), ('call', {'toolCalls': [long_call]}))
    ]
    return [
        *cut,
        {'match': {'userMessage': 'forecast', 'hasToolResult': False}, 'response': {'toolCalls': [call]}},
        {'match': {'userMessage': 'forecast', 'hasToolResult': True}, 'response': {'content': 'rain'}},
        {'match': {'userMessage': 'hello'}, 'response': {'content': TEXT}},
    ]


@pytest.fixture(scope='module')
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp('aimock')
    (folder / 'fixtures.json').write_text(json.dumps({'fixtures': fixtures()}))
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    command = [str(AIMOCK), '--port', str(port), '--fixtures', str(folder / 'fixtures.json')]
    with Program(*command, log=folder / 'log') as program:
        program.wait_for('listening')
        program.port = port
        yield program


@pytest.fixture
def chaos(server: Program) -> Iterator[None]:
    url = f'http://127.0.0.1:{server.port}/__aimock/chaos'
    rates = {'dropRate': 0.15, 'malformedRate': 0.2, 'disconnectRate': 0.2, 'rateLimitRate': 0.1}
    httpx.post(url, json=rates).raise_for_status()
    yield
    httpx.delete(url).raise_for_status()


@pytest.fixture(params=FORMATS)
def model(request: pytest.FixtureRequest, server: Program) -> Model:
    url = f'http://127.0.0.1:{server.port}'
    options: dict[str, Any] = {'api_key': 'key', 'http': HttpOptions(max_retries=0)}
    match request.param:
        case 'chat':
            return OpenAIChatModel('gpt-4o', base_url=f'{url}/v1', **options)
        case 'responses':
            return OpenAIResponsesModel('gpt-4o', base_url=f'{url}/v1', **options)
        case 'anthropic':
            return AnthropicModel('claude-sonnet-4-5', base_url=url, **options)
        case 'google':
            return GoogleModel('gemini-2.5-flash', base_url=f'{url}/v1beta', **options)
    return BedrockModel('anthropic.claude-3-haiku-20240307-v1:0', region='us-east-1', base_url=url, **options)


def ask(agent: Agent, prompt: str, *, streamed: bool) -> str:
    if not streamed:
        return agent.run_sync(prompt).data
    with agent.run_stream_sync(prompt) as stream:
        return ''.join(stream.stream_text(delta=True, debounce_by=None))


def forecaster(model: Model) -> tuple[Agent, list[str]]:
    agent, calls = Agent(model), list[str]()

    @agent.tool_plain
    def forecast(city: str, reason: str = '') -> str:
        """The weather."""
        calls.append(city)
        return 'rain'

    return agent, calls


@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_text_and_tools(model: Model, streamed: bool) -> None:
    assert ask(Agent(model), 'hello', streamed=streamed) == TEXT
    agent, calls = forecaster(model)
    assert ask(agent, 'forecast', streamed=streamed) == 'rain'
    assert calls == ['Rome']


def test_a_stream_that_is_cut_after_any_chunk(model: Model) -> None:
    def cut(prompt: str) -> None:
        agent, calls = forecaster(model)
        with pytest.raises(ModelAPIError) as caught:
            ask(agent, prompt, streamed=True)
        assert caught.value.partial is None or caught.value.partial.incomplete
        assert not calls

    with ThreadPoolExecutor(8) as pool:
        kinds = ('text',) if isinstance(model, GoogleModel) else ('text', 'call')  # its calls come in one chunk
        prompts = [f'{kind} cut after {chunks} chunks' for kind in kinds for chunks in CUTS]
        assert list(pool.map(cut, prompts)) == [None] * len(prompts)


@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_chaos(model: Model, streamed: bool, chaos: None) -> None:
    """Requests are dropped, garbled, hung up on and refused at random: each gives the whole answer or an error."""

    def asked(_: int) -> str:
        try:
            return ask(Agent(model), 'hello', streamed=streamed)
        except AgentRunError as error:
            return type(error).__name__

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(asked, range(80)))
    assert outcomes.pop(TEXT) > 0
    assert outcomes.keys() >= {'ServerError', 'ModelConnectionError', 'RateLimitError'}, outcomes
    assert outcomes.keys() <= {
        'ServerError',
        'ModelConnectionError',
        'RateLimitError',
        'UnexpectedModelBehavior',
        'IncompleteStreamError',
    }, outcomes
