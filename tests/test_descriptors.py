"""No descriptor is left: for the loop, a module, a socket or a retry. The error says so, and the next call works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from syncai.testing import ModelServer, Reply

pytest.importorskip('resource', reason='this system has no limits on descriptors')

PROGRAM = """
import asyncio, json, os, resource, sys, time
from syncai import ModelRequest, model_request_sync
from syncai._bridge import run_sync
from syncai.exceptions import ModelConnectionError
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions

url, state, free = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = HttpOptions(max_retries=1, keepalive_expiry=0)
model = OpenAIChatModel('m', base_url=url, api_key='k', http=options)
ask = lambda: model_request_sync(model, [ModelRequest.user_text_prompt('hi')]).text
if state != 'first call': ask()
while state == 'second later' and 'tenacity' not in sys.modules: time.sleep(0.05)
if state == 'second later': ask()  # when the import is over
async def turns():
    for _ in range(9): await asyncio.sleep(0)
if state != 'first call': run_sync(turns)  # in which the connection is closed
assert 'tenacity' in sys.modules or state != 'second later'
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
try:
    while True: taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    for fd in taken[:free]: os.close(fd)
try: outcome = [ask()]
except ModelConnectionError as error: outcome = [str(error), error.attempts]
for fd in taken[free:]: os.close(fd)
print(json.dumps([outcome, ask()]))
"""


def outcome(state: str, free: int) -> list[Any]:
    """The answer, or what the error says, with that number of descriptors left; then the answer with enough of them."""
    with ModelServer(Reply('x')) as server:
        command = [sys.executable, '-W', 'error', '-c', PROGRAM, server.base_url, state, str(free)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40)
    assert (done.returncode, done.stderr) == (0, '')
    first, then = json.loads(done.stdout)
    assert then == 'x'
    return list(first)


@pytest.mark.slow
@pytest.mark.parametrize('free', [0, 1, 2])
def test_none_is_left_for_the_loop(free: int) -> None:
    """Which takes three: of its selector, and the pair of sockets that wake it."""
    message, _ = outcome('first call', free)
    assert message.startswith('syncai cannot open its event loop: Too many open files')
    assert 'ulimit -n' in message


@pytest.mark.slow
def test_none_is_left_for_modules_and_the_first_connection() -> None:
    message, attempts = outcome('first call', 3)
    assert 'cannot reach 127.0.0.1' in message
    assert 'Too many open files' in message
    assert attempts == 1  # the modules that retry could not be read


STREAMED = """
import json, os, resource, sys
from syncai import ModelRequest, model_request_stream_sync
from syncai.exceptions import ModelConnectionError
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions

def ask():
    model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k', http=HttpOptions(max_retries=0))
    try:
        with model_request_stream_sync(model, [ModelRequest.user_text_prompt('hi')]) as stream:
            list(stream)
            return stream.get().text
    except ModelConnectionError as error:
        return str(error)
limit = resource.getrlimit(resource.RLIMIT_NOFILE)
used = len(os.listdir('/proc/self/fd')) - 1
said = []
for free in range(9):
    if not os.fork():
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + free, limit[1]))
        first = ask()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        then = ask()
        os._exit(2 if then != 'x' else 1 if first == 'x' else 0 if 'ulimit -n' in first else 3)
    said.append(os.waitstatus_to_exitcode(os.wait()[1]))
print(json.dumps(said))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/fd').exists(), reason='counts descriptors as Linux shows them')
def test_any_number_is_left_for_a_stream_and_its_host_name() -> None:
    """Modules are read, and `/etc/hosts` is, while an answer is waited for and decoded."""
    with ModelServer(Reply('x')) as server:
        address = server.base_url.replace('127.0.0.1', 'localhost')
        done = subprocess.run([sys.executable, '-c', STREAMED, address], capture_output=True, text=True, timeout=60)
    assert done.stderr == ''
    outcomes = json.loads(done.stdout)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {0, 1}


@pytest.mark.slow
def test_none_is_left_in_the_first_second() -> None:
    message, attempts = outcome('second at once', 0)
    assert 'Too many open files' in message
    assert attempts in (1, 2)  # the second only where the machine is so slow that a second has passed


@pytest.mark.slow
@pytest.mark.timing
def test_none_is_left_later() -> None:
    message, attempts = outcome('second later', 0)
    assert 'Too many open files' in message
    assert 'ulimit -n' in message
    assert attempts == 2


@pytest.mark.slow
@pytest.mark.timing
def test_one_that_is_left_is_enough_for_a_connection() -> None:
    assert outcome('second later', 1) == ['x']


TAKE_ALL = """
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
taken = []
try:
    while True: taken.append(os.dup(0))
except OSError:
    pass
"""
FORKED = (
    """
import os, resource, sys
from syncai import ModelRequest, model_request_sync
from syncai.exceptions import ModelConnectionError
from syncai.models.openai import OpenAIChatModel

model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k')
ask = lambda: model_request_sync(model, [ModelRequest.user_text_prompt('hi')]).text
say = lambda what: os.write(1, f'{what}\\n'.encode())  # in one piece, as two processes write
ask()
"""
    + TAKE_ALL
    + """pid = os.fork()
if not pid:
    try:
        ask()
    except ModelConnectionError as error:
        say('Too many open files' in str(error))
for fd in taken: os.close(fd)
say(ask())
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
"""
)

FETCHED = (
    """
import os, resource, sys
from syncai import Agent, DocumentUrl
from syncai.exceptions import DownloadError, StoreError
from syncai.models.openai import OpenAIChatModel

agent = Agent(OpenAIChatModel('m', base_url=sys.argv[1], api_key='k'))
agent.run_sync('hi')
"""
    + TAKE_ALL
    + """for ask in (
    lambda: agent.run_sync(['hi', DocumentUrl('http://127.0.0.1:1/x.pdf')]),
    lambda: list(agent.map_sync(['hi'], journal=sys.argv[2])),
):
    try:
        ask()
    except (DownloadError, StoreError) as error:
        print(type(error).__name__, 'ulimit -n' in str(error))
for fd in taken: os.close(fd)
"""
)


def lines_of(program: str, *arguments: str) -> list[str]:
    with ModelServer(Reply('x')) as server:
        command = [sys.executable, '-W', 'error', '-c', program, server.base_url, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=40)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout.splitlines()


@pytest.mark.slow
def test_none_is_left_where_a_process_forks() -> None:
    """The child writes nothing of its own, fails with an error of the library, and then works; so does its parent."""
    assert sorted(lines_of(FORKED)) == ['True', 'x', 'x']


@pytest.mark.slow
def test_none_is_left_for_the_modules_of_files_and_journals(tmp_path: Path) -> None:
    assert lines_of(FETCHED, str(tmp_path / 'run.sqlite')) == ['DownloadError True', 'StoreError True']
