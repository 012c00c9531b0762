"""The one thread that owns all model I/O of the process.

It is a daemon named `syncai-loop`, started by the first call. A fork parks it, so that the child begins with one thread
and the parent's connections survive; the child starts its own loop. At exit it cancels running calls, stops and is
joined. Every wait for it is bounded, so it cannot hang the interpreter.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import functools
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .._base.system import FREE_DESCRIPTORS, is_out_of_descriptors, warn_where_threads_stand_still
from ..exceptions import AgentRunError, CallCancelled, LoopThreadError, ModelConnectionError
from .bells import drop_bell
from .event_loop import BridgeLoop, Call
from .threads import Lock, Thread, allocate_lock, get_native_ident, new_thread, raise_interrupt_behind, reentrant_lock

_logger = logging.getLogger('syncai')

_PARK_SECONDS = 0.05
_PARK_TURNS = 3  # turns of the loop: after them an opening socket has a transport, which a child can find
_START_SECONDS = 5.0
_WIND_DOWN_SECONDS = 2.0
_JOIN_SECONDS = 1.0
_EXIT_SECONDS = 30.0  # longer than an exit takes on a busy machine

# Objects that a forked child inherited. Kept forever: finalizers of the parent's sockets must not run in the child.
_graveyard: list[object] = []


class LoopThread:
    """A loop and its thread, started on first use, and again after a fork or a shutdown."""

    def __init__(self) -> None:
        # `_lock` owns `_loop`, `_thread`, `_pid` and `_parked`. It is a C lock, so that an interrupt cannot land
        # between taking it and the block it guards, and re-entrant, so that a signal handler may make calls.
        self._lock = reentrant_lock()
        self._loop: BridgeLoop | None = None
        self._thread: Thread | None = None
        self._ident = 0  # the ident of the loop thread, which sets it
        self._pid = 0
        self._parked = False
        # `_gate` owns `_running`, when a thread begins to run a loop and when it leaves it. Like `_lock` it is a C
        # lock.
        self._gate = reentrant_lock()
        self._running: BridgeLoop | None = None
        self._cleanups: list[Callable[[], Awaitable[None]]] = []
        self.exiting_in = 0  # the ident of the thread that ends the interpreter, which sets it

    # --- any thread ---------------------------------------------------------------------------------------------------

    def submit(self, call: Call) -> BridgeLoop:
        """Start `call` on the loop thread, and that thread if necessary; returns the loop of the call.

        Raises:
            LoopThreadError: This is the loop thread, which would wait for itself.
            CallCancelled: The interpreter is shutting down.
            ModelConnectionError: No descriptor is left for a loop.
        """
        self.refuse_on_loop_thread()
        if sys.is_finalizing():
            raise CallCancelled('The interpreter is shutting down: no more model calls can be made')
        with self._lock:
            loop = self._running_loop()
            call.loop = loop  # first, so that an interrupted caller can cancel from here on
            loop.call_soon_threadsafe(call.start, context=loop.empty_context)
        return loop

    def is_current(self) -> bool:
        """Whether this is the loop thread, by its ident: green threads share asyncio's running loop."""
        return self._ident == get_native_ident() and self._running is not None and self._pid == os.getpid()

    def refuse_on_loop_thread(self) -> None:
        """Raise LoopThreadError on the loop thread, which would wait for itself. Called when a call is started, and
        before waiting for a call or a store.
        """
        if self._ident == get_native_ident() and self.is_current():
            raise LoopThreadError(
                'A synchronous call was made on the loop thread of syncai, which would wait for itself forever. '
                'Inside an async function that syncai runs, use the async form: `await agent.run(...)` in place of '
                '`agent.run_sync(...)`, `await model_request(...)` in place of `model_request_sync(...)`; or make the '
                'function a plain `def`, which runs in the thread of its caller.'
            )

    def serves(self, loop: BridgeLoop) -> bool:
        """Whether `loop` is alive and can be waited for. Waits for the end of a fork in progress."""
        with self._lock:
            if loop is not self._loop or self._pid != os.getpid():
                return False
            self._keep_running(loop)
            return True

    def let_the_interpreter_end(self) -> None:
        """Block a daemon thread whose call the exit ends: it would print an error that cannot be handled any more."""
        if self.exiting_in not in (0, get_native_ident()):
            time.sleep(_EXIT_SECONDS)

    def on_shutdown(self, cleanup: Callable[[], Awaitable[None]]) -> None:
        """Await `cleanup` on the loop before it stops."""
        self._cleanups.append(cleanup)

    def shutdown(self, timeout: float = _WIND_DOWN_SECONDS) -> bool:
        """Cancel running calls, close connections and stop the thread; the next call starts a new one.

        Returns:
            Whether all of it was done within `timeout` seconds.
        """
        self.refuse_on_loop_thread()
        with self._lock, self._gate:
            loop, thread, pid = self._loop, self._thread, self._pid
            running = loop is not None and self._running is loop and pid == os.getpid()
            if loop is not None and running:
                # Before the loop is abandoned: an interrupt in between leaves a running loop, which can be stopped
                # again.
                begin = functools.partial(self._begin_wind_down, loop, timeout)
                loop.call_soon_threadsafe(begin, context=loop.empty_context)
            self._loop = self._thread = None
        drop_bell()
        if loop is None or pid != os.getpid():
            return True
        if thread is not None and running:
            thread.join(timeout + _JOIN_SECONDS)  # it closes the loop
        else:
            loop.close()
        return loop.is_closed()  # unless a function of the user blocks it

    # --- starting; `_lock` is held ------------------------------------------------------------------------------------

    def _running_loop(self) -> BridgeLoop:
        if self._pid != os.getpid():  # forked without hooks, as uWSGI does
            self._bury()
        if self._loop is None:
            self._loop = _new_loop()
        self._keep_running(self._loop)
        return self._loop

    def _keep_running(self, loop: BridgeLoop) -> None:
        """Make sure that a thread runs `loop`: at first, after a fork, and after an interrupt of either."""
        if self._running is loop and not self._parked:
            return
        with self._gate:
            self._parked = False  # a thread that was asked to leave and has not left stays
            running = self._running is loop
        if not running and not loop.threadless:
            self._start_thread(loop)

    def _start_thread(self, loop: BridgeLoop) -> None:
        """Run `loop` in a new thread; if none can be started any more, the caller runs the loop. After an interrupted
        start there may be two threads: the first one runs the loop.
        """
        warn_where_threads_stand_still()
        running = allocate_lock()
        running.acquire()
        thread = self._thread = new_thread(lambda: self._run(loop, thread, running), 'syncai-loop')
        try:
            contextvars.Context().run(thread.start)
            running.acquire(timeout=_START_SECONDS)
        except RuntimeError as error:
            raise_interrupt_behind(error)
            if 'interpreter shutdown' not in str(error):
                self._loop = self._thread = None
                loop.close()
                message = f'syncai cannot start its loop thread: {error}. Check the limits on threads and memory'
                raise AgentRunError(message) from error
            loop.threadless = True

    # --- the loop thread ----------------------------------------------------------------------------------------------

    def _run(self, loop: BridgeLoop, thread: Thread, running: Lock) -> None:
        with self._gate:
            running.release()
            if loop is not self._loop or loop is self._running:
                return  # the start was interrupted and repeated
            self._running, self._thread, self._ident = loop, thread, get_native_ident()
        while True:
            try:
                loop.run_forever()
            except BaseException as error:
                message = 'An exception escaped into the loop thread; it goes on'
                loop.log_apart(functools.partial(_logger.error, message, exc_info=error))
                continue
            with self._gate:
                given_up = loop is not self._loop
                if given_up or self._parked:  # undo a `stop()` by anyone else
                    self._running = None if self._running is loop else self._running
                    break
        if given_up:
            loop.close()  # here, since the thread that abandoned it may not have waited

    def _begin_wind_down(self, loop: BridgeLoop, timeout: float) -> None:
        loop.create_task(self._wind_down(loop, timeout))

    async def _wind_down(self, loop: BridgeLoop, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                for call in list(loop.calls):
                    call.cancel_on_loop()
                others = asyncio.all_tasks() - {asyncio.current_task()}
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
                for cleanup in self._cleanups:
                    await cleanup()
                await loop.shutdown_asyncgens()
        except TimeoutError:
            pass
        finally:
            loop.stop()

    # --- fork ---------------------------------------------------------------------------------------------------------

    # The interpreter swallows an interrupt in a hook, and cuts the hook short. So `_lock` is taken and released by its
    # own C methods, and every wait and the next call complete the rest by `_keep_running`.

    def register_fork_hooks(self) -> None:
        """Park and resume the loop around every fork, under `_lock`; hooks before a fork run in reverse order."""
        os.register_at_fork(
            before=self.before_fork,
            after_in_parent=self.after_fork_in_parent,
            after_in_child=self.after_fork_in_child,
        )
        lock = self._lock
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock._at_fork_reinit)

    def before_fork(self) -> None:
        """Park the loop, so that the child begins with one thread and no lock held by another."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None or self._pid != os.getpid() or self.is_current():
            return
        self._parked = True
        loop.call_soon_threadsafe(_stop_after, loop, _PARK_TURNS, context=loop.empty_context)
        thread.join(_PARK_SECONDS)

    def after_fork_in_parent(self) -> None:
        """Resume the same loop: its connections and tasks have survived."""
        if self._parked and self._loop is not None:
            self._keep_running(self._loop)

    def after_fork_in_child(self) -> None:
        """Drop the parent's loop without touching shared descriptors."""
        self._gate = reentrant_lock()
        self._harden()
        self._bury()

    def _harden(self) -> None:
        # The child shares the parent's epoll object and sockets: closing one here would freeze the parent's streams,
        # and an open one would hide the parent's disconnect from the server. Pointing them at /dev/null avoids both.
        selector: Any = getattr(self._loop, '_selector', None)
        if selector is None or selector.get_map() is None:
            return
        shared = {key.fd for key in selector.get_map().values()} | self._just_opened()
        if self._loop is not None and self._loop.hang_ups is not None:
            shared |= self._loop.hang_ups.descriptors
        if hasattr(selector, 'fileno'):
            shared.add(selector.fileno())
        try:
            null = os.open(os.devnull, os.O_RDWR)
        except OSError:  # no descriptor is left: closing one makes room, and the parent keeps its own copy
            os.close(next(iter(shared)))
            null = os.open(os.devnull, os.O_RDWR)
        try:
            for fd in shared - {null}:
                os.dup2(null, fd, inheritable=False)
        finally:
            if null not in shared:
                os.close(null)

    def _just_opened(self) -> set[int]:
        """The descriptors of opening connections, known only to their transports. A transport outlives its socket,
        whose descriptor may be reused: the socket's own counts.
        """
        transports = list(getattr(self._loop, '_transports', {}).values())
        sockets = (transport.get_extra_info('socket') for transport in transports)
        return {number for socket in sockets if socket is not None and (number := socket.fileno()) >= 0}

    def _bury(self) -> None:
        if self._loop is not None:
            _graveyard.append((self._loop, self._thread))
        self._loop = self._thread = self._running = None
        self._parked = False
        self._pid = os.getpid()


def _stop_after(loop: BridgeLoop, turns: int) -> None:
    if turns:
        loop.call_soon(_stop_after, loop, turns - 1, context=loop.empty_context)
    else:
        loop.stop()


def _new_loop() -> BridgeLoop:
    try:
        return BridgeLoop()
    except OSError as error:
        remedy = f': {FREE_DESCRIPTORS}' if is_out_of_descriptors(error) else ''
        raise ModelConnectionError(f'syncai cannot open its event loop: {error.strerror}{remedy}') from error


loop_thread = LoopThread()
"""The loop thread of this process."""


def _stop_at_exit() -> None:
    # Not in a forked child: its thread object belongs to the parent.
    loop_thread.exiting_in = get_native_ident()
    loop_thread.shutdown()


atexit.register(_stop_at_exit)
if hasattr(os, 'register_at_fork'):
    loop_thread.register_fork_hooks()
