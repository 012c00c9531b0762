"""The command line, run by the tests as by a user: in a separate process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import Ended, here

from syncai.models import known_model_names
from syncai.testing import ModelServer, Reply

KEY = 'sk-planted-in-the-environment'
PASSWORD = 'planted-password'


def syncai(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with an environment of these variables and no others that matter."""
    kept = {name: os.environ[name] for name in ('PATH', 'PYTHONPATH', 'HOME', 'SYSTEMROOT') if name in os.environ}
    command = [sys.executable, '-m', 'syncai.cli', *args]
    return subprocess.run(
        command, env={**kept, **environment}, capture_output=True, text=True, timeout=30, check=False, cwd='/'
    )


def alone(*args: str, **environment: str) -> Ended:
    """The same in this process, with no variables but these."""
    with patch.dict(os.environ, {'HOME': str(Path.home()), **environment}, clear=True):
        return here(*args)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
def test_no_keys() -> None:
    done = syncai('doctor')
    assert (done.returncode, done.stderr) == (0, '')
    assert '!! no key of any provider is set' in done.stdout
    assert 'Set a key, such as OPENAI_API_KEY' in done.stdout
    assert '-- nothing to look at' in done.stdout
    assert 'the loop thread was started and answered in' in done.stdout
    assert 'no open calls here' in done.stdout
    for name in ('syncai ', 'pydantic ', 'httpx ', 'httptools ', 'janus ', 'tenacity '):
        assert f'ok {name}' in done.stdout


@pytest.mark.slow
def test_a_provider_that_answers(model_server: ModelServer) -> None:
    done = syncai('doctor', OPENAI_API_KEY=KEY, OPENAI_BASE_URL=model_server.base_url)
    assert (done.returncode, done.stderr) == (0, '')
    assert 'openai: OPENAI_API_KEY is set' in done.stdout
    assert f'openai: OPENAI_BASE_URL sends requests to 127.0.0.1:{model_server.port}' in done.stdout
    assert f'openai: 127.0.0.1:{model_server.port} answered in' in done.stdout
    assert {request.method for request in model_server.requests} == {'GET'}
    assert all(KEY not in str(request.headers) for request in model_server.requests)  # none is needed to look


@pytest.mark.slow
def test_a_provider_that_is_not_there(closed_port: int) -> None:
    done = syncai('doctor', GROQ_API_KEY=KEY, GROQ_BASE_URL=f'http://127.0.0.1:{closed_port}/v1')
    assert done.returncode == 1
    assert f'XX groq: cannot reach 127.0.0.1:{closed_port}' in done.stdout
    assert 'Check the network' in done.stdout
    assert done.stderr == ''


@pytest.mark.slow
def test_a_provider_that_is_silent() -> None:
    with ModelServer() as server, socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen()
        url = f'http://127.0.0.1:{silent.getsockname()[1]}/v1'
        done = syncai(
            'doctor',
            '--timeout=0.3',
            GROQ_API_KEY=KEY,
            GROQ_BASE_URL=url,
            OPENAI_API_KEY=KEY,
            OPENAI_BASE_URL=server.base_url,
        )
    assert done.returncode == 1
    assert 'timeout of 0.3 s' in done.stdout
    assert f'openai: 127.0.0.1:{server.port} answered in' in done.stdout  # the others are looked at all the same


@pytest.mark.slow
def test_a_broken_proxy(closed_port: int) -> None:
    proxy = f'http://somebody:{PASSWORD}@127.0.0.1:{closed_port}'
    done = syncai('doctor', ANTHROPIC_API_KEY=KEY, HTTPS_PROXY=proxy)
    assert done.returncode == 1
    assert f'HTTPS_PROXY is set: 127.0.0.1:{closed_port}' in done.stdout
    assert (
        f'XX anthropic: cannot reach api.anthropic.com: the proxy 127.0.0.1:{closed_port} does not answer'
        in done.stdout
    )
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.slow
def test_offline_sends_nothing(closed_port: int) -> None:
    done = syncai('doctor', '--offline', GROQ_API_KEY=KEY, GROQ_BASE_URL=f'http://127.0.0.1:{closed_port}/v1')
    assert done.returncode == 0
    assert 'Providers' not in done.stdout


