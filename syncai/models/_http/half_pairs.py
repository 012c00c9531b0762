r"""JSON with halves of surrogate pairs, such as a single escape `\ud83d`, which strict parsers refuse.

Servers that cut an answer between the two escapes of one character send the halves in two events.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from ..._base.json_values import whole_text, whole_values

_HIGH = ('\ud800', '\udbff')
_NUMBERS = ('index', 'output_index', 'content_index', 'contentBlockIndex')

_Place: TypeAlias = tuple[Any, ...]


def lenient_json(data: str | bytes) -> Any:
    """The value of JSON text, with U+FFFD for each half and each byte that is not UTF-8.

    Raises:
        ValueError: It is still no JSON.
    """
    return whole_values(_loaded(data))


def _loaded(data: str | bytes) -> Any:
    text = data if isinstance(data, str) else _decoded(data)
    try:
        return json.loads(text.removeprefix('\ufeff'))  # a byte order mark may be ignored (RFC 8259 section 8.1)
    except RecursionError:
        raise json.JSONDecodeError('nested too deeply', '', 0) from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode('utf-8', 'surrogatepass')
    except UnicodeDecodeError:
        return data.decode('utf-8', 'replace')


class HalfPairs:
    """Parses the JSON of the events of one stream, and joins pairs that were cut between two events.

    The first half is kept until the next event with text in the same place; a half that nothing follows is dropped.
    """

    def __init__(self) -> None:
        from pydantic_core import from_json

        self._from_json = from_json
        self._halves: dict[_Place, str] = {}

    def parse(self, payload: str) -> Any:
        """The value of one event.

        Raises:
            ValueError: It is no JSON.
        """
        try:
            value = self._from_json(payload)
        except ValueError:
            value = _loaded(payload)
        else:
            if not self._halves:
                return value
        return self._whole(value, ())

    def _whole(self, value: Any, place: _Place) -> Any:
        if isinstance(value, str):
            return self._joined(value, place)
        if isinstance(value, list):
            return [self._whole(item, place) for item in value]
        if isinstance(value, dict):
            here = (*place, *(value.get(name) for name in _NUMBERS))
            if not place:
                here = (value.get('type'), *here)
            return {key: self._whole(item, (*here, key)) for key, item in value.items()}
        return value

    def _joined(self, text: str, place: _Place) -> str:
        text = self._halves.pop(place, '') + text
        if text and _HIGH[0] <= text[-1] <= _HIGH[1]:
            self._halves[place] = text[-1]
            text = text[:-1]
        return whole_text(text)
