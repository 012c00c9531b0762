"""Token counts under the names and in the places of servers of Chat Completions; pure. In addition to OpenAI's names:
Moonshot counts in the last choice of a stream and has `cached_tokens` on top
(https://platform.moonshot.ai/docs/api/chat), DeepSeek has `prompt_cache_hit_tokens`
(https://api-docs.deepseek.com/guides/kv_cache), LiteLLM and Databricks have the names of Anthropic's cache beside those
of OpenAI (https://docs.litellm.ai/docs/completion/prompt_caching), gateways to Anthropic have its names alone, Groq
counts in `x_groq` (https://console.groq.com/docs/api-reference), and some servers count in floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...usage import Usage
from .._http.answers import count_of, text_of

_PROMPT = ('prompt_tokens', 'input_tokens')
_ANSWER = ('completion_tokens', 'output_tokens')
_CACHE_READ = ('cached_tokens', 'prompt_cache_hit_tokens', 'cache_read_input_tokens')
_CACHE_WRITE = 'cache_creation_input_tokens'
_ON_TOP = ('prompt_cache_hit_tokens', 'prompt_cache_miss_tokens', 'num_search_queries', 'num_sources_used')
_PLAIN = frozenset({*_PROMPT, *_ANSWER, 'total_tokens'})
_COSTS = ('cost', 'cost_details', 'cost_in_usd_ticks', 'is_byok')
_SIDES = {'input': ('prompt_tokens_details', 'input_tokens_details')}
_SIDES['output'] = ('completion_tokens_details', 'output_tokens_details')
_OF_BOTH_SIDES = frozenset({'audio_tokens', 'text_tokens', 'image_tokens', 'video_tokens'})


def usage_in(body: Mapping[str, Any], choice: object = None) -> object:
    """The `usage` of an answer or of an event, wherever it stands; None if there is none."""
    for place in (body, body.get('x_groq'), choice):
        usage = place.get('usage') if isinstance(place, dict) else None
        if isinstance(usage, dict) and usage:
            return usage
    return None


def chat_usage(usage: object) -> Usage:
    """The counts in a `usage` field, as one request."""
    if not isinstance(usage, dict):
        return Usage(requests=1)
    request, response, total = _first(usage, _PROMPT), _first(usage, _ANSWER), count_of(usage.get('total_tokens'))
    details = _details(usage)
    if request is not None:
        request += _outside_of_prompt(usage, request, details)
    if request is not None and response is not None:
        total = max(total or 0, request + response)
        if total == request + response + details.get('reasoning_tokens', 0):  # xAI counts thoughts beside the answer
            response = total - request
    return Usage(
        requests=1, request_tokens=request, response_tokens=response, total_tokens=total, details=details or None
    )


def answer_details(body: Mapping[str, Any], usage: object) -> dict[str, Any]:
    """The service tier and the cost in a body or a chunk, if present.

    Sources: https://openrouter.ai/docs/use-cases/usage-accounting and https://docs.x.ai/developers/cost-tracking.
    """
    details = {'service_tier': body['service_tier']} if text_of(body.get('service_tier')) else {}
    if isinstance(usage, dict) and not usage.keys().isdisjoint(_COSTS):
        details.update((name, usage[name]) for name in _COSTS if usage.get(name) is not None)
    return details


def later_usage(earlier: Usage, usage: object) -> Usage:
    """The counts after another `usage` of the same stream: its counts replace earlier ones, except zeros."""
    new = chat_usage(usage)
    request, response = new.request_tokens or earlier.request_tokens, new.response_tokens or earlier.response_tokens
    total = new.total_tokens or earlier.total_tokens
    if request is not None and response is not None:
        total = max(total or 0, request + response)
    details = {**(earlier.details or {}), **(new.details or {})}
    return Usage(
        requests=1, request_tokens=request, response_tokens=response, total_tokens=total, details=details or None
    )


def _first(usage: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first count that is not zero, else zero if one of the names is present."""
    first = None
    for name in names:
        if name in usage and (count := count_of(usage[name])) is not None:
            if count:
                return count
            first = 0
    return first


def _outside_of_prompt(usage: Mapping[str, Any], prompt: int, details: Mapping[str, int]) -> int:
    """Cached tokens outside of the prompt's count, as under Anthropic's names; others include them."""
    cached = details.get('cached_tokens', 0) + details.get('cache_write_tokens', 0)
    of_anthropic = 'prompt_tokens' not in usage and ('cache_read_input_tokens' in usage or _CACHE_WRITE in usage)
    return cached if of_anthropic or cached > prompt else 0


def _details(usage: Mapping[str, Any]) -> dict[str, int]:
    details: dict[str, int] = {}
    if usage.keys() <= _PLAIN:
        return details
    for side, fields in _SIDES.items():
        for field in fields:
            if isinstance(counts := usage.get(field), dict):
                details.update((_name(side, key), count) for key, value in counts.items() if (count := count_of(value)))
    for key in _ON_TOP:
        if key in usage and (count := count_of(usage[key])):
            details[key] = count
    if 'cached_tokens' not in details and (read := _first(usage, _CACHE_READ)):
        details['cached_tokens'] = read
    if 'cache_write_tokens' not in details and (write := count_of(usage.get(_CACHE_WRITE))):
        details['cache_write_tokens'] = write
    return details


def _name(side: str, key: str) -> str:
    # Both sides count these: keep a count for the prompt and one for the answer.
    return f'{side}_{key}' if key in _OF_BOTH_SIDES else key
