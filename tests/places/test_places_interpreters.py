"""Subinterpreters, and builds without the global lock."""

from __future__ import annotations

import subprocess
import sys
import sysconfig

import pytest

PROGRAM = """
import os, sys
try: import _interpreters as interpreters
except ImportError: import _xxsubinterpreters as interpreters
made = interpreters.create({config})
interpreters.run_string(made, '''
import sys
sys.path[:0] = {path!r}
try:
    from syncai import Agent
    from syncai.models.test import TestModel
    print(Agent(TestModel()).run_sync('x').data, flush=True)
except Exception as error: print(type(error).__name__, error, flush=True)
''')
os._exit(0)
"""
ISOLATED = ''
LEGACY = "'legacy'" if sys.version_info >= (3, 13) else 'isolated=False'


def run(config: str) -> str:
    program = PROGRAM.format(config=config, path=[p for p in sys.path if p])
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_isolated_subinterpreter_says_that_it_cannot() -> None:
    said = run(ISOLATED)
    if sys.version_info >= (3, 12):  # pydantic's own, at the import
        assert said.startswith('ImportError ')
        assert 'subinterpreters' in said
    else:
        assert said.startswith('AgentRunError syncai cannot start its loop thread: thread is not supported')


def test_a_subinterpreter_that_shares_the_lock_works() -> None:
    """As those of mod_wsgi and uWSGI do."""
    assert run(LEGACY) == 'success (no tool calls)\n'


@pytest.mark.skipif(not sysconfig.get_config_var('Py_GIL_DISABLED'), reason='this Python has a global lock')
def test_nothing_turns_the_global_lock_on_again() -> None:
    code = 'import sys, syncai.direct, httpx, httptools, pydantic; print(sys._is_gil_enabled())'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == 'False\n'
