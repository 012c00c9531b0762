"""Background work of a journal: commits of finished rows, in groups, and the heartbeat of the owner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future

from .._base.phases import names_wait
from .._bridge import call_in_thread, submit

_GROUP_SECONDS = 0.02
"""How long the first row of a group waits for others; together with the commit this is below 50 ms."""


class Keeper:
    """A task on the loop thread that calls two functions in worker threads until it is closed.

    Args:
        commit: Called soon after a `wake`, once for all `wake`s in between.
        beat: Called every `pause` seconds.
        pause: In seconds.
        failed: Called with the error of either; the task ends with it.
    """

    def __init__(
        self, commit: Callable[[], None], beat: Callable[[], None], pause: float, failed: Callable[[Exception], None]
    ) -> None:
        self._commit = commit
        self._beat = beat
        self._pause = pause
        self._failed = failed
        self._awake = False  # set by any waking thread, cleared by the loop thread before it commits
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None  # set once by the loop thread, like the event
        self._event: asyncio.Event | None = None
        self._task: Future[None] = submit(self._run, name='journal')

    def wake(self) -> None:
        """Request a commit soon, from any thread, including the loop thread; free if one is already requested."""
        if self._awake:
            return
        self._awake = True
        self._ring()

    def _ring(self) -> None:
        loop, event = self._loop, self._event
        if loop is not None and event is not None and not loop.is_closed():
            loop.call_soon_threadsafe(event.set)  # otherwise the task checks the flags when it begins

    def close(self) -> None:
        """End the task, after a running commit."""
        self._closed = True
        self._ring()
        self._task.cancel()

    @names_wait('rows for the journal')
    async def _run(self) -> None:
        self._event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        last_beat = time.monotonic()
        try:
            while not self._closed:
                seconds = last_beat + self._pause - time.monotonic()
                if not self._awake and seconds > 0:
                    await _set_within(self._event, seconds)
                self._event.clear()
                if self._awake:
                    await asyncio.sleep(_GROUP_SECONDS)
                    self._awake = False
                    await call_in_thread(self._commit)
                if time.monotonic() >= last_beat + self._pause:
                    last_beat = time.monotonic()
                    await call_in_thread(self._beat)
        except Exception as error:
            self._failed(error)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
