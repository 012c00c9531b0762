"""JSON text followed as it arrives: the elements of a list in it, and the objects between words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples
from streams import pieces_of

from syncai._schema.json_in_text import JsonInText
from syncai._schema.json_scanner import JsonScanner


def cut(text: str, cuts: Sequence[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[begin:end] for begin, end in pairwise(edges)]


def scanned(text: str, cuts: Sequence[int]) -> list[str]:
    scanner = JsonScanner('response', keep=False)
    for piece in cut(text, cuts):
        if not scanner.closed:
            scanner.feed(piece)
    return list(scanner.elements)


def scanned_in_text(text: str, cuts: Sequence[int]) -> list[str]:
    finder = JsonInText('response', keep=False)
    for piece in cut(text, cuts):
        finder.feed(piece)
    return list(finder.scanner.elements) if finder.scanner else []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(JSON, max_size=5),
    st.dictionaries(st.text().filter('response'.__ne__), JSON, max_size=3),
    st.sampled_from([None, 2]),
    st.booleans(),
    st.lists(st.integers(0, 10_000), max_size=12),
)
def test_every_cutting_gives_the_elements(
    elements: list[Any], others: dict[str, Any], indent: int | None, ascii_only: bool, cuts: list[int]
) -> None:
    text = json.dumps({**others, 'response': elements, 'last': elements}, indent=indent, ensure_ascii=ascii_only)
    assert [json.loads(item) for item in scanned(text, cuts)] == elements
    fenced = f'Words, "a {{ quote", `code`:\n```json\n{text}\n```\nand {{more}} "words".'
    assert [json.loads(item) for item in scanned_in_text(fenced, cuts)] == elements
    assert [json.loads(item) for item in scanned_in_text(f' \n{text}', cuts)] == elements


@settings(deadline=None)
@given(st.text(alphabet='{}[]",:\\ ar`\n', max_size=40), st.lists(st.integers(0, 50), max_size=5))
def test_what_is_not_json_does_no_harm(text: str, cuts: list[int]) -> None:
    assert scanned(text, cuts) == scanned(text, [])
    assert scanned_in_text(text, cuts) == scanned_in_text(text, [])


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ('{"response": [1', []),
        ('{"response": [1,', ['1']),
        ('{"response": ["a"', ['"a"']),
        ('{"response": [{"a": 1}', ['{"a": 1}']),
        ('{"response": [[1, 2], [', ['[1, 2]']),
        ('{"\\u0072esponse": [null]}', ['null']),
        ('{"other": {"response": [1]}, "response": []}', []),
        ('{"response": {"response": [1]}}', []),
        ('{"response": "[1]"}', []),
    ],
)
def test_elements_are_found_as_soon_as_they_are_whole(text: str, found: list[str]) -> None:
    assert scanned(text, range(100)) == scanned(text, []) == found


@pytest.mark.parametrize('keep', [False, True])
def test_every_character_is_looked_at_once(monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    """Work grows with the length of the text: neither the text so far nor an element so far is joined at each piece."""
    joined: list[int] = []
    text_of = JsonScanner.text

    def counted(self: JsonScanner, *positions: Any) -> str:
        joined.append(sum(map(len, self._pieces)) if len(self._pieces) > 1 else 0)
        return text_of(self, *positions)

    monkeypatch.setattr(JsonScanner, 'text', counted)

    def work(size: int) -> int:
        joined.clear()
        text = json.dumps({'response': ['x' * 1000] * (size // 1000)})
        scanner = JsonScanner('response', keep=keep)
        for piece in pieces_of(text, 4):
            scanner.feed(piece)
        assert len(scanner.elements) == size // 1000
        assert scanner.text(0) == (text if keep else text_of(scanner, scanner.end - 2))
        return sum(joined)

    assert work(200_000) < 1.1 * 200_000
    assert 3.9 < work(200_000) / work(50_000) < 4.1


Span = tuple[int, int, Any]


def dumped(value: Any, at: int, spans: list[Span]) -> str:
    """The JSON text of a value, and where each value in it begins and ends when the text begins `at`."""
    if isinstance(value, dict | list):
        text = '[' if isinstance(value, list) else '{'
        for number, item in enumerate(value):
            text += ', ' if number else ''
            if isinstance(value, dict):
                text += f'{json.dumps(item)}: '
            text += dumped(value[item] if isinstance(value, dict) else item, at + len(text), spans)
        text += ']' if isinstance(value, list) else '}'
    else:
        text = json.dumps(value)
    spans.append((at, at + len(text), value))
    return text


@pytest.mark.slow
@settings(deadline=None)
@given(JSON.filter(lambda value: isinstance(value, dict | list)), st.integers(0, 10_000), st.lists(st.integers(0, 99)))
def test_what_is_open_at_any_position(value: Any, at: int, cuts: list[int]) -> None:
    spans: list[Span] = []
    text = dumped(value, 0, spans)
    assert json.loads(text) == value
    position = at % len(text)
    scanner = JsonScanner()
    for piece in cut(text[:position], cuts):
        scanner.feed(piece)
    open_spans = sorted((span for span in spans if span[0] < position < span[1]), key=lambda span: span[0])
    levels = [(begin, isinstance(value, list)) for begin, _, value in open_spans if isinstance(value, dict | list)]
    assert [(level.begin, level.is_list) for level in scanner.levels] == levels
    scalars = [(begin, isinstance(value, str)) for begin, _, value in open_spans if not isinstance(value, dict | list)]
    numbers = [(begin, False) for begin, end, value in spans if end == position and type(value) in (int, float)]
    assert scanner.open_value() == next(iter(scalars + numbers), None)
    assert scanner.text(0) == text[:position]


# --- between words ----------------------------------------------------------------------------------------------------


def objects_of(pieces: Sequence[str], fits: Any = lambda _: True) -> str | None:
    finder = JsonInText()
    for piece in pieces:
        finder.feed(piece, fits)
    return finder.scanner.text(0) if finder.scanner else None


ANSWER = '{"a": "</think> {\\"b\\": ```", "c": {}}'


@pytest.mark.many(5)
@pytest.mark.parametrize(
    'text',
    [
        f'{ANSWER}',
        f'\ufeff{ANSWER}',
        f'\ufeff \n{ANSWER}\n',
        f'Here it is: {ANSWER} Anything else?',
        f'Sure, {{braces}} and {{}}:\n{ANSWER}',
        f'`{ANSWER}`',
        f'```json\n{ANSWER}\n```',
        f'````json\n{ANSWER}\n````',
        f'``````\n{ANSWER}\n``````',
        f'~~~ json\n{ANSWER}\n~~~',
        f'<think>I could say {{"a": 1}}. No.</think>{ANSWER}',
        f'<think>\n</think>\n\n```json\n{ANSWER}\n```',
        f'<THINKING>{{"a": 1}}</THINKING>{ANSWER}',
        f'I could say {{"a": 1}}. No.</think>{ANSWER}',
        f'<think>one</think> words <think>{{"a": 1}}</think> {ANSWER}',
        f'My first idea was {{"a": 1}}, but:\n```json\n{ANSWER}\n```\nor {{"a": 2}}',
        f'{ANSWER}\n{ANSWER[:-1]}, "d": 1}}',
        f'```\n{ANSWER}\n```\n```json\n{{"a": 1}}\n```',
    ],
)
@settings(deadline=None, max_examples=examples(40))
@given(cuts=st.lists(st.integers(0, 200), max_size=20))
def test_the_object_between_words(text: str, cuts: list[int]) -> None:
    assert objects_of(cut(text, cuts)) == ANSWER
    assert objects_of(list(text)) == ANSWER


def test_an_object_that_does_not_fit_gives_way() -> None:
    text = f'Of {{"type": "object"}} I make {ANSWER}'
    assert objects_of(list(text), lambda scanner: '"type"' not in scanner.text(0)) == ANSWER


@pytest.mark.parametrize('text', ['', 'No.', '<think>{"a": 1}', '{', '{ a: 1}', '```json\n', 'f({x}) {', '</think>'])
def test_words_without_an_object(text: str) -> None:
    assert objects_of(list(text)) is None


def test_words_are_looked_at_once() -> None:
    """Thoughts may be long: what is kept of them is not."""
    finder = JsonInText()
    for _ in range(10_000):
        finder.feed('<think> { and ` and ')
        assert len(finder._before) < 100
    finder.feed('</think>{"a": 1}')
    assert finder.scanner is not None
    assert finder.scanner.text(0) == '{"a": 1}'
