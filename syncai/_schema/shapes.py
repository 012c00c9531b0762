"""What may be shown of a value that is still arriving, by its type; pure.

Of scalars only plain text grows: half of a number, date or literal would look like another value. Lists and objects
grow by their members if the type of these is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ['Shape', 'shape_of']

Step: TypeAlias = str | int | None
_Text: TypeAlias = bool | Literal['coerced'] | None
Members: TypeAlias = 'Callable[[Step], Shape] | Literal[False] | None'


@dataclass(frozen=True, slots=True)
class Shape:
    """What may be shown of an open value of one type; None for a kind of JSON that the type does not accept.

    Attributes:
        text: Whether an open string is shown; `'coerced'` if a `str` in the same union would take it.
        array: The shape of the element with an index, or False if a list is shown only when it is whole.
        object: The shape of the value under a key, or False if an object is shown only when it is whole.
    """

    text: _Text = None
    array: Members = None
    object: Members = None


_CLOSED = Shape(False, False, False)
_ANY = Shape(True, lambda _: _any(), lambda _: _any())
_COERCED = Shape('coerced')
_PLAIN: Mapping[str, Shape] = {
    'any': _ANY,
    'none': Shape(),
    **dict.fromkeys(('int', 'float', 'bool'), _COERCED),
    **dict.fromkeys(
        ('bytes', 'date', 'datetime', 'decimal', 'enum', 'literal', 'time', 'timedelta', 'url', 'uuid'), Shape(False)
    ),
}
_INNER = {  # the key of the inner schema, for wrappers that change nothing here
    'call': 'arguments_schema',
    **dict.fromkeys(('custom-error', 'dataclass', 'default', 'model', 'nullable'), 'schema'),
    'json-or-python': 'json_schema',
    'lax-or-strict': 'lax_schema',
}


def _any() -> Shape:
    return _ANY


def shape_of(core_schema: Any) -> Shape:
    """The shape of the values of a core schema of pydantic; the outermost value is shown while it is open."""
    shape = _Shapes().of(core_schema)
    return _ANY if shape.object is False else shape


class _Shapes:
    """Makes each shape on first use, since types may contain themselves."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._shapes: dict[int, Shape] = {}  # by the identity of the schema, which the type adapter keeps

    def of(self, schema: Any) -> Shape:
        shape = self._shapes.get(id(schema))
        if shape is None:
            shape = self._shapes[id(schema)] = self._new(schema)
        return shape

    def _new(self, schema: Any) -> Shape:
        kind = schema['type']
        if kind in _PLAIN:
            return _PLAIN[kind]
        if kind in _INNER:
            return self.of(schema[_INNER[kind]])
        make = _MAKERS.get(kind)
        return _CLOSED if make is None else make(self, schema)

    def later(self, schema: Any) -> Callable[[Step], Shape]:
        """The shape of every member, made when a member arrives."""
        return lambda _: self.of(schema)


# --- references and choices -------------------------------------------------------------------------------------------


def _definitions(shapes: _Shapes, schema: Any) -> Shape:
    shapes.definitions |= {definition['ref']: definition for definition in schema['definitions']}
    return shapes.of(schema['schema'])


def _reference(shapes: _Shapes, schema: Any) -> Shape:
    definition = shapes.definitions.get(schema['schema_ref'])
    return _CLOSED if definition is None else shapes.of(definition)


def _validated(shapes: _Shapes, schema: Any) -> Shape:
    """The user's function may turn a string into anything, but is expected to see growing lists and objects."""
    inner = shapes.of(schema['schema'])
    return Shape(None if inner.text is None else False, inner.array, inner.object)


def _chain(shapes: _Shapes, schema: Any) -> Shape:
    first, *more = schema['steps']
    shape = shapes.of(first)
    return Shape(shape.text if not more or shape.text is None else False, shape.array, shape.object)


def _union(shapes: _Shapes, schema: Any) -> Shape:
    members = [shapes.of(choice[0] if isinstance(choice, tuple) else choice) for choice in schema['choices']]
    texts: list[_Text] = [shape.text for shape in members if shape.text is not None]
    if schema.get('mode') != 'left_to_right':
        # A `str` takes every string unchanged, and so wins over types that convert strings.
        texts = [text for text in texts if text != 'coerced'] or texts
    return Shape(
        texts[0] if texts else None, _only(shape.array for shape in members), _only(shape.object for shape in members)
    )


def _only(members: Iterable[Members]) -> Members:
    """The shape of the only type that takes lists, or objects; among several, only the whole value decides."""
    several: list[Members] = [member for member in members if member is not None]
    if len(several) > 1:
        return False
    return several[0] if several else None


def _tagged_union(shapes: _Shapes, schema: Any) -> Shape:
    members = [shapes.of(choice) for choice in schema['choices'].values() if isinstance(choice, dict)]
    if callable(schema['discriminator']):
        return Shape(False, _only(shape.array for shape in members), _only(shape.object for shape in members))
    return _any_of(members)


