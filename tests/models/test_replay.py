"""The comparison that the replays of all formats rely on, and that they leave no recording out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import pytest
import test_anthropic_replay
import test_compatible_replay
import test_google_replay
import test_openai_chat_recordings
import test_responses_replay
from beside import RECORDINGS
from replay import MISSING, Deliberate, Exchange, assert_same_request, conversations, differences

REPLAYS: tuple[Any, ...] = (
    test_anthropic_replay.test_answers_are_read_whatever_the_cutting,
    test_compatible_replay.test_answers,
    test_google_replay.test_recorded_answers,
    test_openai_chat_recordings.test_answers_are_read_whatever_the_cutting,
    test_responses_replay.test_answers_are_read_whatever_the_cutting,
)


def found(ours: object, recorded: object) -> list[tuple[str, object, object]]:
    return [(d.path, d.ours, d.recorded) for d in differences(ours, recorded)]


def test_equal_values_and_values_that_only_look_equal() -> None:
    assert found({'a': [1, {'b': None}]}, {'a': [1.0, {'b': None}]}) == []
    assert found({'a': True, 'b': 0}, {'a': 1, 'b': False}) == [('a', True, 1), ('b', 0, False)]
    assert found({'a': None}, {'b': 1}) == [('b', MISSING, 1), ('a', None, MISSING)]


def test_one_item_too_many_is_one_difference() -> None:
    assert found({'m': [1, 3]}, {'m': [1, 2, 3]}) == [('m.1', MISSING, 2)]
    assert found([{'a': 1}, {'b': 1}], [{'a': 1}, {'b': 2}]) == [('1.b', 1, 2)]


def test_what_is_deliberate() -> None:
    null = Deliberate('m.*.status', 'null and absent mean the same', ours=MISSING, recorded=None)
    other = Deliberate('x', 'never needed')
    assert assert_same_request({'m': [{}]}, {'m': [{'status': None}]}, [null, other]) == [null]
    with pytest.raises(AssertionError, match=r"m\.0\.status: ours MISSING, recorded 'done'"):
        assert_same_request({'m': [{}]}, {'m': [{'status': 'done'}]}, [null])
    with pytest.raises(AssertionError, match=r'm\.0\.status: ours 1'):
        assert_same_request({'m': [{'status': 1}]}, {'m': [{'status': None}]}, [null])


def replayed() -> Iterator[Exchange]:
    """Every exchange that some test takes as its parameter."""
    for test in REPLAYS:
        for mark in test.pytestmark:
            for given in mark.args[1] if mark.name == 'parametrize' else ():
                values: tuple[Any, ...] = getattr(given, 'values', ())
                if len(values) == 3:
                    provider, name, number = values
                    yield test_compatible_replay.recorded(provider)[name][number]
                else:
                    yield from (value for value in values if isinstance(value, Exchange))


@pytest.mark.needs_recordings
def test_every_recording_is_replayed() -> None:
    with (RECORDINGS / 'INDEX.tsv').open(encoding='utf-8') as file:
        index = {row['file']: int(row['interactions']) for row in csv.DictReader(file, delimiter='\t')}
    known = list(replayed())
    left_out = []
    for name, interactions in index.items():
        provider, _, stem = name.removesuffix('.json').partition('/')
        recorded = conversations(provider)[stem]
        assert len(recorded) == interactions
        left_out += [exchange.name for exchange in recorded if exchange not in known]
    assert left_out == []
    assert len(index) == 46
