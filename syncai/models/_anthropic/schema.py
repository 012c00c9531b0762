"""JSON schemas for Anthropic's structured outputs and strict tools; pure."""

from __future__ import annotations

from typing import Any

from ..._base.values import to_json_str
from ...exceptions import UserError
from .._http.strict_schema import resolved, with_words

_KEPT = frozenset({'type', 'enum', 'const', 'title', 'description', 'default', '$ref', 'required'})
_NESTED = frozenset({'properties', '$defs', 'definitions'})
_LISTS = {'anyOf': 'anyOf', 'oneOf': 'anyOf', 'allOf': 'allOf'}
_SAYS_NOTHING = frozenset({'additionalProperties', 'discriminator', '$schema', '$id', '$comment'})
_FORMATS = frozenset({'date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'})


def anthropic_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy with closed objects; bounds that the provider does not know move to the descriptions.

    The rules are those of https://platform.claude.com/docs/en/build-with-claude/structured-outputs: `required` may be
    partial; of strings a few formats are known, of arrays `minItems` 0 and 1; `oneOf` is written `anyOf`.

    Raises:
        UserError: The schema is recursive, or has an object of any keys: neither can be written.
    """
    definitions = {**schema.get('definitions', {}), **schema.get('$defs', {})}
    _refuse_recursion(definitions)
    fitted: dict[str, Any] = _fitted(schema, definitions, ())
    return fitted


def can_be_written(schema: dict[str, Any]) -> bool:
    """Whether the schema can be written for the provider at all."""
    try:
        anthropic_schema(schema)
    except UserError:
        return False
    return True


def _fitted(node: Any, definitions: dict[str, Any], path: tuple[str, ...]) -> Any:
    if not isinstance(node, dict):
        return node
    node, path = resolved(node, definitions, path)
    copy: dict[str, Any] = {}
    words: list[str] = []
    for key, value in _without_tuples(node).items():
        if key in _KEPT or (key == 'format' and value in _FORMATS) or (key == 'minItems' and value in (0, 1)):
            copy[key] = value
        elif key in _NESTED and isinstance(value, dict):
            copy[key] = {name: _fitted(child, definitions, path) for name, child in value.items()}
        elif key in _LISTS and isinstance(value, list):
            copy[_LISTS[key]] = [_fitted(child, definitions, path) for child in value]
        elif key == 'items':
            copy[key] = _fitted(value, definitions, path)
        elif key not in _SAYS_NOTHING:
            words.append(f'{key}: {value if isinstance(value, str) else to_json_str(value)}')
    if words:
        copy['description'] = with_words(copy.get('description'), words)
    if copy.get('type') == 'object':
        _refuse_any_keys(node)
        copy = {'properties': {}, **copy, 'additionalProperties': False}
    return copy


def _without_tuples(node: dict[str, Any]) -> dict[str, Any]:
    """The items of a tuple as items of any of its types; their number moves to the description."""
    if not isinstance(node.get('prefixItems'), list):
        return node
    rest = {key: value for key, value in node.items() if key not in ('prefixItems', 'items')}
    return {**rest, 'items': {'anyOf': node['prefixItems']}}


def _refuse_any_keys(node: dict[str, Any]) -> None:
    if not node.get('properties') and node.get('additionalProperties', 'properties' not in node) is not False:
        raise UserError(
            f'Anthropic cannot hold an answer to a schema with an object of any keys ({node.get("title", "a dict")}): '
            "write it as a list of objects with a key and a value, or use result_mode 'tool'"
        )


def _refuse_recursion(definitions: dict[str, Any]) -> None:
    for name in definitions:
        if name in _reached(definitions[name], definitions, set()):
            raise UserError(
                f'Anthropic cannot hold an answer to a schema that contains itself ({name}): '
                "limit its depth, or use result_mode 'tool'"
            )


def _reached(node: Any, definitions: dict[str, Any], names: set[str]) -> set[str]:
    """The names of all definitions that a schema refers to, directly or through others."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    name = node.get('$ref', '') if isinstance(node, dict) else ''
    name = name.rpartition('/')[2] if isinstance(name, str) else ''
    if name in definitions and name not in names:
        names.add(name)
        _reached(definitions[name], definitions, names)
    for child in children:
        _reached(child, definitions, names)
    return names
