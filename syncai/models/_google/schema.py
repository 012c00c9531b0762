"""JSON schemas in the form that Gemini takes; pure."""

from __future__ import annotations

from typing import Any

_NAMED = ('properties', '$defs', 'definitions')
_VALUES = ('enum', 'const', 'default', 'required', 'propertyOrdering')
_DROPPED = frozenset({'$schema', '$defs', 'definitions', 'discriminator', 'examples', 'const'})
_FORMATS = frozenset({'date-time', 'date', 'time'})
_TYPES = {str: 'string', bool: 'boolean', int: 'integer', float: 'number'}


def google_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """An equivalent copy with keywords that Gemini knows. References are inlined, since Gemini takes no other keyword
    next to a `$ref`; a recursive one stays, with its definition. A `const` becomes an `enum` of one, a single `allOf`
    is flattened, bounds become inclusive, and an unknown format moves to the description. The keywords that Gemini
    knows are those named at `responseJsonSchema` in https://ai.google.dev/api/generate-content.
    """
    definitions = {**schema.get('definitions', {}), **schema.get('$defs', {})}
    recursive: set[str] = set()
    fitted: dict[str, Any] = _fitted(schema, definitions, (), recursive)
    fitted_definitions: dict[str, Any] = {}
    while names := sorted(recursive - fitted_definitions.keys()):
        fitted_definitions[names[0]] = _fitted(definitions[names[0]], definitions, (names[0],), recursive)
    return {**fitted, '$defs': fitted_definitions} if fitted_definitions else fitted


def _fitted(node: Any, definitions: dict[str, Any], path: tuple[str, ...], recursive: set[str]) -> Any:
    if isinstance(node, list):
        return [_fitted(item, definitions, path, recursive) for item in node]
    if not isinstance(node, dict):
        return node
    node, path = _resolved(node, definitions, path)
    if isinstance(node.get('$ref'), str):
        name = node['$ref'].rpartition('/')[2]
        recursive.update({name} & definitions.keys())
        return {'$ref': f'#/$defs/{name}'}
    schema: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMED and isinstance(value, dict):
            if key == 'properties' and (value or not node.get('additionalProperties')):
                schema[key] = {n: _fitted(child, definitions, path, recursive) for n, child in value.items()}
        elif key not in _DROPPED:
            schema[key] = value if key in _VALUES else _fitted(value, definitions, path, recursive)
    return _in_known_keywords(schema, node)


def _resolved(
    node: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The node with its reference and its single `allOf` inlined; a recursive reference stays."""
    while True:
        all_of, ref = node.get('allOf'), node.get('$ref')
        name = ref.rpartition('/')[2] if isinstance(ref, str) else ''
        if isinstance(all_of, list) and len(all_of) == 1 and isinstance(all_of[0], dict):
            node = {**all_of[0], **{key: value for key, value in node.items() if key != 'allOf'}}
        elif isinstance(definitions.get(name), dict) and name not in path:
            node = {**definitions[name], **{key: value for key, value in node.items() if key != '$ref'}}
            path = (*path, name)
        else:
            return node, path


def _in_known_keywords(copy: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if 'const' in node:
        value = node['const']
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            copy['enum'] = [value]
        if type(value) in _TYPES:
            copy.setdefault('type', _TYPES[type(value)])
    whole = copy.get('type') == 'integer'
    for exclusive, inclusive, step in (('exclusiveMinimum', 'minimum', 1), ('exclusiveMaximum', 'maximum', -1)):
        bound = copy.pop(exclusive, None)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            copy.setdefault(inclusive, bound + step if whole else bound)
    kind = copy.get('format')
    if copy.get('type') == 'string' and isinstance(kind, str) and kind not in _FORMATS:
        del copy['format']
        description = copy.get('description')
        copy['description'] = f'{description} (format: {kind})' if description else f'Format: {kind}'
    return copy
