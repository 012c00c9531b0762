"""How much work streaming takes: it grows with the size of what is streamed, not with its square."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter
from streams import Pieces, in_sync, pieces_of
from typing_extensions import TypedDict

from syncai._engine.agent_run import AgentRun
from syncai._schema import ResultTool
from syncai.agent import Agent
from syncai.events import FinalResultEvent
from syncai.messages import PartDeltaEvent, PartStartEvent, ToolCallPart, ToolCallPartDelta
from syncai.models.test import TestModel
from syncai.stream._pace import Pace
from syncai.stream._snapshots import LiveResult, Wait


class Bio(TypedDict, total=False):
    bio: str


class Clock:
    """Time that passes as things are done."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def spend(self, seconds: float) -> str:
        self.now += seconds
        return 'made'


EVENT = 4e-6
"""Seconds in which a piece arrives: a burst."""
CHARACTER = 5e-9
"""Seconds that validating a character takes."""


def events_of(text: str) -> list[Any]:
    beginning = [FinalResultEvent('final_result', 'c1'), PartStartEvent(0, ToolCallPart('final_result', None, 'c1'))]
    return [*beginning, *(PartDeltaEvent(0, ToolCallPartDelta(args_delta=piece)) for piece in pieces_of(text, 4))]


def validated_characters(
    data: Any, monkeypatch: pytest.MonkeyPatch, *, kind: Any = Bio, debounce_by: float | None = 0.1
) -> tuple[int, float]:
    """The characters that `stream` validates in a burst, and the time that it takes."""
    clock, work = Clock(), [0]
    validate: Any = TypeAdapter.validate_json

    def counted(self: Any, text: str, **options: Any) -> Any:
        work[0] += len(text)
        clock.now += CHARACTER * len(text)
        return validate(self, text, **options)

    monkeypatch.setattr(TypeAdapter, 'validate_json', counted)
    agent: Agent[None, Any] = Agent(TestModel(), result_type=kind)
    live = LiveResult(AgentRun(agent._plan('Hi', {})), clock)
    events = events_of(json.dumps(data))
    batches = iter([events[start : start + 16] for start in range(0, len(events), 16)])
    for step in live.data(debounce_by):
        if isinstance(step, Wait):
            fetch(live, batches, clock)
    monkeypatch.undo()
    return work[0], clock.now


def fetch(live: LiveResult[Any], batches: Iterator[list[Any]], clock: Clock) -> None:
    batch = next(batches, None)
    if batch is None:
        live.end(None)
    else:
        clock.now += EVENT * len(batch)
        live.arrived(batch)


