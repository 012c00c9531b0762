"""What notebooks show: nothing of a model is HTML, and streams appear as they arrive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from syncai import Agent, Usage
from syncai.messages import ModelResponse, TextPart
from syncai.models.function import FunctionModel
from syncai.models.test import TestModel
from syncai.notebook import show

if TYPE_CHECKING:
    import pytest

HOSTILE = '<script>alert(1)</script> **bold** [x](javascript:alert(1)) [y](https://example.org) `a < b`'


def saying(text: str) -> Agent[None, str]:
    return Agent(FunctionModel(lambda messages, info: ModelResponse([TextPart(text)])))


def test_a_text_is_markdown_without_html() -> None:
    result: Any = saying(HOSTILE).run_sync('x')
    shown = result._repr_markdown_()
    assert '<script' not in shown
    assert '**bold**' in shown
    assert 'javascript:' not in shown
    assert '[y](https://example.org)' in shown
    assert '`a < b`' in shown


def test_data_is_a_block_of_json() -> None:
    agent = Agent(TestModel(custom_result_args=['```', 'b']), result_type=list[str])
    shown = agent.run_sync('x')._repr_markdown_()
    assert shown.startswith('```json\n')
    assert shown.count('```') == 2
    assert json.loads(shown.removeprefix('```json\n').removesuffix('\n```')) == ['` ` `', 'b']


def test_usage_is_a_table() -> None:
    shown = Usage(requests=1, request_tokens=12, details={'cached_tokens': 3, '<b>': 1})._repr_html_()
    assert '<th>prompt tokens</th><td>12</td>' in shown
    assert '<th>cached tokens</th><td>3</td>' in shown
    assert '<b>' not in shown


def test_a_conversation_is_its_transcript() -> None:
    chat: Any = saying('an <i>answer</i>').conversation('one')
    chat.run_sync('a <b>question</b>')
    shown = chat._repr_markdown_()
    assert '**User:** a &lt;b>question&lt;/b>' in shown
    assert '**Answer:** an &lt;i>answer&lt;/i>' in shown


def test_outside_of_a_notebook_the_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with Agent(TestModel(custom_result_text='one two three')).run_stream_sync('x') as stream:
        assert show(stream) == 'one two three'
    assert capsys.readouterr().out == 'one two three\n'
