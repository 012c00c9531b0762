"""Streams on a tape: as they came, as far as they came, and without what is redacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from taping import KEY, ask, model, path, server, stream

from syncai import ModelRequest, model_request_stream_sync
from syncai.exceptions import (
    TapeError,
    TapeMismatch,
)
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.tape import Tape
from syncai.testing import ModelServer, Reply, ToolCall

__all__ = ['model', 'path', 'server']


def test_streams_replay_as_streams(server: ModelServer, model: OpenAIChatModel, path: Path) -> None:
    with Tape(path, mode='once'):
        recorded = stream(model)
    with Tape(path, mode='replay', speed=1000):
        assert stream(model) == recorded
    assert len(server.requests) == 1
    assert recorded[1].usage.total_tokens == 5


def test_whole_answers_replay_as_streams_and_the_reverse(model: OpenAIChatModel, path: Path) -> None:
    with Tape(path, mode='once'):
        ask(model, 'whole')
        stream(model, 'streamed')
    with Tape(path, mode='replay'):
        events, response = stream(model, 'whole')
        assert (len(events) > 2, response.text) == (True, 'You said: whole')
        assert ask(model, 'streamed') == 'You said: streamed'


def test_the_answer_so_far_of_a_replayed_stream(path: Path) -> None:
    call = ToolCall('f', {'city': 'Paris'}, pieces=4)
    reply = Reply('a', 'b', 'c', thinking=['x', 'y'], tool_calls=call)
    with ModelServer([reply]) as server, Tape(path, mode='once'):
        recorded = stream(OpenAIChatModel('m', base_url=server.base_url))
    with Tape(path, mode='replay'):
        model = OpenAIChatModel('m', base_url='https://host.example', api_key=KEY)
        with model_request_stream_sync(model, [ModelRequest.user_text_prompt('hi')]) as response:
            seen = [response.get() for _ in response]
    assert seen[-1].parts == recorded[1].parts
    assert all('abc'.startswith(answer.text) for answer in seen)


def test_a_stream_that_was_left_early_is_replayed_as_far_as_it_came(path: Path) -> None:
    def first(model: Any) -> str:
        with model_request_stream_sync(model, [ModelRequest.user_text_prompt('hi')]) as response:
            for event in response:
                return repr(event)
        return ''

    with ModelServer(lambda request: Reply('word ', repeat=50, delay_between_events=0.01)) as server:
        model = OpenAIChatModel('m', base_url=server.base_url)
        with Tape(path, mode='once'):
            recorded = first(model)
        with Tape(path, mode='replay'):
            assert first(model) == recorded
        with Tape(path, mode='replay'), pytest.raises(TapeError, match='ends here, since its stream was left early'):
            stream(model)
        with Tape(path, mode='replay'), pytest.raises(TapeMismatch, match='its whole answer is asked for'):
            ask(model)
        with Tape(path, mode='once'):
            assert ask(model).startswith('word word')
        with Tape(path, mode='replay'):
            assert stream(model)[1].text == 'word ' * 50


def test_a_stream_that_broke_off_breaks_off_again(path: Path) -> None:
    with ModelServer([Reply('a', 'b', ending='eof')]) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0))
        with Tape(path, mode='once'), pytest.raises(Exception, match='ended') as first:
            stream(model)
    with Tape(path, mode='replay'), pytest.raises(type(first.value)) as again:
        stream(model)
    assert str(again.value) == str(first.value)
    assert again.value.partial.text == 'ab'  # type: ignore[attr-defined]


def test_what_is_redacted_is_nowhere_in_the_file_also_where_a_stream_cut_it(path: Path) -> None:
    with ModelServer([Reply('your card 4111 11', '11 1111 1111 is', ' fine'), Reply('no')]) as server:
        model = OpenAIChatModel('m', base_url=server.base_url)
        with Tape(path, mode='once', redact=[r'\d{4} \d{4} \d{4} \d{4}', lambda text: text.replace('Ada', '…')]):
            stream(model, 'I am Ada, 4111 1111 1111 1111')
            ask(model, 'Ada')
    assert not [word for word in ('Ada', '4111', '1111') if word in path.read_text()]
    with Tape(path, mode='replay', redact=[r'\d{4} \d{4} \d{4} \d{4}', lambda text: text.replace('Ada', '…')]):
        assert stream(model, 'I am Ada, 4111 1111 1111 1111')[1].text == 'your card [redacted] is fine'
