"""Values that satisfy a JSON schema, for `TestModel`; pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from ...exceptions import UserError

_CHARACTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'


class SchemaSample:
    """Made-up values for a schema, the same ones for the same seed.

    Args:
        schema: The JSON schema.
        seed: Chooses among the values that the schema allows.
    """

    def __init__(self, schema: dict[str, Any], seed: int = 0) -> None:
        self._schema = schema
        self._definitions = {**schema.get('definitions', {}), **schema.get('$defs', {})}
        self._seed = seed

    def value(self) -> Any:
        """A value of the whole schema."""
        return self._value(self._schema, ())

    def _value(self, schema: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(schema, dict):
            return self._text()
        if 'const' in schema:
            return schema['const']
        if schema.get('enum'):
            return schema['enum'][self._seed % len(schema['enum'])]
        if schema.get('examples'):
            return schema['examples'][self._seed % len(schema['examples'])]
        if ref := schema.get('$ref'):
            return self._reference(ref, path)
        if schema.get('allOf'):
            return self._value({**schema, **_merged(schema['allOf'], self._definitions), 'allOf': None}, path)
        if choices := schema.get('anyOf') or schema.get('oneOf'):
            return self._choice(choices, path)
        return self._typed(schema, path)

    def _reference(self, ref: str, path: tuple[str, ...]) -> Any:
        name = ref.rpartition('/')[2]
        if name not in self._definitions:
            raise UserError(f'The JSON schema refers to {ref!r}, which it does not define')
        if path.count(name) > 1:
            return None  # A schema that requires itself has no finite value.
        return self._value(self._definitions[name], (*path, name))

    def _choice(self, choices: list[Any], path: tuple[str, ...]) -> Any:
        first = self._seed % len(choices)
        for choice in (*choices[first:], *choices[:first]):
            name = choice.get('$ref', '').rpartition('/')[2] if isinstance(choice, dict) else ''
            if not name or name not in path:
                return self._value(choice, path)
        return self._value(choices[first], path)

    def _typed(self, schema: dict[str, Any], path: tuple[str, ...]) -> Any:
        kind = schema.get('type')
        if isinstance(kind, list):
            kind = kind[self._seed % len(kind)] if kind else None
        if kind == 'object' or (kind is None and 'properties' in schema):
            return self._object(schema, path)
        if kind == 'array':
            return self._array(schema, path)
        if kind == 'string' or kind is None:
            return self._string(schema)
        if kind in ('integer', 'number'):
            return self._number(schema, kind)
        return self._seed % 2 == 1 if kind == 'boolean' else None

    def _object(self, schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        required = set(schema.get('required') or ())
        properties = schema.get('properties') or {}
        value = {name: self._value(child, path) for name, child in properties.items() if name in required}
        more = schema.get('additionalProperties')
        if isinstance(more, dict) and more and not value:
            value['additionalProperty'] = self._value(more, path)
        return value

    def _array(self, schema: dict[str, Any], path: tuple[str, ...]) -> list[Any]:
        value = [self._value(child, path) for child in schema.get('prefixItems') or ()]
        items = schema.get('items', {})
        if items is False:
            return value
        count = schema.get('minItems') or (0 if value or not items else 1)
        count = min(count, schema.get('maxItems', count))
        while len(value) < count:
            value.append(self._value(items, path))
            self._seed += 1 if schema.get('uniqueItems') else 0
        return value

    def _string(self, schema: dict[str, Any]) -> str:
        template = _FORMATS.get(schema.get('format', ''))
        if template is not None:
            day = (date(2024, 1, 1) + timedelta(days=self._seed)).isoformat()
            return template.format(day=day, seed=f'{self._seed:012d}'[-12:])
        text = self._text()
        shortest, longest = schema.get('minLength') or 0, schema.get('maxLength')
        text += 'a' * (shortest - len(text))
        return text if longest is None else text[:longest]

    def _number(self, schema: dict[str, Any], kind: str) -> int | float:
        low, high = schema.get('minimum'), schema.get('maximum')
        above, below = schema.get('exclusiveMinimum'), schema.get('exclusiveMaximum')
        step = schema.get('multipleOf') or 1
        if low is None and above is not None:
            low = above + step if kind == 'integer' else above + _margin(above, below if high is None else high)
        if high is None and below is not None:
            high = below - step if kind == 'integer' else below - _margin(below, low)
        value = (low if low is not None else min(high, 0) if high is not None else 0) + self._seed
        if high is not None and value > high:
            value = low if low is not None else high
        if schema.get('multipleOf') and value % step:
            value += step - value % step
        return int(value) if kind == 'integer' else value

    def _text(self) -> str:
        count = len(_CHARACTERS)
        text = _CHARACTERS[self._seed % count]
        rest = self._seed // count
        while rest:
            text = _CHARACTERS[(rest - 1) % count] + text
            rest //= count
        return text


_FORMATS = {
    'date': '{day}',
    'date-time': '{day}T00:00:00Z',
    'time': '00:00:00Z',
    'duration': 'P1D',
    'uuid': '00000000-0000-4000-8000-{seed}',
    'email': 'user@example.com',
    'uri': 'https://example.com/',
    'ipv4': '192.0.2.1',
    'ipv6': '2001:db8::1',
}


def _margin(bound: float, other: float | None) -> float:
    return 1.0 if other is None else abs(other - bound) / 2


def _merged(schemas: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for schema in schemas:
        name = schema.get('$ref', '').rpartition('/')[2]
        schema = definitions.get(name, schema)
        properties = {**merged.get('properties', {}), **schema.get('properties', {})}
        required = [*merged.get('required', ()), *schema.get('required', ())]
        merged.update(schema)
        if properties:
            merged.update(properties=properties, required=required)
    return merged
