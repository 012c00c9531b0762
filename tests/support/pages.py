"""The events of a stream of server-sent events, as a page reads them."""

from __future__ import annotations

import json
from typing import Any


def chunks(body: bytes) -> list[Any]:
    """The events of a body, as a reader of server-sent events takes them."""
    text = body.decode()
    assert text.endswith('\n\n')
    assert '\r' not in text
    blocks = [block for block in text.split('\n\n') if block and not block.startswith(':')]
    lines = [line for block in blocks for line in block.split('\n') if line.startswith('data: ')]
    assert len(lines) == len(blocks)
    return [line if line == 'data: [DONE]' else json.loads(line[6:]) for line in lines]


def kinds(events: list[Any]) -> list[str]:
    return [event if isinstance(event, str) else event.get('type') or event['event_kind'] for event in events]
