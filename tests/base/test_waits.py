"""The description of a call's wait, by the functions that it is suspended in."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

from syncai._base.phases import names_wait, wait_in


@names_wait('the first of a list')
def outer() -> None: ...


@names_wait('the second of a list')
def inner() -> None: ...


@names_wait('a list', instead_of='the second of a list')
def all_of_it() -> None: ...


def test_the_innermost_function_names_what_a_call_waits_for() -> None:
    def codes(*functions: Callable[..., Any]) -> list[CodeType]:
        return [function.__code__ for function in functions]

    assert wait_in(codes(outer, inner, codes)) == 'the second of a list'
    assert wait_in(codes(inner, outer)) == 'the first of a list'
    assert wait_in(codes(all_of_it, outer, inner)) == 'a list'
    assert wait_in(codes(all_of_it, inner, outer)) == 'the first of a list'
    assert wait_in(codes(codes)) == wait_in([]) == 'its next step'
