"""pytest-xdist: a suite that asks a model, in several processes at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from serving import only_in_make_places

only_in_make_places()

SUITE = """
import os
import pytest
from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

@pytest.mark.parametrize('number', range(20))
def test_a_call(number, model_server, record_property):
    model_server.reply(Reply('Hello ', str(number)))
    agent = Agent(OpenAIChatModel('m', base_url=model_server.base_url, api_key='key'))
    with agent.run_stream_sync('x') as answer:
        assert ''.join(answer.stream_text(delta=True)) == f'Hello {number}'
    (pytest.folder / f'{os.getpid()}').touch()

@pytest.mark.skipif('not hasattr(os, "fork")')
@pytest.mark.filterwarnings('ignore:.*fork')
def test_a_fork(model_server):
    model_server.reply(Reply('in the child'))
    pid = os.fork()
    if pid == 0:
        agent = Agent(OpenAIChatModel('m', base_url=model_server.base_url, api_key='key'))
        os._exit(agent.run_sync('x').data != 'in the child')
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_suite_of_a_user(tmp_path: Path) -> None:
    (tmp_path / 'test_suite.py').write_text(SUITE)
    (tmp_path / 'conftest.py').write_text(
        'import pathlib, pytest\npytest.folder = pathlib.Path(__file__).parent / "seen"\n'
    )
    (tmp_path / 'seen').mkdir()
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-n', '3', '-q', '-W', 'error', str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, 'PYTEST_ADDOPTS': ''},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '21 passed' in done.stdout
    assert len(list((tmp_path / 'seen').iterdir())) > 1
