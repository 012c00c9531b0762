"""A model of each wire format that asks a `ModelServer`, and the texts in its requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncai import HttpOptions
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer

_HTTP = HttpOptions(max_retries=0)

MODELS: dict[str, Callable[[ModelServer], Model]] = {
    'chat': lambda server: OpenAIChatModel('m', base_url=server.base_url, api_key='k', http=_HTTP),
    'mistral': lambda server: OpenAIChatModel(
        'm', provider='mistral', base_url=server.base_url, api_key='k', http=_HTTP
    ),
    'responses': lambda server: OpenAIResponsesModel('m', base_url=server.base_url, api_key='k', http=_HTTP),
    'anthropic': lambda server: AnthropicModel('claude-haiku-4-5', base_url=server.base_url, api_key='k', http=_HTTP),
    'google': lambda server: GoogleModel('gemini-2.5-flash', base_url=server.base_url, api_key='k', http=_HTTP),
    'bedrock': lambda server: BedrockModel(
        'amazon.nova-lite-v1:0', region='us-east-1', base_url=server.base_url, api_key='k', http=_HTTP
    ),
}


def system_texts(body: Any) -> list[str]:
    """The instructions and system prompts of a request in any of the formats, in order."""
    if 'systemInstruction' in body or 'contents' in body:
        return [part['text'] for part in body.get('systemInstruction', {}).get('parts', ())]
    if 'input' in body:
        texts = [body['instructions']] if 'instructions' in body else []
        return texts + [item['content'] for item in body['input'] if item.get('role') in ('system', 'developer')]
    if isinstance(body.get('system'), str):
        return [body['system']]
    if 'system' in body:
        return [block['text'] for block in body['system']]
    return [m['content'] for m in body['messages'] if m['role'] in ('system', 'developer')]
