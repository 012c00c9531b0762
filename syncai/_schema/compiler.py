"""A JSON schema as a function that checks values.

The rules of draft 2020-12, and the keywords of older drafts with the same meaning (`definitions`, `items` as a list,
`additionalItems`, `dependencies`). `format` and non-standard keywords are annotations, and not checked. References must
point into the schema itself: nothing is fetched.

Source: https://json-schema.org/draft/2020-12/json-schema-core
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from ..exceptions import UserError
from .checks import (
    Check,
    Problem,
    all_of,
    any_of,
    anything,
    asserted,
    conditional,
    dependent,
    negated,
    nothing,
    of_list,
    of_object,
    one_of,
    with_unevaluated,
)
from .keywords import ASSERTIONS, compiled

__all__ = ['check_of', 'KEYWORDS', 'Problem']

_UNSUPPORTED = ('$dynamicRef', '$recursiveRef')
_OF_PROPERTIES = ('properties', 'patternProperties', 'additionalProperties', 'propertyNames')
_OF_ITEMS = ('prefixItems', 'items', 'contains')
_UNEVALUATED: Mapping[str, type] = {'unevaluatedProperties': dict, 'unevaluatedItems': list}

KEYWORDS = frozenset(
    {
        *ASSERTIONS,
        *_OF_PROPERTIES,
        *_OF_ITEMS,
        *_UNEVALUATED,
        *_UNSUPPORTED,
        *('$ref', '$defs', 'definitions', 'allOf', 'anyOf', 'oneOf', 'not', 'if', 'dependentSchemas', 'dependencies'),
    }
)
"""The keywords that constrain a value or can be referred to."""


def check_of(schema: Any, what: str) -> Callable[[Any], list[Problem]]:
    """The check of a whole schema.

    Args:
        schema: The schema.
        what: What it is, for errors.

    Raises:
        UserError: It is no JSON schema; the message says where, and what is expected there.
    """
    check = _Compiler(schema, what).check(schema, '#', ())

    def problems_of(value: Any) -> list[Problem]:
        problems: list[Problem] = []
        try:
            check(value, (), problems)
        except RecursionError:
            return [Problem('depth', 'Input is nested too deep', (), '...')]
        return problems

    return problems_of


class _Compiler:
    """Makes the checks of the parts of one schema; the check of a referenced part is made once."""

    def __init__(self, root: Any, what: str) -> None:
        self._root = root
        self._what = what
        self._referred: dict[str, Check] = {}

    def check(self, schema: Any, path: str, entered: tuple[str, ...]) -> Check:
        """The check of a subschema; `entered` are the references that led here without a step down."""
        if isinstance(schema, bool):
            return anything if schema else nothing
        if not isinstance(schema, dict):
            raise self._refused(path, f'must be a schema (an object, true or false), not {schema!r:.100}')
        for keyword in _UNSUPPORTED:
            if keyword in schema:
                raise self._refused(f'{path}/{keyword}', 'is not supported here: refer with $ref')
        checks = [*self._assertions(schema, path), *self._in_place(schema, path, entered)]
        if any(name in schema for name in _OF_PROPERTIES):
            checks.append(self._properties(schema, path))
        if any(name in schema for name in _OF_ITEMS):
            checks.append(self._items(schema, path))
        rest = {kind: self._part(schema, name, path) for name, kind in _UNEVALUATED.items() if name in schema}
        if rest:
            return with_unevaluated(checks, rest)
        return checks[0] if len(checks) == 1 else all_of(checks)

    def _refused(self, path: str, problem: str) -> UserError:
        return UserError(f'{self._what} is no JSON schema that can be checked: {path} {problem}')

    # --- the same value -----------------------------------------------------------------------------------------------

    def _assertions(self, schema: Mapping[str, Any], path: str) -> Iterator[Check]:
        for keyword, value in schema.items():
            if keyword in ASSERTIONS:
                try:
                    yield asserted(keyword, ASSERTIONS[keyword](value))
                except UserError as error:
                    raise self._refused(f'{path}/{keyword}', str(error)) from None

    def _in_place(self, schema: Mapping[str, Any], path: str, entered: tuple[str, ...]) -> Iterator[Check]:
        if '$ref' in schema:
            yield self._reference(schema['$ref'], f'{path}/$ref', entered)
        for keyword, make in (('allOf', all_of), ('anyOf', any_of), ('oneOf', one_of)):
            if keyword in schema:
                members = self._list(schema[keyword], f'{path}/{keyword}')
                yield make([self.check(s, f'{path}/{keyword}/{i}', entered) for i, s in enumerate(members)])
        if 'not' in schema:
            yield negated(self.check(schema['not'], f'{path}/not', entered))
        if 'if' in schema:
            branches = [self.check(schema.get(k, True), f'{path}/{k}', entered) for k in ('if', 'then', 'else')]
            yield conditional(*branches)
        for keyword in ('dependentSchemas', 'dependencies'):
            for name, member in self._object(schema.get(keyword, {}), f'{path}/{keyword}').items():
                rule = {'required': member} if isinstance(member, list) else member
                yield dependent(name, self.check(rule, f'{path}/{keyword}/{name}', entered))

    # --- references ---------------------------------------------------------------------------------------------------

    def _reference(self, reference: Any, path: str, entered: tuple[str, ...]) -> Check:
        if not isinstance(reference, str):
            raise self._refused(path, f'must be a text, not {reference!r:.100}')
        if reference in entered:
            raise self._refused(path, f'leads back to itself ({reference})')
        checks = self._referred
        if reference not in checks:
            checks[reference] = anything  # a placeholder until it is made, for references to itself
            checks[reference] = self.check(self._target(reference, path), reference, (*entered, reference))
        return lambda value, loc, problems: checks[reference](value, loc, problems)

    def _target(self, reference: str, path: str) -> Any:
        own_id = self._root.get('$id') if isinstance(self._root, dict) else None
        address, _, fragment = reference.partition('#')
        if address and address != str(own_id).partition('#')[0]:
            raise self._refused(path, f'refers to {reference!r}, outside of the schema: nothing is fetched')
        steps = unquote(fragment).split('/')
        node = self._anchored(steps[0]) if steps[0] else self._root
        for step in steps[1:]:
            node = _below(node, step.replace('~1', '/').replace('~0', '~'))
        if node is None:
            raise self._refused(path, f'refers to {reference!r}, which the schema does not hold')
        return node

    def _anchored(self, name: str) -> Any:
        return next((node for node in _nodes(self._root) if node.get('$anchor') == name), None)

    # --- properties and items -----------------------------------------------------------------------------------------

    def _properties(self, schema: Mapping[str, Any], path: str) -> Check:
        properties = self._schemas(schema, 'properties', path)
        by_pattern = self._schemas(schema, 'patternProperties', path)
        try:
            patterns = [(compiled(pattern), check) for pattern, check in by_pattern.items()]
        except UserError as error:
            raise self._refused(f'{path}/patternProperties', f'has a key that {error}') from None
        rest, names = (self._optional(schema, name, path) for name in ('additionalProperties', 'propertyNames'))
        return of_object(properties, patterns, rest, names)

    def _items(self, schema: Mapping[str, Any], path: str) -> Check:
        first, rest = (
            ('items', 'additionalItems') if isinstance(schema.get('items'), list) else ('prefixItems', 'items')
        )
        members = self._list(schema[first], f'{path}/{first}') if first in schema else []
        places = [self.check(member, f'{path}/{first}/{i}', ()) for i, member in enumerate(members)]
        for name in ('minContains', 'maxContains'):
            count = schema.get(name, 0)
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise self._refused(f'{path}/{name}', f'must be an integer, 0 or above, not {count!r:.100}')
        counts = schema.get('minContains', 1), schema.get('maxContains')
        return of_list(places, self._optional(schema, rest, path), self._optional(schema, 'contains', path), counts)

    def _optional(self, schema: Mapping[str, Any], name: str, path: str) -> Check | None:
        return self._part(schema, name, path) if name in schema else None

    def _part(self, schema: Mapping[str, Any], name: str, path: str) -> Check:
        return self.check(schema[name], f'{path}/{name}', ())

    def _schemas(self, schema: Mapping[str, Any], name: str, path: str) -> dict[str, Check]:
        members = self._object(schema.get(name, {}), f'{path}/{name}')
        return {key: self.check(member, f'{path}/{name}/{key}', ()) for key, member in members.items()}

    def _object(self, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self._refused(path, f'must be an object, not {value!r:.100}')
        return value

    def _list(self, value: Any, path: str) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise self._refused(path, f'must be a list of schemas, not {value!r:.100}')
        return value


def _below(node: Any, step: str) -> Any:
    if isinstance(node, list):
        return node[int(step)] if step.isdecimal() and int(step) < len(node) else None
    return node.get(step) if isinstance(node, dict) else None


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)
