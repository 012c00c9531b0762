"""What servers add to the answers of Chat Completions: thoughts in several places, and calls that failed; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .._values import to_json_str
from ..messages import ToolCallPart
from ._parts import new_tool_call_id

_LLAMA_CALL = re.compile(r'<function=([\w.-]+)[>(]?\s*(\{.*\})', re.DOTALL)


def thoughts_in(message: Mapping[str, Any]) -> str | None:
    """The thoughts in a message or delta: DeepSeek's field, that of most others, or Mistral's parts of the content."""
    thoughts = message.get('reasoning_content') or message.get('reasoning')
    if isinstance(thoughts, str):
        return thoughts or None
    content = message.get('content')
    if not isinstance(content, list):
        return None
    chunks = [part['thinking'] for part in content if isinstance(part, dict) and part.get('thinking')]
    texts = [piece.get('text') for chunk in chunks if isinstance(chunk, list) for piece in chunk if _is_object(piece)]
    return ''.join(text for text in [*chunks, *texts] if isinstance(text, str)) or None


class ReasoningDetails:
    """The `reasoning_details` of OpenRouter, put together from their fragments; it wants them back unchanged.

    Only the loop thread writes it: the list is replaced whole, so that any thread may read what it gave out.
    """

    def __init__(self, details: object = None) -> None:
        self._details: list[dict[str, Any]] = []
        self.text = self.add(details)

    def add(self, details: object) -> str:
        """Add some fragments; returns their text."""
        added = [detail for detail in details if _is_object(detail)] if isinstance(details, list) else []
        merged = list(self._details)
        for detail in added:
            if merged and _continues(merged[-1], detail):
                merged[-1] = _joined(merged[-1], detail)
            else:
                merged.append(detail)
        self._details = merged
        texts = (detail.get('text') or detail.get('summary') for detail in added)
        return ''.join(text for text in texts if isinstance(text, str))

    def for_part(self) -> dict[str, Any] | None:
        """The `provider_details` of a part; None where there are none."""
        return {'reasoning_details': self._details} if self._details else None


def _continues(last: dict[str, Any], detail: dict[str, Any]) -> bool:
    same = all(last.get(name) == detail.get(name) for name in ('type', 'index'))
    return same and detail.get('type') in ('reasoning.text', 'reasoning.summary')


def _joined(last: dict[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    joined = {**last, **{name: value for name, value in detail.items() if value not in (None, '')}}
    for name in ('text', 'summary'):
        before, after = last.get(name), detail.get(name)
        if isinstance(before, str) and isinstance(after, str):
            joined[name] = before + after
    return joined


def failed_calls(body: object) -> list[ToolCallPart]:
    """The tool calls that Groq refused with `tool_use_failed`, so that they can be answered like any other wrong call.

    Empty where the error is another one, or shows no call that can be read.
    """
    error = body.get('error') if isinstance(body, dict) else None
    if not isinstance(error, dict) or error.get('code') != 'tool_use_failed':
        return []
    written = str(error.get('failed_generation') or '')
    if found := _LLAMA_CALL.search(written):
        return [ToolCallPart(found[1], found[2], new_tool_call_id())]
    try:
        calls = json.loads(written)
    except ValueError:
        return []
    return [_failed_call(call) for call in (calls if isinstance(calls, list) else [calls]) if _is_call(call)]


def _failed_call(call: dict[str, Any]) -> ToolCallPart:
    args = call.get('arguments', call.get('parameters'))
    return ToolCallPart(call['name'], args if isinstance(args, str) else to_json_str(args or {}), new_tool_call_id())


def _is_call(call: object) -> bool:
    return _is_object(call) and isinstance(call.get('name'), str)  # type: ignore[attr-defined]


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
