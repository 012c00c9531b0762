"""The comparison that the replays of all formats rely on."""

from __future__ import annotations

import pytest
from replay import MISSING, Deliberate, assert_same_request, differences


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
