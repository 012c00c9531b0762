"""The batch APIs of providers that speak Chat Completions, and their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._catalog.providers import Provider
from .._http.batches import Batches, BatchLimits
from .batches import FileBatches
from .mistral_batches import MistralBatches

if TYPE_CHECKING:
    from .._http.model import HttpModel

__all__ = ['chat_batches', 'responses_batches']

_OF_OPENAI = BatchLimits(rows=50_000, size=200 * 10**6)
"""https://platform.openai.com/docs/guides/batch; Azure has the same limits."""

_OF_GROQ = BatchLimits(rows=50_000, size=100 * 10**6)
"""https://console.groq.com/docs/batch."""


def chat_batches(model: HttpModel, provider: Provider, endpoint: str) -> Batches | None:
    """The batch API of the provider, or None if it has none that we know.

    Args:
        model: The model.
        provider: Its row.
        endpoint: The path of Chat Completions, with its query.
    """
    if provider.name == 'azure':
        root, _, _ = model.base_url.partition('/deployments/')
        # The rows name the deployment as their model, and their address lacks the `/v1` of OpenAI's.
        query = endpoint.partition('?')[2]
        return FileBatches(model, '/chat/completions', _OF_OPENAI, root=root, query=query)
    if provider.name == 'mistral':
        return MistralBatches(model)
    limits = {'openai': _OF_OPENAI, 'groq': _OF_GROQ}.get(provider.name)
    return FileBatches(model, '/v1/chat/completions', limits) if limits else None


def responses_batches(model: HttpModel, provider: Provider) -> Batches | None:
    """The batch API of the provider of a model that speaks Responses, or None."""
    return FileBatches(model, '/v1/responses', _OF_OPENAI) if provider.name == 'openai-responses' else None
