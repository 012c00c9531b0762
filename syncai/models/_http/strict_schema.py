"""JSON schemas for OpenAI's strict mode; pure.

Every object is closed and requires all its properties, alternatives are written `anyOf`, and few other keywords are
known: https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas. The rest of a schema moves to
the descriptions, for the model to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..._base.values import to_json_str
from ...exceptions import UserError

_KEPT = frozenset(
    {
        'type', 'title', 'description', 'enum', 'const', '$ref',
        'multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum', 'minItems', 'maxItems',
    }
)  # fmt: skip
_NESTED = frozenset({'properties', '$defs', 'definitions'})
_WRITTEN_ANEW = frozenset({'required', 'additionalProperties', 'prefixItems', 'items'})
_SAYS_NOTHING = frozenset({'discriminator', '$schema', '$id', '$comment', 'readOnly', 'writeOnly', 'deprecated'})
_FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'})
_LOOKS_AROUND = re.compile(r'\(\?<?[=!]')  # in a pattern: grammars lack this
_MEMBERS = ('anyOf', 'oneOf')

# Constraints that a grammar cannot enforce; descriptions can only ask for them.
_BEYOND = frozenset(
    {
        'not', 'if', 'then', 'else', 'dependentRequired', 'dependentSchemas', 'dependencies', 'patternProperties',
        'propertyNames', 'minProperties', 'maxProperties', 'unevaluatedProperties', 'unevaluatedItems', 'contains',
        'minContains', 'maxContains',
    }
)  # fmt: skip

_MOST_PROPERTIES = 5_000
_MOST_ENUM_VALUES = 1_000
_TYPES = {str: 'string', bool: 'boolean', int: 'integer', float: 'number', type(None): 'null'}


def strict_schema(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """A copy that strict mode takes.

    Args:
        schema: The schema of an object.
        name: What has the schema, for errors.

    Raises:
        UserError: It has an object of any keys, which strict mode could only write as an object without keys.
    """
    writer = _Writer(schema)
    strict = writer.written()
    if writer.open:
        raise UserError(
            f'{name} cannot be strict: {writer.open[0]} is an object of any keys, such as a dict. Write it as a list '
            'of objects with a key and a value, or leave out strict'
        )
    return strict


def strict_where_it_fits(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The strict copy if strict mode can express the whole schema, else None."""
    writer = _Writer(schema)
    strict = writer.written()
    fits = not writer.open and not writer.unfit and strict.get('type') == 'object'
    return strict if fits and _is_small(strict) else None


def with_words(description: object, words: list[str]) -> str:
    """A description with the constraints that the schema cannot express."""
    return ' '.join(filter(None, [str(description or ''), f'({", ".join(words)})']))


class _Writer:
    """Writes one schema.

    Attributes:
        open: Where there are objects of any keys.
        unfit: Relevant keywords that strict mode lacks.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self.open: list[str] = []
        self.unfit: list[str] = []
        self._schema = schema
        self._definitions = {**schema.get('definitions', {}), **schema.get('$defs', {})}

    def written(self) -> dict[str, Any]:
        closed: dict[str, Any] = self._node(self._schema, (), 'the whole')
        return closed

    def _node(self, node: Any, path: tuple[str, ...], place: str) -> Any:
        if not isinstance(node, dict):
            self.unfit.append(place)  # True: anything at all
            return node
        node, path = resolved(node, self._definitions, path)
        result: dict[str, Any] = {}
        words: list[str] = []
        for key, value in node.items():
            if key in _KEPT or self._is_kept(key, value):
                result[key] = value
            elif key in _NESTED and isinstance(value, dict):
                result[key] = {n: self._node(child, path, repr(n)) for n, child in value.items()}
            elif key in _MEMBERS and isinstance(value, list):
                result['anyOf'] = [*result.get('anyOf', ()), *(self._node(child, path, place) for child in value)]
            elif key == 'allOf' and isinstance(value, list):  # of several: servers refuse it with an error
                result[key] = [self._node(child, path, place) for child in value]
                self.unfit.append(key)
            elif key not in _WRITTEN_ANEW and key not in _SAYS_NOTHING:
                words += self._words(key, value)
        self._items(node, path, place, result)
        self._close(node, place, result)
        if words:
            result['description'] = with_words(result.get('description'), words)
        return self._typed(result, place)

    def _is_kept(self, key: str, value: Any) -> bool:
        if key == 'pattern':
            return isinstance(value, str) and not _LOOKS_AROUND.search(value)
        return key == 'format' and value in _FORMATS

    def _words(self, key: str, value: Any) -> Iterator[str]:
        if key == 'default' and value is None:
            return
        if key in _BEYOND:
            self.unfit.append(key)
        yield f'{key}: {value if isinstance(value, str) else to_json_str(value)}'

    def _items(self, node: dict[str, Any], path: tuple[str, ...], place: str, copy: dict[str, Any]) -> None:
        """The items of an array; those of a tuple as any of its types, since their order cannot be expressed."""
        kinds = node.get('prefixItems')
        if isinstance(kinds, list) and kinds:
            members = [self._node(kind, path, place) for kind in kinds]
            different = [kind for number, kind in enumerate(members) if kind not in members[:number]]
            copy['items'] = different[0] if len(different) == 1 else {'anyOf': different}
        elif 'items' in node:
            copy['items'] = self._node(node['items'], path, place)

    def _close(self, node: dict[str, Any], place: str, copy: dict[str, Any]) -> None:
        kind = node.get('type')
        if kind != 'object' and not (isinstance(kind, list) and 'object' in kind) and 'properties' not in node:
            return
        if node.get('additionalProperties', 'properties' not in node) is not False or 'patternProperties' in node:
            self.open.append(place)
        copy.setdefault('type', 'object')
        copy.setdefault('properties', {})
        copy['additionalProperties'] = False
        # Required ones first: models fill in properties in this order.
        copy['required'] = list(dict.fromkeys((*node.get('required', ()), *copy['properties'])))

    def _typed(self, copy: dict[str, Any], place: str) -> dict[str, Any]:
        if not copy.keys() & {'type', 'anyOf', '$ref'}:
            values = copy.get('enum', [copy['const']] if 'const' in copy else [])
            kinds = list(dict.fromkeys(_TYPES.get(type(value), 'object') for value in values))
            if kinds:
                copy['type'] = kinds[0] if len(kinds) == 1 else kinds
            else:
                self.unfit.append(place)
        return copy


def _is_small(schema: dict[str, Any]) -> bool:
    properties = values = 0
    nodes: list[Any] = [schema]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, dict):
            nodes += node.values()
            properties += len(node['properties']) if isinstance(node.get('properties'), dict) else 0
            values += len(node['enum']) if isinstance(node.get('enum'), list) else 0
    return properties <= _MOST_PROPERTIES and values <= _MOST_ENUM_VALUES


def resolved(
    node: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A node with a single `allOf` or a `$ref` with siblings inlined, and the definitions around it."""
    all_of = node.get('allOf')
    if isinstance(all_of, list) and len(all_of) == 1 and isinstance(all_of[0], dict):
        node = {**{k: v for k, v in node.items() if k != 'allOf'}, **all_of[0]}
    ref = node.get('$ref')
    if isinstance(ref, str) and len(node) > 1:
        name = ref.rpartition('/')[2]
        # A definition inside itself stays a reference: inlining it would never end.
        if name in definitions and name not in path:
            siblings = {k: v for k, v in node.items() if k != '$ref'}
            return {**definitions[name], **siblings}, (*path, name)
        return {'$ref': ref}, path
    return node, path
