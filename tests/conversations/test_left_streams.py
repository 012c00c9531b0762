"""Conversations whose streams are left early: what had arrived is kept, in the thread that asked."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from agent_faces import model_of

from syncai import Agent
from syncai.conversations import Conversation, MemoryStore
from syncai.messages import ModelMessage, ModelResponse
from syncai.testing import ModelServer, Reply
from syncai.web import encode, encode_async


class Watched(MemoryStore):
    """Notes which threads write."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: list[str] = []

    def append(self, id: str, version: int, messages: Sequence[ModelMessage], /) -> int:  # noqa: A002
        """Note the thread."""
        self.writers.append(threading.current_thread().name)
        return super().append(id, version, messages)


@pytest.fixture
def chat(model_server: ModelServer) -> Conversation[None, str]:
    model_server.reply(Reply('x', repeat=100_000, delay_between_events=0.01))
    return Agent(model_of(model_server)).conversation('a', store=Watched())


def check_kept(chat: Conversation[None, str]) -> None:
    answer = chat.messages()[-1]
    assert isinstance(answer, ModelResponse)
    assert answer.incomplete
    assert answer.text.startswith('x')


@pytest.mark.parametrize('events', [True, False])
def test_an_asynchronous_stream(chat: Conversation[None, str], events: bool) -> None:
    async def leave_early() -> None:
        if events:
            async with chat.run_stream_events('Hello') as stream:
                number = 0
                async for _ in stream:
                    number += 1
                    if number > 3:
                        break
        else:
            async with chat.run_stream('Hello') as answer:
                async for _ in answer.stream_text(debounce_by=None):
                    break

    asyncio.run(leave_early())
    check_kept(chat)


@pytest.mark.parametrize('way', ['aclose', 'close', 'drop'])
def test_the_body_of_an_asgi_response(chat: Conversation[None, str], way: str) -> None:
    """Servers close it, call `close` of any thread as Django does, or drop it where they are cancelled in a write."""

    async def leave_early() -> None:
        body = encode_async(chat.run_stream_events('Hello'))
        while b'text-delta' not in await anext(body):
            pass
        if way == 'aclose':
            await body.aclose()
        elif way == 'close':
            await asyncio.to_thread(body.close)
        del body
        async with asyncio.timeout(10):
            while not chat.messages():
                await asyncio.sleep(0.01)

    asyncio.run(leave_early())
    check_kept(chat)


def test_a_client_that_hangs_up_is_not_waited_for_by_the_loop_thread(chat: Conversation[Any, Any]) -> None:
    here, there = socket.socketpair()
    with here, there:
        body = encode(chat.run_stream_events_sync('Hello'), environ={'werkzeug.socket': here})
        while b'text-delta' not in next(body):
            pass
        there.close()
        for _ in body:
            pass
    check_kept(chat)
    store = chat.store
    assert isinstance(store, Watched)
    assert set(store.writers) == {threading.current_thread().name}
