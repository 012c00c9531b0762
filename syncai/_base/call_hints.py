"""Calls as other libraries have them: names of arguments, and methods that are attributes there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from types import MethodType
from typing import Any

from .other_arguments import OF_READING
from .tracebacks import only_user_frames

__all__ = ['explain_arguments', 'explain_methods', 'explaining_arguments', 'unknown_argument']


def explain_arguments(kind: type, remedies: Mapping[str, str], title: str | None = None) -> None:
    """Have the TypeError for an unknown argument of a class name the right argument.

    Args:
        kind: The class; its signature stays what it was.
        remedies: Names of other libraries, and the name here, or a sentence that says what to write.
        title: The name of the class in the text of the error.
    """
    kind.__init__ = explaining_arguments(kind.__init__, title or kind.__name__, remedies)  # type: ignore[misc]


def explaining_arguments(function: Any, title: str, remedies: Mapping[str, str]) -> Any:
    """The function; its TypeError for an unknown argument names the right argument."""

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        with only_user_frames:
            return _called(function, title, remedies, args, keywords)

    return call


def _called(function: Any, title: str, remedies: Mapping[str, str], args: Any, keywords: Mapping[str, Any]) -> Any:
    try:
        return function(*args, **keywords)
    except TypeError as error:
        text = unknown_argument(function, title, keywords, remedies)
        if text is None:
            raise
        error.args = (text,)
        mistake = error.with_traceback(None)
    raise mistake from None


def unknown_argument(
    function: Callable[..., Any], title: str, keywords: Mapping[str, Any], remedies: Mapping[str, str]
) -> str | None:
    """The error text for the first unknown argument; None if the function has all of them."""
    from difflib import get_close_matches
    from inspect import signature

    names = [name for name in signature(function).parameters if name != 'self']
    name = next((name for name in keywords if name not in names), None)
    if name is None:
        return None
    here, near = remedies.get(name, ''), get_close_matches(name, names, n=1)
    if here in names:
        remedy = f'it is called {here}=... here'
    elif ' ' in here:
        remedy = here
    else:
        remedy = f'did you mean {near[0]!r}?' if near else f'known are {", ".join(names)}'
    return f'{title} has no argument {name!r}: {remedy}'


def explain_methods(kind: type, **examples: str) -> None:
    """Have an error say that these methods of a class must be called; in other libraries they are attributes.

    Args:
        kind: The class.
        examples: For each name of a method, code that reads its value, such as `.total_tokens` or `[-1]`.
    """
    for name, example in examples.items():
        setattr(kind, name, _Explained(vars(kind)[name], f'`.{name}` is a method: write `.{name}()`', example))


class _Explained:
    """A method in the place of the function that a class has."""

    def __init__(self, function: Callable[..., Any], remedy: str, example: str) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._remedy = f'{remedy[:-1]}{example}`' if example else remedy

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._function(*args, **keywords)

    def __get__(self, owner: object, kind: type | None = None) -> Any:
        return self._function if owner is None else _Method(self._function, owner, self._remedy)


class _Method:
    """A method that was looked up; any other use than a call is a mistake, and raises an `AttributeError` with the
    remedy.
    """

    __slots__ = ('__func__', '__self__', '_remedy')

    def __init__(self, function: Callable[..., Any], owner: object, remedy: str) -> None:
        self.__func__ = function
        self.__self__ = owner
        self._remedy = remedy

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        title = f'{self.__func__.__name__}()'
        return _called(self.__func__, title, OF_READING, (self.__self__, *args), keywords)

    @property
    def __signature__(self) -> Any:
        from inspect import signature

        return signature(MethodType(self.__func__, self.__self__))

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') and name != '__wrapped__':
            return getattr(self.__func__, name)
        raise AttributeError(self._remedy)

    def __getitem__(self, key: object) -> Any:
        raise _mistake(self._remedy)

    def __iter__(self) -> Iterator[Any]:
        raise _mistake(self._remedy)

    def __repr__(self) -> str:
        return f'<method {self.__func__.__qualname__}: {self._remedy}>'


def _mistake(remedy: str) -> TypeError:
    """The error that Python raises where a method is used as a value, with a remedy."""
    return TypeError(remedy)
