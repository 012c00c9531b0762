"""Additions of servers to Chat Completions: thoughts in several places, and failed calls; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from itertools import groupby
from typing import Any

from ..._base.values import to_json_str
from ...messages import ToolCallPart
from .._http.calls import new_tool_call_id

_LLAMA_CALL = r'(?s)<function=([\w.-]+)[>(]?\s*(\{.*\})'
FIELDS = ('reasoning_details', 'thinking_blocks')
_TEXTS = ('text', 'summary', 'thinking')
_CALL_BEGINS = ('{', '[', '<function', '<tool', '<|')


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
    """The thoughts that must go back to a provider unchanged, joined from their fragments.

    They are the `reasoning_details` of OpenRouter, or the `thinking_blocks` of LiteLLM, which are those of Anthropic:
    https://docs.litellm.ai/docs/reasoning_content.
    """

    def __init__(self, message: Mapping[str, Any] | None = None) -> None:
        self._fragments: list[dict[str, Any]] = []
        self._field = FIELDS[0]
        self.text = self.add(message) if message else ''

    def add(self, message: Mapping[str, Any]) -> str:
        """Add the fragments of a message or delta; returns their text."""
        for field in FIELDS:
            if details := message.get(field):
                break
        else:
            return ''
        if not isinstance(details, list):
            return ''
        added = [detail for detail in details if _is_object(detail)]
        self._field = field
        self._fragments += added
        texts = (next((detail[name] for name in _TEXTS if detail.get(name)), None) for detail in added)
        return ''.join(text for text in texts if isinstance(text, str))

    def __bool__(self) -> bool:
        return bool(self._fragments)

    def for_part(self) -> dict[str, Any] | None:
        """The `provider_details` of a part; None if there are none."""
        if not self._fragments:
            return None
        return {self._field: [_joined(list(group)) for _, group in groupby(self._fragments, _Kind())]}


class _Kind:
    """The key of the fragments of one detail: type and index. Encrypted details always come whole. The signature of a
    block of Anthropic comes last.
    """

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, detail: dict[str, Any]) -> Hashable:
        if detail.get('type') in ('reasoning.text', 'reasoning.summary'):
            return detail['type'], repr(detail.get('index'))
        if detail.get('type') == 'thinking':
            block = ('thinking', self._number)
            self._number += bool(detail.get('signature'))
            return block
        self._number += 1
        return self._number


def _joined(fragments: list[dict[str, Any]]) -> dict[str, Any]:
    if len(fragments) == 1:
        return fragments[0]
    joined: dict[str, Any] = {}
    for fragment in fragments:
        joined.update(
            (name, value) for name, value in fragment.items() if value not in (None, '') or name not in joined
        )
    for name in _TEXTS:
        texts = [fragment[name] for fragment in fragments if isinstance(fragment.get(name), str)]
        if texts:
            joined[name] = ''.join(texts)
    return joined


def failed_generation(body: object) -> list[ToolCallPart] | str:
    """The model's output that Groq refused with `tool_use_failed`: tool calls, or a text. Calls can then be answered
    like any other wrong call. Both are empty for another error, or if the output begins like a call and cannot be
    parsed: https://console.groq.com/docs/tool-use.
    """
    error = body.get('error') if isinstance(body, dict) else None
    if not isinstance(error, dict) or error.get('code') != 'tool_use_failed':
        return ''
    text = str(error.get('failed_generation') or '').strip()
    if match := re.search(_LLAMA_CALL, text):
        return [ToolCallPart(match[1], match[2], new_tool_call_id())]
    try:
        calls = json.loads(text)
    except ValueError:
        return '' if text.startswith(_CALL_BEGINS) else text
    return [_failed_call(call) for call in (calls if isinstance(calls, list) else [calls]) if _is_call(call)]


def _failed_call(call: dict[str, Any]) -> ToolCallPart:
    args = call.get('arguments', call.get('parameters'))
    return ToolCallPart(call['name'], args if isinstance(args, str) else to_json_str(args or {}), new_tool_call_id())


def _is_call(call: object) -> bool:
    return _is_object(call) and isinstance(call.get('name'), str)  # type: ignore[attr-defined]


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
