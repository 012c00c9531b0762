"""A JSON schema in a file as the type of a result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError, core_schema

from .._schema.compiler import check_of
from ..exceptions import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

__all__ = ['result_type_of', 'schema_in']


def schema_in(path: Path) -> dict[str, Any]:
    """The JSON schema that a file holds.

    Raises:
        UserError: The file cannot be read, or holds no JSON object.
    """
    try:
        schema = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f'{path} is no file with a JSON schema: {error}') from None
    if not isinstance(schema, dict):
        raise UserError(f'{path} holds {type(schema).__name__}, and not a JSON schema, which is an object')
    return schema


def result_type_of(schema: dict[str, Any], where: str) -> type[Any]:
    """A type whose values are decoded JSON that fits the schema.

    Args:
        schema: The schema, of draft 2020-12.
        where: What holds it, for errors.

    Raises:
        UserError: It is no JSON schema.
    """
    check = check_of(schema, where)

    def checked(value: Any) -> Any:
        if problems := check(value):
            first = problems[0]
            place = '.'.join(map(str, first.loc)) or 'the whole'
            raise PydanticCustomError('schema', '{place}: {problem}', {'place': place, 'problem': first.message})
        return value

    class Given:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
            return core_schema.no_info_after_validator_function(checked, core_schema.any_schema())

        @classmethod
        def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
            return {key: value for key, value in schema.items() if key != '$schema'}

    Given.__name__ = Given.__qualname__ = str(schema.get('title') or 'Result')
    return Given
