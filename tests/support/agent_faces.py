"""The two faces of a run, and models that answer from a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from syncai.agent import Agent
from syncai.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ToolCallPart
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer

Ask = Callable[..., Any]
Answer = ModelResponse | ModelResponsePart | str | Sequence[ModelResponsePart]


def in_sync(agent: Agent[Any, Any], prompt: Any = None, **options: Any) -> Any:
    return agent.run_sync(prompt, **options)


def in_async(agent: Agent[Any, Any], prompt: Any = None, **options: Any) -> Any:
    async def main() -> Any:
        return await agent.run(prompt, **options)

    return asyncio.run(main())


both = pytest.mark.parametrize('ask', [in_sync, in_async], ids=['sync', 'async'])


def model_of(server: ModelServer, **options: Any) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, api_key='secret-key', **options)


class Script:
    """Answers in order, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = [_response(answer) for answer in answers]
        self.asked: list[list[ModelMessage]] = []
        self.infos: list[AgentInfo] = []

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.asked.append(list(messages))
        self.infos.append(info)
        return self.answers[len(self.asked) - 1]

    @property
    def model(self) -> FunctionModel:
        return FunctionModel(self, model_name='script')

    def last_parts(self, number: int = -1) -> list[Any]:
        """The parts of the last message of a request."""
        return list(self.asked[number][-1].parts)


def _response(answer: Answer) -> ModelResponse:
    if isinstance(answer, ModelResponse):
        return answer
    if isinstance(answer, str):
        return ModelResponse([TextPart(answer)])
    if isinstance(answer, TextPart | ToolCallPart):
        return ModelResponse([answer])
    return ModelResponse(list(answer))  # type: ignore[arg-type]


def call(name: str, args: Any = None, call_id: str | None = None) -> ToolCallPart:
    return ToolCallPart(name, {} if args is None else args, call_id or f'id_{name}')
