"""A direct stream before its answer has begun: outside of its block, by its repr, and when the answer is late."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from streams import model_of

from syncai import ModelRequest, direct
from syncai.direct import model_request_stream_sync
from syncai.exceptions import ModelTimeoutError
from syncai.messages import PartStartEvent
from syncai.models.fallback import FallbackModel
from syncai.models.function import FunctionModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply

QUESTION = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]
USES: tuple[Callable[[Any], Any], ...] = (
    lambda stream: stream.get(),
    lambda stream: stream.usage(),
    lambda stream: stream.model_name,
    lambda stream: stream.timestamp,
)


def test_a_stream_needs_its_with_block(model_server: ModelServer) -> None:
    stream = model_request_stream_sync(model_of(model_server), QUESTION)
    assert isinstance(stream, direct.StreamedResponseSync)
    assert repr(stream) == 'StreamedResponseSync(context_entered=False)'
    expected = (
        'StreamedResponseSync must be used as a context manager. Use: `with model_request_stream_sync(...) as stream:`'
    )
    for use in (list, *USES):
        with pytest.raises(RuntimeError) as error:
            use(stream)
        assert str(error.value) == expected
    assert model_server.requests == []


def test_the_repr_of_a_stream_is_that_of_the_wrapped_one(model_server: ModelServer) -> None:
    with model_request_stream_sync(TestModel(), QUESTION) as stream:
        assert repr(stream) == "TestStreamedResponse(model_name='test', complete=False)"
        assert list(stream)
        assert repr(stream) == "TestStreamedResponse(model_name='test', complete=True)"
    assert repr(stream) == "TestStreamedResponse(model_name='test', complete=True)"
    model_server.reply(Reply('Hi', delay_headers=0.2), Reply('Hi'))
    asked = model_of(model_server)
    for model in (asked, FallbackModel(asked, TestModel())):
        with model_request_stream_sync(model, QUESTION) as stream:
            assert 'gpt-5.4-mini' in repr(stream), 'without waiting for the answer'
            assert list(stream)
            assert repr(stream) == "HttpStreamedResponse(model_name='gpt-5.4-mini', complete=True)"


def test_an_answer_that_does_not_begin_in_time(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name, the number, the error and its words are those of the documents of the time."""
    assert direct.STREAM_INITIALIZATION_TIMEOUT == 30
    begin = threading.Event()

    async def slow(messages: object, info: object) -> AsyncIterator[str]:
        yield 'late'

    class Slow(FunctionModel):
        @asynccontextmanager
        async def request_stream(self, *args: Any) -> AsyncIterator[Any]:
            await asyncio.to_thread(begin.wait, 10)
            async with super().request_stream(*args) as stream:
                yield stream

    with model_request_stream_sync(Slow(stream_function=slow), QUESTION) as stream:
        monkeypatch.setattr('syncai.direct.STREAM_INITIALIZATION_TIMEOUT', 0.01)
        for use in USES:
            with pytest.raises(RuntimeError) as error:
                use(stream)
            assert str(error.value) == 'Stream failed to initialize within timeout'
            assert isinstance(error.value, ModelTimeoutError)
            assert 'STREAM_INITIALIZATION_TIMEOUT' in error.value.__notes__[0]
            assert pickle.loads(pickle.dumps(error.value)).__notes__ == error.value.__notes__
        begin.set()
        assert [type(event) for event in stream] == [PartStartEvent], 'which waits as long as the request may'
        assert stream.get().text == 'late'
