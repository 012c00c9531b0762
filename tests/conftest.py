"""The rule for every test: it leaves nothing over (threads, tasks, descriptors, processes)."""

from __future__ import annotations

import asyncio
import functools
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from batch_journals import journal
from beside import leave_out, pytest_terminal_summary
from planted import pytest_runtest_makereport
from sampling import begin, pytest_addoption, take_sample
from scripted import play
from workers import (
    keep_clocks_apart,
    pytest_make_collect_report,
    pytest_xdist_auto_num_workers,
    pytest_xdist_make_scheduler,
    restore_order,
)

__all__ = [
    'journal',
    'play',
    'pytest_addoption',
    'pytest_make_collect_report',
    'pytest_runtest_makereport',
    'pytest_terminal_summary',
    'pytest_xdist_auto_num_workers',
    'pytest_xdist_make_scheduler',
]

_OURS = ('syncai-loop', 'syncai-resolver', 'syncai-worker', 'pytest_timeout')
_PATIENCE = 3.0  # seconds that a closed socket or a cancelled task has to go away
_COLLECT_AFTER = 0.1  # seconds: most of them go away by themselves, and a collection takes long
_MANY_OBJECTS = 50_000  # that a collection looks at; many more, and it takes tenths of a second
_LINUX = sys.platform == 'linux'
_FDS = '/proc/self/fd' if _LINUX else '/dev/fd'

Snapshot = Callable[[], list[str]]

_pools: list[weakref.ref[Any]] = []  # appended to by the loop thread, read by that of the tests


def take_snapshot() -> Snapshot:
    """A function that returns what was left over since now."""
    threads, fds, tasks = set(threading.enumerate()), open_fds(), loop_tasks()
    children = {child.pid for child in multiprocessing.active_children()}

    def leaks() -> list[str]:
        found = [f'thread {t.name}' for t in threading.enumerate() if t not in threads and not t.name.startswith(_OURS)]
        found += [f'task {task!r}' for task in loop_tasks() if task not in tasks]
        found += [f'process {c.pid}' for c in multiprocessing.active_children() if c.pid not in children]
        new = {fd: target for fd, target in open_fds().items() if fds.get(fd) != target}
        if new:
            own, pooled = loop_fds(), pooled_addresses()
            own |= bell_fds({fd: target for fd, target in new.items() if fd not in own})
            found += [
                f'descriptor {fd} -> {target}'
                for fd, target in new.items()
                if fd not in own and not pooled & ends_of(fd)
            ]
        return found

    return leaks


def open_fds() -> dict[int, str]:
    """Every open descriptor and what it points at. Runs twice for each test, so it makes no paths."""
    found = {}
    for name in os.listdir(_FDS):  # noqa: PTH208
        try:
            found[int(name)] = os.readlink(f'{_FDS}/{name}') if _LINUX else str(os.fstat(int(name)).st_ino)  # noqa: PTH115
        except OSError:  # the descriptor of the listing itself
            continue
    return found


def syncai_loop() -> Any:
    """The loop of the process, or None where none was started."""
    bridge = sys.modules.get('syncai._bridge.loop_thread')
    return None if bridge is None else bridge.loop_thread._loop


def loop_tasks() -> list[Any]:
    loop = syncai_loop()
    return [] if loop is None else [task for task in asyncio.all_tasks(loop) if not task.done()]


def loop_fds() -> set[Any]:
    """What a loop needs for itself, and the resource tracker of multiprocessing."""
    from multiprocessing import resource_tracker

    found = {getattr(resource_tracker._resource_tracker, '_fd', None)}
    loop = syncai_loop()
    if loop is not None and not loop.is_closed():
        found |= {loop._selector.fileno(), loop._ssock.fileno(), loop._csock.fileno()}
    return found - {None}


def bell_fds(new: dict[int, str]) -> set[int]:
    """As many descriptors of their kinds as there are bells, which threads keep for their next wait."""
    module = sys.modules.get('syncai._bridge.bells')
    bells = 0 if module is None else sum(bell() is not None for bell in module._event_bells)
    kinds = ('anon_inode:[eventfd]', 'anon_inode:[eventpoll]')
    return {fd for kind in kinds for fd in [fd for fd, target in new.items() if target == kind][:bells]}


def pooled_addresses() -> set[Any]:
    """Our ends of idle connections, kept alive for the next request. One that is still in use is not among them."""
    pools = [pool for reference in list(_pools) if (pool := reference()) is not None]
    transports = [connection.transport for pool in pools for connection in pool.idle_connections()]
    return {transport.get_extra_info('sockname') for transport in transports if transport is not None}


def note_pools() -> None:
    """Keep a reference to each pool made from now on: to search all objects for them takes long."""
    from syncai._transport.pool import ConnectionPool

    construct: Any = ConnectionPool.__init__

    @functools.wraps(construct)
    def noted(pool: ConnectionPool, *args: Any, **kwargs: Any) -> None:
        construct(pool, *args, **kwargs)
        _pools.append(weakref.ref(pool, _pools.remove))

    ConnectionPool.__init__ = noted  # type: ignore[assignment, method-assign]


def ends_of(fd: int) -> set[Any]:
    """Both addresses of a socket; the server's end of a pooled connection may be in this process too."""
    found = set()
    try:
        sock = socket.socket(fileno=fd)
        try:
            found.add(sock.getsockname())
            found.add(sock.getpeername())
        finally:
            sock.detach()  # the descriptor is not ours to close
    except OSError:  # not a socket, not connected, or closed by now
        pass
    return found


@pytest.fixture
def snapshot() -> Callable[[], Snapshot]:
    """For tests of the leak check itself."""
    return take_snapshot


@pytest.fixture(autouse=True)
def same_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the lock on model requests after a test, or after a block of the documentation."""
    monkeypatch.setattr('syncai.models.ALLOW_MODEL_REQUESTS', True)


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, a task, a child process or a descriptor behind.

    `@pytest.mark.leaky('why')` turns it off.
    """
    leaks = take_snapshot()
    yield
    if request.node.get_closest_marker('leaky'):
        return
    ended = time.monotonic()
    collect_at = ended + _COLLECT_AFTER
    found = leaks()
    while found and (now := time.monotonic()) < ended + _PATIENCE:
        if now >= collect_at:
            gc.collect()
            collect_at = time.monotonic() + _COLLECT_AFTER
        time.sleep(0.005)
        found = leaks()
    if found:
        pytest.fail('left behind: ' + '; '.join(found), pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    begin(config)
    for name in [name for name in os.environ if name.lower().endswith('_proxy')]:
        del os.environ[name]  # of this machine, and of no test
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does that to what it runs in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    note_pools()
    gc.collect()
    gc.freeze()  # thousands of tests stay to the end: no later collection and no search needs to visit them


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Between two files, freeze later objects too, such as modules that a test imported."""
    yield
    if nextitem is not None and nextitem.path != item.path and len(gc.get_objects()) > _MANY_OBJECTS:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    restore_order(config, items)
    leave_out(config, items)
    take_sample(config, items)
    if config.pluginmanager.hasplugin('xdist'):
        keep_clocks_apart(items)