@pytest.mark.slow
def test_all_looks_at_every_provider(closed_port: int) -> None:
    dead = f'http://127.0.0.1:{closed_port}'
    done = syncai('doctor', '--all', HTTPS_PROXY=dead, HTTP_PROXY=dead)  # so that no test reaches out
    assert 'XX anthropic: cannot reach api.anthropic.com' in done.stdout
    assert '-- ollama: cannot reach localhost:11434' in done.stdout  # not an error: nobody said that it runs
    assert '-- lmstudio: cannot reach localhost:1234: ' in done.stdout  # whose port is also the name of an emoji
    assert '-- azure: ' in done.stdout


@pytest.mark.slow
def test_an_address_that_is_none() -> None:
    done = syncai('doctor', GROQ_API_KEY=KEY, GROQ_BASE_URL='nonsense')
    assert done.returncode == 1
    assert "XX groq: GROQ_BASE_URL must be an address like https://host/v1, not 'nonsense'" in done.stdout
    assert 'Correct the address' in done.stdout


@pytest.mark.parametrize('seconds', ['0', '-1', 'nan', 'soon'])
def test_a_timeout_that_is_none(seconds: str) -> None:
    done = alone('doctor', '--timeout', seconds, OPENAI_API_KEY=KEY)
    assert done.returncode == 2
    assert "Invalid value for '--timeout'" in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(('shape', 'words'), [('{} and more', 'was it copied whole?'), ('"{}"', 'with its quotes')])
def test_a_key_that_was_not_copied_whole(shape: str, words: str) -> None:
    done = alone('doctor', '--offline', OPENAI_API_KEY=shape.format(KEY))
    assert done.returncode == 1
    advice = done.stdout.partition('Copy the key again: that in OPENAI_API_KEY ')[2]
    assert words in advice
    assert KEY not in done.stdout


@pytest.mark.parametrize('command', [['doctor'], ['doctor', '--all', '--timeout=1'], ['models'], ['--help']])
def test_no_command_shows_a_key(command: list[str], closed_port: int) -> None:
    variables = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GROQ_API_KEY', 'MISTRAL_API_KEY', 'AZURE_OPENAI_API_KEY')
    proxy = f'http://somebody:{PASSWORD}@127.0.0.1:{closed_port}'
    environment = dict.fromkeys(variables, KEY)
    done = alone(*command, HTTPS_PROXY=proxy, OPENAI_BASE_URL=f'http://x:{PASSWORD}@127.0.0.1/v1', **environment)
    assert done.stdout
    assert KEY not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.slow
def test_models() -> None:
    assert syncai('models').stdout.split() == known_model_names()
    assert alone('models', 'groq').stdout.split() == known_model_names('groq')
    assert alone('models', 'nobody').returncode == 2


def test_without_the_extra(tmp_path: Path) -> None:
    code = """
        import sys
        sys.modules['click'] = None
        from syncai.cli import main
        main()
    """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "The command line of syncai needs click: pip install 'syncai-client[cli]'\n"


def test_the_program_is_installed_under_its_name() -> None:
    from importlib.metadata import entry_points

    (program,) = entry_points(group='console_scripts', name='syncai')
    assert program.value == 'syncai.cli:main'


@pytest.mark.slow
def test_under_gevent() -> None:
    pytest.importorskip('gevent', reason='gevent is not installed (make places installs it)')
    code = "import gevent.monkey; gevent.monkey.patch_all(); import sys; sys.argv = ['syncai', 'doctor', '--offline']; "
    code += 'from syncai.cli import main; main()'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=False)
    assert 'gevent has patched the standard library' in done.stdout, done.stderr
    assert 'the loop thread was started and answered' in done.stdout


@pytest.mark.slow
def test_inside_a_running_loop_and_after_a_fork() -> None:
    code = """
        import asyncio, os
        from syncai.cli._findings import process
        async def inside():
            return [finding.text for finding in process()]
        print('\\n'.join(asyncio.run(inside())), flush=True)
        if os.fork() == 0:
            print('child:', [finding.text for finding in process()][0], flush=True)
            os._exit(0)
        os.wait()
    """
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert 'an event loop runs in this thread' in done.stdout, done.stderr
    assert 'child: the loop thread was started and answered' in done.stdout


@pytest.mark.slow
def test_a_reply_is_not_asked_for(model_server: ModelServer) -> None:
    model_server.reply(Reply('costs money'))
    syncai('doctor', OPENAI_API_KEY=KEY, OPENAI_BASE_URL=model_server.base_url)
    assert model_server.replies_left == 1
