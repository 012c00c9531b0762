"""Browsers that come and leave at random under gunicorn's threads; docs/reliability.md has the figures of more."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from serving import PLACES, only_in_make_places

only_in_make_places()


@pytest.mark.timeout(120)
def test_a_crowd_leaves_nothing_behind() -> None:
    script = PLACES.parent / 'reliability' / 'crowd.py'
    command = [sys.executable, str(script), '100', '6', '32']
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures['visits'] > 100
    assert figures['requests of the model'] > 50
    left = {name: count for name, count in figures.items() if name.endswith(' left')}
    assert len(left) == 6
    assert all(count <= 0 for count in left.values()), left