@pytest.mark.slow
@pytest.mark.parametrize('debounce_by', [0.1, 0.01, 0])
def test_snapshots_cost_a_part_of_the_time_that_the_stream_takes(
    debounce_by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = (50_000, 200_000, 800_000)
    measured = [validated_characters({'bio': 'x' * size}, monkeypatch, debounce_by=debounce_by) for size in sizes]
    for size, (characters, seconds) in zip(sizes, measured, strict=True):
        spent = CHARACTER * characters
        # A tenth of the time, and the last snapshot, which comes whatever it costs.
        assert spent < 0.11 * (seconds - spent) + CHARACTER * (size + 100)


def rows(number: int) -> list[dict[str, Any]]:
    return [{'name': f'row {index}', 'tags': ['one', 'two'], 'number': index} for index in range(number)]


@pytest.mark.parametrize('kind', [list[Any], set[Any], tuple[Any, ...], Sequence[Any]], ids=str)
def test_of_a_list_only_the_open_element_is_validated_again(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each character is validated about as often as its own element has pieces, however long the list grows."""
    data = [f'{number:060}' for number in range(800)] if kind == set[Any] else rows(800)
    small, _ = validated_characters({'response': data[:200]}, monkeypatch, kind=kind, debounce_by=None)
    large, _ = validated_characters({'response': data}, monkeypatch, kind=kind, debounce_by=None)
    assert small >= len(json.dumps(data[:200])), 'there was something to validate'
    assert large / small < 4.3


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'data_of'),
    [
        (Bio, lambda size: {'bio': 'x' * size}),
        (dict[str, Any], lambda size: {'rows': rows(size // 50)}),
        (list[str], lambda size: {'response': ['x' * size]}),
        (Annotated[list[Any], Field(max_length=10_000)], lambda size: {'response': rows(size // 50)}),
    ],
    ids=['text', 'rows in an object', 'one long element', 'list with a limit'],
)
def test_a_snapshot_for_every_event_costs_no_square(
    kind: Any, data_of: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that must be validated whole is validated once for each growth by a hundredth."""
    small, large = (
        validated_characters(data_of(size), monkeypatch, kind=kind, debounce_by=None)[0] for size in (20_000, 80_000)
    )
    assert large / small < 5
    assert large < 200 * 80_000


@pytest.mark.parametrize('mode', ['tool', 'native'])
def test_messages_of_a_list_are_validated_where_they_are_open(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(number: int) -> int:
        text = json.dumps({'response': rows(number)})
        pieces: Any = pieces_of(text, 40) if mode == 'native' else [('final_result', *pieces_of(text, 40))]
        agent: Agent[None, Any] = Agent(Pieces(pieces).model, result_type=list[Any], result_mode=mode)
        validated: list[int] = []
        validate: Any = TypeAdapter.validate_json

        def counted(self: Any, text: str, **options: Any) -> Any:
            validated.append(len(text))
            return validate(self, text, **options)

        with in_sync(agent) as stream:
            monkeypatch.setattr(TypeAdapter, 'validate_json', counted)
            for message, last in stream.stream_structured(debounce_by=None):
                if not last:
                    seen = stream.validate_structured_result(message, allow_partial=True)
            monkeypatch.undo()
            assert seen == rows(number)
        return sum(validated)

    assert work(400) / work(100) < 4.3


def test_every_snapshot_of_little_data_comes() -> None:
    text = json.dumps({'bio': 'x' * 4000})
    agent = Agent(Pieces([('final_result', *pieces_of(text, 4))]).model, result_type=Bio)
    with in_sync(agent) as stream:
        assert len(list(stream.stream(debounce_by=None))) >= 1000


def test_the_last_values_are_whole_whatever_they_cost() -> None:
    data = {'bio': 'x' * 50_000}
    agent = Agent(Pieces([('final_result', *pieces_of(json.dumps(data), 40))]).model, result_type=Bio)
    with in_sync(agent) as stream:
        assert list(stream.stream(debounce_by=None))[-2:] == [data, data]


def test_the_pace_stretches_with_the_cost() -> None:
    clock = Clock()
    pace = Pace(0.1, clock)
    assert pace.left() <= 0, 'the first is not held back'
    assert pace.made(lambda: clock.spend(0.001)) == 'made'
    assert pace.left() == pytest.approx(0.1)
    clock.now += 0.1
    pace.made(lambda: clock.spend(0.05))
    assert pace.left() == pytest.approx(0.5)
    assert Pace(None, clock).left() == 0


@pytest.mark.parametrize('read', ['get_data', 'stream_items', 'delta'])
def test_nothing_is_validated_or_joined_on_the_way(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole is validated once, in the end; a piece is passed on as it is."""
    parsed: list[int] = []
    validate: Any = ResultTool.validate

    def counted(self: Any, args: str, **options: Any) -> Any:
        parsed.append(len(args))
        return validate(self, args, **options)

    monkeypatch.setattr(ResultTool, 'validate', counted)
    text = json.dumps({'response': ['x' * 100] * 50})
    model = Pieces([('final_result', *pieces_of(text, 4))] if read != 'delta' else pieces_of(text, 4)).model
    with in_sync(Agent(model, result_type=list[str] if read != 'delta' else str)) as stream:
        if read == 'stream_items':
            assert len(list(stream.stream_items())) == 50
        elif read == 'delta':
            assert ''.join(stream.stream_text(delta=True)) == text
        stream.get_data()
    assert parsed == ([] if read == 'delta' else [len(text)])
