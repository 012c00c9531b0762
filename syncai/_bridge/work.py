"""A function of the user, sent from the loop thread to where its caller is, and what came of it sent back."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Mapping
from typing import Any

_MISSING = object()
Changes = list[tuple[contextvars.ContextVar[Any], Any]]


def changes(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Changes:
    """The context variables whose values differ."""
    return [(var, value) for var, value in after.items() if before.get(var, _MISSING) is not value]


class Work:
    """One call of a user's function, made on the loop thread and run by the consumer.

    Context variables follow both ways: what was set on the loop's side since the call began is set while the function
    runs, and what the function sets stays set for its caller and for the rest of the call.
    """

    def __init__(
        self, function: Callable[[], Any], began_with: Mapping[Any, Any], hidden: contextvars.ContextVar[Any]
    ) -> None:
        self._function = function
        self._inward = [c for c in changes(began_with, contextvars.copy_context()) if c[0] is not hidden]
        self._loop = asyncio.get_running_loop()
        self._reply: asyncio.Future[tuple[Any, Changes]] = self._loop.create_future()

    async def reply(self) -> Any:
        """On the loop thread: what the function returned or raised."""
        value, outward = await self._reply
        for var, new in outward:
            var.set(new)
        return value

    def run_here(self) -> None:
        """In the caller's thread: run the function and send back what came of it.

        Raises:
            BaseException: An interrupt or exit; what derives from Exception goes to the loop's side alone.
        """
        with _Entered(self._inward) as entered:
            try:
                value = self._function()
            except Exception as error:
                self._send(error, None, [])
                return
        self._send(None, value, entered.outward)

    async def run_there(self) -> None:
        """On an async caller's own loop: the same; a sync function runs in a worker thread."""
        function = self._function
        with _Entered(self._inward) as entered:
            try:
                if is_async(function):
                    value = await function()
                else:
                    value = await asyncio.to_thread(function)
                    if inspect.isawaitable(value):
                        value = await value
            except Exception as error:
                self._send(error, None, [])
                return
        self._send(None, value, entered.outward)

    def _send(self, error: Exception | None, value: Any, outward: Changes) -> None:
        try:
            self._loop.call_soon_threadsafe(_resolve, self._reply, error, value, outward)
        except RuntimeError:  # the loop was shut down meanwhile: nobody waits for the answer
            return


def _resolve(reply: asyncio.Future[Any], error: Exception | None, value: Any, outward: Changes) -> None:
    if reply.done():
        return
    if error is None:
        reply.set_result((value, outward))
    elif isinstance(error, StopIteration):  # a future cannot carry it
        wrapped = RuntimeError('A function raised StopIteration')
        wrapped.__cause__ = error
        reply.set_exception(wrapped)
    else:
        reply.set_exception(error)


class _Entered:
    """Context variables set on entry and put back on exit; `outward` is what else was changed in between."""

    def __init__(self, inward: Changes) -> None:
        self._inward = inward
        self.outward: Changes = []

    def __enter__(self) -> _Entered:
        self._tokens = [(var, var.set(value)) for var, value in self._inward]
        self._before = contextvars.copy_context()
        return self

    def __exit__(self, *_: object) -> None:
        self.outward = changes(self._before, contextvars.copy_context())
        for var, token in reversed(self._tokens):
            var.reset(token)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling `function` gives a coroutine: async functions, partials of them, objects with an async call."""
    while hasattr(function, 'func'):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, '__call__', None))  # noqa: B004
