"""Structured results as whole answers, for the modes `native` and `prompted`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol, Union

from pydantic import Discriminator, TypeAdapter, ValidationError
from pydantic_core import to_json
from typing_extensions import TypedDict

from ..exceptions import UserError
from ..parameters import ToolDefinition
from .arriving_result import ArrivingResult
from .json_in_text import BLANK, bare_json, objects_in, starts_as_json
from .json_schema import schema_of
from .shapes import Shape, shape_of
from .typed_dicts import for_pydantic
from .validation import validate_input

__all__ = ['Answer', 'AnswerSchema']


@dataclass(frozen=True)
class AnswerSchema:
    """The form of the answer that a request asks for.

    Args:
        name: The name of the schema: the type's, or that of the result tools if there are several types.
        schema: The JSON schema, an object.
        description: What the answer is, or None.
    """

    name: str
    schema: dict[str, Any]
    description: str | None = None


class _Kind(Protocol):
    @property
    def definition(self) -> ToolDefinition: ...
    @property
    def type(self) -> Any: ...
    @property
    def type_name(self) -> str: ...
    @property
    def outer_key(self) -> str | None: ...
    def validate(self, args: str | dict[str, Any] | None, *, allow_partial: bool = False) -> Any: ...
    def arriving(self, *, in_text: bool = False) -> ArrivingResult[Any]: ...


class Answer:
    """One schema for all kinds of results, and the conversion of an answer to a result.

    Args:
        name: The name of a schema of several kinds.
        allow_text: Whether text is one of the kinds.
        kinds: The result tools.
    """

    def __init__(self, name: str, allow_text: bool, kinds: Sequence[_Kind]) -> None:
        if not kinds:
            raise UserError('A result of str is plain text and has no JSON schema: leave out result_mode')
        self._name = name
        self._allow_text = allow_text
        self._kinds = kinds

    @property
    def _only(self) -> _Kind | None:
        return None if self._allow_text or len(self._kinds) > 1 else self._kinds[0]

    @cached_property
    def schema(self) -> AnswerSchema:
        if self._only is None:
            return AnswerSchema(self._name, _with_any_of(schema_of(self._adapter)))
        definition = self._only.definition
        return AnswerSchema(self._only.type_name, definition.parameters_json_schema, definition.description)

    @property
    def instructions(self) -> str:
        schema = to_json(self.schema.schema).decode()
        return (
            'Answer with one JSON object that fits the JSON schema below, and with nothing else: '
            f'no words before or after it, no Markdown.\n\n{schema}'
        )

    def arriving(self) -> ArrivingResult[Any]:
        if self._only is not None:
            return self._only.arriving(in_text=True)
        return ArrivingResult(self._adapter, _unwrap, self._shape, in_text=True)

    def validate(self, text: str, *, allow_partial: bool = False) -> Any:
        if allow_partial:
            arriving = self.arriving()
            arriving.add(text)
            return arriving.value()
        if starts_as_json(text):
            try:
                return self._validated(text.lstrip(BLANK))
            except ValidationError as error:
                if _is_json(error) and not self._bare(text):
                    raise
        return self._first_valid([*(objects_in(text) or [text]), *self._bare(text)])

    def _bare(self, text: str) -> list[str]:
        """The answer wrapped in the requested object, if the model left that out, such as `42` for an `int`."""
        key = self._only.outer_key if self._only is not None else None
        value = bare_json(text) if key else None
        return [] if value is None else [f'{{"{key}": {value}}}']

    def _first_valid(self, objects: Sequence[str]) -> Any:
        failure: ValidationError | None = None
        for text in objects:
            try:
                return self._validated(text)
            except ValidationError as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _validated(self, text: str) -> Any:
        if self._only is not None:
            return self._only.validate(text)
        return _unwrap(validate_input(self._adapter, text))

    @cached_property
    def _shape(self) -> Shape:
        return shape_of(self._adapter.core_schema)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        make: Any = TypedDict
        kinds = {kind.type_name: kind.type for kind in self._kinds} | ({'str': str} if self._allow_text else {})
        members = [
            make(f'{name}_answer', {'kind': Literal[name], 'data': for_pydantic(kind)}) for name, kind in kinds.items()
        ]
        chosen: Any = Annotated[Union[*members], Discriminator('kind')]
        return TypeAdapter(make('answer', {'result': chosen}))


def _with_any_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `anyOf` for the kinds: providers refuse pydantic's `oneOf` with a discriminator."""
    definitions = dict(schema['$defs'])
    kinds = [definitions.pop(kind['$ref'].removeprefix('#/$defs/')) for kind in schema['properties']['result']['oneOf']]
    cleaned = {**schema, 'properties': {'result': {'anyOf': kinds}}, '$defs': definitions}
    return cleaned if definitions else {key: value for key, value in cleaned.items() if key != '$defs'}


def _is_json(error: ValidationError) -> bool:
    """Whether the text that did not fit was JSON."""
    (first, *_) = error.errors(include_url=False, include_context=False, include_input=False)
    return first['type'] != 'json_invalid'


def _unwrap(value: Any) -> Any:
    return value['result']['data']
