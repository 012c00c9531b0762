"""The tests of the desk: recorded once with a real model, replayed from then on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import desk
import pytest


@pytest.fixture(autouse=True)
def taped(tape: Any) -> None:
    """Every test of this module is on a tape."""


@pytest.mark.parametrize(('message', 'kind'), [('Where is order A-17?', 'order'), ('I want my money back!', 'refund')])
def test_messages_are_sorted(message: str, kind: str) -> None:
    assert desk.sort(message).kind == kind


def test_an_order_is_looked_up() -> None:
    assert 'shipped on Monday' in desk.answer('Where is order A-17?')


def test_the_model_corrects_an_order_that_does_not_exist() -> None:
    assert 'waiting for stock' in desk.answer('Where is order b4?')


def test_an_answer_arrives_in_pieces() -> None:
    pieces = list(desk.answer_live('Where is order B-4?'))
    assert len(pieces) > 1
    assert 'waiting for stock' in ''.join(pieces)


def test_many_messages_at_once() -> None:
    messages = [f'Where is order {number}?' for number in range(8)] + ['I want my money back!']
    assert desk.sort_all(messages) == ['order'] * 8 + ['refund']


def test_messages_from_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(desk.answer, ['Where is order A-17?', 'Where is order B-4?'] * 2))
    assert ['shipped' in answer for answer in answers] == [True, False] * 2


def test_a_customer_asks_again() -> None:
    assert 'waiting for stock' in desk.follow_up('Where is order A-17?', 'And order B-4?')
