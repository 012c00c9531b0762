"""The command line in the process of the tests: where a test looks at many uses, to start one for each takes long."""

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
    """What the command prints and ends with."""
    out, err = io.StringIO(), io.StringIO()
    stdin = patch.object(sys, 'stdin', io.StringIO(piped))
    with stdin, redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as exit_info:
        syncai_command([*args])
    return Ended(int(exit_info.value.code or 0), out.getvalue(), err.getvalue())
