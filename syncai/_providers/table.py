"""The table of providers: a server that speaks a known wire format is one more row, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from .hosted_rows import HOSTED
from .local_rows import SELF_HOSTED
from .provider import Provider

__all__ = ['ENDED', 'PROVIDERS']

PROVIDERS: Mapping[str, Provider] = {row.name: row for row in (*HOSTED, *SELF_HOSTED)}
"""The rows by their names. All other places that need the name of each provider read it here."""

ENDED: Mapping[str, str] = {
    'github': (
        "The provider 'github' is gone: GitHub Models ended on 2026-07-30. "
        "Take the model from its own provider, such as 'openai:gpt-5.4-mini', or from azure, huggingface or openrouter"
    ),
}
"""Providers that are gone, and what to do instead."""
