"""Data that a server adds to an answer outside of its parts, kept in `provider_details` of the text; pure.

Citations and parsed files (`annotations` of OpenAI's search models and of OpenRouter, `citations` of xAI and
Perplexity), the tools that ran at the provider (`executed_tools` of Groq), images (OpenRouter), references (Mistral, in
`content_parts`), and log probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OF_MESSAGES = ('annotations', 'executed_tools', 'images')
_READ = ('text', 'thinking', 'refusal')
_OF_BODIES = ('citations', 'search_results')


class TextDetails:
    """The data of an answer besides its parts, joined from its pieces."""

    def __init__(self) -> None:
        self._lists: dict[str, list[Any]] = {}

    def add_message(self, message: Mapping[str, Any]) -> None:
        """Add the data of a message or a delta."""
        for name in _OF_MESSAGES:
            if name in message:
                self._add(name, message[name])
        content = message.get('content')
        if isinstance(content, list) and not all(map(_is_other, content)):  # for no other part: it could not be read
            self._add('content_parts', [part for part in content if _is_other(part)])

    def add_body(self, body: Mapping[str, Any]) -> None:
        """Add the top-level data of an answer or a chunk, which is complete each time."""
        for name in _OF_BODIES:
            if isinstance(body.get(name), list) and body[name]:
                self._lists[name] = body[name]

    def add_logprobs(self, logprobs: object) -> None:
        """Add the log probabilities of a choice: of its text, or of its refusal.

        Source: https://developers.openai.com/api/docs/api-reference/chat/object
        """
        if isinstance(logprobs, dict) and ('content' in logprobs or 'refusal' in logprobs):
            self._add('logprobs', logprobs.get('content') or logprobs.get('refusal'))
        elif logprobs:  # in the shape of older servers
            self._add('logprobs', logprobs if isinstance(logprobs, list) else [logprobs])

    def details(self) -> dict[str, Any]:
        """The `provider_details` of the text; empty if nothing came."""
        return dict(self._lists)

    def _add(self, name: str, items: object) -> None:
        if not isinstance(items, list) or not items:
            return
        values = self._lists.setdefault(name, [])
        for item in items:
            place = _same(item, values) if name == 'executed_tools' else None
            if place is None:
                values.append(item)
            else:  # Groq streams the call of a tool first, and its output under the same index
                values[place] = {**values[place], **{key: value for key, value in item.items() if value is not None}}


def _is_other(part: object) -> bool:
    return isinstance(part, Mapping) and not any(part.get(name) is not None for name in _READ)


def _same(item: object, items: list[Any]) -> int | None:
    index = item.get('index') if isinstance(item, dict) else None
    if index is None:
        return None
    return next((i for i, one in enumerate(items) if isinstance(one, dict) and one.get('index') == index), None)
