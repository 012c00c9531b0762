"""The keywords of JSON Schema that contain schemas: checks composed of checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .keywords import Test

Loc: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A violation: the keyword in words, the place in the value, and the value there."""

    keyword: str
    message: str
    loc: Loc
    value: Any


Seen: TypeAlias = set[str | int]
Check: TypeAlias = Callable[[Any, Loc, list[Problem]], Seen]
"""Appends the problems of a value, and returns the properties or items that it evaluated."""


def anything(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
    del value, loc, problems
    return set()


def nothing(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
    problems.append(Problem('false', 'Nothing is allowed here', loc, value))
    return set()


def asserted(keyword: str, test: Test) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        if (message := test(value)) is not None:
            problems.append(Problem(keyword, message, loc, value))
        return set()

    return check


# --- the same value ---------------------------------------------------------------------------------------------------


def all_of(checks: Sequence[Check]) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        keys: Seen = set()
        for one in checks:
            keys |= one(value, loc, problems)
        return keys

    return check


def any_of(checks: Sequence[Check]) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        results = [_tried(one, value, loc) for one in checks]
        if all(failures for _, failures in results):
            problems.append(_none_fits('anyOf', results, value, loc))
        return {key for keys, failures in results if not failures for key in keys}

    return check


def one_of(checks: Sequence[Check]) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        results = [_tried(one, value, loc) for one in checks]
        fitting = [keys for keys, failures in results if not failures]
        if not fitting:
            problems.append(_none_fits('oneOf', results, value, loc))
        elif len(fitting) > 1:
            problems.append(Problem('oneOf', f'Input fits {len(fitting)} alternatives, and must fit one', loc, value))
        return fitting[0] if len(fitting) == 1 else set()

    return check


def negated(inner: Check) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        if not _tried(inner, value, loc)[1]:
            problems.append(Problem('not', 'Input is what it must not be', loc, value))
        return set()

    return check


def conditional(condition: Check, then: Check, otherwise: Check) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        keys, failures = _tried(condition, value, loc)
        return otherwise(value, loc, problems) if failures else keys | then(value, loc, problems)

    return check


def dependent(name: str, inner: Check) -> Check:
    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        return inner(value, loc, problems) if isinstance(value, dict) and name in value else set()

    return check


def _tried(check: Check, value: Any, loc: Loc) -> tuple[Seen, list[Problem]]:
    failures: list[Problem] = []
    return check(value, loc, failures), failures


def _none_fits(keyword: str, results: Sequence[tuple[Seen, list[Problem]]], value: Any, loc: Loc) -> Problem:
    reasons = []
    for _, failures in results:
        where = '.'.join(map(str, failures[0].loc[len(loc) :]))
        reasons.append(f'{where}: {failures[0].message}' if where else failures[0].message)
    message = f'Input fits none of the alternatives ({"; ".join(dict.fromkeys(reasons))})'
    only_types = all(failures[0].keyword == 'type' for _, failures in results)
    return Problem(f'{keyword}_type' if only_types else keyword, message, loc, value)


# --- properties and items ---------------------------------------------------------------------------------------------


def of_object(
    properties: Mapping[str, Check],
    patterns: Sequence[tuple[re.Pattern[str], Check]],
    rest: Check | None,
    names: Check | None,
) -> Check:
    """The check of an object: named properties, properties by pattern, the rest, and the names."""

    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        if not isinstance(value, dict):
            return set()
        keys: Seen = set()
        for key, item in value.items():
            checks = [properties[key]] if key in properties else []
            checks += [one for pattern, one in patterns if pattern.search(key)]
            if not checks and rest is not None:
                checks = [rest]
            for one in checks:
                _check_property(one, key, item, loc, problems)
                keys.add(key)
            if names is not None:
                names(key, (*loc, key), problems)
        return keys

    return check


def _check_property(check: Check, key: str, item: Any, loc: Loc, problems: list[Problem]) -> None:
    if check is nothing:
        problems.append(Problem('additionalProperties', f'There is no property {key!r}', (*loc, key), item))
    else:
        check(item, (*loc, key), problems)


def of_list(
    places: Sequence[Check], rest: Check | None, contains: Check | None, counts: tuple[int, int | None]
) -> Check:
    """The check of a list: the first items, the rest, and the number of items of a kind."""

    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        if not isinstance(value, list):
            return set()
        numbers: Seen = set()
        for number, item in enumerate(value):
            one = places[number] if number < len(places) else rest
            if one is not None:
                one(item, (*loc, number), problems)
                numbers.add(number)
        return numbers if contains is None else numbers | _contained(contains, counts, value, loc, problems)

    return check


def _contained(
    contains: Check, counts: tuple[int, int | None], value: list[Any], loc: Loc, problems: list[Problem]
) -> Seen:
    least, most = counts
    fitting = {number for number, item in enumerate(value) if not _tried(contains, item, loc)[1]}
    if len(fitting) < least or (most is not None and len(fitting) > most):
        bounds = f'at least {least}' if most is None else f'{least} to {most}'
        message = f'Input has {len(fitting)} items of the kind of which it should have {bounds}'
        problems.append(Problem('contains', message, loc, value))
    return set(fitting)


def with_unevaluated(checks: Sequence[Check], rest: Mapping[type, Check]) -> Check:
    """All checks, and one for the properties or items that none of them evaluated."""
    first = all_of(checks)

    def check(value: Any, loc: Loc, problems: list[Problem]) -> Seen:
        keys = first(value, loc, problems)
        one = rest.get(type(value))
        if one is not None:
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in entries:
                if key not in keys:
                    one(item, (*loc, key), problems)
                    keys.add(key)
        return keys

    return check
