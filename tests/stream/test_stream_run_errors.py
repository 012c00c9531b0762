"""How a streamed run fails: at its first use, in the middle, and each time after that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streams import Open, both, in_async, in_sync, model_of

from syncai.agent import Agent, capture_run_messages
from syncai.exceptions import AuthenticationError, DeadlineExceeded, IncompleteStreamError, UsageLimitExceeded
from syncai.messages import ModelRequest, ModelResponse
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import UsageLimits


def look() -> str:
    return 'looked'


def test_the_first_use_raises_the_true_error(model_server: ModelServer) -> None:
    uses: list[Callable[[Any], Any]] = [
        lambda stream: stream.get_data(),
        lambda stream: next(stream.stream_text()),
        lambda stream: stream.usage(),
        lambda stream: stream.is_structured,
        lambda stream: stream.all_messages(),
    ]
    model_server.reply(*(Reply(status=401) for _ in uses))
    for use in uses:
        with Agent(model_of(model_server)).run_stream_sync('Hi') as stream:
            with pytest.raises(AuthenticationError) as failed:
                use(stream)
            assert failed.value.messages == stream.all_messages(), 'afterwards it shows what there is'
            with pytest.raises(AuthenticationError):
                stream.get_data()
            with pytest.raises(AuthenticationError):
                next(stream.stream())


def test_entering_an_asynchronous_block_raises_the_true_error(model_server: ModelServer) -> None:
    model_server.reply(Reply(status=401))
    with pytest.raises(AuthenticationError), in_async(Agent(model_of(model_server))):
        pass


@both
def test_an_error_in_the_middle(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*'abcd', ending='cut', cut_after_events=3, delay_between_events=0.01))
    with stream_of(Agent(model_of(model_server))) as stream:
        pieces = []
        with pytest.raises(IncompleteStreamError) as failed:
            pieces.extend(stream.stream_text(delta=True, debounce_by=30))
        assert ''.join(pieces) == stream.all_messages()[-1].text != '', 'what had arrived comes before the error'
        assert failed.value.partial is not None
        assert failed.value.messages == stream.all_messages()
        assert stream.all_messages()[-1].incomplete
        for _ in range(2):
            with pytest.raises(IncompleteStreamError) as again:
                list(stream.stream_text())
            assert again.value is not failed.value
            assert again.value.messages == failed.value.messages
    with pytest.raises(IncompleteStreamError):
        stream.get_data()
    assert not stream.is_complete


@both
def test_an_error_of_the_second_request(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('Let me look.', tool_calls=[ToolCall('look', '{}')]), Reply(status=401))
    agent = Agent(model_of(model_server))
    agent.tool_plain(look)
    with stream_of(agent) as stream:
        with pytest.raises(AuthenticationError) as failed:
            stream.get_data()
        kinds = [type(message) for message in stream.all_messages()]
        assert kinds == [ModelRequest, ModelResponse, ModelRequest], 'the first answer is there once'
        assert failed.value.messages == stream.all_messages()


@both
def test_an_error_of_a_tool(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('Let me look.', tool_calls=[ToolCall('broken', '{}')]))
    agent = Agent(model_of(model_server))

    @agent.tool_plain
    def broken() -> str:
        raise LookupError('no such thing')

    with stream_of(agent) as stream:
        pieces = []
        with pytest.raises(LookupError, match='no such thing') as failed:
            pieces.extend(stream.stream_text())
        assert pieces == ['Let me look.']
        assert 'broken' in [entry.name for entry in failed.traceback]
        with pytest.raises(LookupError):
            stream.get_data()


@both
def test_a_deadline(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=1000, delay_between_events=0.02))
    with stream_of(Agent(model_of(model_server)), timeout=0.3) as stream:
        with pytest.raises(DeadlineExceeded, match=r'within its timeout of 0\.3 s') as failed:
            list(stream.stream_text())
        assert failed.value.partial is not None
        assert failed.value.partial.text == stream.all_messages()[-1].text
        assert set(failed.value.partial.text) == {'x'}
    model_server.wait_for_disconnect(timeout=2.0)


@both
def test_a_limit(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*'abc', usage=(5, 50)))
    limits = UsageLimits(response_tokens_limit=10)
    with stream_of(Agent(model_of(model_server)), usage_limits=limits) as stream:
        with pytest.raises(UsageLimitExceeded):
            list(stream.stream())
        assert stream.all_messages()[-1].text == 'abc'


def test_an_interrupt_stops_the_run(model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('interrupted', '{}')]))
    agent = Agent(model_of(model_server))

    @agent.tool_plain
    def interrupted() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), in_sync(agent) as stream:
        list(stream.stream_text())


@both
def test_captured_messages(stream_of: Open) -> None:
    with capture_run_messages() as messages, stream_of(Agent(TestModel())) as stream:
        stream.get_data()
    assert messages == stream.all_messages()
    assert len(messages) == 2
