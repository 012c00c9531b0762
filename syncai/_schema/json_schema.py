"""JSON schemas for tools: pydantic's, without its generated titles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ['inline_root', 'refers_to', 'schema_of', 'without_titles']

_NAMED = frozenset({'properties', '$defs'})
_VALUES = frozenset({'const', 'default', 'enum', 'examples', 'required'})


class _ToolJsonSchema(GenerateJsonSchema):
    """pydantic's own generator, which titles every field with its name; titles that the user wrote are kept."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the signature is pydantic's
        return False


def schema_of(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON schema of what `adapter` validates, cleaned."""
    return without_titles(inline_root(_completed(adapter.json_schema(schema_generator=_ToolJsonSchema))))


def _completed(node: Any) -> Any:
    """A copy in which objects have properties and arrays have items, without which OpenAI and Gemini refuse them."""
    if isinstance(node, list):
        return [_completed(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMED:
            schema[key] = {name: _completed(child) for name, child in value.items()}
        else:
            schema[key] = value if key in _VALUES else _completed(value)
    if node.get('type') == 'object' and 'properties' not in node:
        # pydantic before 2.11 does not say that a dict may have any keys.
        schema = {'additionalProperties': True, **schema, 'properties': {}}
    elif node.get('type') == 'array' and 'items' not in node:
        kinds = schema.get('prefixItems', [])
        different = [kind for number, kind in enumerate(kinds) if kind not in kinds[:number]]
        schema['items'] = {'anyOf': different} if len(different) > 1 else different[0] if different else {}
    return schema


def inline_root(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` itself, or its definition if it is only a reference, as the schema of a recursive type is."""
    definitions = schema.get('$defs', {})
    name = schema.get('$ref', '').removeprefix('#/$defs/')
    if name not in definitions:
        return schema
    siblings = {key: value for key, value in schema.items() if key not in ('$ref', '$defs')}
    root = {**definitions[name], **siblings}
    if not refers_to(name, [definitions, root]):
        definitions = {key: value for key, value in definitions.items() if key != name}
    return {**root, '$defs': definitions} if definitions else root


def refers_to(name: str, node: Any) -> bool:
    """Whether the definition `name` is referred to anywhere in `node`."""
    if isinstance(node, dict):
        return node.get('$ref') == f'#/$defs/{name}' or any(refers_to(name, child) for child in node.values())
    return isinstance(node, list) and any(refers_to(name, child) for child in node)


def without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy without the title of the whole, nor those of definitions that only repeat their names."""
    cleaned = {key: value for key, value in schema.items() if key != 'title'}
    if definitions := schema.get('$defs'):
        cleaned['$defs'] = {name: _untitled(name, definition) for name, definition in definitions.items()}
    return cleaned


def _untitled(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key != 'title' or value != name}
