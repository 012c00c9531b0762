"""One script, played by a model over real HTTP and by one that asks nobody."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from syncai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from syncai.models import Model
from syncai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply
from syncai.usage import Usage

Play = Callable[..., Model]


@pytest.fixture(params=['http', 'function'])
def play(request: pytest.FixtureRequest) -> Any:
    """`play(reply, ...)` gives a model that answers with these replies, one after another."""
    if request.param == 'http':
        server: ModelServer = request.getfixturevalue('model_server')

        def serve(*replies: Reply) -> Model:
            server.reply(*replies)
            return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url)

        return serve
    return lambda *replies: _function_model(list(replies))


def _function_model(replies: list[Reply]) -> Model:
    def whole(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        reply = replies.pop(0)
        calls = [ToolCallPart(c.name, _args(c.args), f'call_{n}') for n, c in enumerate(reply.tool_calls)]
        text = [TextPart(''.join(reply.text))] if reply.text else []
        request, response = reply.usage if isinstance(reply.usage, tuple) else (None, None)
        total = None if request is None or response is None else request + response
        return ModelResponse([*text, *calls], usage=Usage(1, request, response, total))

    async def pieces(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        reply = replies.pop(0)
        for text in reply.text:
            yield text
        for number, call in enumerate(reply.tool_calls):
            args = _args(call.args)
            size = -(-len(args) // call.pieces)
            yield {number: DeltaToolCall(call.name, '', f'call_{number}')}
            for start in range(0, len(args), size):
                yield {number: DeltaToolCall(json_args=args[start : start + size])}

    return FunctionModel(whole, stream_function=pieces)


def _args(args: Any) -> str:
    return args if isinstance(args, str) else json.dumps(args)
