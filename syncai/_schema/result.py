"""Result types: the answers they allow, their tools, and their validation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, get_origin

from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from ..exceptions import UserError
from ..parameters import ToolDefinition
from .answer import Answer, AnswerSchema
from .arriving_result import ArrivingResult
from .elements import Elements, elements_of
from .json_schema import schema_of
from .python_types import CANNOT_DESCRIBE, dataclass_docstring, first_line, members_of, name_of_type, tool_suffix
from .shapes import Shape, shape_of
from .typed_dicts import for_pydantic
from .validation import validate_input

__all__ = ['result_spec', 'ResultSpec', 'ResultTool']

T = TypeVar('T')

DEFAULT_DESCRIPTION = 'The final response which ends this conversation'
OUTER_KEY = 'response'
_LONGEST_NAME = 64  # characters that providers take in the name of a tool
_TOOL_NAME = re.compile(r'[a-zA-Z0-9_-]{1,64}')


@dataclass(frozen=True)
class ResultTool(Generic[T]):
    """One kind of structured result, as a tool that the model calls with it.

    Args:
        definition: The tool as the model sees it.
        type: The Python type of the result.
        type_name: Its name, unique within the spec, in the characters of a tool's name.
        outer_key: The key in which a type that is not an object in JSON is wrapped, or None.
    """

    definition: ToolDefinition
    type: Any
    type_name: str
    outer_key: str | None
    _adapter: TypeAdapter[Any] = field(repr=False, compare=False)

    @cached_property
    def _elements(self) -> Elements | None:
        return elements_of(self.type, self.outer_key) if self.outer_key else None

    @cached_property
    def _shape(self) -> Shape:
        return shape_of(self._adapter.core_schema)

    def arriving(self, *, in_text: bool = False) -> ArrivingResult[T]:
        """An arriving result, to be filled with pieces of its JSON text; with `in_text`, text may surround it."""
        return ArrivingResult(self._adapter, self._unwrap, self._shape, elements=self._elements, in_text=in_text)

    def _unwrap(self, value: Any) -> T:
        result: T = value[self.outer_key] if self.outer_key else value
        return result

    def validate(self, args: str | dict[str, Any] | None, *, allow_partial: bool = False) -> T:
        """The result, unwrapped.

        Args:
            args: The model's arguments, as JSON text or decoded; the empty string and None stand for `{}`.
            allow_partial: Take what has arrived so far. Lists, dicts and TypedDicts grow; of a TypedDict, keys that
                have not arrived must not be required (`total=False`). Pydantic models and dataclasses are validated
                whole, so that an incomplete one is an error, or left out if it is the last item of a list. Of
                scalars only a plain `str` grows: any other one that may continue is left out of JSON text.

        Raises:
            pydantic.ValidationError: They do not fit the type; see `retry_errors`.
        """
        if allow_partial and isinstance(args, str):
            arriving = self.arriving()
            arriving.add(args)
            return arriving.value()
        return self._unwrap(validate_input(self._adapter, args, allow_partial=allow_partial))


@dataclass(frozen=True)
class ResultSpec(Generic[T]):
    """A result type, prepared for runs.

    Args:
        result_type: The type as it was given.
        tool_name: The name of the only result tool, and the beginning of the names of several.
        allow_text: Whether plain text is a result.
        tools: The result tools by name, in the order of the union.
    """

    result_type: Any
    tool_name: str
    allow_text: bool
    tools: Mapping[str, ResultTool[T]]
    _tool_description: str | None = field(default=None, repr=False)

    @cached_property
    def may_be_none(self) -> bool:
        """Whether None seems to be a valid result."""
        members = members_of(self.result_type)
        return any(kind in (type(None), Any, object) or get_origin(kind) is Annotated for kind in members)

    @cached_property
    def _answer(self) -> Answer:
        return Answer(self.tool_name, self.allow_text, list(self.tools.values()))

    def native_schema(self) -> AnswerSchema:
        """The schema of a whole answer, for providers that enforce one.

        A single type is its own schema, wrapped as its tool would be. Several are
        `{"result": {"kind": <name of the type>, "data": ...}}`, where text has the kind `str`.

        Raises:
            UserError: The only result is text, which needs no schema.
        """
        return self._answer.schema

    def prompt_instructions(self) -> str:
        """The prompt that asks a model without structured output for an answer of that schema."""
        return self._answer.instructions

    def arriving(self, tool: ResultTool[T] | None) -> ArrivingResult[T]:
        """The result as it arrives: the arguments of a call of `tool`, or the whole answer."""
        return self._answer.arriving() if tool is None else tool.arriving()

    def validate_answer(self, text: str, *, allow_partial: bool = False) -> T:
        """The result of a whole answer, unwrapped.

        Words before and after the JSON object, Markdown fences, a byte order mark and thoughts
        (`<think>...</think>`) are dropped. Of several objects the first one in a fence that fits is taken, or else the
        first one that fits.

        Args:
            text: The answer.
            allow_partial: As for `ResultTool.validate`.

        Raises:
            pydantic.ValidationError: It does not fit; see `retry_errors`.
        """
        result: T = self._answer.validate(text, allow_partial=allow_partial)
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.result_type, self.tool_name, self._tool_description)


def result_spec(
    result_type: Any, *, tool_name: str = 'final_result', tool_description: str | None = None
) -> ResultSpec[Any]:
    """The description of `result_type`, to be built once for each agent.

    `str`, by itself or as a member of a union, allows plain text; `Annotated[str, ...]` does not, since nothing would
    hold the text to the metadata. Every other member is a tool: `tool_name` if there is one, else
    `{tool_name}_{type}`, with the type written in the characters of a tool's name (`list[str]` is `list_str`), cut to
    64 characters, and numbered from `_2` where two are alike. A union inside `Annotated` is one tool.

    Args:
        result_type: The type, or a union of types.
        tool_name: The name of the result tool.
        tool_description: What the model reads about it; by default the docstring of the type.

    Raises:
        UserError: The type cannot be described to a model; the message says what to change.
    """
    if not _TOOL_NAME.fullmatch(tool_name):
        raise UserError(f'{tool_name!r} cannot be the name of a tool: providers take 1 to 64 of a-z, A-Z, 0-9, _ and -')
    members = members_of(_checked(result_type))
    kinds = [member for member in members if member is not str]
    type_names = _unique(tool_suffix(kind) for kind in kinds)
    several = len(kinds) > 1
    names = _unique(f'{tool_name}_{type_name}' for type_name in type_names) if several else [tool_name]
    # Text alone has no tools.
    tools = {
        name: _tool(kind, name, type_name, tool_description, several)
        for kind, name, type_name in zip(kinds, names, type_names, strict=False)
    }
    return ResultSpec(result_type, tool_name, str in members, tools, tool_description)


def _rebuilt(result_type: Any, tool_name: str, tool_description: str | None) -> ResultSpec[Any]:
    return result_spec(result_type, tool_name=tool_name, tool_description=tool_description)


def _checked(result_type: Any) -> Any:
    """The type; raises UserError for values that are easily mistaken for a type."""
    if isinstance(result_type, (list, tuple)):
        raise UserError(f'result_type is a {type(result_type).__name__}: write a union, such as result_type=A | B')
    if isinstance(result_type, dict):
        raise UserError(
            'result_type is a dict: write the fields as a TypedDict, a dataclass or a pydantic model, such as '
            "TypedDict('City', {'name': str})"
        )
    if isinstance(result_type, str):
        raise UserError(f'result_type is the text {result_type!r}: give the type itself')
    if isinstance(result_type, BaseModel):
        raise UserError(f'result_type is a value, {result_type!r}: give its type, {type(result_type).__name__}')
    if inspect.isroutine(result_type):
        name = getattr(result_type, '__name__', result_type)
        raise UserError(
            f'result_type is the function {name!r}, but must be a type: give the type that it takes, and call it with '
            'result.data, or register it with @agent.result_validator'
        )
    return result_type


def _unique(names: Iterable[str]) -> list[str]:
    """The names, cut to the length that providers take; equal names are numbered from the second on."""
    unique: dict[str, None] = {}
    for name in names:
        number, candidate = 1, name[:_LONGEST_NAME]
        while candidate in unique:
            number += 1
            candidate = f'{name[: _LONGEST_NAME - 1 - len(str(number))]}_{number}'
        unique[candidate] = None
    return list(unique)


def _tool(kind: Any, name: str, type_name: str, description: str | None, several: bool) -> ResultTool[Any]:
    adapter, schema = _described(kind)
    documented = schema.get('description') or dataclass_docstring(kind)
    outer_key = None if schema.get('type') == 'object' else OUTER_KEY
    if outer_key:
        adapter = _wrapped(kind)
        schema = schema_of(adapter)
    elif documented and description is None:
        schema = {key: value for key, value in schema.items() if key != 'description'}
    definition = ToolDefinition(
        name=name,
        description=_description(description, documented, type_name if several else ''),
        parameters_json_schema=schema,
        outer_typed_dict_key=outer_key,
    )
    return ResultTool(definition, kind, type_name, outer_key, adapter)


def _described(kind: Any) -> tuple[TypeAdapter[Any], dict[str, Any]]:
    if kind is BaseModel:  # pydantic describes it, and then cannot make one
        raise UserError('The result type BaseModel has no fields of its own: give a model derived from it')
    try:
        adapter = TypeAdapter(for_pydantic(kind))
        return adapter, schema_of(adapter)
    except CANNOT_DESCRIBE as error:
        raise UserError(
            f'The result type {name_of_type(kind)} has no JSON schema ({first_line(error)}): take a pydantic model, a '
            'dataclass, a TypedDict or another type that JSON can carry'
        ) from None


def _wrapped(kind: Any) -> TypeAdapter[Any]:
    make: Any = TypedDict
    return TypeAdapter(make('wrapped', {OUTER_KEY: for_pydantic(kind)}))


def _description(own: str | None, documented: str | None, type_name: str) -> str:
    if own is None and documented:
        return documented
    text = DEFAULT_DESCRIPTION if own is None else own
    return f'{type_name}: {text}' if type_name else text
