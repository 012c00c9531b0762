"""The error that a program gets from the answer of a server, in every wire format."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncai import ModelRequest, model_request_stream_sync, model_request_sync
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.bedrock import BedrockModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]
ONCE = HttpOptions(max_retries=0)

MAKERS: dict[str, Callable[[str], Model]] = {
    'chat': lambda url: OpenAIChatModel('some-model', base_url=url, http=ONCE),
    'responses': lambda url: OpenAIResponsesModel('some-model', base_url=url, http=ONCE),
    'anthropic': lambda url: AnthropicModel('claude-sonnet-4-5', base_url=url, http=ONCE),
    'google': lambda url: GoogleModel('gemini-2.5-flash', base_url=url, http=ONCE),
    'bedrock': lambda url: BedrockModel(
        'amazon.nova-pro-v1:0', region='us-east-1', base_url=url, api_key='k', http=ONCE
    ),
}


def answered(maker: str, status: int, body: object, *, stream: bool = False) -> Exception:
    """The error of a request that a server answers with this status and body, or with this message."""
    reply = Reply(status=status, body={'error': {'message': body}} if isinstance(body, str) else body)
    if isinstance(body, str) and body.startswith('plain:'):
        reply = Reply(status=status, body=body.removeprefix('plain:'), content_type='text/plain')
    with ModelServer(lambda request: reply) as server:
        model = MAKERS[maker](server.base_url)
        with pytest.raises(Exception) as caught:
            if stream:
                with model_request_stream_sync(model, HELLO) as events:
                    list(events)
            else:
                model_request_sync(model, HELLO)
        return caught.value
