"""JSON text that is still arriving: its open values, and the position at which each began; pure."""

from __future__ import annotations

import json
import re
from collections import deque

__all__ = ['JsonScanner', 'Level']

_STRUCTURE = re.compile(r'["\[\]{}:,]')
_REST_OF_STRING = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT = r'[{\[](?>[^"\[\]{}]++|STRING)*+[}\]]'
_NESTED = r'[{\[](?>[^"\[\]{}]++|STRING|INNER)*+[}\]]'
# An object or a list with at most two more levels inside, from its first bracket to its last.
_WHOLE = re.compile(_NESTED.replace('INNER', _NESTED.replace('INNER', _FLAT)).replace('STRING', _STRING), re.DOTALL)
_WORTH = 24  # the least length of text to try to match a whole one
_WHOLE_WORDS = ('true', 'false', 'null')


class Level:
    """An object or a list that is open.

    Attributes:
        begin: The position of its bracket.
        is_list: Whether it is a list.
        index: The number of whole members, which is the index of the open one.
        key: The position of the key of the open member, quotes included; None before the first one.
        name: The decoded key, after its first use.
        in_value: Whether the key and its colon have arrived.
    """

    __slots__ = ('begin', 'in_value', 'index', 'is_list', 'key', 'name')

    def __init__(self, begin: int, is_list: bool) -> None:
        self.begin = begin
        self.is_list = is_list
        self.index = 0
        self.key: tuple[int, int] | None = None
        self.name: str | None = None
        self.in_value = False


