"""The options of a run as `help()` and notebooks show them: by name, in every function that takes them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

FunctionT = TypeVar('FunctionT', bound=Callable[..., Any])

_RESULT_TYPE = ('result_type', "The type of the result of this run, instead of the agent's; None leaves it as it is.")
_SURPLUS = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)  # the latter only for its error text
_ATTRIBUTE = re.compile(r'^ {4}(?=\w+: )', re.MULTILINE)
_NOT_NONE = {'infer_name': True, 'share': False, 'retry_failed': True, 'progress': False}


def listing_options(kind: Any) -> Callable[[FunctionT], FunctionT]:
    """A decorator that writes the options of a `TypedDict` into the signature and the docstring of a function.

    The function takes them as `**options`. Type checkers read the overloads instead.
    """

    def listed(function: FunctionT) -> FunctionT:
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.kind not in _SURPLUS]
        options = dict(_described(kind))
        if 'result_type' not in signature.parameters:
            options = {_RESULT_TYPE[0]: _RESULT_TYPE[1], **options}
        further = [_parameter(name, kind.__annotations__.get(name, 'Any')) for name in options]
        function.__signature__ = signature.replace(parameters=[*own, *further])  # type: ignore[attr-defined]
        if function.__doc__:
            function.__doc__ = inspect.cleandoc(function.__doc__) + _section(options)
        return function

    return listed


def _described(kind: Any) -> Iterator[tuple[str, str]]:
    """The name of each option, and the lines that say what it is."""
    for base in reversed(_typed_dicts(kind)):
        for text in _ATTRIBUTE.split(inspect.cleandoc(base.__doc__ or '').partition('Attributes:\n')[2])[1:]:
            name, _, words = text.partition(': ')
            yield name, words.rstrip()


def _typed_dicts(kind: Any) -> list[Any]:
    """A `TypedDict` and those that it extends: at run time it is a dict, and only this lists its bases."""
    bases = [getattr(base, '__origin__', base) for base in getattr(kind, '__orig_bases__', ())]
    further = [one for base in bases if hasattr(base, '__total__') for one in _typed_dicts(base)]
    return [kind, *further]


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    annotation = getattr(annotation, '__forward_arg__', annotation)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=_NOT_NONE.get(name), annotation=annotation)


def _section(options: dict[str, str]) -> str:
    return '\n\nOptions:\n' + '\n'.join(f'    {name}: {words}' for name, words in options.items())
