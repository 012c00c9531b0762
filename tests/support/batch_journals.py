"""A journal for each test of batches, and a provider whose lists are right at once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    from syncai.batch import _finding

    monkeypatch.setattr(_finding, 'SETTLED_AFTER', 0.0)
    return str(tmp_path / 'run.sqlite')
