"""How much work streaming takes: it grows with the size of what is streamed, not with its square."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
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


def events_of(size: int) -> list[Any]:
    pieces = pieces_of(json.dumps({'bio': 'x' * size}), 4)
    beginning = [FinalResultEvent('final_result', 'c1'), PartStartEvent(0, ToolCallPart('final_result', None, 'c1'))]
    return [*beginning, *(PartDeltaEvent(0, ToolCallPartDelta(args_delta=piece)) for piece in pieces)]


def validated_characters(size: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[int, float]:
    """The characters that `stream` validates in a burst of `size`, and the time that it takes."""
    clock, work = Clock(), [0]

    def validate(self: object, args: str, *, allow_partial: bool) -> dict[str, str]:
        work[0] += len(args)
        clock.now += CHARACTER * len(args)
        return {}

    monkeypatch.setattr(ResultTool, 'validate', validate)
    agent: Agent[None, Bio] = Agent(TestModel(), result_type=Bio)
    live = LiveResult(AgentRun(agent._plan('Hi', {})), clock)
    events = events_of(size)
    batches = iter([events[start : start + 16] for start in range(0, len(events), 16)])
    for step in live.data(options.get('debounce_by', 0.1)):
        if isinstance(step, Wait):
            fetch(live, batches, clock)
    return work[0], clock.now


def fetch(live: LiveResult[Any], batches: Iterator[list[Any]], clock: Clock) -> None:
    batch = next(batches, None)
    if batch is None:
        live.end(None)
    else:
        clock.now += EVENT * len(batch)
        live.arrived(batch)


@pytest.mark.parametrize('debounce_by', [0.1, 0.01, 0])
def test_snapshots_cost_a_part_of_the_time_that_the_stream_takes(
    debounce_by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = (50_000, 200_000, 800_000)
    measured = [validated_characters(size, monkeypatch, debounce_by=debounce_by) for size in sizes]
    for size, (characters, seconds) in zip(sizes, measured, strict=True):
        spent = CHARACTER * characters
        # A tenth of the time, and the last snapshot, which comes whatever it costs.
        assert spent < 0.11 * (seconds - spent) + CHARACTER * (size + 100)


def test_a_snapshot_for_every_event_costs_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    small, _ = validated_characters(5_000, monkeypatch, debounce_by=None)
    large, _ = validated_characters(20_000, monkeypatch, debounce_by=None)
    assert 14 < large / small < 18, 'the other tests measure what they say'


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