def _any_of(members: Sequence[Shape]) -> Shape:
    """What all of these types show, when another value chooses among them."""
    texts = {shape.text for shape in members} - {None}
    return Shape(
        (texts == {True}) if texts else None,
        _common([shape.array for shape in members if shape.array is not None]),
        _common([shape.object for shape in members if shape.object is not None]),
    )


def _common(members: Sequence[Callable[[Step], Shape] | Literal[False]]) -> Members:
    if not members:
        return None
    growing = [member for member in members if member is not False]
    return (lambda step: _any_of([member(step) for member in growing])) if len(growing) == len(members) else False


# --- text, lists and objects ------------------------------------------------------------------------------------------


def _text(_: _Shapes, schema: Any) -> Shape:
    """A string with a pattern behaves like a number: it must be complete."""
    return Shape(not schema.get('pattern'))


def _list(shapes: _Shapes, schema: Any) -> Shape:
    return Shape(array=shapes.later(schema['items_schema']) if 'items_schema' in schema else lambda _: _ANY)


def _set(_: _Shapes, __: Any) -> Shape:
    """A changed member would be another member."""
    return Shape(array=lambda _: _CLOSED)


def _tuple(shapes: _Shapes, schema: Any) -> Shape:
    items, variadic = schema['items_schema'], schema.get('variadic_item_index')

    def element(index: Step) -> Shape:
        assert isinstance(index, int)
        if variadic is not None and index >= variadic:
            # Items after the variadic part have no position before the end is known.
            return shapes.of(items[variadic]) if variadic == len(items) - 1 else _CLOSED
        return shapes.of(items[index]) if index < len(items) else _CLOSED

    return Shape(array=element)


def _dict(shapes: _Shapes, schema: Any) -> Shape:
    return Shape(object=shapes.later(schema['values_schema']) if 'values_schema' in schema else lambda _: _ANY)


def _fields(shapes: _Shapes, schema: Any) -> Shape:
    """A model, a TypedDict or a dataclass; unknown fields may break off anywhere."""
    fields = schema['fields']
    by_name = [(field['name'], field) for field in fields] if isinstance(fields, list) else list(fields.items())
    schemas: dict[Step, Any] = {}
    for name, field in by_name:
        schemas[name] = field['schema']
        schemas |= dict.fromkeys(_aliases(field), field['schema'])
    heads = {path[0] for _, field in by_name for path in _paths(field) if len(path) > 1}
    allowed = 'allow' in (schema.get('extra_behavior'), (schema.get('config') or {}).get('extra_fields_behavior'))
    extras = schema.get('extras_schema')

    def value(key: Step) -> Shape:
        if key in heads:  # several fields may take parts of this value
            return _CLOSED
        if key in schemas:
            return shapes.of(schemas[key])
        return (_ANY if extras is None else shapes.of(extras)) if allowed else _CLOSED

    return Shape(object=value)


def _paths(field: Any) -> list[list[Any]]:
    """The paths at which a field is looked up."""
    alias = field.get('validation_alias') or field.get('alias')
    if alias is None:
        return []
    if isinstance(alias, str):
        return [[alias]]
    return alias if isinstance(alias[0], list) else [alias]


def _aliases(field: Any) -> list[str]:
    return [path[0] for path in _paths(field) if len(path) == 1]


def _arguments(shapes: _Shapes, schema: Any) -> Shape:
    """A named tuple: a list, or an object."""
    fields = schema['arguments_schema'] if 'arguments_schema' in schema else schema['fields']
    by_name = {field['name']: field['schema'] for field in fields}
    in_order = [field['schema'] for field in fields]

    def member(step: Step) -> Shape:
        if isinstance(step, int):
            return shapes.of(in_order[step]) if step < len(in_order) else _CLOSED
        return shapes.of(by_name[step]) if step in by_name else _CLOSED

    return Shape(array=member, object=member)


_MAKERS: Mapping[str, Callable[[_Shapes, Any], Shape]] = {
    'definitions': _definitions,
    'definition-ref': _reference,
    'union': _union,
    'tagged-union': _tagged_union,
    'chain': _chain,
    **dict.fromkeys(('function-after', 'function-before', 'function-wrap'), _validated),
    'str': _text,
    **dict.fromkeys(('deque', 'generator', 'list'), _list),
    **dict.fromkeys(('frozenset', 'set'), _set),
    'tuple': _tuple,
    **dict.fromkeys(('dict', 'ordered-dict', 'counter'), _dict),
    **dict.fromkeys(('dataclass-args', 'model-fields', 'typed-dict'), _fields),
    **dict.fromkeys(('arguments', 'named-tuple'), _arguments),
}
