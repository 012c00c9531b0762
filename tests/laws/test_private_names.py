"""The private names of CPython, janus and gevent that the package uses: all of them, each with a test.

A name that a new version has moved fails here, on that version, and says what depends on it.
`test_none_is_missing_here` reads the package for names that are not in the table.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import importlib
import select
import selectors
import socket
import ssl
import sys
import threading
from asyncio import sslproto
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Protocol, cast
from unittest import mock

import janus
import pytest

PACKAGE = Path(__file__).parent.parent.parent / 'syncai'
BASE = asyncio.SelectorEventLoop


def on_a_loop(check: Callable[[Any], bool]) -> bool:
    loop: Any = asyncio.SelectorEventLoop()
    try:
        return check(loop)
    finally:
        loop.close()


def in_a_task(check: Callable[[Any], bool]) -> bool:
    async def main() -> bool:
        return check(asyncio.current_task())

    return asyncio.run(main())


def a_file_of_a_socket_leads_to_it() -> bool:
    left, right = socket.socketpair()
    with left, right, left.makefile('rb') as file:
        return file.raw._sock is left  # type: ignore[attr-defined]


def running_threads_are_known() -> bool:
    async def main() -> bool:
        loop: Any = asyncio.get_running_loop()
        return bool(loop._thread_id == threading.get_ident())

    return asyncio.run(main())


def a_waiting_task_says_for_what() -> bool:
    async def main() -> bool:
        future = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            await future

        task: Any = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waits_for_it = task._fut_waiter is future
        future.set_result(None)
        await task
        return waits_for_it and task._fut_waiter is None

    return asyncio.run(main())


def a_cancelled_task_must_cancel() -> bool:
    def check(task: Any) -> bool:
        before = task._must_cancel
        task.cancel()
        after = task._must_cancel
        task.uncancel()
        return after and not before

    try:
        return in_a_task(check)
    except asyncio.CancelledError:
        return True


def a_handle_runs_and_knows_its_callback() -> bool:
    def check(loop: Any) -> bool:
        calls: list[int] = []
        handle = loop.call_soon(calls.append, 1)
        kept = handle in loop._ready and handle._callback.__self__ is calls and not handle._cancelled
        handle._run()
        handle.cancel()
        return bool(kept and handle._cancelled and calls == [1])

    return on_a_loop(check)


def tls_keeps_its_backlog_as_a_list_can() -> bool:
    functions = [f for f in vars(sslproto.SSLProtocol).values() if isinstance(f, FunctionType)]
    used = {name for function in functions for name in function.__code__.co_names}
    return '_write_backlog' in used and used.isdisjoint({'popleft', 'appendleft', 'extendleft'})


def the_next_timer_is_known() -> bool:
    def check(loop: Any) -> bool:
        later, sooner = loop.call_at(7.0, print), loop.call_at(3.0, print)
        return bool(loop._scheduled[0] is sooner and sooner._when == 3.0 and later in loop._scheduled)

    return on_a_loop(check)


def a_selector_knows_its_sockets() -> bool:
    """Elsewhere than on Linux they are not used."""
    if not hasattr(selectors, 'EpollSelector'):
        return True
    left, right = socket.socketpair()
    with left, right, selectors.EpollSelector() as selector:
        key, inside = selector.register(left, selectors.EVENT_WRITE, 'data'), cast('Any', selector)
        polled = inside._selector.poll(5, 1)
        return bool(inside._fd_to_key == {left.fileno(): key} and polled == [(left.fileno(), select.EPOLLOUT)])


def tls_receives_into_its_buffer() -> bool:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        context = ssl.create_default_context()
        tls: Any = sslproto.SSLProtocol(loop, asyncio.Protocol(), context, waiter, server_hostname='x')
        waiter.cancel()
        tls._app_transport.close()
        return (
            tls._app_transport is not None
            and memoryview(tls._ssl_buffer).obj is not None
            and tls._ssl_buffer_view.obj is tls._ssl_buffer
            and isinstance(tls._extra, dict)
            and callable(tls._on_handshake_complete)
            and tls._sslobj.write.__self__ is tls._sslobj
        )

    return asyncio.run(main())


def names_are_asked_for_by_a_function() -> bool:
    package: Any = ModuleType('a_package')
    package.__path__, asked_by = [], list[str]()

    def attribute(name: str) -> object:
        asked_by.append(sys._getframe(1).f_code.co_name)
        raise AttributeError(name)

    package.__getattr__ = attribute
    with mock.patch.dict(sys.modules, {'a_package': package}), contextlib.suppress(ImportError):
        exec('from a_package import name')
    return asked_by[0] == '_handle_fromlist'


def janus_keeps_these_fields() -> bool:
    async def main() -> bool:
        queue: Any = janus.Queue(3)
        names = ('_maxsize', '_is_shutdown', '_unfinished_tasks', '_sync_mutex', '_queue')
        kept = all(hasattr(queue, name) for name in names)
        await queue.aclose()
        return kept

    return asyncio.run(main())


def gevent_has_a_hub_only_where_one_was_made() -> bool:
    pytest.importorskip('gevent', reason='a dependency of the places tests')
    code: Any = importlib.import_module('gevent._hub_local')
    hubs: list[Any] = []
    thread = threading.Thread(target=lambda: hubs.append(code.get_hub_if_exists()))
    thread.start()
    thread.join()
    return hubs == [None]


def reinitialised_lock_is_free(lock: Any) -> bool:
    lock.acquire()
    lock._at_fork_reinit()
    return bool(lock.acquire(False))


class AProtocol(Protocol):
    """Any protocol."""


def has(owner: object, *names: str) -> bool:
    return all(hasattr(owner, name) for name in names)


# What the package uses, by the owner and the name: why, and the check.
USED: dict[str, tuple[str, Callable[[], bool]]] = {
    'asyncio._get_running_loop': ('None where no loop runs', lambda: asyncio._get_running_loop() is None),
    'asyncio loop._add_reader': ('the pipe that wakes the loop', lambda: has(BASE, '_add_reader')),
    'asyncio loop._closed': ('a loop without descriptors', lambda: on_a_loop(lambda loop: loop._closed is False)),
    'asyncio loop._debug': ('calls with no look at them', lambda: on_a_loop(lambda loop: loop._debug is False)),
    'asyncio loop._csock': ('the pipe that wakes the loop', lambda: on_a_loop(lambda loop: has(loop, '_csock'))),
    'asyncio loop._ssock': ('the pipe that wakes the loop', lambda: on_a_loop(lambda loop: has(loop, '_ssock'))),
    'asyncio loop._internal_fds': ('counted with that pipe', lambda: on_a_loop(lambda loop: loop._internal_fds == 1)),
    'asyncio loop._make_self_pipe': ('replaced', lambda: has(BASE, '_make_self_pipe')),
    'asyncio loop._make_socket_transport': ('TLS over a socket', lambda: has(BASE, '_make_socket_transport')),
    'asyncio loop._make_ssl_transport': ('replaced', lambda: has(BASE, '_make_ssl_transport')),
    'asyncio loop._process_events': ('replaced: callbacks run at once', lambda: has(BASE, '_process_events')),
    'asyncio loop._read_from_self': ('the pipe that wakes the loop', lambda: has(BASE, '_read_from_self')),
    'asyncio loop._ready': ('calls that wait for the loop', a_handle_runs_and_knows_its_callback),
    'asyncio loop._scheduled': ('the next timer', the_next_timer_is_known),
    'asyncio loop._stopping': ('the end of its turns', lambda: on_a_loop(lambda loop: loop._stopping is False)),
    'asyncio handle._when': ('the next timer', the_next_timer_is_known),
    'selectors._fd_to_key': ('waits without turns of the loop', a_selector_knows_its_sockets),
    'selectors._selector': ('waits without turns of the loop', a_selector_knows_its_sockets),
    'asyncio loop._selector': (
        'sockets that a child shares',
        lambda: on_a_loop(lambda loop: isinstance(loop._selector, selectors.BaseSelector)),
    ),
    'asyncio loop._thread_id': ('whether it is the loop that logs', running_threads_are_known),
    'asyncio loop._transports': ('sockets that a child shares', lambda: on_a_loop(lambda x: len(x._transports) == 0)),
    'asyncio handle._callback': ('calls that wait for the loop', a_handle_runs_and_knows_its_callback),
    'asyncio handle._cancelled': ('callbacks that run at once', a_handle_runs_and_knows_its_callback),
    'asyncio handle._run': ('callbacks that run at once', a_handle_runs_and_knows_its_callback),
    'asyncio task._fut_waiter': ('the warning of a very long wait', a_waiting_task_says_for_what),
    'asyncio task._must_cancel': ('Ctrl-C under asyncio.run', a_cancelled_task_must_cancel),
    'asyncio.sslproto._app_transport': ('what TLS is written to', tls_receives_into_its_buffer),
    'asyncio.sslproto._extra': ('certificates that are not kept', tls_receives_into_its_buffer),
    'asyncio.sslproto._on_handshake_complete': ('certificates that are not kept', tls_receives_into_its_buffer),
    'asyncio.sslproto._sslobj': ('a buffer that is not kept', tls_receives_into_its_buffer),
    'asyncio.sslproto._write_backlog': ('a list that takes less room', tls_keeps_its_backlog_as_a_list_can),
    'asyncio.sslproto._ssl_buffer': ('one buffer for all connections', tls_receives_into_its_buffer),
    'asyncio.sslproto._ssl_buffer_view': ('one buffer for all connections', tls_receives_into_its_buffer),
    'concurrent.futures future._condition': ('settled without a wait', lambda: has(Future(), '_condition')),
    'concurrent.futures future._waiters': ('settled without a wait', lambda: has(Future(), '_waiters')),
    'concurrent.futures future._done_callbacks': ('settled without a wait', lambda: has(Future(), '_done_callbacks')),
    'threading thread._started': ('starts that survive interrupts', lambda: has(threading.Thread()._started, '_cond')),  # type: ignore[attr-defined]
    'threading event._cond': ('starts that survive interrupts', lambda: has(threading.Event(), '_cond')),
    'threading condition._lock': ('interrupts that leave no lock', lambda: has(threading.Condition(), '_lock')),
    'threading._active': (
        'names of threads, without a lock',
        lambda: getattr(threading, '_active')[threading.get_ident()] is threading.current_thread(),  # noqa: B009
    ),
    'threading lock._at_fork_reinit': ('locks in a child', lambda: reinitialised_lock_is_free(threading.Lock())),
    'importlib function._handle_fromlist': ('the hint of `from syncai import`', names_are_asked_for_by_a_function),
    'sys._current_frames': ('stacks of threads', lambda: threading.get_ident() in sys._current_frames()),
    'sys._getframe': ('the place of a call', lambda: sys._getframe().f_code.co_name == '<lambda>'),
    'typing protocol._is_protocol': ('dependencies that are protocols', lambda: getattr(AProtocol, '_is_protocol')),  # noqa: B009
    'module _queue': ('a queue of C', lambda: has(importlib.import_module('_queue'), 'SimpleQueue', 'Empty')),
    'socket file._sock': ('the socket of a WSGI request', a_file_of_a_socket_leads_to_it),
    'module _socket': ('a pipe without gevent', lambda: has(importlib.import_module('_socket'), 'socketpair')),
    'module _thread': (
        'threads and locks without gevent',
        lambda: has(importlib.import_module('_thread'), 'allocate_lock', 'get_ident', 'RLock', 'start_new_thread'),
    ),
    '_thread._local': ('a bell for each thread', lambda: has(importlib.import_module('_thread'), '_local')),
    'module gevent._hub_local': ('waits that let greenlets run', gevent_has_a_hub_only_where_one_was_made),
    'janus queue._queue': ('the items of the queue', janus_keeps_these_fields),
    'janus queue._maxsize': ('the bound of the queue', janus_keeps_these_fields),
    'janus queue._is_shutdown': ('the end of the queue', janus_keeps_these_fields),
    'janus queue._unfinished_tasks': ('made as janus makes it', janus_keeps_these_fields),
    'janus queue._sync_mutex': ('the mutex of the queue', janus_keeps_these_fields),
}
NAMES = {key.replace(' ', '.').split('.')[-1] for key in USED}
OURS = {'_get_current_object', '_is_async', '_logprobs', '_or_', '_policy', '_policy_violation', '_PROXY', '_requests'}
OURS |= {'_default_', '_kcount', '_make_', '_set_'}  # in the text of an `__init__`, and of a name of prices
# Attributes and texts; the first is documented by Werkzeug, as a part of the interface of its proxies.


@pytest.mark.parametrize('name', USED)
def test_it_is_there_and_does_what_is_relied_on(name: str) -> None:
    reason, check = USED[name]
    assert check(), f'{name} is not what it was; it is used for: {reason}'


def names_of(tree: ast.AST) -> tuple[set[str], set[str]]:
    """The private names that a file uses, and all names that it defines."""
    used: set[str] = set()
    defined: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                defined.add(name)
            case ast.Attribute(attr=name):
                used.add(name)
            case ast.Constant(value=str(name)) if name.isidentifier():
                used.add(name)  # of `getattr`
            case ast.Import(names=aliases):
                used |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), level=0, names=aliases):
                used |= {*module.split('.'), *(alias.name for alias in aliases)}
            case _:
                pass
    return {name for name in used if name.startswith('_') and not name.startswith('__')}, defined


@functools.cache
def used_and_not_defined() -> set[str]:
    files = [names_of(ast.parse(path.read_text())) for path in PACKAGE.rglob('*.py')]
    defined = set().union(*(names for _, names in files))
    return set().union(*(names for names, _ in files)) - defined


@pytest.mark.slow
def test_none_is_missing_here() -> None:
    missing = used_and_not_defined() - OURS - NAMES
    assert missing == set(), 'add each to USED with a reason and a check, or do without it'


def of_python() -> set[str]:
    """The private names in the modules of Python whose objects the package uses."""
    modules = (asyncio, *(importlib.import_module(f'asyncio.{name}') for name in ASYNCIO), threading, selectors, ssl)
    trees = [ast.parse(Path(str(module.__file__)).read_text()) for module in (*modules, socket, janus)]
    names = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {name for name in names if name.startswith('_') and not name.startswith('__')}


ASYNCIO = ('base_events', 'events', 'futures', 'selector_events', 'sslproto', 'tasks')
OWN_OBJECTS = {
    'conversation._state',
    'loop_thread._ident',
    'loop_thread._loop',
    'parts._replace',
    'request._state',
}
"""Names that Python's objects have too, of objects that are the package's, or whose library documents them."""


def private_names_of_others(tree: ast.AST, names: set[str]) -> set[str]:
    """Where a file reads one of these names of an object that is not its own `self`."""
    reads = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in names]
    return {ast.unparse(node) for node in reads if ast.unparse(node.value).partition('.')[0] not in ('self', 'cls')}


@pytest.mark.slow
def test_none_hides_behind_a_name_of_the_package() -> None:
    names = of_python() - NAMES
    reads = set[str]().union(*(private_names_of_others(ast.parse(p.read_text()), names) for p in PACKAGE.rglob('*.py')))
    assert reads - OWN_OBJECTS == set(), 'add each to USED, or to OWN_OBJECTS if the object is no one of Python'


def test_a_private_name_that_the_package_has_too_is_seen() -> None:
    assert private_names_of_others(ast.parse('task._state\nself._state'), {'_state'}) == {'task._state'}
    assert '_state' in of_python()


def test_none_is_left_over() -> None:
    source = '\n'.join(path.read_text() for path in PACKAGE.rglob('*.py'))
    assert [name for name in sorted(NAMES) if name not in source] == []


def test_a_new_private_name_is_seen() -> None:
    used, defined = names_of(ast.parse('import _heapq\nself._own = 1\nloop._scheduled\ngetattr(x, "_other")'))
    assert used - defined == {'_heapq', '_scheduled', '_other'}
