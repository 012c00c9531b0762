"""The keywords of JSON Schema for single values, each as a test that describes what is wrong.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Hashable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from ..exceptions import UserError

__all__ = ['ASSERTIONS', 'Test']

Test: TypeAlias = Callable[[Any], str | None]
"""The problem with a value, or None."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: object) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())  # type: ignore[attr-defined]


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    'null': lambda value: value is None,
    'boolean': lambda value: isinstance(value, bool),
    'integer': _is_integer,
    'number': _is_number,
    'string': lambda value: isinstance(value, str),
    'array': lambda value: isinstance(value, list),
    'object': lambda value: isinstance(value, dict),
}


def _identity(value: Any) -> Hashable:
    """A key that is equal for values that are equal in JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, dict):
        return 'object', frozenset((key, _identity(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return 'array', tuple(map(_identity, value))
    kind = 'number' if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    return kind, value


def _shown(value: object) -> str:
    from .._base.values import to_json_str

    return to_json_str(value)


# --- any value --------------------------------------------------------------------------------------------------------


def _type(names: Any) -> Test:
    kinds = names if isinstance(names, list) else [names]
    if not kinds or any(name not in _TYPES for name in kinds if isinstance(name, str)) or not _are_texts(kinds):
        raise UserError(f'must be one or several of {", ".join(_TYPES)}, not {names!r:.100}')
    tests = [_TYPES[name] for name in kinds]
    problem = f'Input should be of the type {" or ".join(kinds)}'
    return lambda value: None if any(test(value) for test in tests) else problem


def _enum(values: Any) -> Test:
    if not isinstance(values, list) or not values:
        raise UserError(f'must be a list of values, not {values!r:.100}')
    identities = {_identity(value) for value in values}
    problem = f'Input should be {" or ".join(map(_shown, values))}'
    return lambda value: None if _identity(value) in identities else problem


def _const(constant: Any) -> Test:
    return _enum([constant])


# --- numbers ----------------------------------------------------------------------------------------------------------


def _bound(holds: Callable[[Any, Any], bool], words: str) -> Callable[[Any], Test]:
    def make(limit: Any) -> Test:
        if not _is_number(limit):
            raise UserError(f'must be a number, not {limit!r:.100}')
        problem = f'Input should be {words} {limit}'
        return lambda value: problem if _is_number(value) and not holds(value, limit) else None

    return make


def _multiple_of(step: Any) -> Test:
    if not _is_number(step) or step <= 0:
        raise UserError(f'must be a number above 0, not {step!r:.100}')
    exact = Fraction(str(step))  # as decimals: 0.1 is exactly a tenth
    problem = f'Input should be a multiple of {step}'
    return lambda value: problem if _is_number(value) and Fraction(str(value)) % exact else None


# --- sizes, texts, lists and objects ----------------------------------------------------------------------------------


def _size(
    kind: type[str | list[Any] | dict[str, Any]], holds: Callable[[int, int], bool], words: str
) -> Callable[[Any], Test]:
    def make(limit: Any) -> Test:
        if not _is_integer(limit) or limit < 0:
            raise UserError(f'must be an integer, 0 or above, not {limit!r:.100}')
        problem = f'Input should have {words.format(int(limit))}'
        return lambda value: problem if isinstance(value, kind) and not holds(len(value), limit) else None

    return make


def _pattern(pattern: Any) -> Test:
    expression = compiled(pattern)
    problem = f'Input should match the pattern {pattern}'
    return lambda value: problem if isinstance(value, str) and not expression.search(value) else None


def compiled(pattern: Any) -> re.Pattern[str]:
    """The regular expression of a schema.

    Raises:
        UserError: Python cannot compile it.
    """
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise UserError(f'must be a regular expression that Python knows, not {pattern!r:.100} ({error})') from None


def _unique_items(keyword: Any) -> Test:
    if not isinstance(keyword, bool):
        raise UserError(f'must be true or false, not {keyword!r:.100}')

    def test(value: Any) -> str | None:
        if not keyword or not isinstance(value, list) or len({_identity(item) for item in value}) == len(value):
            return None
        return 'Input should have no item twice'

    return test


def _required(names: Any) -> Test:
    if not isinstance(names, list) or not _are_texts(names):
        raise UserError(f'must be a list of names, not {names!r:.100}')

    def test(value: Any) -> str | None:
        missing = [name for name in names if name not in value] if isinstance(value, dict) else []
        return f'Missing: {", ".join(map(repr, missing))}' if missing else None

    return test


def _dependent_required(groups: Any) -> Test:
    if not isinstance(groups, dict):
        raise UserError(f'must be an object, not {groups!r:.100}')
    tests = {name: _required(names) for name, names in groups.items()}

    def test(value: Any) -> str | None:
        if not isinstance(value, dict):
            return None
        problems = (
            f'{missing} (needed beside {name!r})'
            for name, t in tests.items()
            if name in value and (missing := t(value))
        )
        return next(problems, None)

    return test


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


ASSERTIONS: Mapping[str, Callable[[Any], Test]] = {
    'type': _type,
    'enum': _enum,
    'const': _const,
    'minimum': _bound(operator.ge, 'at least'),
    'maximum': _bound(operator.le, 'at most'),
    'exclusiveMinimum': _bound(operator.gt, 'above'),
    'exclusiveMaximum': _bound(operator.lt, 'below'),
    'multipleOf': _multiple_of,
    'minLength': _size(str, operator.ge, 'at least {} characters'),
    'maxLength': _size(str, operator.le, 'at most {} characters'),
    'minItems': _size(list, operator.ge, 'at least {} items'),
    'maxItems': _size(list, operator.le, 'at most {} items'),
    'minProperties': _size(dict, operator.ge, 'at least {} properties'),
    'maxProperties': _size(dict, operator.le, 'at most {} properties'),
    'pattern': _pattern,
    'uniqueItems': _unique_items,
    'required': _required,
    'dependentRequired': _dependent_required,
}
"""The keywords, each with a function that makes its test from the keyword's value. Each function raises UserError for a
value of the wrong type; the message says what it must be.
"""
