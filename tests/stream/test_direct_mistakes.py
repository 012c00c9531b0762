"""Mistakes with direct requests and streams: each is one error that says what to do, and nothing is sent."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streams import model_of

from syncai import Agent, ImageUrl, ModelRequest, UserError
from syncai.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from syncai.messages import UserPromptPart
from syncai.testing import ModelServer, Reply

QUESTION = [ModelRequest.user_text_prompt('Hi')]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server that answers in two words, and whose streams can be opened by name."""
    with ModelServer(lambda request: Reply('two ', 'words')) as server:
        yield server


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (42, 'A UserPromptPart must be a str, or a list of str and files, not int'),
        (b'x', 'A UserPromptPart must be a str, or a list of str and files, not bytes'),
        (['x', b'x'], 'A UserPromptPart holds a value of bytes: it may hold str, ImageUrl'),
        (['x', {'type': 'text'}], 'A UserPromptPart holds a value of dict'),
        (
            [ImageUrl('photo.png')],
            r"takes an address such as https://host/file, not 'photo.png'; a file of this machine",
        ),
        ([ImageUrl('file:///home/me/photo.png')], r'BinaryContent\.from_path\(path\)'),
        ([ImageUrl('C:\\photo.png')], 'takes an address'),
        ([ImageUrl(3)], 'takes an address such as https://host/file, not 3'),  # type: ignore[arg-type]
    ],
)
def test_content_that_cannot_be_sent(content: Any, words: str, server: ModelServer) -> None:
    messages = [ModelRequest(parts=[UserPromptPart(content)])]
    with pytest.raises(UserError, match=words):
        model_request_sync(model_of(server), messages)
    with pytest.raises(UserError, match=words):
        model_request_stream_sync(model_of(server), messages)
    with pytest.raises(UserError, match=words):
        asyncio.run(model_request(model_of(server), messages))
    assert server.requests == []


@pytest.mark.parametrize('parts', ['Hi', UserPromptPart('Hi'), {'content': 'Hi'}, None])
def test_parts_that_are_no_list(parts: Any) -> None:
    with pytest.raises(UserError, match=r'The parts of a ModelRequest must be a list of parts, not .*user_text_prompt'):
        model_request_sync('test', [ModelRequest(parts)])


@pytest.mark.parametrize('url', ['https://host/a.png', 'data:image/png;base64,AA==', 'HTTP://host/a', 'gs://bucket/a'])
def test_addresses_of_every_kind(url: str, server: ModelServer) -> None:
    assert model_request_sync(model_of(server), [ModelRequest([UserPromptPart([ImageUrl(url)])])]).text == 'two words'


async def _with_a_stream_for_coroutines(model: Any) -> None:
    with model_request_stream(model, QUESTION):  # type: ignore[attr-defined]
        pass


async def _for_over_a_stream_for_coroutines(model: Any) -> None:
    async with model_request_stream(model, QUESTION) as stream:
        for _ in stream:  # type: ignore[attr-defined]
            pass


async def _no_block_for_coroutines(model: Any) -> None:
    async for _ in model_request_stream(model, QUESTION):  # type: ignore[attr-defined]
        pass


async def _await(model: Any) -> None:
    await model_request_stream(model, QUESTION)  # type: ignore[misc]


async def _async_with_a_stream_for_sync_code(model: Any) -> None:
    async with model_request_stream_sync(model, QUESTION):  # type: ignore[attr-defined]
        pass


async def _async_for_over_a_stream_for_sync_code(model: Any) -> None:
    with model_request_stream_sync(model, QUESTION) as stream:
        async for _ in stream:  # type: ignore[attr-defined]
            pass


@pytest.mark.parametrize(
    ('use', 'words'),
    [
        (_with_a_stream_for_coroutines, r'for coroutines: write `async with model_request_stream\(...\)'),
        (_for_over_a_stream_for_coroutines, 'for coroutines: .* and `async for`'),
        (_no_block_for_coroutines, 'for coroutines: write `async with'),
        (_await, 'for coroutines: write `async with'),
        (_async_with_a_stream_for_sync_code, 'for synchronous code: write `with` and `for`'),
        (_async_for_over_a_stream_for_sync_code, 'for synchronous code: write `with` and `for`'),
    ],
)
def test_the_other_kind_of_block_or_loop(use: Callable[[Any], Any], words: str, server: ModelServer) -> None:
    with pytest.raises(UserError, match=words):
        asyncio.run(use(model_of(server)))


def test_a_stream_for_coroutines_is_opened_once(server: ModelServer) -> None:
    async def twice() -> None:
        block = model_request_stream(model_of(server), QUESTION)
        async with block as stream:
            assert repr(stream) == 'StreamedResponseAsync(open)'
            assert [event async for event in stream]
            assert repr(stream) == 'StreamedResponseAsync(ended)'
        async with block:
            pass

    with pytest.raises(UserError, match=r'already opened; make a new one with model_request_stream\('):
        asyncio.run(twice())
    assert len(server.requests) == 1


def test_what_is_used_outside_its_block_is_an_error_of_ours(server: ModelServer) -> None:
    agent = Agent(model_of(server))
    with pytest.raises(UserError, match='must be used as a context manager'):
        model_request_stream_sync(model_of(server), QUESTION).get()
    with pytest.raises(UserError, match='must be used as a context manager'):
        agent.run_stream_sync('Hi').get_data()
    with pytest.raises(UserError, match='must be used as a context manager'):
        list(agent.run_stream_events_sync('Hi'))
    assert server.requests == []


@pytest.mark.parametrize('again', [copy.copy, copy.deepcopy, pickle.dumps])
def test_streams_are_not_copied(again: Callable[[Any], Any], server: ModelServer) -> None:
    agent = Agent(model_of(server))
    with model_request_stream_sync(model_of(server), QUESTION) as stream:
        with pytest.raises(UserError, match=r'StreamedResponseSync cannot be copied or pickled: .* get\(\)'):
            again(stream)
        assert len(list(stream)) == 2, 'and goes on'
    with agent.run_stream_sync('Hi') as run:
        with pytest.raises(UserError, match=r'StreamedRunResultSync cannot be copied .* all_messages\(\)'):
            again(run)
        assert run.get_data() == 'two words'
    assert pickle.loads(pickle.dumps(stream.get())) == stream.get()


def test_a_message_of_another_type(server: ModelServer) -> None:
    match = r'Pass a message that stream_structured\(\) gave, not str'
    with Agent(model_of(server)).run_stream_sync('Hi') as stream, pytest.raises(UserError, match=match):
        stream.validate_structured_result('text')  # type: ignore[arg-type]
