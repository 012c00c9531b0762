"""The seven ways in which a batch reaches a provider, each asked at a server of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncai.models._http.model import HttpModel
from syncai.models.anthropic import AnthropicModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer

Make = Callable[[ModelServer], HttpModel]
_HTTP = HttpOptions(max_retries=1)


def chat(server: ModelServer, provider: str = 'openai') -> HttpModel:
    return OpenAIChatModel('gpt-5.4-mini', provider=provider, base_url=server.base_url, api_key='k', http=_HTTP)


def groq(server: ModelServer) -> HttpModel:
    return chat(server, 'groq')


def mistral(server: ModelServer) -> HttpModel:
    return chat(server, 'mistral')


def azure(server: ModelServer) -> HttpModel:
    return chat(server, 'azure')


def older_azure(server: ModelServer) -> HttpModel:
    return OpenAIChatModel(
        'mine',
        provider='azure',
        base_url=server.base_url.removesuffix('/v1'),
        api_key='k',
        api_version='2025-04-01-preview',
        http=_HTTP,
    )


def responses(server: ModelServer) -> HttpModel:
    return OpenAIResponsesModel('gpt-5.4-mini', base_url=server.base_url, api_key='k', http=_HTTP)


def anthropic(server: ModelServer) -> HttpModel:
    return AnthropicModel('claude-haiku-4-5', base_url=server.base_url, api_key='k', http=_HTTP)


def google(server: ModelServer) -> HttpModel:
    return GoogleModel('gemini-2.5-flash', base_url=server.base_url, api_key='k', http=_HTTP)


SEVEN = [
    pytest.param(make, id=make.__name__)
    for make in (chat, responses, azure, older_azure, groq, mistral, anthropic, google)
]
