"""docs/hazards.md has a row for each hazard, and each names a test that exists or says why there is none."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
TABLE = (TESTS.parent / 'docs' / 'hazards.md').read_text()
ROWS = re.findall(r'^\| (\d+) \|(.*)\|$', TABLE, re.MULTILINE)
NAMED = re.compile(r'`(test_\w+\.py)::(test_\w+)`')


@functools.cache
def names_in(file: str) -> set[str]:
    (path,) = TESTS.rglob(file)
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_number_has_one_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 68))


@pytest.mark.parametrize(('number', 'row'), ROWS, ids=[number for number, _ in ROWS])
def test_a_row_says_what_is_done_and_what_proves_it(number: str, row: str) -> None:
    hazard, behaviour, proof = (cell.strip() for cell in row.split('|'))
    assert hazard
    assert behaviour
    assert NAMED.findall(proof) or 'Not verified' in proof


def test_the_tests_that_are_named_exist() -> None:
    named = NAMED.findall(TABLE)
    assert len(named) > 100
    assert [f'{file}::{name}' for file, name in named if name not in names_in(file)] == []
