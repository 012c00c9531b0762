"""The sample of `make test`: some of many similar tests, the same ones each time.

Without `--sample`, as by `make test-all` or `pytest tests/models`, all of them run.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_SAMPLED = False  # set before the first test is imported


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--sample', action='store_true', help='run a sample, by the marks `many` and `whole`')


def begin(config: pytest.Config) -> None:
    """Record the sample of this run."""
    global _SAMPLED
    _SAMPLED = config.getoption('--sample')


def examples(most: int) -> int:
    """The number of examples that hypothesis tries, at most `most`."""
    return max(5, most // 10) if _SAMPLED else most


def rounds(most: int) -> int:
    """The number of repetitions of a test with random moments, at most `most`."""
    return max(2, most // 5) if _SAMPLED else most


def take_sample(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests with `@pytest.mark.whole`, and all but every nth case of one with `@pytest.mark.many(n)`."""
    if not _SAMPLED:
        return
    counts: Counter[str] = Counter()
    items_kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        many, name = item.get_closest_marker('many'), item.nodeid.partition('[')[0]
        taken = item.get_closest_marker('whole') is None and (many is None or counts[name] % many.args[0] == 0)
        (items_kept if taken else left_out).append(item)
        counts[name] += 1
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = items_kept
