"""`syncai chat`, by a pipe and in a terminal: a process of its own at the end of a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

AGENT = """
from syncai import Agent

helper = Agent('openai:m')


@helper.tool_plain(approve=True)
def refund(order: int) -> str:
    return f'refunded {order}'
"""
pytestmark = pytest.mark.slow
_CONTROL = re.compile(rb'\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()=>][0-9A-B]?|\r')


def environment(server: ModelServer, where: Path, **more: str) -> dict[str, str]:
    home = {'HOME': str(where), 'XDG_DATA_HOME': str(where / 'data'), 'TERM': 'xterm-256color'}
    return {**os.environ, 'OPENAI_API_KEY': 'sk-x', 'OPENAI_BASE_URL': server.base_url, **home, **more}


def piped(server: ModelServer, where: Path, text: str, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'syncai.cli', 'chat', *args]
    return subprocess.run(
        command, input=text, env=environment(server, where), cwd=where, capture_output=True, text=True, timeout=50
    )


@pytest.mark.slow
def test_a_conversation_is_kept_under_its_name(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(Reply('First.'), Reply('Second.'))
    done = piped(model_server, tmp_path, 'one\n/exit\nnever\n', 'openai:m', '--conversation', 'work')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'First.' in done.stdout
    done = piped(model_server, tmp_path, 'two\n', 'openai:m', '--conversation', 'work')
    assert '2 messages so far' in done.stdout
    said = [message['content'] for message in model_server.requests[-1].json['messages']]
    assert said == ['one', 'First.', 'two']
    assert (tmp_path / 'data' / 'syncai' / 'conversations.db').exists()


@pytest.mark.slow
def test_commands(model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'note.txt').write_text('a note')
    model_server.reply(Reply('One.'), Reply('Two.'), Reply('Three.'))
    lines = ['one', '/undo', 'again', '/new', '/file note.txt', 'with a file', '/help', '/nothing', '/file none.txt']
    done = piped(model_server, tmp_path, '\n'.join(lines), 'openai:m')
    assert (done.returncode, done.stderr) == (0, '')
    first, second, third = (request.json['messages'] for request in model_server.requests)
    assert [message['content'] for message in second] == ['again']
    assert len(third) == 1
    assert 'a note' in str(third[0]['content'])
    assert 'There is no /nothing' in done.stdout
    assert 'UserError' in done.stdout  # of the file that is not there; the program goes on
    assert first[0]['content'] == 'one'


class Terminal:
    """The program at the end of a pseudo-terminal, and what it has written."""

    def __init__(self, command: list[str], env: dict[str, str], where: Path) -> None:
        self._own, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=where, start_new_session=True
        )
        os.close(theirs)
        self._written = b''

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def shows(self, text: str, seconds: float = 20) -> str:
        """Wait until the text was written since the last call."""
        until = time.monotonic() + seconds
        while text not in (shown := _CONTROL.sub(b'', self._written).decode(errors='replace')):
            assert time.monotonic() < until, f'{text!r} did not come; there is {shown!r}'
            if select.select([self._own], [], [], 0.1)[0]:
                self._written += os.read(self._own, 65536)
        self._written = b''
        return shown

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._own)


@pytest.fixture
def terminal(model_server: ModelServer, tmp_path: Path) -> Iterator[Any]:
    open_ones: list[Terminal] = []

    def start(*args: str) -> Terminal:
        command = [sys.executable, '-m', 'syncai.cli', 'chat', *args]
        open_ones.append(Terminal(command, environment(model_server, tmp_path), tmp_path))
        return open_ones[-1]

    yield start
    for one in open_ones:
        one.close()


@pytest.mark.slow
def test_ctrl_c_stops_the_answer_and_not_the_program(terminal: Any, model_server: ModelServer) -> None:
    model_server.reply(Reply('word ', repeat=10_000, delay_between_events=0.02), Reply('All is well.', usage=(5, 4)))
    chat: Terminal = terminal('openai:m')
    chat.shows('>')
    chat.type('go\r')
    chat.shows('word word')
    chat.process.send_signal(signal.SIGINT)
    chat.shows('(stopped)')
    model_server.wait_for_disconnect(timeout=10)
    chat.type('and now?\r')
    chat.shows('All is well.')
    chat.shows('5 + 4 tokens')
    chat.type('/exit\r')
    assert chat.process.wait(20) == 0


@pytest.mark.slow
def test_control_characters_of_the_model_do_nothing(terminal: Any, model_server: ModelServer) -> None:
    model_server.reply(Reply('before \x1b[2J\x1b]0;title\x07 <b>after</b>'))
    chat: Terminal = terminal('openai:m')
    chat.shows('>')
    chat.type('x\r')
    assert 'x1b[2J' in chat.shows('<b>after</b>')


@pytest.mark.slow
def test_a_call_is_approved_in_place(terminal: Any, model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'desk.py').write_text(AGENT)

    def answer(request: RecordedRequest) -> Reply:
        latest = request.json['messages'][-1]
        if latest['role'] == 'tool':
            return Reply(f'Done: {latest["content"]}')
        if 'hello' in latest['content']:
            return Reply('Hello to you')
        return Reply(tool_calls=[ToolCall('refund', {'order': 7})])

    with ModelServer(answer) as server:
        command = [sys.executable, '-m', 'syncai.cli', 'chat', '--agent', 'desk:helper']
        chat = Terminal(command, environment(server, tmp_path), tmp_path)
        try:
            chat.shows('>')
            chat.type('refund order 7\r')
            chat.shows('Approve?')
            chat.type('y\r')
            chat.shows('Done: refunded 7')
            chat.type('refund order 8\r')
            chat.shows('Approve?')
            time.sleep(0.3)  # `input` sees no signal that comes between its prompt and its wait before the next Enter
            chat.process.send_signal(signal.SIGINT)
            chat.shows('(stopped)')
            chat.type('hello\r')
            assert 'the last answer waits for you' in chat.shows('Approve?')
            chat.type('too late\r')
            assert 'Done: The call was denied' in chat.shows('Hello to you')
        finally:
            chat.close()


def test_an_agent_in_the_place_of_the_model(model_server: ModelServer, tmp_path: Path) -> None:
    """As `syncai web` takes it; a name that is neither ends the program before the first message."""
    (tmp_path / 'shop_agents.py').write_text(AGENT)
    model_server.reply(Reply('First.'))
    done = piped(model_server, tmp_path, 'one\n', 'shop_agents:helper')
    assert (done.returncode, done.stderr) == (0, '')
    assert 'First.' in done.stdout
    done = piped(model_server, tmp_path, 'one\n', 'opnai:m')
    assert done.returncode != 0
    assert "Unknown provider 'opnai'" in done.stderr
