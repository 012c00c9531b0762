"""Counts of tokens as Anthropic writes them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...usage import Usage
from .._chat.usage import chat_usage
from .._http.answers import count_of, text_of

_PROMPT_COUNTS = ('input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens')
_DETAILS: Mapping[str, tuple[str, ...]] = {
    'cached_tokens': ('cache_read_input_tokens',),
    'cache_write_tokens': ('cache_creation_input_tokens',),
    'cache_write_1h_tokens': ('cache_creation', 'ephemeral_1h_input_tokens'),
    'reasoning_tokens': ('output_tokens_details', 'thinking_tokens'),
}


def anthropic_usage(usage: object) -> Usage:
    """The counts in a `usage` field, as one request. The three counts of the prompt do not overlap. If one request ran
    several `iterations`, the top-level counts leave out a compaction, an advisor, a replaced model, and all prompts but
    the first. All of these are billed. So each count is the sum over the iterations if that is more:
    https://platform.claude.com/docs/en/build-with-claude/compaction and
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool.
    """
    if not isinstance(usage, Mapping):
        return Usage(requests=1)
    if 'input_tokens' not in usage and 'prompt_tokens' in usage:  # a gateway with the counts of Chat Completions
        return chat_usage(usage)
    counts = [count for name in _PROMPT_COUNTS if (count := _count(usage, name)) is not None]
    request = sum(counts) if counts else None
    response = _count(usage, 'output_tokens')
    total = request + response if request is not None and response is not None else None
    return Usage(
        requests=1,
        request_tokens=request,
        response_tokens=response,
        total_tokens=total,
        details=_details(usage) or None,
    )


def answer_details(usage: object) -> dict[str, Any]:
    """The service tier in `usage`, and the usage of each iteration, for their prices."""
    if not isinstance(usage, Mapping):
        return {}
    details = {name: usage[name] for name in ('service_tier', 'speed', 'inference_geo') if text_of(usage.get(name))}
    iterations = usage.get('iterations')
    counted = [_priced(one) for one in iterations if isinstance(one, Mapping)] if isinstance(iterations, list) else []
    return {**details, 'iterations': counted} if len(counted) > 1 or any(one['model'] for one in counted) else details


def _priced(iteration: Mapping[str, Any]) -> dict[str, Any]:
    usage = anthropic_usage(iteration)
    counts = {'input': usage.request_tokens, 'output': usage.response_tokens, **(usage.details or {})}
    return {'model': text_of(iteration.get('model')), **counts}


def _details(usage: Mapping[str, Any]) -> dict[str, int]:
    server = usage.get('server_tool_use')
    searches = {name: count_of(count) for name, count in server.items()} if isinstance(server, Mapping) else {}
    counts = {name: _count(usage, *path) for name, path in _DETAILS.items()} | searches
    return {name: count for name, count in counts.items() if count}


def _count(usage: Mapping[str, Any], *path: str) -> int | None:
    """The top-level count, or the sum over the iterations if that is more; None if both are missing."""
    iterations = usage.get('iterations')
    parts = [_at(iteration, path) for iteration in iterations] if isinstance(iterations, list) else []
    counts = [sum(part for part in parts if part is not None)] if any(part is not None for part in parts) else []
    on_top = _at(usage, path)
    return max([*counts, on_top] if on_top is not None else counts, default=None)


def _at(usage: object, path: tuple[str, ...]) -> int | None:
    for name in path:
        usage = usage.get(name) if isinstance(usage, Mapping) else None
    return count_of(usage)
