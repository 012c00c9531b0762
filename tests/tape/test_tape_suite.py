"""The suite of the example application: recorded once, then replayed without a network, also in parallel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

ROOT = Path(__file__).parent.parent.parent
TESTS = 8


def model(request: RecordedRequest) -> Reply:
    """A model that sorts messages, and that writes the name of an order as the customer does."""
    messages, tools = request.json['messages'], request.json['tools']
    last = messages[-1]
    if tools[0]['function']['name'].startswith('final_result'):
        kind = 'refund' if 'money' in last['content'] else 'order'
        return Reply(tool_calls=ToolCall(tools[0]['function']['name'], {'kind': kind}), usage=(9, 3))
    if last['role'] == 'tool' and 'no order' in last['content']:
        return Reply(tool_calls=ToolCall('order_status', {'order': 'B-4'}))
    if last['role'] == 'tool':
        return Reply('Your order is ', f'{last["content"]}.', usage=(20, 5))
    order = re.search(r'order (\S+)\?', last['content'])
    assert order
    return Reply(tool_calls=ToolCall('order_status', {'order': order[1]}))


@pytest.fixture
def provider() -> Iterator[ModelServer]:
    with ModelServer(model) as server:
        yield server


@pytest.fixture
def application(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / 'docs' / 'examples' / 'desk', tmp_path / 'desk', ignore=shutil.ignore_patterns('__pycache__')
    )
    (tmp_path / 'desk' / 'pytest.ini').write_text('[pytest]\nfilterwarnings = error\n')
    return tmp_path / 'desk'


def run(application: Path, *options: str, **environment: str) -> str:
    base = {k: v for k, v in os.environ.items() if not k.startswith(('OPENAI', 'PYTEST', 'CI', 'SYNCAI'))}
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *options]
    env: dict[str, str] = {**base, 'PYTHONPATH': str(ROOT), **environment}
    done: Any = subprocess.run(
        command, cwd=application, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    return str(done.stdout + done.stderr)


@pytest.mark.slow
def test_a_suite_is_recorded_once_and_replayed_without_network_and_key(
    application: Path, provider: ModelServer
) -> None:
    pytest.importorskip('xdist', reason='pytest-xdist is not installed')
    recording = run(application, OPENAI_API_KEY='sk-secret-0123456789', OPENAI_BASE_URL=provider.base_url)
    assert f'{TESTS} passed' in recording, recording
    asked = len(provider.requests)
    tapes = sorted((application / 'tapes' / 'test_desk').glob('*.json'))
    assert len(tapes) == TESTS
    assert not [tape for tape in tapes if 'sk-secret' in tape.read_text()]

    # No key, no address of a server; sockets raise in every worker.
    replay = run(application, '-n', '2', '--disable-socket', '--allow-unix-socket', '--tape=replay')
    assert f'{TESTS} passed' in replay, replay
    in_ci = run(application, '--disable-socket', CI='true')
    assert f'{TESTS} passed' in in_ci, in_ci
    assert len(provider.requests) == asked


@pytest.mark.slow
def test_a_changed_prompt_fails_with_the_difference_and_is_recorded_anew(
    application: Path, provider: ModelServer
) -> None:
    server = {'OPENAI_API_KEY': 'sk-secret-0123456789', 'OPENAI_BASE_URL': provider.base_url}
    assert f'{TESTS} passed' in run(application, **server)
    module = application / 'desk.py'
    module.write_text(module.read_text().replace('Answer in one sentence.', 'Answer in two sentences.'))
    failed = run(application, CI='1')
    assert '5 failed, 3 passed' in failed, failed
    assert re.search(r'\+ +.*Answer in two sentences', failed)
    assert f'{TESTS} passed' in run(application, '--tape=refresh', **server)
    assert not [t for t in application.rglob('*.json') if 'one sentence' in t.read_text()]


@pytest.mark.slow
def test_a_failing_test_records_answers_and_no_errors(application: Path) -> None:
    (application / 'test_desk.py').write_text(
        "import desk\ndef test_fails(tape):\n    assert 'shipped' in desk.answer('Where is order A-17?')\n"
    )
    replies = [
        Reply(tool_calls=ToolCall('order_status', {'order': 'A-17'})),
        *[Reply(status=400)] * 3,
        Reply('shipped'),
    ]
    with ModelServer(replies[:2]) as server:
        out = run(application, OPENAI_API_KEY='sk-1', OPENAI_BASE_URL=server.base_url)
        assert '1 failed' in out, out
        server.reply(Reply('shipped'))
        out = run(application, OPENAI_API_KEY='sk-1', OPENAI_BASE_URL=server.base_url)
        assert '1 passed' in out, out
        assert len(server.requests) == 3


SHARED = """
import pytest
from syncai import Agent

pytestmark = pytest.mark.tape('shared.json')
agent = Agent('openai:gpt-5.4-mini')


@pytest.mark.parametrize('number', range(12))
def test_a_request(tape, number):
    assert agent.run_sync(f'number {number % 8}').data == f'You said: number {number % 8}'
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_workers_of_xdist_share_one_file(tmp_path: Path) -> None:
    pytest.importorskip('xdist', reason='pytest-xdist is not installed')
    (tmp_path / 'test_shared.py').write_text(SHARED)
    (tmp_path / 'pytest.ini').write_text('[pytest]\nfilterwarnings = error\n')

    def echo(request: RecordedRequest) -> Reply:
        return Reply('You said: ', request.json['messages'][-1]['content'])

    with ModelServer(echo) as server:
        key = {'OPENAI_API_KEY': 'sk-1', 'OPENAI_BASE_URL': server.base_url}
        recorded = run(tmp_path, '-n', '2', **key)
        assert '12 passed' in recorded, recorded
        assert 8 <= len(server.requests) <= 12  # who finds a request on the tape replays it
    kept = json.loads((tmp_path / 'shared.json').read_text())['exchanges']
    said = {exchange['request']['messages'][0]['request'][0]['user'] for exchange in kept}
    assert said == {f'number {number}' for number in range(8)}
    replayed = run(tmp_path, '-n', '2', '--disable-socket', '--allow-unix-socket', '--tape=replay')
    assert '12 passed' in replayed, replayed
