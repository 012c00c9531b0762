"""The command line in the process of the tests, since a process for each use would take long."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

import pytest

from syncai.cli._commands import syncai as syncai_command


@dataclass
class Ended:
    returncode: int
    stdout: str
    stderr: str


def here(*args: str, piped: str = '') -> Ended:
    """The output of the command, and its exit status."""
    out, err = io.StringIO(), io.StringIO()
    stdin = patch.object(sys, 'stdin', io.StringIO(piped))
    with stdin, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as exit_info:
        syncai_command([*args])
    return Ended(int(exit_info.value.code or 0), out.getvalue(), err.getvalue())
