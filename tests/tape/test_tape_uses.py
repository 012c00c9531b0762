"""Tapes of other calls than runs: conversations, direct calls, structured streams, maps, submitted calls."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from taping import KEY, ask, model, path, server

from syncai import Agent, ModelRequest, model_request, model_request_stream, model_request_stream_sync
from syncai.conversations import MemoryStore, SQLiteStore
from syncai.exceptions import ModelConnectionError, TapeMismatch, UserError
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.tape import Tape
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall, model_requests_forbidden

__all__ = ['model', 'path', 'server']

ELSEWHERE = 'https://host.example/v1'


class City(BaseModel):
    name: str
    size: int


def elsewhere() -> OpenAIChatModel:
    return OpenAIChatModel('m', base_url=ELSEWHERE, api_key=KEY)


def cities(request: RecordedRequest) -> Reply:
    name = request.json['messages'][-1]['content']
    return Reply(tool_calls=ToolCall('final_result', {'name': name, 'size': len(name)}, pieces=4), usage=(3, 2))


@pytest.mark.parametrize('kind', ['memory', 'sqlite'])
def test_conversations(kind: str, server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    def talk(model: Any, name: str) -> list[str]:
        store = MemoryStore() if kind == 'memory' else SQLiteStore(path.parent.parent / f'{name}.db')
        chat = Agent(model, system_prompt='Be brief.').conversation('user-42', store=store)
        first = chat.run_sync('one').data
        with chat.run_stream_sync('two') as stream:
            second = stream.get_data()
        again = Agent(model, system_prompt='Be brief.').conversation('user-42', store=store)
        return [first, second, again.run_sync('three').data]

    said = ['You said: one', 'You said: two', 'You said: three']
    with Tape(path, mode='once'):
        assert talk(model, 'recorded') == said
    with Tape(path, mode='replay') as tape, model_requests_forbidden():
        assert talk(elsewhere(), 'replayed') == said
    assert (tape.played, len(server.requests)) == (3, 3)


def test_structured_streams_show_the_same_values(path: Path) -> None:
    def values(model: Any) -> list[Any]:
        agent: Agent[None, City] = Agent(model, result_type=City)
        with agent.run_stream_sync('Paris') as stream:
            return [*stream.stream(debounce_by=None), stream.get_data()]

    with ModelServer(cities) as server:
        with Tape(path, mode='once'):
            recorded = values(OpenAIChatModel('m', base_url=server.base_url))
        with Tape(path, mode='replay'):
            replayed = values(elsewhere())
    assert len(recorded) > 2  # it came in pieces
    assert replayed == recorded
    assert recorded[-1] == City(name='Paris', size=5)


@pytest.mark.parametrize('streamed_first', [True, False])
def test_a_result_recorded_in_one_form_is_replayed_in_the_other(path: Path, streamed_first: bool) -> None:
    def whole(model: Any) -> City:
        return Agent[None, City](model, result_type=City).run_sync('Paris').data

    def streamed(model: Any) -> City:
        with Agent[None, City](model, result_type=City).run_stream_sync('Paris') as stream:
            *_, last = stream.stream(debounce_by=None)
            assert last == stream.get_data()
            return last

    first, second = (streamed, whole) if streamed_first else (whole, streamed)
    with ModelServer(cities) as server:
        with Tape(path, mode='once'):
            assert first(OpenAIChatModel('m', base_url=server.base_url)) == City(name='Paris', size=5)
        with Tape(path, mode='replay'):
            assert second(elsewhere()) == City(name='Paris', size=5)
        assert len(server.requests) == 1


def test_direct_calls_of_coroutines(server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    messages = [ModelRequest.user_text_prompt('hi')]

    async def both(model: Any) -> list[str]:
        whole = await model_request(model, messages)
        async with model_request_stream(model, messages) as stream:
            async for _ in stream:
                pass
        return [whole.text, stream.get().text]

    with Tape(path, mode='once'):
        recorded = asyncio.run(both(model))
    with Tape(path, mode='replay'):
        assert asyncio.run(both(elsewhere())) == recorded
    assert len(server.requests) == 2


def test_maps_and_submitted_calls(server: ModelServer, model: OpenAIChatModel, path: Path, tmp_path: Path) -> None:
    async def rows(agent: Agent[None, str]) -> list[str]:
        return [row.data async for row in agent.map(['x', 'y'], ordered=False)]

    def everything(model: Any, journal: Path) -> list[Any]:
        agent = Agent(model)
        future = agent.submit('later')
        kept = [row.data for row in agent.map_sync(['a', 'b'], journal=str(journal))]
        return [future.result().data, *kept, sorted(asyncio.run(rows(agent)))]

    with Tape(path, mode='once'):
        recorded = everything(model, tmp_path / 'one.sqlite')
    with Tape(path, mode='replay') as tape:
        assert everything(elsewhere(), tmp_path / 'two.sqlite') == recorded
    assert (tape.played, len(server.requests)) == (5, 5)


def test_the_same_requests_of_threads_have_all_their_answers(path: Path) -> None:
    numbers = iter(range(100))
    lock = threading.Lock()

    def count(request: RecordedRequest) -> Reply:
        with lock:
            return Reply(str(next(numbers)))

    def everything(model: Any) -> list[str]:
        answers: list[str] = []

        def work() -> None:
            answers.extend(f'{prompt} {ask(model, prompt)}' for prompt in ('same', 'other', 'same'))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(answers)

    with ModelServer(count) as server:
        with Tape(path, mode='once'):
            recorded = everything(OpenAIChatModel('m', base_url=server.base_url))
        with Tape(path, mode='replay'):
            assert everything(elsewhere()) == recorded
        with Tape(path, mode='replay'), pytest.raises(TapeMismatch, match='recorded 8 times, and is made once more'):
            for _ in range(9):
                ask(elsewhere(), 'same')


@pytest.mark.parametrize('why', ['forbidden', 'refused'])
def test_a_changed_request_that_cannot_be_recorded_says_what_changed(
    why: str, model: OpenAIChatModel, path: Path
) -> None:
    with Tape(path, mode='once'):
        ask(model, 'What is the capital of France?')
    with Tape(path, mode='once'), pytest.raises((UserError, ModelConnectionError)) as raised:
        if why == 'forbidden':
            with model_requests_forbidden():
                ask(elsewhere(), 'What is the capital of Spain?')
        else:
            none = HttpOptions(max_retries=0)
            ask(OpenAIChatModel('m', base_url='http://127.0.0.1:1', http=none), 'What is the capital of Spain?')
    assert isinstance(raised.value, UserError) == (why == 'forbidden')
    (note,) = raised.value.__notes__
    assert 'is none of the 1 on it' in note
    assert 'Spain' in note
    assert 'France' in note


def test_a_stream_is_replayed_at_the_speed_that_was_asked_for(path: Path) -> None:
    """Gaps of half a minute each, replayed 10,000 times as fast: the time limit of the test is below them."""
    with (
        ModelServer(Reply('a', 'b', 'c')) as server,
        Tape(path, mode='once'),
        model_request_stream_sync(
            OpenAIChatModel('m', base_url=server.base_url), [ModelRequest.user_text_prompt('hi')]
        ) as stream,
    ):
        list(stream)
    form = json.loads(path.read_text())
    for batch in form['exchanges'][0]['events']:
        batch['gap'] = 30.0
    path.write_text(json.dumps(form))
    with (
        Tape(path, mode='replay', speed=10_000),
        model_request_stream_sync(elsewhere(), [ModelRequest.user_text_prompt('hi')]) as stream,
    ):
        list(stream)
        assert stream.get().text == 'abc'
