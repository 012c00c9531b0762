"""Counts of tokens and searches as Gemini writes them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...usage import Usage
from .._http.answers import count_of, text_of

_TIERS = {
    'ON_DEMAND': 'standard',
    'ON_DEMAND_FLEX': 'flex',
    'ON_DEMAND_PRIORITY': 'priority',
    'PROVISIONED_THROUGHPUT': 'provisioned',
}
METADATA = ('groundingMetadata', 'urlContextMetadata', 'citationMetadata')
"""The sources of an answer, as its candidate names them. They are not sent back: requests have no such fields."""


def google_usage(counts: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> Usage:
    """The counts in a `usageMetadata` field, as one request. Gemini counts thoughts in addition to the answer, and the
    input of its own tools in addition to the prompt. Searches are not counted but listed in the metadata of the answer;
    each is billed, see https://ai.google.dev/gemini-api/docs/google-search.
    """
    prompt, of_tools = count_of(counts.get('promptTokenCount')), count_of(counts.get('toolUsePromptTokenCount'))
    answer, thoughts = count_of(counts.get('candidatesTokenCount')), count_of(counts.get('thoughtsTokenCount'))
    request = None if prompt is None and of_tools is None else (prompt or 0) + (of_tools or 0)
    response = None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0)
    total = count_of(counts.get('totalTokenCount'))
    if total is None and request is not None and response is not None:
        total = request + response
    details = {
        'cached_tokens': count_of(counts.get('cachedContentTokenCount')),
        'reasoning_tokens': thoughts,
        'tool_use_tokens': of_tools,
        'web_search_requests': _searches(metadata or {}),
        **_modalities('input', counts.get('promptTokensDetails')),
        **_modalities('output', counts.get('candidatesTokensDetails')),
    }
    return Usage(
        requests=1,
        request_tokens=request,
        response_tokens=response,
        total_tokens=total,
        details={name: count for name, count in details.items() if count} or None,
    )


def answer_details(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The tier of an answer, as the Gemini API or Vertex AI names it.

    Sources: https://ai.google.dev/gemini-api/docs/optimization and the type `TrafficType` of google-genai.
    """
    tier = text_of(counts.get('serviceTier')) or _TIERS.get(text_of(counts.get('trafficType')) or '')
    return {'service_tier': tier.lower()} if tier else {}


def _modalities(side: str, details: object) -> dict[str, int | None]:
    """The counts of other content than text, under the names of other providers."""
    counts: dict[str, int | None] = {}
    for item in details if isinstance(details, list) else ():
        modality = text_of(item.get('modality')) if isinstance(item, dict) else None
        if modality and modality != 'TEXT':
            counts[f'{side}_{modality.lower()}_tokens'] = count_of(item.get('tokenCount'))
    return counts


def _searches(metadata: Mapping[str, Any]) -> int:
    grounding = metadata.get('groundingMetadata')
    queries = grounding.get('webSearchQueries') if isinstance(grounding, Mapping) else None
    return len(queries) if isinstance(queries, list) else 0
