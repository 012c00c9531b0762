"""Calls that a conversation refuses, and its state after a store has failed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from syncai import Agent, ModelMessage, ModelResponse, UserError
from syncai.conversations import MemoryStore, SQLiteStore, Store
from syncai.exceptions import StoreError
from syncai.messages import ModelRequest, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall


@pytest.fixture(params=['memory', 'sqlite'])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == 'memory':
        yield MemoryStore()
        return
    store = SQLiteStore(tmp_path / 'chats.db')
    yield store
    store.close()


def counting(messages: list[ModelMessage], info: AgentInfo) -> str:
    """How many prompts the model sees, and the last of them."""
    prompts = [part.content for m in messages for part in m.parts if isinstance(part, UserPromptPart)]
    return f'{len(prompts)}: {prompts[-1]}'


def agent_of(model: Any = None, **options: Any) -> Agent[None, Any]:
    return Agent(model or FunctionModel(counting), **options)


def look(page: int) -> str:
    """Look."""
    return f'page {page}'


OPEN: list[ModelMessage] = [
    ModelRequest([UserPromptPart('Look')]),
    ModelResponse([ToolCallPart('look', {'page': 1}, 'c1'), ToolCallPart('look', {'page': 2}, 'c2')]),
    ModelRequest([ToolReturnPart('look', 'page 1', 'c1')]),
]


class City(BaseModel):
    name: str


class Sum(BaseModel):
    total: int


def test_a_history_of_another_agent_is_refused(store: Store) -> None:
    agent_of(TestModel(), result_type=City).conversation('a', store=store).run_sync('One')
    agent_of(TestModel(), result_type=City).conversation('a', store=store).run_sync('Two')
    for other in (agent_of(TestModel(), result_type=Sum), agent_of(result_tool_name='answer')):
        with pytest.raises(UserError, match=r"result of 'final_result', .* it belongs to another agent"):
            other.conversation('a', store=store).run_sync('Three')
    chat = agent_of(TestModel()).conversation('b', store=store)
    chat.run_sync('One')
    assert isinstance(chat.run_sync('Which?', result_type=City).data, City)
    chat.run_sync('And in words?')


def test_wrong_use_is_refused() -> None:
    agent = agent_of()
    chat = agent.conversation()
    with pytest.raises(UserError, match='leave message_history out'):
        chat.run_sync('One', message_history=OPEN)
    with pytest.raises(UserError, match='needs a prompt'):
        chat.run_sync()
    for options, words in (
        ({'id': ''}, '1 to 255 characters'),
        ({'id': 'x' * 256}, 'this one has 256'),
        ({'id': 42}, 'write str'),
        ({'store': 'chats.db'}, r"SQLiteStore\('chats.db'\)"),
        ({'store': SQLiteStore}, 'make one of the class first'),
        ({'keep': 10}, r'keep must be Last\(count\)'),
        ({'save': 'never'}, "save must be one of 'step', 'end'"),
        ({'on_open': 'go'}, "on_open must be one of 'run', 'drop', 'error'"),
    ):
        with pytest.raises(UserError, match=words):
            agent.conversation(**options)


def test_a_store_that_fails_stops_the_run_and_loses_nothing() -> None:
    class Full(MemoryStore):
        def append(self, id: str, version: int, messages: Any) -> int:  # noqa: A002
            raise StoreError('The disk is full')

    chat = agent_of().conversation('a', store=Full())
    with pytest.raises(StoreError) as caught:
        chat.run_sync('One')
    assert caught.value.messages is not None
    assert caught.value.messages[-1].parts == [TextPart('1: One')]
    with pytest.raises(StoreError):
        chat.run_sync('Again')


def test_it_goes_through_pickle(tmp_path: Path) -> None:
    chat = Agent('test').conversation('a', store=SQLiteStore(tmp_path / 'chats.db'))
    chat.run_sync('One')
    again = pickle.loads(pickle.dumps(chat))
    assert again.messages() == chat.messages()
    again.run_sync('Two')
    assert repr(again) == f"Conversation('a', store=SQLiteStore('{tmp_path / 'chats.db'}'))"
    again.store.close()
    chat.store.close()  # type: ignore[attr-defined]


def test_calls_of_the_model_server_are_whole_histories(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / 'chats.db')
    with ModelServer() as server:
        server.reply(Reply(tool_calls=[ToolCall('look', {'page': 1})]), Reply('ok'), Reply('fine'))
        model = OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0))
        chat = agent_of(model, tools=[look]).conversation('a', store=store)
        assert chat.run_sync('One').data == 'ok'
        assert chat.run_sync('Two').data == 'fine'
        roles = [message['role'] for message in json.loads(server.requests[-1].body)['messages']]
    assert roles == ['user', 'assistant', 'tool', 'assistant', 'user']
    store.close()
