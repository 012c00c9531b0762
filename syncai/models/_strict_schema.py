"""JSON schemas as OpenAI's strict mode demands them; pure."""

from __future__ import annotations

from typing import Any


def strict_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy in which every object is closed and requires all its properties, and no default is null.

    The rules are those of OpenAI's structured outputs: a `$ref` with siblings is inlined, a single `allOf` flattened.
    """
    definitions = {**schema.get('definitions', {}), **schema.get('$defs', {})}
    closed: dict[str, Any] = _strict(schema, definitions, ())
    return closed


def _strict(node: Any, definitions: dict[str, Any], path: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_strict(item, definitions, path) for item in node]
    if not isinstance(node, dict):
        return node
    node, path = resolved(node, definitions, path)
    written = {key: _strict_value(key, value, definitions, path) for key, value in node.items()}
    if written.get('default', written) is None:
        del written['default']
    if written.get('type') == 'object':
        written['additionalProperties'] = False
        # Those that were required first: models fill in properties in this order.
        written['required'] = list(dict.fromkeys((*written.get('required', ()), *written.get('properties', ()))))
    return written


def _strict_value(key: str, value: Any, definitions: dict[str, Any], path: tuple[str, ...]) -> Any:
    if key in ('properties', '$defs', 'definitions') and isinstance(value, dict):
        return {name: _strict(child, definitions, path) for name, child in value.items()}
    if key in ('enum', 'const', 'default', 'examples', 'required'):
        return value
    return _strict(value, definitions, path)


def resolved(
    node: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A node with what a single `allOf` or a `$ref` with siblings stands for, and the definitions it is now inside."""
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
