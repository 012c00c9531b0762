"""The values for a reader do not depend on the batches of events, on the ends of loops, or on the face."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from streams import Open, both

from syncai._engine.agent_run import AgentRun
from syncai.agent import Agent
from syncai.events import FinalResultEvent
from syncai.messages import (
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.models.test import TestModel
from syncai.stream._snapshots import LiveResult, Wait
from syncai.testing import ModelServer, Reply, ToolCall

# --- any batches, any breaks ------------------------------------------------------------------------------------------


def live_result(result_type: Any = str) -> LiveResult[Any]:
    agent: Agent[None, Any] = Agent(TestModel(), result_type=result_type)
    return LiveResult(AgentRun(agent._plan('Hi', {})))


def text_events(pieces: list[str], *, thoughts: bool) -> list[Any]:
    begin: list[Any] = [PartStartEvent(0, ThinkingPart('hm'))] if thoughts else []
    events = [*begin, FinalResultEvent(), PartStartEvent(len(begin), TextPart(pieces[0]))]
    return events + [PartDeltaEvent(len(begin), TextPartDelta(piece)) for piece in pieces[1:]]


def batches_of(events: list[Any], sizes: list[int]) -> Iterator[list[Any]]:
    rest = iter(events)
    for size in itertools.cycle(sizes):
        if not (batch := list(itertools.islice(rest, size))):
            return
        yield batch


def read(live: LiveResult[Any], way: Callable[[], Iterator[Any]], batches: Iterator[list[Any]], most: int) -> list[Any]:
    """At most that number of values; the loop is left after them."""
    given: list[Any] = []
    for step in way():
        if type(step) is not Wait:
            given.append(step)
            if len(given) == most:
                break
        elif (batch := next(batches, None)) is None:
            live.end(None)
        else:
            live.arrived(batch)
    return given


ANSWERS = st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=6), min_size=1, max_size=3)
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=3)
DEBOUNCES = st.sampled_from([None, 0, 0.1, 100])


@pytest.mark.slow
@pytest.mark.timing
@settings(deadline=None)
@given(ANSWERS, SIZES, st.lists(st.tuples(DEBOUNCES, st.integers(1, 3)), max_size=4), DEBOUNCES, st.booleans())
def test_pieces_of_text_are_complete(
    answers: list[list[str]], sizes: list[int], loops: list[tuple[Any, int]], last: Any, thoughts: bool
) -> None:
    live, texts = live_result(), [''.join(answer) for answer in answers]
    events = [event for answer in answers for event in text_events(answer, thoughts=thoughts)]
    batches = batches_of(events, sizes)
    pieces: list[str] = []
    for debounce_by, most in [*loops, (last, -1)]:
        pieces += read(live, lambda by=debounce_by: live.text(delta=True, debounce_by=by), batches, most)  # type: ignore[misc]
    assert ''.join(pieces) == '\n\n'.join(filter(None, texts))
    assert '' not in pieces


@pytest.mark.slow
@settings(deadline=None)
@given(ANSWERS, SIZES, st.lists(st.tuples(DEBOUNCES, st.integers(1, 3)), max_size=4), DEBOUNCES)
def test_the_whole_text_grows_within_an_answer(
    answers: list[list[str]], sizes: list[int], loops: list[tuple[Any, int]], last: Any
) -> None:
    live, texts = live_result(), [''.join(answer) for answer in answers]
    events = [event for answer in answers for event in text_events(answer, thoughts=False)]
    batches = batches_of(events, sizes)
    snapshots: list[str] = []
    for debounce_by, most in [*loops, (last, -1)]:
        snapshots += read(live, lambda by=debounce_by: live.text(delta=False, debounce_by=by), batches, most)  # type: ignore[misc]
    states = iter([state for answer in answers for state in itertools.accumulate(answer)])
    assert all(text in states for text in snapshots), 'each is a state, and they come in order'
    if texts[-1]:
        assert snapshots[-1] == texts[-1]


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(-99, 99), max_size=4), min_size=1, max_size=8),
    st.integers(1, 6),
    SIZES,
    st.lists(st.sampled_from(['items', 'data', 'messages']), max_size=5),
)
def test_elements_are_given_once_whatever_is_read_in_between(
    rows: list[list[int]], cut: int, sizes: list[int], ways: list[str]
) -> None:
    live, text = live_result(list[list[int]]), f'{{"response": {rows}}}'
    pieces = [text[start : start + cut] for start in range(0, len(text), cut)]
    start = PartStartEvent(0, ToolCallPart('final_result', None, 'c'))
    deltas = [PartDeltaEvent(0, ToolCallPartDelta(args_delta=piece)) for piece in pieces]
    batches = batches_of([FinalResultEvent('final_result', 'c'), start, *deltas], sizes)
    given: list[Any] = []
    for way in [*ways, 'items']:
        if way == 'items':
            given += read(live, live.items, batches, 1 if len(given) < len(rows) else -1)
        else:
            read(live, lambda way=way: getattr(live, way)(None), batches, 1)  # type: ignore[misc]
    assert given + read(live, live.items, batches, -1) == rows


# --- every provider ---------------------------------------------------------------------------------------------------

MODELS: dict[str, Callable[[str], Model]] = {
    'chat': lambda url: OpenAIChatModel('gpt-5.4-mini', base_url=url, api_key='k'),
    'responses': lambda url: OpenAIResponsesModel('gpt-5.4-mini', base_url=url, api_key='k'),
    'anthropic': lambda url: AnthropicModel('claude-haiku-4-5', base_url=url, api_key='k'),
    'google': lambda url: GoogleModel('gemini-2.5-flash', base_url=url, api_key='k'),
}


class Row(BaseModel):
    name: str


@both
@pytest.mark.parametrize('name', MODELS)
def test_a_run_with_a_tool_and_a_list(stream_of: Open, name: str, model_server: ModelServer) -> None:
    rows = [{'name': 'a}'}, {'name': '"b"'}, {'name': 'é'}]
    model_server.reply(
        Reply('Let me ', 'look.', tool_calls=[ToolCall('look', {'at': 'x'}, 'call_a')], usage=(5, 5)),
        Reply(tool_calls=[ToolCall('final_result', {'response': rows}, 'call_b', pieces=9)], usage=(6, 6)),
    )
    agent = Agent(MODELS[name](model_server.base_url), result_type=list[Row])

    @agent.tool_plain
    def look(at: str) -> str:
        return f'looked at {at}'

    with stream_of(agent) as stream:
        assert list(stream.stream_items()) == [Row(**row) for row in rows]
        assert stream.get_data() == [Row(**row) for row in rows]
        assert stream.usage().total_tokens == 22
        returned = [part.content for m in stream.all_messages() for part in m.parts if isinstance(part, ToolReturnPart)]
        assert returned == ['looked at x', 'Final result processed.']


@both
@pytest.mark.parametrize('name', MODELS)
def test_a_run_that_gives_text(stream_of: Open, name: str, model_server: ModelServer) -> None:
    model_server.reply(
        Reply('Let me ', 'look.', tool_calls=[ToolCall('look', '{}', 'call_a')]), Reply('It ', 'is ', 'fine.')
    )
    agent = Agent(MODELS[name](model_server.base_url))

    @agent.tool_plain
    def look() -> str:
        return 'looked'

    with stream_of(agent) as stream:
        assert ''.join(stream.stream_text(delta=True)) == 'Let me look.\n\nIt is fine.'
        assert stream.get_data() == 'It is fine.'
        assert stream.model_name
