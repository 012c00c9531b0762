"""Text as it arrives: cumulative and in pieces, preambles, what a reader may do in which order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import BaseModel
from streams import Open, Pieces, both, model_of

from syncai.agent import Agent
from syncai.exceptions import ModelRetry, UserError
from syncai.messages import ModelRequest, ModelResponse, ToolReturnPart
from syncai.models.function import FunctionModel
from syncai.models.test import TestModel
from syncai.result import Cost
from syncai.testing import ModelServer, Reply, ToolCall

WORDS = ('The ', 'capital ', 'is ', 'Paris.')
GROWING = ['The ', 'The capital ', 'The capital is ', 'The capital is Paris.']


class Box(BaseModel):
    width: int


def agent_with_weather(model: object) -> Agent[None, str]:
    agent = Agent(model)  # type: ignore[arg-type]

    @agent.tool_plain
    def weather(city: str) -> str:
        return f'sunny in {city}'

    return agent


@both
def test_the_whole_text_so_far(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*WORDS, usage=(56, 8), delay_between_events=0.01))
    with stream_of(Agent(model_of(model_server))) as stream:
        assert list(stream.stream_text(debounce_by=None)) == GROWING
        assert stream.is_complete
        assert not stream.is_structured
        assert stream.cost() == Cost(request_tokens=56, response_tokens=8, total_tokens=64, details=None)


@both
def test_pieces_of_text(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*WORDS, delay_between_events=0.01))
    with stream_of(Agent(model_of(model_server))) as stream:
        assert list(stream.stream_text(delta=True, debounce_by=None)) == list(WORDS)
        assert stream.get_data() == 'The capital is Paris.'


@both
@pytest.mark.parametrize(('validator', 'last'), [(str.upper, ['THE CAPITAL IS PARIS.']), (str.strip, [])])
def test_stream_gives_each_whole_text_once(
    stream_of: Open, model_server: ModelServer, validator: Callable[[str], str], last: list[str]
) -> None:
    """The documents of the time print the growing text, and its last state a single time."""
    model_server.reply(Reply(*WORDS, delay_between_events=0.01))
    agent = Agent(model_of(model_server))
    agent.result_validator(validator)
    with stream_of(agent) as stream:
        assert list(stream.stream(debounce_by=None)) == [*GROWING, *last]
        assert stream.get_data() == [*GROWING, *last][-1]


@both
def test_a_text_that_was_seen_before_a_break_does_not_come_again(stream_of: Open) -> None:
    with stream_of(Agent(Pieces(['a', 'b']).model)) as stream:
        for text in stream.stream(debounce_by=None):
            if text == 'ab':
                break
        assert list(stream.stream(debounce_by=None)) == []
        assert stream.get_data() == 'ab'


@both
def test_grouped_texts_come_once_too(stream_of: Open) -> None:
    agent: Agent[None, Any] = Agent(Pieces(['a', 'b', 'c']).model, result_type=Box | str)
    with stream_of(agent) as stream:
        texts = list(stream.stream(debounce_by=30))
    assert texts[-1] == 'abc'
    assert len(texts) == len(set(texts))


@both
def test_what_a_test_model_streams(stream_of: Open) -> None:
    with stream_of(Agent(TestModel())) as stream:
        assert list(stream.stream_text(delta=True, debounce_by=None)) == ['success ', '(no ', 'tool ', 'calls)']
        assert stream.model_name == 'test'


@both
def test_values_that_come_close_together_are_grouped(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*'abcdefghijklmnopqrst', delay_between_events=0.02))
    with stream_of(Agent(model_of(model_server))) as stream:
        seen = list(stream.stream_text(debounce_by=30))
    assert seen[0] in 'abcdefghijklmnopqrs', 'the first is not held back'
    assert seen[-1] == 'abcdefghijklmnopqrst', 'the end is not either'
    assert len(seen) == 2


@both
def test_a_state_is_told_when_the_stream_pauses(stream_of: Open) -> None:
    seen: list[str] = []

    async def pausing(messages: object, info: object) -> AsyncIterator[str]:
        yield 'a'
        yield 'b'
        end = time.monotonic() + 5
        while seen[-1:] != ['ab'] and time.monotonic() < end:  # the reader gets it although nothing more arrives
            await asyncio.sleep(0.01)
        yield 'c' if seen == ['a', 'ab'] else f'too late: {seen}'

    with stream_of(Agent(FunctionModel(stream_function=pausing))) as stream:
        for text in stream.stream_text(debounce_by=0.1):
            seen += [text]
    assert seen == ['a', 'ab', 'abc']


@both
def test_a_preamble_and_the_answer_after_the_tools(stream_of: Open, model_server: ModelServer) -> None:
    replies = [
        Reply('Let me ', 'look.', tool_calls=[ToolCall('weather', {'city': 'Rome'})], delay_between_events=0.01),
        Reply('It is ', 'sunny.', delay_between_events=0.01),
    ]
    model_server.reply(*replies, *replies)
    agent = agent_with_weather(model_of(model_server))
    with stream_of(agent) as stream:
        pieces = list(stream.stream_text(delta=True, debounce_by=None))
        assert ''.join(pieces) == 'Let me look.\n\nIt is sunny.'
        assert stream.get_data() == 'It is sunny.'
        kinds = [type(message) for message in stream.all_messages()]
        assert kinds == [ModelRequest, ModelResponse, ModelRequest, ModelResponse]
        (returned,) = stream.all_messages()[2].parts
        assert isinstance(returned, ToolReturnPart)
        assert returned.content == 'sunny in Rome'
    with stream_of(agent) as stream:
        whole = list(stream.stream_text(debounce_by=None))
    assert whole == ['Let me ', 'Let me look.', 'It is ', 'It is sunny.'], 'it begins again with the answer'


@both
def test_an_answer_without_a_preamble_waits_for_its_tools(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('weather', {'city': 'Rome'})]), Reply('Sunny.'))
    with stream_of(agent_with_weather(model_of(model_server))) as stream:
        assert list(stream.stream_text(delta=True)) == ['Sunny.']


@both
def test_pieces_of_a_rejected_text_are_told_apart(stream_of: Open) -> None:
    agent = Agent(Pieces(['No ', 'way.'], ['All ', 'right.']).model)

    @agent.result_validator
    def polite(text: str) -> str:
        if text == 'No way.':
            raise ModelRetry('Be polite')
        return text

    with stream_of(agent) as stream:
        assert ''.join(stream.stream_text(delta=True)) == 'No way.\n\nAll right.'
        assert stream.get_data() == 'All right.'
    again = Pieces(['No ', 'way.'], ['All ', 'right.']).model
    with stream_of(agent, model=again) as stream:
        assert list(stream.stream_text(debounce_by=None))[-1] == 'All right.'


@both
def test_a_loop_left_with_break_goes_on_where_it_stopped(stream_of: Open, model_server: ModelServer) -> None:
    model_server.reply(Reply(*WORDS))
    with stream_of(Agent(model_of(model_server))) as stream:
        first = next(iter(stream.stream_text(delta=True, debounce_by=None)))
        assert [first, *stream.stream_text(delta=True, debounce_by=None)] == list(WORDS)
        with pytest.raises(UserError, match=r'already read to its end; get_data\(\) has the result'):
            list(stream.stream_text(delta=True))
        assert stream.get_data() == 'The capital is Paris.'


@both
def test_whole_text_then_pieces(stream_of: Open) -> None:
    with stream_of(Agent(Pieces(['a', 'b', 'c', 'd']).model)) as stream:
        for text in stream.stream_text(debounce_by=None):
            if text == 'ab':
                break
        assert ''.join(stream.stream_text(delta=True, debounce_by=None)) == 'cd', 'what was read does not come again'


@both
@pytest.mark.parametrize('way', ['stream', 'stream_text', 'stream_structured', 'stream_items'])
def test_after_get_data_there_is_nothing_to_read(stream_of: Open, way: str) -> None:
    with stream_of(Agent(TestModel())) as stream:
        assert stream.get_data() == stream.get_data() == 'success (no tool calls)'
        with pytest.raises(UserError, match='already read'):
            next(iter(getattr(stream, way)()))


@both
def test_get_data_in_the_middle_of_a_loop(stream_of: Open) -> None:
    with stream_of(Agent(TestModel())) as stream:
        seen = [(text, stream.get_data()) for text in stream.stream_text(debounce_by=None)]
        assert seen == [('success ', 'success (no tool calls)')]


@both
def test_text_is_not_read_as_data(stream_of: Open) -> None:
    with stream_of(Agent(TestModel())) as stream:
        with pytest.raises(UserError, match='The result is text: use stream_text'):
            next(stream.stream_structured())
        with pytest.raises(UserError, match=r'stream_items\(\) needs a result that is a list'):
            next(stream.stream_items())
        assert ''.join(stream.stream_text(delta=True)) == 'success (no tool calls)', 'nothing was lost'


@both
def test_text_where_data_was_possible(stream_of: Open) -> None:
    with stream_of(Agent(Pieces(['Which ', 'box?']).model, result_type=Box | str)) as stream:
        with pytest.raises(UserError, match='The result is text'):
            list(stream.stream_structured())
        assert stream.get_data() == 'Which box?'


@both
@pytest.mark.parametrize('debounce_by', [-1, 'fast', True])
def test_wrong_debounce(stream_of: Open, debounce_by: object) -> None:
    with stream_of(Agent(TestModel())) as stream, pytest.raises(UserError, match='debounce_by must be None or'):
        next(stream.stream_text(debounce_by=debounce_by))
