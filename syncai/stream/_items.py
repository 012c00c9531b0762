"""The elements of a list within JSON text that is still arriving."""

from __future__ import annotations

import json
import re
from collections import deque

_STRUCTURE = re.compile(r'["\[\]{}:,]')
_IN_STRING = re.compile(r'["\\]')
_FENCE = '```'


class ItemScanner:
    """Finds the elements of the list under one key of an object, each as soon as it is whole.

    Looks at every character once, however the text is cut. What is not JSON is for the validation of the whole to
    find: here it gives no elements, or wrong ones.

    Args:
        key: The key whose value is the list.
        fenced: Whether the object may stand between words, in a Markdown fence.

    Attributes:
        found: The JSON text of elements that were found and not yet taken.
    """

    def __init__(self, key: str, *, fenced: bool = False) -> None:
        self.found: deque[str] = deque()
        self._key = key
        self._prose: str | None = '' if fenced else None  # the end of the words before the object, while in them
        self._depth = 0
        self._string = False
        self._escaped = False  # the last character was a backslash in a string
        self._in_list = False
        self._name = ''  # the JSON text of the last string in the outer object
        self._kept: list[str] | None = None  # the pieces of what is being read: an element, or such a string
        self._begin = 0  # where in the present piece it goes on

    def feed(self, text: str) -> None:
        """Take in the next piece of the text."""
        if self._prose is not None:
            text = self._after_prose(text)
        position = self._begin = 0
        if self._escaped and text:
            position, self._escaped = 1, False
        while match := (_IN_STRING if self._string else _STRUCTURE).search(text, position):
            position = match.end()
            if self._string and match[0] == '\\':
                self._escaped = position == len(text)
                position += 1
            else:
                self._structure(match[0], text, position)
        if self._kept is not None:
            self._kept.append(text[self._begin :])

    def _structure(self, char: str, text: str, end: int) -> None:
        if char == '"':
            self._quote(text, end)
        elif char in '[{':
            self._open(char, end)
        elif char in ']}':
            self._close(text, end)
        elif char == ',' and self._in_list and self._depth == 2:
            self._finish(text, end - 1)
            self._keep(end)

    def _quote(self, text: str, end: int) -> None:
        self._string = not self._string
        if self._depth == 2 and self._in_list and not self._string:
            self._finish(text, end)
        elif self._depth == 1:
            if self._string:
                self._keep(end - 1)
            else:
                self._name = self._take(text, end)

    def _open(self, char: str, end: int) -> None:
        self._depth += 1
        if self._depth == 2 and char == '[' and self._is_key(self._name):
            self._in_list = True
            self._keep(end)

    def _close(self, text: str, end: int) -> None:
        if self._in_list and self._depth == 2:
            self._finish(text, end - 1)
            self._in_list = False
            self._kept = None
        self._depth -= 1
        if self._in_list and self._depth == 2:
            self._finish(text, end)

    def _is_key(self, name: str) -> bool:
        try:
            return bool(json.loads(name) == self._key)
        except ValueError:
            return False

    def _keep(self, begin: int) -> None:
        self._kept, self._begin = [], begin

    def _take(self, text: str, end: int) -> str:
        kept, self._kept = self._kept or [], None
        return ''.join([*kept, text[self._begin : end]])

    def _finish(self, text: str, end: int) -> None:
        """The element ends here, unless it has ended before."""
        if self._kept is not None and (element := self._take(text, end).strip()):
            self.found.append(element)

    def _after_prose(self, text: str) -> str:
        """What of the text belongs to the object: all of it from the first `{` or the fence on."""
        seen = f'{self._prose}{text}'
        before, fence, after = seen.partition(_FENCE)
        stripped = seen.lstrip()
        if stripped.startswith('{'):
            self._prose = None
            return stripped
        if fence:
            self._prose = None
            return after
        # Of words that do not begin with `{`, only what may be the beginning of a fence matters.
        self._prose = f'-{before[-2:]}' if stripped else ''
        return ''
