"""Data frames of pandas and polars: the recipes of docs/many-runs.md as they stand there, and mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import only_in_make_places

from syncai import Agent
from syncai.exceptions import UserError
from syncai.models.test import TestModel
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

only_in_make_places()
pandas: Any = pytest.importorskip('pandas')
polars: Any = pytest.importorskip('polars')
pytestmark = pytest.mark.leaky('polars keeps a runtime of its own')

GUIDE = (Path(__file__).parent.parent.parent / 'docs' / 'many-runs.md').read_text()
PART = GUIDE[GUIDE.index('## Data frames') : GUIDE.index('## In the background')]
BLOCKS = re.findall(r'^```py\n(.*?)^```$', PART, re.MULTILINE | re.DOTALL)


def answer(request: RecordedRequest) -> Reply:
    if 'tools' in request.json:
        return Reply(tool_calls=[ToolCall('final_result', {'city': 'Lyon', 'people': 522250})])
    return Reply('The capital of France is Paris.', usage=(12, 7))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv('OPENAI_BASE_URL', server.base_url)
        monkeypatch.setenv('OPENAI_API_KEY', 'k')
        yield server


@pytest.mark.usefixtures('provider')
@pytest.mark.parametrize('code', [BLOCKS[0] + BLOCKS[1], BLOCKS[2]], ids=['pandas', 'polars'])
def test_a_recipe(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, 'many-runs.md', 'exec'), {'__name__': '__main__'})
    assert capsys.readouterr().out.splitlines() == re.findall(r'^#> (.*)$', code, re.MULTILINE)


def test_there_are_no_other_recipes() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize(
    ('frame', 'words'),
    [
        (lambda: pandas.DataFrame({'text': ['a']}), r"pass one, as df\['text'\], or df.itertuples\(\)"),
        (lambda: polars.DataFrame({'text': ['a']}), r'or df.iter_rows\(named=True\) with prompt='),
    ],
)
def test_a_whole_frame_is_no_iterable_of_prompts(frame: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Agent(TestModel()).map_sync(frame())


@pytest.mark.parametrize('missing', [None, float('nan'), 'NaT', 'NA'])
def test_a_missing_value_is_an_error_of_its_row(missing: Any, tmp_path: Path) -> None:
    value = getattr(pandas, missing) if isinstance(missing, str) else missing
    ways: list[dict[str, Any]] = [{}, {'journal': tmp_path / 'j'}]
    for journal in ways:
        first, second = Agent(TestModel()).map_sync(
            pandas.Series(['a', value], dtype=object), return_exceptions=True, **journal
        )
        assert first.error is None
        assert isinstance(second.error, UserError)


def test_an_index_of_any_library_is_a_key(tmp_path: Path) -> None:
    agent = Agent(TestModel())
    frame = pandas.DataFrame({'text': ['a', 'b']}, index=pandas.Index([7, 8], dtype='int64'))
    rows = list(
        agent.map_sync(
            frame.itertuples(), prompt=lambda item: item.text, key=lambda item: item.Index, journal=tmp_path / 'j'
        )
    )
    assert [row.key for row in rows] == [7, 8]
    named = polars.DataFrame({'id': ['x', 'y'], 'text': ['a', 'b']})
    again = agent.map_sync(
        named.iter_rows(named=True),
        prompt=lambda item: item['text'],
        key=lambda item: item['id'],
        journal=tmp_path / 'k',
    )
    assert [row.key for row in again] == ['x', 'y']
