"""How the workers of pytest-xdist share the tests: their number, who runs what, and who compiles what first."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

_DOZEN = 12  # tests that a worker gets at a time
_TESTS = Path(__file__).parents[1]
_ORDER = pytest.StashKey[dict[Path, int]]()  # of the files and folders in it


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Three for two processors, since many tests wait; five without those that hold clocks to account."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    halves = 5 if 'not timing' in (config.getoption('markexpr') or '') else 3
    return max(2, processors * halves // 2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """That of `loadgroup`, which gives a worker a dozen tests at a time: one by one, thousands cost seconds."""
    if config.getoption('dist') != 'loadgroup':
        return None
    scheduling: Any = import_module('xdist.scheduler').LoadGroupScheduling(config, log)
    scheduling._split_scope = Dozens(scheduling._split_scope)
    return scheduling


class Dozens:
    """The group of each test, by its id: that of its mark, or else a dozen neighbours in its file."""

    def __init__(self, group_of: Callable[[str], str]) -> None:
        self._group_of = group_of
        self._groups: dict[str, str] = {}
        self._counts: Counter[str] = Counter()  # of the tests of a file

    def __call__(self, nodeid: str) -> str:
        if (group := self._groups.get(nodeid)) is None:
            group = self._groups[nodeid] = self._new(nodeid)
        return group

    def _new(self, nodeid: str) -> str:
        if (group := self._group_of(nodeid)) != nodeid:
            return group
        file = nodeid.partition('::')[0]
        self._counts[file] += 1
        return f'{file}:{self._counts[file] // _DOZEN}'


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each worker begin with other files: where none is compiled yet, each compiles its part for all."""
    report = yield
    settings = getattr(collector.config, 'workerinput', None)
    if settings is not None and collector.path == _TESTS and report.result:
        number, count = int(settings['workerid'].removeprefix('gw')), settings['workercount']
        first = len(report.result) * number // count
        collector.config.stash[_ORDER] = {node.path: place for place, node in enumerate(report.result)}
        report.result = [*report.result[first:], *report.result[:first]]
    return report


def restore_order(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests of a worker as all workers have them."""
    if (order := config.stash.get(_ORDER, None)) is not None:
        items.sort(key=lambda item: next(order[node.path] for node in item.listchain() if node.path in order))


def keep_clocks_apart(items: list[pytest.Item]) -> None:
    """Run what waits for clocks in one process, one after another."""
    for item in items:
        if item.get_closest_marker('timing'):
            item.add_marker(pytest.mark.xdist_group('timing'))
