"""The pytest plugin in projects of others: it costs nothing where it is not used, and leaves their names to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(folder: Path, *options: str, **environment: str) -> str:
    base = {k: v for k, v in os.environ.items() if not k.startswith(('OPENAI', 'PYTEST', 'CI', 'SYNCAI'))}
    command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-W', 'error', *options]
    env: dict[str, str] = {**base, 'PYTHONPATH': str(ROOT), **environment}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


# Others' plugins of this environment are left out then: they import what they like.
ALONE = '-p', 'syncai.testing.pytest_plugin'
UNUSED = """
import sys

def test_nothing_is_imported(request):
    loaded = {name for name in ('syncai.tape', 'syncai.agent', 'syncai.testing.server', 'pydantic', 'httpx', 'janus')
              if name in sys.modules}
    assert not loaded, loaded
    plugins = [plugin for plugin in request.config.pluginmanager.get_plugins()
               if getattr(plugin, '__name__', '') == 'syncai.testing.pytest_plugin']
    assert len(plugins) == 1
"""


@pytest.mark.slow
def test_a_suite_that_asks_no_model_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / 'test_unused.py').write_text(UNUSED)
    out = run(tmp_path, *ALONE, '--tape=replay', CI='1', PYTEST_DISABLE_PLUGIN_AUTOLOAD='1')
    assert '1 passed' in out, out


OWN = """
import pytest

@pytest.fixture
def tape():
    return 'a tape of the project'

@pytest.fixture
def model_server():
    return 'a server of the project'
"""


@pytest.mark.slow
def test_fixtures_of_the_project_win(tmp_path: Path) -> None:
    (tmp_path / 'conftest.py').write_text(OWN)
    (tmp_path / 'test_own.py').write_text(
        'def test_own(tape, model_server):\n'
        "    assert (tape, model_server) == ('a tape of the project', 'a server of the project')\n"
    )
    out = run(tmp_path, '--tape=replay')
    assert '1 passed' in out, out


@pytest.mark.slow
def test_a_project_may_have_an_option_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / 'conftest.py').write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--tape', default='mine')\n"
    )
    (tmp_path / 'test_own.py').write_text(
        "def test_own(request):\n    assert request.config.getoption('--tape') == 'mine'\n"
    )
    out = run(tmp_path, '-p', 'no:syncai')
    assert '1 passed' in out, out


MODES = """
import os
import pytest
from syncai.exceptions import UserError
from syncai.tape import Tape

def test_mode():
    assert Tape('x.json').mode == os.environ['EXPECTED']
    assert Tape('x.json', mode='off').mode == 'off'
"""


@pytest.mark.slow
def test_the_mode_of_tapes(tmp_path: Path) -> None:
    (tmp_path / 'test_mode.py').write_text(MODES)
    for options, environment, expected in (
        ([], {'CI': 'false'}, 'once'),
        ([], {'CI': 'true'}, 'replay'),
        (['--tape=refresh'], {'CI': 'true'}, 'refresh'),
        ([], {'CI': 'true', 'SYNCAI_TAPE': 'once'}, 'once'),
    ):
        alone = {'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1', 'EXPECTED': expected}
        out = run(tmp_path, *ALONE, *options, **environment, **alone)
        assert '1 passed' in out, out


def test_a_wrong_variable_names_what_it_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncai.exceptions import UserError
    from syncai.tape import Tape

    monkeypatch.setenv('SYNCAI_TAPE', 'record')
    with pytest.raises(UserError, match='SYNCAI_TAPE must be one of once, replay, refresh, off'):
        Tape('x.json')
