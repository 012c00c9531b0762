"""One model of every wire format, which asks a `ModelServer`, and tests that run once for each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer

Make = Callable[[ModelServer], Model]
ONCE = HttpOptions(max_retries=0)


def chat(server: ModelServer) -> Model:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, http=ONCE)


def responses(server: ModelServer) -> Model:
    return OpenAIResponsesModel('gpt-5.4-mini', base_url=server.base_url, http=ONCE)


def anthropic(server: ModelServer) -> Model:
    return AnthropicModel('claude-haiku-4-5', base_url=server.base_url, http=ONCE)


def google(server: ModelServer) -> Model:
    return GoogleModel('gemini-2.5-flash', base_url=server.base_url, http=ONCE)


def bedrock(server: ModelServer) -> Model:
    name = 'us.anthropic.claude-haiku-4-5-20251001-v1:0'
    return BedrockModel(name, region='us-east-1', base_url=server.base_url, api_key='bearer-key', http=ONCE)


PROVIDERS: list[Make] = [chat, responses, anthropic, google, bedrock]
EVERY = pytest.mark.parametrize('make', PROVIDERS, ids=lambda make: make.__name__)
