"""Requests and answers as JSON: the same with and without pydantic's core loaded; and a first request loads it not."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from syncai._base.json import read_json, write_json
from syncai.testing import ModelServer, Reply

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope='module')
def without_core() -> Iterator[None]:
    """`pydantic_core` as in a process that did not load it; the functions of this module hold what they need of it."""
    patch = pytest.MonkeyPatch()
    patch.delitem(sys.modules, 'pydantic_core')
    yield
    patch.undo()


@pytest.mark.slow
@pytest.mark.usefixtures('without_core')
@given(json_values)
def test_what_one_writes_the_other_reads(value: Any) -> None:
    assert from_json(write_json(value)) == json.loads(to_json(value)) == value
    assert read_json(to_json(value)) == value


@pytest.mark.parametrize(
    'text',
    [
        b'',
        b'{',
        b'{"a": 1,}',
        b"{'a': 1}",
        b'"\\ud83d"',
        b'"\\ud83d\\ude00"',
        b'"\\uD83D\\uDE00"',
        b'[' * 100_000,
        b'"\x00"',
        b'\xff',
        b'NaN',
        b'[1e999, -0, 12345678901234567890]',
        b'{"a": 1, "a": 2}',
        b' {"a": [1.50, "\\u00e9", "\xc3\xa9", "\\/"]} ',
        b'9' * 5000,
    ],
)
def test_what_one_refuses_or_reads_the_other_does_too(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome() -> str:
        try:
            return repr(read_json(text))
        except ValueError as error:
            return f'{type(error).__name__}: {error}'

    loaded = outcome()
    monkeypatch.delitem(sys.modules, 'pydantic_core')
    assert outcome() == loaded


@pytest.mark.parametrize(
    'value', [{'on': date(2026, 1, 2)}, {1: (True, None)}, ['é', '\u2028'], math.inf, {'set': {3}}, b'bytes']
)
def test_what_the_standard_library_cannot_write_pydantic_does(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = json.loads(to_json(value))
    monkeypatch.delitem(sys.modules, 'pydantic_core')
    assert json.loads(write_json(value)) == expected


@pytest.mark.parametrize('value', [{'text': '\ud83d'}, {'made of': object()}])
def test_what_cannot_be_written_is_a_value_error(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError):
        write_json(value)
    monkeypatch.delitem(sys.modules, 'pydantic_core')
    with pytest.raises(ValueError):
        write_json(value)


@pytest.mark.slow
def test_a_first_request_for_text_does_not_load_pydantic() -> None:
    program = """
import sys
from syncai import ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel

model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k')
print(model_request_sync(model, [ModelRequest.user_text_prompt('hi')]).text)
print(sorted({'pydantic', 'pydantic_core'} & set(sys.modules)))
"""
    with ModelServer() as server:
        server.reply(Reply('Grüße 👋'))
        done = subprocess.run(
            [sys.executable, '-c', program, server.base_url], capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.stdout, done.stderr) == ('Grüße 👋\n[]\n', '')
