"""The output in notebooks: no text of a model is HTML, and streams appear as they arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncai import Agent, Usage
from syncai._base.notebook import safe_markdown
from syncai.messages import ModelResponse, TextPart
from syncai.models.function import FunctionModel
from syncai.models.test import TestModel
from syncai.notebook import show

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


@pytest.mark.parametrize(
    'text',
    [
        r'\`<img src=x onerror=alert(1)>\`',  # no code: the backticks are escaped
        'a ``` b\n<img src=x onerror=alert(1)>',  # no fence, and nothing that ends the code
        '`\n`<img src=x onerror=alert(1)>`',  # the first two belong together
        '- a\n\n  ```\n<img src=x onerror=alert(1)>',  # the fence ends with the item
        '``` `\n<img src=x onerror=alert(1)>',  # the info string of a fence has no backtick
        '```\ncode\n````\n<img src=x onerror=alert(1)>',  # a longer fence closes as well
        '| a |\n|---|\n| `x | <img src=x onerror=alert(1)>` |',  # cells are parted first
    ],
)
def test_what_only_looks_like_code_is_no_html(text: str) -> None:
    """Each by the rules of CommonMark and GFM; where markdown-it, a parser of these, is installed, by its output."""
    shown = safe_markdown(text)
    assert '<img' not in shown
    parsed = pytest.importorskip('markdown_it').MarkdownIt().enable('table').render(shown)
    assert '<img' not in parsed


def test_code_stays_as_it_is() -> None:
    code = 'See:\n```cpp\n#include <stdio.h>\n```\n~~~html\n<b>&amp;</b>\n~~~\n'
    assert safe_markdown(code) == code
    assert '`a < b`' in safe_markdown('`a < b` and <b>')


def test_a_picture_asks_no_server() -> None:
    parsed = pytest.importorskip('markdown_it').MarkdownIt().render(safe_markdown('![x](https://a.example/?q=secret)'))
    assert '<img' not in parsed
    assert 'https://a.example/?q=secret' in parsed


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
