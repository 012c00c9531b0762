"""The parameters of a function that a model may call, with their types resolved."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Unpack, get_args, get_origin

from pydantic.fields import FieldInfo

from ..exceptions import UserError
from .typed_dicts import keys_of

__all__ = ['docstring_of', 'function_name', 'Parameter', 'parameters_of', 'takes_context']

_CONTEXT_IN_TEXT = re.compile(r'(\w+\.)*RunContext(\[|$)')
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_NEVER_A_CONTEXT = (str, int, float, bool, bytes, list, dict, tuple, set)


@dataclass(frozen=True)
class Parameter:
    """One parameter: `type` is what the model's value is validated as, with the metadata of `Annotated`.

    `default` is the value of the signature or `inspect.Parameter.empty`; a pydantic `Field` is part of `type` instead.
    """

    name: str
    kind: Any
    type: Any
    default: Any
    required: bool

    @property
    def is_keyword_only(self) -> bool:
        return bool(self.kind is inspect.Parameter.KEYWORD_ONLY)


def _under_partials(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _unwrapped(function: Callable[..., Any]) -> Any:
    """The underlying function, below partials, decorators, methods and callable objects."""
    inner = inspect.unwrap(_under_partials(function))
    if inspect.ismethod(inner):
        return inspect.unwrap(inner.__func__)
    if inspect.isclass(inner):
        return inner.__init__
    return inner if inspect.isroutine(inner) else inspect.unwrap(type(inner).__call__)


def function_name(function: Callable[..., Any]) -> str:
    """The name of `function`; for a callable object, the name of its class."""
    inner = _under_partials(function)
    return getattr(inner, '__name__', None) or type(inner).__name__


def docstring_of(function: Callable[..., Any]) -> str | None:
    """The docstring of the code that a call of `function` runs; for a class, its own docstring."""
    inner = _under_partials(function)
    return inner.__doc__ if inspect.isclass(inner) else inspect.getdoc(_unwrapped(function))


def parameters_of(function: Callable[..., Any], name: str, *, takes_ctx: bool) -> tuple[list[Parameter], str | None]:
    """The parameters of `function` that the model fills in, and the name of the one that takes the context."""
    if not callable(function):
        raise UserError(f'A tool must be a function, not {function!r}')
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        raise UserError(
            f'The signature of {name!r} cannot be read, since it is not written in Python: wrap it in a function'
        ) from None
    if inspect.isfunction(function) and parameters and _is_self(parameters[0]):
        raise UserError(f'{name!r} is a method without its object: register that of an object, as tools=[thing.{name}]')
    context = None
    if takes_ctx:
        context, parameters = context_and_rest(parameters, name)
    elif parameters and _is_context(parameters[0].annotation):
        raise UserError(
            f'The first parameter of {name!r}, {parameters[0].name!r}, is a RunContext, but the function is registered '
            'without one: use @agent.tool or Tool(..., takes_ctx=True)'
        )
    if late := next((parameter.name for parameter in parameters if _is_context(parameter.annotation)), None):
        raise UserError(f'Parameter {late!r} of {name!r} is a RunContext: it must be the first parameter')
    namespace = _Namespace(_unwrapped(function), name)
    return [expanded for parameter in parameters for expanded in _made(parameter, namespace)], context


def _is_self(parameter: inspect.Parameter) -> bool:
    return parameter.name == 'self' and parameter.annotation is inspect.Parameter.empty


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether the first parameter of `function` is annotated as a RunContext."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    return bool(parameters) and _is_context(parameters[0].annotation)


def context_and_rest(parameters: list[inspect.Parameter], name: str) -> tuple[str | None, list[inspect.Parameter]]:
    if not parameters or parameters[0].kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
        raise UserError(
            f'{name!r} takes a RunContext but has no first parameter for it: '
            'add one (`ctx: RunContext[...]`), or use @agent.tool_plain'
        )
    first = parameters[0]
    if first.kind is inspect.Parameter.VAR_POSITIONAL:
        return None, parameters
    annotated = get_origin(first.annotation) or first.annotation
    if annotated in _NEVER_A_CONTEXT or annotated in [kind.__name__ for kind in _NEVER_A_CONTEXT]:
        raise UserError(
            f'The first parameter of {name!r}, {first.name!r}, must be a RunContext: '
            'add one before it (`ctx: RunContext[...]`), or use @agent.tool_plain'
        )
    return first.name, parameters[1:]


def _is_context(annotation: Any) -> bool:
    """Whether it is a RunContext, by name: the class is on a higher floor, and the annotation may be text."""
    if isinstance(annotation, str):
        return _CONTEXT_IN_TEXT.match(annotation.strip().strip('\'"')) is not None
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return getattr(get_origin(annotation) or annotation, '__name__', '') == 'RunContext'


class _Namespace:
    """The names in which the annotations of a function are resolved: its module and its closure."""

    def __init__(self, function: Any, name: str) -> None:
        self._function_name = name
        self._globals = getattr(function, '__globals__', {})
        self._locals = {kind.__name__: kind for kind in getattr(function, '__type_params__', ())} | _closure(function)

    def resolve(self, parameter: inspect.Parameter) -> Any:
        annotation = parameter.annotation
        if annotation is inspect.Parameter.empty:
            return Any
        holder = type('holder', (), {'__annotations__': {'it': annotation}})
        try:
            return typing.get_type_hints(holder, self._globals, self._locals, include_extras=True)['it']
        except Exception as error:
            raise UserError(
                f'The type {annotation!r} of parameter {parameter.name!r} of {self._function_name!r} cannot be '
                f'resolved ({error}): define or import it at module level, outside `if TYPE_CHECKING`, or leave out '
                '`from __future__ import annotations`'
            ) from error


def _closure(function: Any) -> dict[str, Any]:
    names = getattr(getattr(function, '__code__', None), 'co_freevars', ())
    cells = zip(names, getattr(function, '__closure__', None) or (), strict=False)
    return {name: cell.cell_contents for name, cell in cells if _is_filled(cell)}


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


def _made(parameter: inspect.Parameter, namespace: _Namespace) -> list[Parameter]:
    annotation, default = namespace.resolve(parameter), parameter.default
    if parameter.kind is inspect.Parameter.VAR_KEYWORD and get_origin(annotation) is Unpack:
        return _unpacked(get_args(annotation)[0])
    required = default is inspect.Parameter.empty and parameter.kind not in _VARIADIC
    if isinstance(default, FieldInfo):
        required = default.is_required()
        annotation, default = Annotated[annotation, default], inspect.Parameter.empty
    return [Parameter(parameter.name, parameter.kind, annotation, default, required)]


def _unpacked(typed_dict: Any) -> list[Parameter]:
    """The keys of a TypedDict as parameters: `**options: Unpack[Options]`."""
    return [
        Parameter(name, inspect.Parameter.KEYWORD_ONLY, kind, inspect.Parameter.empty, required)
        for name, (kind, required) in keys_of(typed_dict).items()
    ]
