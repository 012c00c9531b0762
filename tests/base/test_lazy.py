"""Names of packages that are imported on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    'line',
    ['from syncai.models import openai', 'from syncai.models import anthropic, google', 'from syncai import web'],
)
def test_a_module_of_a_package_is_imported_by_its_name(line: str) -> None:
    done = subprocess.run([sys.executable, '-c', line], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, '')
