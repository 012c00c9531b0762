"""JSON schemas in the older form of Gemini, a part of OpenAPI 3.0; only this form works in batches; pure.

Source: `Schema` in https://ai.google.dev/api/caching#Schema.
"""

from __future__ import annotations

from typing import Any

from ...exceptions import UserError
from .schema import google_schema

__all__ = ['openapi_schema']

_KEPT = frozenset(
    {
        'description', 'enum', 'format', 'items', 'maxItems', 'maxLength', 'maxProperties', 'maximum', 'minItems',
        'minLength', 'minProperties', 'minimum', 'nullable', 'pattern', 'properties', 'propertyOrdering', 'required',
        'title', 'type', 'anyOf',
    }
)  # fmt: skip


def openapi_schema(schema: dict[str, Any], what: str) -> dict[str, Any]:
    """A copy of a schema, as `google_schema` writes it, in the older form.

    Args:
        schema: The schema.
        what: What it describes, for the error.

    Raises:
        UserError: It refers to itself, which the older form cannot express.
    """
    return _fitted(google_schema(schema), what)


def _fitted(node: dict[str, Any], what: str) -> dict[str, Any]:
    node = _without_null(node)
    if '$ref' in node:
        raise UserError(
            f'In batches Gemini takes no schema that refers to itself, which that of {what} does: '
            'use map_sync without batch, or a type of a fixed depth'
        )
    schema = {name: _value(name, value, what) for name, value in node.items() if name in _KEPT}
    if 'prefixItems' in node and 'items' not in schema:
        schema['items'] = {'anyOf': [_fitted(item, what) for item in node['prefixItems']]}
    if 'anyOf' in schema:
        schema.pop('type', None)  # a type next to it fails the whole row
    elif isinstance(kind := schema.get('type'), str):
        schema['type'] = kind.upper()
    if any(not isinstance(value, str) for value in schema.get('enum') or ()):
        del schema['enum']  # only texts can be listed
    return schema


def _value(name: str, value: Any, what: str) -> Any:
    if name == 'properties':
        return {key: _fitted(child, what) for key, child in value.items()}
    if name == 'items':
        return _fitted(value, what) if isinstance(value, dict) else {}
    return [_fitted(child, what) for child in value] if name == 'anyOf' else value


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """The node with `nullable` instead of a type or an alternative that is null."""
    node = dict(node)
    if 'oneOf' in node:
        node['anyOf'] = node.pop('oneOf')
    if isinstance(kinds := node.get('type'), list):
        others = [kind for kind in kinds if kind != 'null']
        node.pop('type')
        node.update({'type': others[0]} if len(others) == 1 else {'anyOf': [{'type': kind} for kind in others]})
        node.update({'nullable': True} if len(others) < len(kinds) else {})
    if isinstance(options := node.get('anyOf'), list):
        others = [option for option in options if option.get('type') != 'null']
        rest = {key: value for key, value in node.items() if key != 'anyOf'}
        nullable = {'nullable': True} if len(others) < len(options) else {}
        if len(others) == 1:
            return _without_null({**others[0], **rest, **nullable})
        node = {**rest, 'anyOf': others, **nullable}
    return node
