"""A function of the user, sent from the loop thread to its caller, and the outcome, sent back."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from .._base.functions import is_async
from .._base.phases import names_wait, note_withdrawn
from ..exceptions import CallCancelled

_MISSING = object()
Changes = list[tuple[contextvars.ContextVar[Any], Any]]
Reply = tuple[BaseException | None, Any, Changes]
RunSync: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
# Runs the sync functions of an async caller, if a framework has a thread for them. Set on the loop thread, in the task
# of a run, and read there.
sync_runner: contextvars.ContextVar[RunSync | None] = contextvars.ContextVar('syncai_sync_runner', default=None)


def changes(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> Changes:
    """The context variables whose values differ."""
    return [(var, value) for var, value in after.items() if before.get(var, _MISSING) is not value]


class Work:
    """One call of a user's function, made on the loop thread and run by the consumer.

    Context variables are copied both ways: values set on the loop's side since the call began are set while the
    function runs, and values that the function sets, whether it returns or raises, stay set for its caller and for the
    rest of the call.
    """

    def __init__(
        self, function: Callable[[], Any], began_with: Mapping[Any, Any], hidden: contextvars.ContextVar[Any]
    ) -> None:
        self._function = function
        self._inward = [c for c in changes(began_with, contextvars.copy_context()) if c[0] is not hidden]
        self._loop = asyncio.get_running_loop()
        self._reply: asyncio.Future[Reply] | None = self._loop.create_future()
        self._run_sync = sync_runner.get()
        self.outward: Changes = []  # variables that the function set; used by the consumer
        # Set by the loop thread when it stops waiting; then the consumer does not begin.
        self.withdrawn = False
        # Set by an async consumer once the function runs, called by the loop thread to stop it.
        self.stop: Callable[[], object] | None = None
        # Set by the thread that runs the function.
        self._running = False
        # Set by the loop thread: the time when it stopped waiting, and the function that gets the seconds since then.
        self._withdrawn_at = 0.0
        self._report_late: Callable[[float], None] | None = None

    def when_late(self, report: Callable[[float], None]) -> None:
        """On the loop thread, which has stopped waiting: report how long the function kept running in its thread."""
        if self._running:
            self._report_late = report

    @names_wait('a function of the program')
    async def reply(self) -> Any:
        """On the loop thread: the result of the function; raises its error."""
        assert self._reply is not None
        try:
            error, value, outward = await self._reply
        except asyncio.CancelledError:
            self._withdraw()
            raise
        finally:
            self._reply = None  # the traceback of an error holds this work: no cycle
        for var, new in outward:
            var.set(new)
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # nor may this frame hold it

    def _withdraw(self) -> None:
        self._withdrawn_at = time.monotonic()
        self.withdrawn = True
        note_withdrawn(self)
        if self.stop is not None:
            with contextlib.suppress(RuntimeError):  # the consumer's loop is closed, and so is the function
                self.stop()

    def run_here(self) -> None:
        """In the caller's thread: run the function and send its outcome back.

        Raises:
            BaseException: An interrupt or exit; subclasses of Exception only go to the loop's side.
        """
        if self.withdrawn:
            return
        tokens = [(var, var.set(value)) for var, value in self._inward]
        before = contextvars.copy_context()
        error: Exception | None = None
        value = None
        self._running = True
        try:
            value = self._function()
        except Exception as caught:
            error = caught
        finally:
            self._running = False
            self.outward = changes(before, contextvars.copy_context())
            _put_back(tokens, self.outward)
        if self.withdrawn:
            self._be_late()
        self._send(error, value)
        error = None  # its traceback holds this frame

    def _be_late(self) -> None:
        report, self._report_late = self._report_late, None
        if report is not None:
            report(time.monotonic() - self._withdrawn_at)

    async def run_there(self) -> None:
        """The same on an async caller's own loop, in a separate task; a sync function runs in a worker thread."""
        for var, value in self._inward:
            var.set(value)
        before = context = contextvars.copy_context()
        try:
            if is_async(self._function):
                value = await self._function()
                context = contextvars.copy_context()
            else:
                context = before.copy()
                function = functools.partial(context.run, self._function)
                run = self._run_sync or _run_in_executor
                value = await run(function)
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:
            self.outward = changes(before, context)
            self._send(error, None)
        except BaseException as error:
            self._send(CallCancelled(f'A function that syncai ran ended with {type(error).__name__}'), None)
            raise
        else:
            self.outward = changes(before, context)
            self._send(None, value)

    def abandon(self) -> None:
        """Reply in place of a function that will not reply; no effect if it has replied."""
        self._send(CallCancelled('A function that syncai was to run was cancelled before it began'), None)

    def _send(self, error: Exception | None, value: object) -> None:
        reply = self._reply
        if reply is None:
            return
        try:
            self._loop.call_soon_threadsafe(_resolve, reply, (error, value, self.outward))
        except RuntimeError:  # the loop was shut down: no one waits for the reply
            return


def _run_in_executor(function: Callable[[], Any]) -> Awaitable[Any]:
    return asyncio.get_running_loop().run_in_executor(None, function)


def _resolve(future: asyncio.Future[Reply], reply: Reply) -> None:
    if not future.done():
        future.set_result(reply)


def _put_back(tokens: list[tuple[contextvars.ContextVar[Any], Any]], outward: Changes) -> None:
    """Undo the variables set for the function, but not those that the function itself set."""
    for var, token in reversed(tokens):
        var.reset(token)
    own = {var for var, _ in tokens}
    for var, value in outward:
        if var in own:
            var.set(value)
