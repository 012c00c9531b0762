"""Names that an address has of its own for a model: what it takes is known by the model that the name stands for."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from syncai.direct import model_request_sync
from syncai.exceptions import UserError
from syncai.messages import ModelMessage, ModelRequest
from syncai.models import ModelRequestParameters
from syncai.models._anthropic.models import traits_of
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import ModelSettings
from syncai.testing import ModelServer, Reply
from syncai.tools import ToolDefinition

ASK: list[ModelMessage] = [ModelRequest.user_text_prompt('go')]
TOOL = ToolDefinition(name='f', parameters_json_schema={'type': 'object', 'properties': {}})
SETTINGS: ModelSettings = {'temperature': 0.5, 'top_p': 0.9, 'tool_choice': ['f']}


def sent(model: Any, settings: ModelSettings = SETTINGS) -> dict[str, Any]:
    body = model._body(ASK, settings, ModelRequestParameters(function_tools=[TOOL]), stream=False)
    assert isinstance(body, dict)
    return body


@pytest.mark.parametrize(
    'name', ['my-claude', 'claude-fast', 'claude_proxy', 'company/claude', 'claude-7b-distilled-3']
)
def test_an_alias_behind_another_address_keeps_what_was_asked_for(
    name: str, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.reply(Reply('x'))
    model = AnthropicModel(name, base_url=model_server.base_url)
    with caplog.at_level(logging.WARNING, 'syncai'):
        model_request_sync(
            model,
            ASK,
            model_settings=SETTINGS,
            model_request_parameters=ModelRequestParameters(function_tools=[TOOL]),
        )
    body = model_server.requests[0].json
    assert (body['model'], body['temperature'], body['top_p']) == (name, 0.5, 0.9)
    assert body['tool_choice'] == {'type': 'tool', 'name': 'f'}
    assert caplog.text == ''


def test_the_same_name_at_anthropic_is_one_of_the_newest() -> None:
    for model in (
        AnthropicModel('claude-fast', api_key='k'),
        AnthropicModel('claude-fast', api_key='k', base_url='https://api.anthropic.com'),
        AnthropicModel('claude-sonnet-5-5', base_url='http://localhost:1'),  # a Claude's own name holds anywhere
        AnthropicModel('my-claude', base_url='http://localhost:1', alias_of='claude-sonnet-5-5'),
        AnthropicModel('anything', base_url='http://localhost:1', alias_of='anthropic:claude-sonnet-5-5'),
    ):
        body = sent(model)
        assert body['model'] == model.model_name
        assert 'temperature' not in body
        assert body['tool_choice'] == {'type': 'auto'}
        assert body['max_tokens'] == 16_384


@pytest.mark.parametrize(
    'name',
    [
        'claude-sonnet-5-5',
        'claude-3-5-haiku-20241022',
        'claude-3-opus@20240229',
        'claude-2.1',
        'anthropic/claude-opus-4.1',
        'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    ],
)
def test_the_names_of_claudes_hold_everywhere(name: str) -> None:
    assert traits_of(name, elsewhere=True) == traits_of(name)


def test_every_format_takes_the_name_of_the_model() -> None:
    reasoning = sent(OpenAIChatModel('prod', base_url='http://localhost:1', alias_of='gpt-5.5'))
    assert reasoning['model'] == 'prod'
    assert 'temperature' not in reasoning
    assert sent(OpenAIChatModel('prod', base_url='http://localhost:1'))['temperature'] == 0.5
    deployment = OpenAIChatModel(
        'prod', provider='azure', base_url='http://localhost:1', api_key='k', alias_of='gpt-5.5'
    )
    assert 'temperature' not in sent(deployment)
    responses = OpenAIResponsesModel('prod', base_url='http://localhost:1', alias_of='gpt-5.5')
    assert 'temperature' not in sent(responses)
    assert sent(responses)['model'] == 'prod'
    thinking: ModelSettings = {'thinking': 'low'}
    gemini = GoogleModel('prod', base_url='http://localhost:1', alias_of='gemini-2.5-flash')
    assert sent(gemini, thinking)['generationConfig']['thinkingConfig'] == {
        'includeThoughts': True,
        'thinkingBudget': 1024,
    }
    assert '/models/prod:' in gemini._path(stream=False)
    arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc'
    bedrock = BedrockModel(arn, region='us-east-1', api_key='k', alias_of='anthropic.claude-sonnet-5-5')
    assert 'temperature' not in sent(bedrock).get('inferenceConfig', {})
    assert 'application-inference-profile' in bedrock._path(stream=False)


def test_a_wrong_alias_is_one_clear_line() -> None:
    for wrong in ('', '  ', 5):
        with pytest.raises(UserError, match='alias_of must be None or the name of a model'):
            AnthropicModel('my-claude', api_key='k', alias_of=wrong)  # type: ignore[arg-type]
