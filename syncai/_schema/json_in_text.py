"""The JSON object in a text answer, after thoughts, words, fences and a byte order mark; pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic_core import from_json

from .json_scanner import JsonScanner

__all__ = ['bare_json', 'BLANK', 'JsonInText', 'objects_in', 'starts_as_json']

# A brace in a sentence or in code is followed by something else.
_MARK = re.compile(r'</?think(?:ing)?>|\{(?=\s*["}])', re.IGNORECASE)
_UNDECIDED = re.compile(r'\{\s*\Z|</?[a-zA-Z]{0,8}\Z')  # at the end of the arrived text: may become a mark
_END_OF_THOUGHTS = re.compile(r'</think(?:ing)?>', re.IGNORECASE)
_FENCE_BEFORE = re.compile(r'(?:`+|~~~+)[ \t]*\w*\s*\Z')
_LOOK_BACK = 40  # characters before an object that may hold its fence
_IN_FENCE = re.compile(r'(`{3,}|~{3,})[ \t]*\w*\s*\n(.*?)\s*\1\s*\Z', re.DOTALL)
BLANK = ' \t\r\n\ufeff'


def starts_as_json(text: str) -> bool:
    """Whether an answer begins with an object, as asked for."""
    return text.lstrip(BLANK).startswith('{')


def bare_json(text: str) -> str | None:
    """The JSON text, of any type, that is the whole answer without thoughts and a fence; None if it is not JSON."""
    answer = _END_OF_THOUGHTS.split(text)[-1].strip(BLANK)
    if fenced := _IN_FENCE.match(answer):
        answer = fenced[2]
    try:
        from_json(answer)
    except ValueError:
        return None
    return answer


def objects_in(text: str) -> list[str]:
    """The JSON texts that may be the answer, the likeliest first."""
    finder = JsonInText()
    finder.feed(text)
    return [scanner.text(0) for scanner in finder.objects]


@dataclass(frozen=True, slots=True)
class _Object:
    scanner: JsonScanner
    fenced: bool


class JsonInText:
    """Finds the objects in arriving text, and chooses the one that is the answer: the first in a fence, or else the
    first. One that does not fit gives way to the next. Thoughts (`<think>...</think>`, even if only their end is
    marked) are not part of the answer.

    Args:
        key: As for `JsonScanner`, and so is `keep`.

    Attributes:
        scanner: The scanner of the object that seems to be the answer; None before there is one.
    """

    def __init__(self, key: str | None = None, *, keep: bool = True) -> None:
        self.scanner: JsonScanner | None = None
        self._key = key
        self._keep = keep
        self._objects: list[_Object] = []
        self._chosen: _Object | None = None
        self._open: JsonScanner | None = None
        self._thinking = False
        self._before = ''  # the end of the words, as far as it still matters

    @property
    def objects(self) -> list[JsonScanner]:
        """All objects, the likeliest first."""
        ordered = sorted(self._objects, key=lambda item: (_is_empty(item.scanner), not item.fenced))
        return [item.scanner for item in ordered]

    def feed(self, text: str, fits: Callable[[JsonScanner], bool] = lambda _: True) -> None:
        """Take in the next piece of the answer.

        Args:
            text: The piece.
            fits: Whether a whole object may be the answer; called when another object follows.
        """
        while text:
            if self._open is not None:
                text = text[self._open.feed(text) :]
                if self._open.closed:
                    self._open, self._before = None, ''
            elif self._thinking:
                text = self._after_thoughts(self._before + text)
            else:
                text = self._after_words(self._before + text, fits)

    def _after_thoughts(self, text: str) -> str:
        if match := _END_OF_THOUGHTS.search(text):
            self._thinking, self._before = False, ''
            return text[match.end() :]
        self._before = text[-len('</thinking>') :]
        return ''

    def _after_words(self, text: str, fits: Callable[[JsonScanner], bool]) -> str:
        """The text from the next object onward."""
        match = _MARK.search(text)
        if match is None:
            undecided = _UNDECIDED.search(text)
            self._before = text[max(0, (undecided.start() if undecided else len(text)) - _LOOK_BACK) :]
            return ''
        if match[0] == '{':
            fence = _FENCE_BEFORE.search(text, max(0, match.start() - _LOOK_BACK), match.start())
            self._begin(fence is not None, fits)
            return text[match.start() :]
        self._before = ''
        if match[0].startswith('</'):
            self._objects, self._chosen, self.scanner = [], None, None  # the text until here was thoughts
        else:
            self._thinking = True
        return text[match.end() :]

    def _begin(self, fenced: bool, fits: Callable[[JsonScanner], bool]) -> None:
        self._open = JsonScanner(self._key, keep=self._keep)
        item, chosen = _Object(self._open, fenced), self._chosen
        self._objects.append(item)
        better = chosen is None or _is_empty(chosen.scanner) or (fenced and not chosen.fenced)
        if better or chosen is None or not fits(chosen.scanner):
            self._chosen, self.scanner = item, item.scanner


def _is_empty(scanner: JsonScanner) -> bool:
    """Whether there is nothing between the braces, as in a sentence."""
    return not scanner.listed and not scanner.text(0).strip('{} \t\r\n')
