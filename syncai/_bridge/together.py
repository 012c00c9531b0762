"""Concurrent coroutines, as one step of the task that waits for them."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from .._base.phases import names_wait
from .work import changes

T = TypeVar('T')


class _ExitError(Exception):
    """Wraps an exit or interrupt, which would stop the loop of all callers if a task raised it."""


@names_wait('functions of the program, side by side')
async def run_together(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of the coroutines, in order; the first failure cancels the others and is raised.

    Context variables that they set are set in the waiting task, as if it had run them itself.
    """
    if len(coroutines) == 1:
        return [await coroutines[0]]
    before = contextvars.copy_context()
    contexts = [before.copy() for _ in coroutines]
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(_contained(c), context=own) for c, own in zip(coroutines, contexts, strict=True)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if (error := _failure(tasks)) is None:
            return [task.result() for task in tasks]
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: no cycle
    finally:
        await _end(tasks)
        for own in contexts:
            for var, value in changes(before, own):
                var.set(value)


def _failure(tasks: list[asyncio.Task[T]]) -> BaseException | None:
    errors = (task.exception() for task in tasks if task.done() and not task.cancelled())
    error = next((error for error in errors if error is not None), None)
    return error.args[0] if isinstance(error, _ExitError) else error


async def _end(tasks: list[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        raise _ExitError(error) from None
