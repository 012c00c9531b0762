"""Servers of applications, each a process as a user would start it, and the model that they ask."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

PLACES = Path(__file__).parent.parent / 'places'
# For programs of other environments.
SEARCH = os.pathsep.join([str(PLACES), str(PLACES.parents[1]), *filter(None, sys.path)])
BIN = Path(sys.executable).parent
LONG = 40
IN_MAKE_PLACES = os.environ.get('SYNCAI_PLACES') == '1'


def answer(request: RecordedRequest) -> Reply:
    """The answer for the last message: `endless`, `long`, `slow` or `fails`; else one word."""
    messages = request.json['messages']
    if messages[0]['content'] == 'look':
        step = sum(message['role'] == 'assistant' for message in messages)
        return Reply('answer') if step == 2 else Reply(tool_calls=[ToolCall('look', id=f'look_{step}')])
    prompt = str(messages[-1]['content'])
    if 'endless' in prompt:
        return Reply('x', repeat=1_000_000, delay_between_events=0.01)
    if 'long' in prompt:
        return Reply('x', repeat=LONG, delay_between_events=0.02)
    if 'fails' in prompt:
        return Reply(status=400)
    return Reply('answer', delay_headers=0.3 if 'slow' in prompt else 0)


def only_in_make_places() -> None:
    if not IN_MAKE_PLACES:
        pytest.skip('these take minutes and the dependency group `places`: `make places`', allow_module_level=True)


class Program:
    """A program of this environment, its output in a file; ended, with its children, when the block is left."""

    def __init__(self, *command: str, log: Path, **environment: str) -> None:
        env = {**os.environ, 'PYTHONPATH': SEARCH, 'PYTHONUNBUFFERED': '1', **environment}
        with log.open('ab') as output:
            self.process = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]],
                stdout=output,
                stderr=output,
                env=env,
                cwd=PLACES,
                start_new_session=True,
            )
        self._log = log
        self.port = 0

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def output(self) -> str:
        return self._log.read_text(errors='replace')

    def wait_for(self, pattern: str, timeout: float = 25) -> re.Match[str]:
        """Wait until the output matches; returns the match."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.output)):
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, f'not said in time: {pattern}\n{self.output}'
            time.sleep(0.02)
        return match

    def serves(self, pattern: str = r'127\.0\.0\.1:([1-9]\d*)', path: str = '/') -> Program:
        """This, once it has said on which port it listens and has answered there."""
        self.port = int(self.wait_for(pattern)[1])
        self.get(path)
        return self

    def wait_for_port(self, port: int, timeout: float = 25) -> Program:
        """This, once something listens on the port that it was given."""
        self.port = port
        deadline = time.monotonic() + timeout
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(('127.0.0.1', port)):
                return self
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, f'nothing listens on port {port}\n{self.output}'
            time.sleep(0.02)

    def open(self, path: str, timeout: float = 20) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        try:
            connection.request('GET', path, headers={'Connection': 'close'})
            return connection.getresponse()
        except OSError:
            connection.close()
            raise

    def get(self, path: str) -> str:
        with self.open(path) as response:
            text = response.read().decode()
        assert response.status == 200, text + self.output
        return text

    def stop(self, number: int = signal.SIGTERM, timeout: float = 25) -> float:
        """Send a signal; returns the seconds until the program ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout)
        return time.monotonic() - began


@pytest.fixture
def asked_model() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server
