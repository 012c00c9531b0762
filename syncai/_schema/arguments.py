"""The arguments of a call: their JSON schema, their validation, and the parameter that each is passed to."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, NotRequired

from pydantic import TypeAdapter
from pydantic_core import to_json, to_jsonable_python
from typing_extensions import TypedDict

from ..exceptions import UserError
from .docstring import Docstring
from .json_schema import schema_of
from .python_types import CANNOT_DESCRIBE, first_line, has_fields, name_of_type
from .signature import Parameter
from .typed_dicts import for_pydantic
from .validation import validate_input

__all__ = ['Arguments']


class Arguments:
    """The arguments of a function that the model fills in.

    A single parameter without a default, of a class with fields, is *flat*: the model fills in the fields directly.

    Args:
        parameters: The function's parameters, the context left out.
        docstring: What the function's docstring says about them.
        function_name: The name of the function in error messages.
        context_name: The name of the parameter that takes the context, or None.
    """

    def __init__(
        self, parameters: Sequence[Parameter], docstring: Docstring, function_name: str, context_name: str | None
    ) -> None:
        self._parameters = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
        self._rest = next((p for p in parameters if p.kind is inspect.Parameter.VAR_KEYWORD), None)
        self._docstring = docstring
        self._function_name = function_name
        self._context_name = context_name
        self.is_flat = _is_flat(parameters)
        self._spreads = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        self._adapter, self.json_schema = self._described()
        self._rest_adapter: TypeAdapter[Any] | None = TypeAdapter(_type_of_value(self._rest)) if self._rest else None

    def validate(self, args: str | dict[str, Any] | None) -> tuple[list[Any], dict[str, Any]]:
        value = validate_input(self._adapter, args)
        values = {self._parameters[0].name: value} if self.is_flat else value
        positional: list[Any] = []
        keyword: dict[str, Any] = {}
        for parameter in self._parameters:
            self._place(parameter, values, positional, keyword)
        if self._rest_adapter and values:
            values.pop(self._context_name or '', None)  # the model cannot set the context
            rest: Any = to_json(values).decode() if isinstance(args, str) else values
            keyword |= validate_input(self._rest_adapter, rest)
        return positional, keyword

    def by_name(self, positional: Sequence[Any], keyword: Mapping[str, Any]) -> dict[str, Any]:
        """Validated arguments by the names that the model sees, the function's defaults included."""
        rest, values = list(positional), dict(keyword)
        if self.is_flat:
            return _fields_of(rest[0] if rest else values[self._parameters[0].name])
        for parameter in self._parameters:
            name, kind = parameter.name, parameter.kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                values[name], rest = rest, []
            elif kind is inspect.Parameter.POSITIONAL_ONLY or (self._spreads and not parameter.is_keyword_only):
                values[name] = rest.pop(0)
            elif not parameter.required:
                values.setdefault(name, parameter.default)
        return values

    def _place(
        self, parameter: Parameter, values: dict[str, Any], positional: list[Any], keyword: dict[str, Any]
    ) -> None:
        name, kind = parameter.name, parameter.kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            positional.extend(values.pop(name, ()))
        elif kind is inspect.Parameter.POSITIONAL_ONLY or (self._spreads and not parameter.is_keyword_only):
            positional.append(values.pop(name, parameter.default))
        elif name in values:
            keyword[name] = values.pop(name)

    def _described(self) -> tuple[TypeAdapter[Any], dict[str, Any]]:
        try:
            if self.is_flat:
                adapter = TypeAdapter(for_pydantic(self._parameters[0].type))
                return adapter, schema_of(adapter)
            adapter = TypeAdapter(self._typed_dict(self._parameters, 'allow' if self._rest else 'forbid'))
            return adapter, self._object_schema(adapter)
        except CANNOT_DESCRIBE as error:
            raise self._guilty(error) from None

    def _object_schema(self, adapter: TypeAdapter[Any]) -> dict[str, Any]:
        if self._rest is None:
            # Set again: older versions of pydantic leave it out.
            return {**schema_of(adapter), 'additionalProperties': False}
        # Added as a property, so that its type shares the definitions of the others.
        schema = schema_of(TypeAdapter(self._typed_dict([*self._parameters, self._rest], 'forbid')))
        rest = schema['properties'].pop(self._rest.name)
        return {**schema, 'additionalProperties': rest.get('additionalProperties', True)}

    def _typed_dict(self, parameters: Sequence[Parameter], extra: str) -> Any:
        fields = {parameter.name: self._field(parameter) for parameter in parameters}
        # A TypedDict, unlike a model, takes any name and leaves defaults to the function.
        make: Any = TypedDict
        return Annotated[make(self._function_name, fields), _Extra(extra)]

    def _field(self, parameter: Parameter) -> Any:
        kind: Any = _type_of_value(parameter)
        noted = Annotated[kind, _Note(self._docstring.parameters.get(parameter.name, ''), parameter.default)]
        return noted if parameter.required else NotRequired[noted]

    def _guilty(self, error: Exception) -> UserError:
        for parameter in self._parameters:
            try:
                TypeAdapter(for_pydantic(parameter.type)).json_schema()
            except CANNOT_DESCRIBE as failure:
                return self._error(parameter, failure)
        return self._error(self._rest or self._parameters[0], error)

    def _error(self, parameter: Parameter, error: Exception) -> UserError:
        return UserError(
            f'Parameter {parameter.name!r} of {self._function_name!r} has the type {name_of_type(parameter.type)}, '
            f'which has no JSON schema ({first_line(error)}): take a type that JSON can carry, such as a pydantic '
            'model, a dataclass or str, or pass the object through the dependencies of the agent'
        )


def _fields_of(value: Any) -> dict[str, Any]:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value)  # a TypedDict, or the fields of a pydantic model


def _is_flat(parameters: Sequence[Parameter]) -> bool:
    only = parameters[0] if len(parameters) == 1 else None
    return only is not None and only.required and has_fields(only.type)


class _Extra:
    """Sets how a TypedDict treats unknown keys; its configuration would also apply to classes within."""

    def __init__(self, behavior: str) -> None:
        self._behavior = behavior

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        schema = handler(source)
        handler.resolve_ref_schema(schema)['extra_behavior'] = self._behavior
        return schema


class _Note:
    """Metadata of a type that adds a description and a default to its JSON schema, unless it has them."""

    def __init__(self, description: str, default: Any) -> None:
        self._notes = {'description': description} if description else {}
        if default is not inspect.Parameter.empty:
            self._notes |= _default_in_json(default)

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> Any:
        return {**self._notes, **handler(core_schema)}


def _default_in_json(default: Any) -> dict[str, Any]:
    try:
        plain = to_jsonable_python(default)
        json.dumps(plain, allow_nan=False)
    except ValueError:
        return {}  # a sentinel or NaN; the model may still leave the argument out
    return {'default': plain}


def _type_of_value(parameter: Parameter) -> Any:
    kind: Any = for_pydantic(parameter.type)
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return list[kind]
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return dict[str, kind]
    return kind
