"""Every option that a caller may give is documented, and of a wrong type it is one UserError that names it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from syncai import Agent, HttpOptions, ModelSettings, RunOptions, Tool, UsageLimits, UserError
from syncai._agent.map_options import MapOptions
from syncai.models.test import TestModel

DOCS = Path(__file__).parent.parent.parent / 'docs'
OF_RUNS = tuple(RunOptions.__annotations__)
OF_MAPS = tuple(MapOptions.__annotations__.keys() - RunOptions.__annotations__.keys())
OF_HTTP = tuple(field.name for field in dataclasses.fields(HttpOptions))
OF_LIMITS = tuple(field.name for field in dataclasses.fields(UsageLimits))
OF_AGENTS = tuple(inspect.signature(Agent).parameters)
OF_TOOLS = tuple(inspect.signature(Tool).parameters)
OF_SETTINGS = tuple(ModelSettings.__annotations__)


def undocumented(options: Iterable[str], *pages: str) -> list[str]:
    """The options that none of the pages of docs/ names as code."""
    text = '\n'.join((DOCS / page).read_text() for page in pages)
    return [name for name in options if not re.search(rf'`{name}\b|\b{name}=', text)]


@pytest.mark.parametrize(
    ('options', 'pages'),
    [
        (OF_RUNS, ['agents.md']),
        (OF_AGENTS, ['agents.md']),
        (OF_MAPS, ['many-runs.md', 'batch.md']),
        (OF_SETTINGS, ['models.md']),
        (OF_HTTP, ['models.md', 'deadlines.md']),
        (OF_LIMITS, ['agents.md']),
        (OF_TOOLS, ['tools.md']),
    ],
    ids=['runs', 'agents', 'maps', 'settings', 'http', 'limits', 'tools'],
)
def test_every_option_is_documented(options: tuple[str, ...], pages: list[str]) -> None:
    assert undocumented(options, *pages) == [], f'describe them in docs/{" or docs/".join(pages)}'


def test_an_undocumented_option_is_seen() -> None:
    assert undocumented(['model', 'no_such_option'], 'agents.md') == ['no_such_option']


class Odd:
    """A value that no option takes."""


@pytest.mark.parametrize('name', [name for name in OF_RUNS if name != 'deps'])
def test_a_wrong_option_of_a_run_is_one_error_that_names_it(name: str) -> None:
    options: dict[str, Any] = {name: Odd()}
    with pytest.raises(UserError, match=name):
        Agent(TestModel()).run_sync('x', **options)


@pytest.mark.parametrize('name', OF_HTTP)
def test_a_wrong_option_of_http_is_one_error_that_names_it(name: str) -> None:
    options: dict[str, Any] = {name: Odd()}
    with pytest.raises(UserError, match=name):
        HttpOptions(**options)


@pytest.mark.parametrize('name', OF_LIMITS)
def test_a_wrong_limit_is_one_error_that_names_it(name: str) -> None:
    options: dict[str, Any] = {name: Odd()}
    with pytest.raises(UserError, match=name):
        UsageLimits(**options)


@pytest.mark.parametrize('name', OF_SETTINGS)
def test_a_wrong_setting_is_one_error_that_names_it(name: str) -> None:
    settings: Any = {name: Odd()}
    with pytest.raises(UserError, match=name):
        Agent(TestModel()).run_sync('x', model_settings=settings)
