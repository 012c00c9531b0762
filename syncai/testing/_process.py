"""The server in a process of its own, commanded through the child's standard input and output."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from typing import IO, Any

from ..exceptions import UserError
from ._service import Counts, ServiceOptions, ThreadHost
from .recorded import RecordedRequest
from .script import Reply

_COMMAND = 'from syncai.testing._process import main; main()'


class ProcessHost:
    """The parent's end. One command at a time: `_lock` owns both pipes."""

    def __init__(self, options: ServiceOptions) -> None:
        self._options = _pickled(options)
        self._lock = threading.Lock()
        self._last_requests: list[RecordedRequest] = []
        self._last_counts = Counts(0, 0, 0)

    def start(self) -> int:
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(path or os.getcwd() for path in sys.path)}  # noqa: PTH109
        self._child = subprocess.Popen(  # noqa: S603
            [sys.executable, '-c', _COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        try:
            port: int = self._call('start', pickle.loads(self._options))  # noqa: S301
        except BaseException:
            self._reap()
            raise
        return port

    def stop(self) -> None:
        # The records stay readable after the end, as with a thread.
        try:
            self._last_requests, self._last_counts = self._call('stop')
        finally:
            self._reap()

    def reply(self, replies: Iterable[Reply]) -> None:
        self._call('reply', tuple(replies))

    def requests(self) -> list[RecordedRequest]:
        if self._child.returncode is None:
            self._last_requests = self._call('requests')
        return list(self._last_requests)

    def counts(self) -> Counts:
        if self._child.returncode is None:
            self._last_counts = self._call('counts')
        return self._last_counts

    def _call(self, command: str, *args: object) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with self._lock:
            try:
                _send(self._child.stdin, (command, args))
                failed, result = pickle.load(self._child.stdout)  # noqa: S301
            except (EOFError, OSError) as error:
                raise RuntimeError(
                    f"the model server's process has ended (exit status {self._child.poll()})"
                ) from error
        if failed:
            raise result
        return result

    def _reap(self) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def main() -> None:
    """The child: obeys commands until it is stopped or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is meant for the parent
    commands = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)  # a print in the user's function must not end up among the answers
    host: ThreadHost | None = None
    running = True
    while running:
        try:
            command, args = pickle.load(commands)  # noqa: S301
        except EOFError:
            break
        except Exception as error:
            _send(answers, (True, RuntimeError(f'the server could not load what it was given: {error!r}')))
            break
        running = command != 'stop'
        host = ThreadHost(*args) if command == 'start' else host
        assert host is not None
        _send(answers, _obey(host, command, args))


def _obey(host: ThreadHost, command: str, args: tuple[Any, ...]) -> tuple[bool, object]:
    try:
        if command == 'start':
            return False, host.start()
        if command == 'stop':
            host.stop()
            return False, (host.requests(), host.counts())
        return False, getattr(host, command)(*args)
    except Exception as error:
        return True, error


def _send(pipe: IO[bytes], message: object) -> None:
    pipe.write(pickle.dumps(message))
    pipe.flush()


def _pickled(options: ServiceOptions) -> bytes:
    if options.tls is not None:
        raise UserError('tls does not go with process=True: a context cannot be sent to another process')
    if getattr(options.function, '__module__', None) == '__main__':
        raise UserError('with process=True the function must live in a module that can be imported, not in __main__')
    try:
        return pickle.dumps(options)
    except Exception as error:
        raise UserError(f'with process=True the function must be picklable (no lambda, no closure): {error}') from None
