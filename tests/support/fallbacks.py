"""Two servers of two wire formats, a `FallbackModel` that asks both, and the four ways to ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncai.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from syncai.messages import ModelMessage, ModelRequest, ModelResponse
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
Ask = Callable[[Model], ModelResponse]


class Two:
    """A primary that speaks OpenAI Chat, a second that speaks Anthropic Messages, and a model that asks both."""

    def __init__(self, first: ModelServer, second: ModelServer) -> None:
        self.first, self.second = first, second

    def model(self, *, http: HttpOptions | None = None, settings: Any = None, **options: Any) -> FallbackModel:
        http = http or HttpOptions(max_retries=0)
        primary = OpenAIChatModel('one', base_url=self.first.base_url, api_key='k1', http=http, settings=settings)
        second = AnthropicModel('claude-two', base_url=self.second.base_url, api_key='k2', http=http)
        return FallbackModel(primary, second, **options)

    @property
    def asked(self) -> tuple[int, int]:
        return len(self.first.requests), len(self.second.requests)


@contextmanager
def two(*first: Reply, second: Reply | None = None) -> Iterator[Two]:
    with ModelServer(first) as one, ModelServer(second or Reply('from ', 'two', usage=(5, 7))) as other:
        yield Two(one, other)


def whole_sync(model: Model) -> ModelResponse:
    return model_request_sync(model, HELLO)


def whole_async(model: Model) -> ModelResponse:
    return asyncio.run(model_request(model, HELLO))


def streamed_sync(model: Model) -> ModelResponse:
    with model_request_stream_sync(model, HELLO) as stream:
        list(stream)
        return stream.get()


def streamed_async(model: Model) -> ModelResponse:
    async def main() -> ModelResponse:
        async with model_request_stream(model, HELLO) as stream:
            async for _ in stream:
                pass
            return stream.get()

    return asyncio.run(main())


ways = pytest.mark.parametrize('ask', [whole_sync, whole_async, streamed_sync, streamed_async])
streams = pytest.mark.parametrize('ask', [streamed_sync, streamed_async])
wholes = pytest.mark.parametrize('ask', [whole_sync, whole_async])


def failing_first(ask: Ask, reply: Reply, **options: Any) -> ModelResponse:
    """The answer of the second model, after the first gave `reply` once."""
    with two(reply) as pair:
        response = ask(pair.model(**options))
        assert pair.asked == (1, 1)
    assert (response.text, response.model_name, response.provider_name) == ('from two', 'claude-two', 'anthropic')
    assert response.finish_reason == 'stop'
    assert not response.incomplete
    return response
