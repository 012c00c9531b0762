"""The two faces of a streamed run under one interface, and models that stream from a list."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from syncai.agent import Agent
from syncai.messages import ModelMessage
from syncai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer

Open = Callable[..., Any]


class OnLoop:
    """An asynchronous face, used from a loop in this thread as one uses the synchronous one."""

    def __init__(self, face: Any) -> None:
        self._face = face
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> OnLoop:
        runner, self._runner = self._runner, self._runner or asyncio.Runner()
        try:
            self._run(self._face.__aenter__())
        except BaseException:
            if runner is None:
                self._end()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._run(self._face.__aexit__(*error))
        finally:
            self._end()

    def _end(self) -> None:
        assert self._runner is not None
        self._runner.close()
        self._runner = None

    def __iter__(self) -> Iterator[Any]:
        return self._all(aiter(self._face))

    def stream(self, **options: Any) -> Iterator[Any]:
        return self._all(self._face.stream(**options))

    def stream_text(self, **options: Any) -> Iterator[Any]:
        return self._all(self._face.stream_text(**options))

    def stream_structured(self, **options: Any) -> Iterator[Any]:
        return self._all(self._face.stream_structured(**options))

    def stream_items(self) -> Iterator[Any]:
        return self._all(self._face.stream_items())

    def next_events(self, timeout: float | None = None) -> Any:
        return self._run(self._face.next_events(timeout))

    def get_data(self) -> Any:
        return self._run(self._face.get_data())

    def validate_structured_result(self, *args: Any, **options: Any) -> Any:
        return self._run(self._face.validate_structured_result(*args, **options))

    def close(self) -> Any:
        return self._run(self._face.close())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._face, name)

    def _run(self, awaitable: Any) -> Any:
        async def main() -> Any:
            return await awaitable

        return asyncio.run(main()) if self._runner is None else self._runner.run(main())

    def _all(self, items: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._run(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            self._run(items.aclose())


def in_sync(agent: Agent[Any, Any], prompt: Any = 'Hi', **options: Any) -> Any:
    return agent.run_stream_sync(prompt, **options)


def in_async(agent: Agent[Any, Any], prompt: Any = 'Hi', **options: Any) -> Any:
    return OnLoop(agent.run_stream(prompt, **options))


def events_in_sync(agent: Agent[Any, Any], prompt: Any = 'Hi', **options: Any) -> Any:
    return agent.run_stream_events_sync(prompt, **options)


def events_in_async(agent: Agent[Any, Any], prompt: Any = 'Hi', **options: Any) -> Any:
    return OnLoop(agent.run_stream_events(prompt, **options))


both = pytest.mark.parametrize('stream_of', [in_sync, in_async], ids=['sync', 'async'])
both_events = pytest.mark.parametrize('events_of', [events_in_sync, events_in_async], ids=['sync', 'async'])


def model_of(server: ModelServer, **options: Any) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, api_key='secret-key', **options)


def pieces_of(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


class Pieces:
    """Streams answers in order; each is a list of pieces: text, or `('tool', 'arguments', ...)` in pieces."""

    def __init__(self, *answers: Sequence[str | tuple[str, ...]]) -> None:
        self.answers = answers
        self.asked: list[list[ModelMessage]] = []

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> Iterator[Any]:
        self.asked.append(messages)
        for number, piece in enumerate(self.answers[len(self.asked) - 1]):
            if isinstance(piece, str):
                yield piece
                continue
            name, *args = piece
            yield {number: DeltaToolCall(name, args[0], f'call_{len(self.asked)}_{number}')}
            for arg in args[1:]:
                yield {number: DeltaToolCall(None, arg, None)}

    @property
    def model(self) -> FunctionModel:
        return FunctionModel(stream_function=self, model_name='pieces')


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()
