"""The report of the audit of dependencies for a given output; the audit itself runs only with SYNCAI_AUDIT=1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from audit import audit, verdict


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({'dependencies': dependencies, 'fixes': []})


SOUND = {'name': 'a', 'version': '1', 'vulns': []}
WEAK = {'name': 'b', 'version': '2', 'vulns': [{'id': 'PYSEC-1', 'fix_versions': ['3']}]}
UNKNOWN = {'name': 'c', 'skip_reason': 'not found'}


@pytest.mark.parametrize(
    ('output', 'well', 'words'),
    [
        (report(SOUND, UNKNOWN), True, 'No weakness is known of 1 dependencies; 1 are unknown there'),
        (report(SOUND, WEAK), False, 'b 2: PYSEC-1'),
        (report(UNKNOWN), True, 'Skipped: the package index here does not know of weaknesses'),
        ('', True, 'Skipped: the database of known weaknesses could not be asked: no network'),
    ],
)
def test_verdict(output: str, well: bool, words: str) -> None:
    assert verdict(output, 'no network') == (well, words)


def test_nobody_is_asked_unless_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('SYNCAI_AUDIT', raising=False)
    well, text = audit(Path('nothing.txt'))
    assert well
    assert text.startswith('Skipped: ')
