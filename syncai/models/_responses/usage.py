"""Counts of tokens, and of the provider's own tools, as OpenAI Responses writes them; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...usage import Usage
from .._chat.usage import chat_usage
from .._http.answers import count_of, text_of

_CALLS = {
    'code_interpreter_call': 'code_execution_requests',
    'file_search_call': 'file_search_requests',
    'image_generation_call': 'image_generation_requests',
    'web_search_call': 'web_search_requests',
}


def responses_usage(response: Mapping[str, Any]) -> Usage:
    """The counts of a response; one request in any case.

    The tools that ran at the provider are paid beside the tokens: those that `tool_usage` counts, else those that the
    output shows; see https://developers.openai.com/api/docs/pricing#built-in-tools.
    """
    usage = chat_usage(response.get('usage'))
    tools = dict(Counter(_calls(response.get('output')))) | dict(_counted(response.get('tool_usage')))
    details = {**(usage.details or {}), **{name: count for name, count in tools.items() if count}}
    return replace(usage, details=details or None)


def _calls(output: object) -> Iterator[str]:
    for item in output if isinstance(output, list) else ():
        kind = text_of(item.get('type')) if isinstance(item, Mapping) else None
        action = item.get('action') if kind == 'web_search_call' else None
        if kind in _CALLS and not (isinstance(action, Mapping) and action.get('type', 'search') != 'search'):
            yield _CALLS[kind]  # opening a page of a result is no search


def _counted(tools: object) -> Iterator[tuple[str, int]]:
    for tool, field, name in (
        ('web_search', 'num_requests', 'web_search_requests'),
        ('image_gen', 'total_tokens', 'image_generation_tokens'),
    ):
        counts = tools.get(tool) if isinstance(tools, Mapping) else None
        if isinstance(counts, Mapping) and (count := count_of(counts.get(field))) is not None:
            yield name, count
