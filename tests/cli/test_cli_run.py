"""`syncai run` in pipes, in a separate process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import here

from syncai.testing import ModelServer, Reply, ToolCall

CITY = {
    'title': 'City',
    'type': 'object',
    'properties': {'city': {'type': 'string'}},
    'required': ['city'],
    'additionalProperties': False,
}


def syncai_run(
    server: ModelServer, where: Path, *args: str, piped: str = '', model: str | None = 'openai:gpt-5.4-mini'
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-m', 'syncai.cli', 'run', *(('-m', model) if model else ()), *args]
    environment = {**os.environ, 'OPENAI_API_KEY': 'sk-x', 'OPENAI_BASE_URL': server.base_url}
    return subprocess.run(
        command, cwd=where, env=environment, input=piped, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.slow
def test_a_text_that_is_piped_in_follows_the_prompt(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(Reply('It is ', 'fine.'))
    done = syncai_run(model_server, tmp_path, 'summarise', piped='all is well\n')
    assert (done.returncode, done.stdout, done.stderr) == (0, 'It is fine.\n', '')
    (request,) = model_server.requests
    assert request.json['messages'] == [{'role': 'user', 'content': 'summarise\n\nall is well'}]
    assert request.json['stream'] is True


@pytest.mark.slow
def test_the_answer_fits_a_schema(model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'city.json').write_text(json.dumps(CITY))
    model_server.reply(Reply(tool_calls=[ToolCall('final_result', {'city': 1})]))
    model_server.reply(Reply(tool_calls=[ToolCall('final_result', {'city': 'Paris'})]))
    done = syncai_run(model_server, tmp_path, 'where?', '--schema', 'city.json')
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {'city': 'Paris'}, '')
    first, second = model_server.requests
    assert first.json['tools'][0]['function']['parameters']['properties'] == {'city': {'type': 'string'}}
    assert 'city: Input should be of the type string' in second.json['messages'][-1]['content']


@pytest.mark.slow
def test_the_whole_as_json(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(Reply('Paris', usage=(12, 7)))
    done = syncai_run(model_server, tmp_path, 'x', '--json')
    printed = json.loads(done.stdout)
    assert printed['data'] == 'Paris'
    assert printed['usage'] == {'requests': 1, 'request_tokens': 12, 'response_tokens': 7}


@pytest.mark.slow
def test_an_agent_of_a_module_in_the_current_directory(model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'shop.py').write_text(
        'from syncai import Agent\n\nhelper = Agent("openai:m", system_prompt="Be brief.")\n'
    )
    model_server.reply(Reply('Yes'))
    done = syncai_run(model_server, tmp_path, 'open?', '--agent', 'shop:helper', model=None)
    assert (done.returncode, done.stdout) == (0, 'Yes\n')
    assert model_server.requests[0].json['messages'][0]['content'] == 'Be brief.'


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        ((), 'There is nothing to ask'),
        (('x', '--schema', 'none.json'), 'none.json is no file with a JSON schema'),
        (('x', '--file', 'none.pdf'), 'none.pdf'),
        (('x', '--agent', 'nothing:here'), "There is no module 'nothing'"),
        (('x', '--agent', 'json:dumps'), 'json:dumps is of type function, and not an Agent'),
        (('x', '--agent', 'shop'), "'shop' does not name an agent: write module:agent"),
        (('x', '-m', 'opnai:x'), "Did you mean 'openai'"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(
    args: tuple[str, ...], words: str, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-x')
    monkeypatch.setenv('OPENAI_BASE_URL', model_server.base_url)
    monkeypatch.setattr(sys, 'path', [*sys.path])  # to which --agent adds the directory
    done = here('run', *(() if '-m' in args else ('-m', 'openai:gpt-5.4-mini')), *args)
    assert (done.returncode, done.stdout) == (2, '')
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not model_server.requests


@pytest.mark.slow
def test_wrong_use_in_a_process_of_its_own(model_server: ModelServer, tmp_path: Path) -> None:
    done = syncai_run(model_server, tmp_path, 'x', '-m', 'opnai:x')
    assert (done.returncode, done.stdout) == (2, '')
    assert "Did you mean 'openai'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_failure_of_the_provider_is_status_1(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(Reply(status=401))
    done = syncai_run(model_server, tmp_path, 'x')
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.startswith('syncai: AuthenticationError: ')


@pytest.mark.slow
def test_a_call_that_waits_where_nobody_can_be_asked_is_status_3(model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'shop.py').write_text(
        'from syncai import Agent, Tool\n\n\ndef pay() -> str:\n    raise SystemExit("paid")\n\n\n'
        'helper = Agent("openai:m", tools=[Tool(pay, approve=True)])\n'
    )
    model_server.reply(Reply(tool_calls=[ToolCall('pay')]))
    done = syncai_run(model_server, tmp_path, 'pay', '--agent', 'shop:helper', model=None)
    assert (done.returncode, done.stdout) == (3, '')
    assert done.stderr == 'syncai: The run waits for approval of pay: run it in a terminal\n'


@pytest.mark.slow
def test_ctrl_c_is_status_130_and_stops_the_model(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.reply(Reply('word ', repeat=10_000, delay_between_events=0.02))
    command = [sys.executable, '-m', 'syncai.cli', 'run', '-m', 'openai:m', 'x']
    environment = {**os.environ, 'OPENAI_API_KEY': 'sk-x', 'OPENAI_BASE_URL': model_server.base_url}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        assert program.stdout.read(9) == b'word word'
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors) == (130, b'')
    assert model_server.wait_for_disconnect(timeout=10).finished_at is None
