"""The output item of an event in a stream of Responses."""

from __future__ import annotations

from typing import Any


class ItemPlaces:
    """Numbers the items of one stream in the order in which they appear.

    An id that was seen decides, then the index among the items that are not complete, then the last item: llama.cpp
    sends no `output_index`, other servers send 0 for each item or an id of its own with each event.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, int] = {}
        self._by_index: dict[object, int] = {}  # of the items that are not complete
        self._count = 0

    def open(self, event: dict[str, Any]) -> int:
        """The number of an item that begins."""
        item_id = _id_of(event)
        place = self._by_id.get(item_id)
        return self._next(event.get('output_index'), item_id) if place is None else place

    def of(self, event: dict[str, Any]) -> int:
        """The number of the item that an event adds to."""
        item_id = event.get('item_id') or ''
        place = self._by_id.get(item_id)
        return self._by_position(event, item_id) if place is None else place

    def close(self, event: dict[str, Any]) -> int:
        """The number of an item that is complete."""
        item_id = _id_of(event)
        own = self._by_id.get(item_id)
        place = self._by_position(event, item_id) if own is None else own
        self._by_index = {index: number for index, number in self._by_index.items() if number != place}
        return place

    def _by_position(self, event: dict[str, Any], item_id: str) -> int:
        index = event.get('output_index')
        open_places = self._by_index
        place = open_places.get(index)
        if place is None and index is None and open_places:
            place = max(open_places.values())
        if place is None:
            return self._next(index, item_id)
        return place

    def _next(self, index: object, item_id: str) -> int:
        place = self._count
        self._count += 1
        self._by_index[(place,) if index is None else index] = place
        if item_id:
            self._by_id[item_id] = place
        return place


def _id_of(event: dict[str, Any]) -> str:
    item = event.get('item')
    own = item.get('id') if isinstance(item, dict) else None
    return own if isinstance(own, str) else ''
