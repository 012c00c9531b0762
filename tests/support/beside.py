"""Other people's data, which lies beside the checkout: recorded traffic, and the cases of event streams.

Tests that read it have a marker. If it is absent they are left out, and one line at the end reports that.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SHARED = Path(__file__).parents[3] / 'shared'
RECORDINGS = SHARED / 'recordings'
SSE_CASES = SHARED / 'sse_cases.json'

_BY_MARKER = {'needs_recordings': RECORDINGS, 'needs_sse_cases': SSE_CASES}


def absent() -> dict[str, Path]:
    """The absent data, by the marker of the tests that read it."""
    return {marker: path for marker, path in _BY_MARKER.items() if not path.exists()}


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests whose data is not here."""
    missing = absent()
    if left_out := [item for item in items if any(map(item.get_closest_marker, missing))]:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if missing := absent():
        names = ' and '.join(f'../shared/{path.name}' for path in missing.values())
        terminalreporter.line(
            f'Not beside this checkout: {names}. The tests that read that were left out.', yellow=True
        )
