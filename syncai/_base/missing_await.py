"""The coroutine of an asynchronous entry point, with errors that explain a missing `await`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar('T')
FunctionT = TypeVar('FunctionT', bound=Callable[..., Any])

_OF_COROUTINES = ('cr_', '__')


class Unawaited(Coroutine[Any, Any, T]):
    """A coroutine of an entry point, to be awaited, or given to `asyncio.run` and the like.

    Args:
        coroutine: Does the work; nothing happens before it is awaited.
        name: The call that made it, such as `agent.run`.
        sync_name: The synchronous form of it.
    """

    __slots__ = ('__weakref__', '_coroutine', '_name', '_started', '_sync_name')

    def __init__(self, coroutine: Coroutine[Any, Any, T], name: str, sync_name: str) -> None:
        self._coroutine = coroutine
        self._name = name
        self._sync_name = sync_name
        self._started = False

    def __await__(self) -> Generator[Any, Any, T]:
        self._started = True
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        """Continue; for event loops."""
        self._started = True
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        """Continue with an error; for event loops."""
        self._started = True
        return self._coroutine.throw(*error)

    def close(self) -> None:
        """End it; for event loops."""
        self._started = True
        self._coroutine.close()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith(_OF_COROUTINES):
                return getattr(self._coroutine, name)
            raise AttributeError(f'{self._name}(...) was not awaited, and has no {name!r} yet: {self._remedy()}')

    def _remedy(self) -> str:
        return f'write `await {self._name}(...)`, or in synchronous code {self._sync_name}(...)'

    def __repr__(self) -> str:
        return f'<{self._name}(...), not awaited: {self._remedy()}>' if not self._started else repr(self._coroutine)

    def __del__(self) -> None:
        if not self._started:
            self._coroutine.close()
            message = f'{self._name}(...) was never awaited, so nothing was sent: {self._remedy()}'
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)


def marked_async(function: FunctionT) -> FunctionT:
    """The function, marked as async for frameworks that check: it returns an `Unawaited`."""
    function.__dict__['_is_async'] = True
    mark: Callable[[Any], Any] | None = getattr(inspect, 'markcoroutinefunction', None)  # since Python 3.12
    return function if mark is None else mark(function)