class JsonScanner:
    """Follows one JSON object as it arrives. It looks at every character once, however the text is cut. Invalid JSON is
    found by the validation of the whole; here it only opens and closes the wrong values.

    Args:
        key: The key in the outermost object of the list whose elements are wanted.
        keep: Whether to keep the text of found elements, too.

    Attributes:
        levels: The open objects and lists, the outermost first.
        end: How many characters have arrived, up to the end of the object.
        closed: Whether the object is whole.
        elements: The JSON text of whole elements that were not yet taken.
        listed: Whether the list has begun.
    """

    def __init__(self, key: str | None = None, *, keep: bool = True) -> None:
        self.levels: list[Level] = []
        self.end = 0
        self.closed = False
        self.elements: deque[str] = deque()
        self.listed = False
        self._key = key
        self._keep = keep
        self._in_list = False
        self._element: int | None = None  # where the open element begins, or None between two
        self._pieces: list[str] = []
        self._aside: list[str] = []  # the text before them, if it is kept
        self._base = 0  # where they begin
        self._whole = 0  # where the last whole element ends
        self._string: int | None = None  # where the open string begins
        self._escaped = False  # the last character was a backslash in a string
        self._last = 0  # the position after the last structural character

    def feed(self, text: str) -> int:
        """Take in the next piece; returns how many of its characters belong to the object."""
        start = self.end
        self._pieces.append(text)
        self.end += len(text)
        length = self._read(text, start)
        if self.closed:
            self.end = start + length
            self._pieces = [self.text(self._base, self.end)]
        if self._whole > self._base:
            self._put_aside(self._whole)
        return length

    def _read(self, text: str, start: int) -> int:
        size = len(text)
        position = 0 if self._string is None else self._string_goes_on(text, 0, start)
        while self._string is None and not self.closed:
            match = _STRUCTURE.search(text, position)
            if match is None:
                return size
            position = match.end()
            char = match[0]
            if char == '"':
                self._string = start + position - 1
                position = self._string_goes_on(text, position, start)
            elif size - position >= _WORTH and char in '{[' and self._may_be_whole(char):
                position = self._opened(text, position, start)
            else:
                self._structure(char, start + position)
        return position

    def _may_be_whole(self, char: str) -> bool:
        """Whether to match an object or list as a whole; not the list whose elements are wanted."""
        depth = len(self.levels)
        return depth > 1 or (depth == 1 and not (char == '[' and not self.listed and self._key))

    def _opened(self, text: str, position: int, start: int) -> int:
        """Pass over the object or list before `position`, if all of it is there; returns the position after it."""
        match = _WHOLE.match(text, position - 1)
        if match is None:
            self._structure(text[position - 1], start + position)
            return position
        self._last = start + match.end()
        if self._in_list and len(self.levels) == 2:
            self._finish(self._last)
        return match.end()

    def text(self, begin: int, end: int | None = None) -> str:
        """The text between two positions, as far as it is kept."""
        if len(self._pieces) > 1:
            self._pieces = [''.join(self._pieces)]
        text = self._pieces[0] if self._pieces else ''
        if begin < self._base:
            self._aside = [''.join(self._aside)]
            text = self._aside[0] + text
        else:
            begin, end = begin - self._base, None if end is None else end - self._base
        return text[begin:end]

    def _put_aside(self, end: int) -> None:
        """Drop the text before `end`: in a long list only the open element changes."""
        if self._keep:
            self._aside.append(self.text(self._base, end))
        self._pieces, self._base = [self.text(end)], end

    def key_of(self, level: Level) -> str | None:
        """The key of the open member of an object; None if there is none, or it cannot be read."""
        if level.name is None and level.key is not None:
            try:
                level.name = json.loads(self.text(*level.key))
            except ValueError:
                return None
        return level.name

    def open_value(self) -> tuple[int, bool] | None:
        """Where the scalar begins that may continue, and whether it is a string; None if there is none.

        Keys do not count: they have no meaning before their value begins.
        """
        if self._string is not None:
            return (self._string, True) if self.levels and self._expects_value() else None
        tail = self.text(self._last)
        word = tail.lstrip()
        if not word or word[-1].isspace() or word in _WHOLE_WORDS:
            return None
        return self.end - len(word), False

    @property
    def element(self) -> int | None:
        """Where the open element of the list begins; None while there is none."""
        return self._element

    def _expects_value(self) -> bool:
        level = self.levels[-1]
        return level.is_list or level.in_value

    def _string_goes_on(self, text: str, position: int, start: int) -> int:
        """Read on to the end of the string, or of the piece; returns the position after it."""
        if self._escaped and text:
            position, self._escaped = 1, False
        match = _REST_OF_STRING.match(text, position)
        assert match is not None  # also matches the empty text
        position = match.end()
        quote = text[position : position + 1]
        if quote == '"':
            self._string_ends(start + position + 1)
            return position + 1
        self._escaped = quote != ''  # a backslash, after which nothing has arrived
        return len(text)

    def _string_ends(self, end: int) -> None:
        begin, self._string, self._last = self._string, None, end
        if not self.levels:
            return
        level = self.levels[-1]
        if not level.is_list and not level.in_value:
            assert begin is not None
            level.key = begin, end
        elif self._in_list and len(self.levels) == 2:
            self._finish(end)

    def _structure(self, char: str, end: int) -> None:
        self._last = end
        if not self.levels and char not in '{[':
            return
        if char == ':':
            self.levels[-1].in_value = True
        elif char == ',':
            self._next_member(end)
        elif char in '{[':
            self._open(end, char == '[')
        else:
            self._close(end)

    def _open(self, end: int, is_list: bool) -> None:
        self.levels.append(Level(end - 1, is_list))
        if is_list and len(self.levels) == 2 and not self.listed and self._key is not None:
            outer = self.levels[0]
            self._in_list = self.listed = not outer.is_list and self.key_of(outer) == self._key
            self._element = end if self._in_list else None

    def _close(self, end: int) -> None:
        if self._in_list and len(self.levels) == 2:
            self._finish(end - 1)
            self._in_list = False
        self.levels.pop()
        if self._in_list and len(self.levels) == 2:
            self._finish(end)
        self.closed = not self.levels

    def _next_member(self, end: int) -> None:
        level = self.levels[-1]
        level.index += 1
        level.key = level.name = None
        level.in_value = False
        if self._in_list and len(self.levels) == 2:
            self._finish(end - 1)
            self._element = end

    def _finish(self, end: int) -> None:
        """The open element ends here, unless it has ended before."""
        if self._element is None:
            return
        if element := self.text(self._element, end).strip():
            self.elements.append(element)
        self._element, self._whole = None, end
