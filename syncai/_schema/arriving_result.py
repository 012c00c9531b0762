"""A structured result whose JSON text is still arriving: its value so far, and the elements of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .json_in_text import JsonInText
from .json_scanner import JsonScanner
from .validation import validate_input

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from .elements import Elements
    from .shapes import Shape

__all__ = ['ArrivingResult']

T = TypeVar('T')

_CHEAP = 4096  # up to this many characters are validated again with every event
_SHARE = 100  # above that, once per growth by a hundredth, so the total time is linear in the length


def _shown(scanner: JsonScanner, shape: Shape) -> int:
    """The position up to which the text may be shown: before an unfinished value that would look finished."""
    for level in scanner.levels:
        members = shape.array if level.is_list else shape.object
        if members is None or members is False:
            return max(1, level.begin)  # never the empty text, which stands for an empty object
        shape = members(level.index if level.is_list else scanner.key_of(level))
    value = scanner.open_value()
    if value is None:
        return scanner.end
    begin, is_string = value
    return scanner.end if is_string and shape.text is True else max(1, begin)


class ArrivingResult(Generic[T]):
    """One arriving result. Values are made on demand. Each element of a list is validated once, when it is whole; only
    the open one is validated again. All values share the whole elements.

    Args:
        adapter: Validates the whole.
        unwrap: Takes the result out of the validated value.
        shape: What may be shown of the open value.
        elements: How the elements of a result that is a list are validated, or None.
        in_text: Whether the object may be surrounded by text.

    Attributes:
        whole: The validated whole elements, up to the first invalid one.
        odd: The JSON text of that one, or None.
        object_count: The number of objects that were taken for the result so far.
        add: Takes the next piece of the text.
    """

    def __init__(
        self,
        adapter: TypeAdapter[Any],
        unwrap: Callable[[Any], T],
        shape: Shape,
        *,
        elements: Elements | None = None,
        in_text: bool = False,
    ) -> None:
        self._adapter = adapter
        self._unwrap = unwrap
        self._shape = shape
        self.elements = elements
        key, keep = (elements.key, elements.collect is None) if elements else (None, True)
        self._text = JsonInText(key, keep=keep) if in_text else None
        self._scanner: JsonScanner | None = None if in_text else JsonScanner(key, keep=keep)
        self._pieces: list[str] = []  # not yet scanned
        self.add: Callable[[str], None] = self._pieces.append
        self._valued = 0  # the length of the text when the last value was made
        self.whole: list[Any] = []
        self.odd: str | None = None
        self.object_count = 0

    def due(self) -> bool:
        """Whether enough has arrived since the last value to justify the cost of the next one."""
        scanner = self._scan()
        size = self._open_size(scanner)
        return scanner is None or size <= _CHEAP or scanner.end - self._valued >= size // _SHARE

    def value(self) -> T:
        """The result so far.

        Raises:
            Exception: There is none yet, or it does not fit: `pydantic.ValidationError`, or what a validator raises.
        """
        scanner = self._scan()
        if scanner is None:
            return self._unwrap(self._adapter.validate_json(''))  # raises
        self._valued = scanner.end
        if self.elements is not None and self.elements.collect is not None and scanner.listed:
            return self._list(scanner, self.elements)
        text = scanner.text(0, _shown(scanner, self._shape))
        return self._unwrap(validate_input(self._adapter, text, allow_partial=not scanner.closed))

    def take_elements(self) -> None:
        """Validate the elements that have become whole."""
        if (scanner := self._scan()) is not None:
            self._take_elements(scanner)

    def _list(self, scanner: JsonScanner, elements: Elements) -> T:
        assert elements.collect is not None
        self._take_elements(scanner)
        if self.odd is not None:
            self._validated_elements(self.odd)  # raises
        rest: list[Any] = []
        begin = scanner.element
        if begin is not None and (text := scanner.text(begin, _shown(scanner, self._shape))).strip():
            rest = elements.adapter.validate_json(f'[{text}', experimental_allow_partial='trailing-strings')
        value: T = elements.collect([*self.whole, *rest])
        return value

    def _take_elements(self, scanner: JsonScanner) -> None:
        while scanner.elements and self.odd is None:
            text = scanner.elements.popleft()
            try:
                self.whole += self._validated_elements(text)
            except Exception:  # the user's validators may raise anything; the whole result is validated too
                self.odd = text

    def _validated_elements(self, text: str) -> list[Any]:
        assert self.elements is not None
        return self.elements.adapter.validate_json(f'[{text}]')

    def _scan(self) -> JsonScanner | None:
        """The scanner of the result, with all that has arrived fed to it."""
        if self._pieces:
            piece = ''.join(self._pieces)
            self._pieces.clear()
            if self._text is not None:
                self._text.feed(piece, self._fits)
                self._follow(self._text.scanner)
            elif self._scanner is not None and not self._scanner.closed:
                self._scanner.feed(piece)
        return self._scanner

    def _follow(self, scanner: JsonScanner | None) -> None:
        """Begin again where another object has become the result."""
        if scanner is not self._scanner:
            self._scanner, self._valued = scanner, 0
            self.whole, self.odd = [], None
            self.object_count += 1

    def _fits(self, scanner: JsonScanner) -> bool:
        if self.elements is not None:
            self._follow(scanner)
            self._take_elements(scanner)
            return scanner.listed and self.odd is None
        try:
            self._adapter.validate_json(scanner.text(0))
        except Exception:
            return False
        return True

    def _open_size(self, scanner: JsonScanner | None) -> int:
        """The number of characters that a new value validates again."""
        if scanner is None:
            return 0
        if not scanner.listed or self.elements is None or self.elements.collect is None:
            return scanner.end
        return 0 if scanner.element is None else scanner.end - scanner.element
