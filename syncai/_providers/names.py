"""The names of the providers in the table, and the prefixes of their own settings."""

from __future__ import annotations

from collections.abc import Mapping

from .table import PROVIDERS

__all__ = ['provider_name', 'setting_prefix', 'SETTING_PREFIXES']

_OTHER_NAMES: Mapping[str, str] = {other: row.name for row in PROVIDERS.values() for other in row.other_names}


def provider_name(name: str) -> str:
    """The table's name of a provider, which may be written in upper or lower case; an unknown name is unchanged."""
    plain = name.strip().lower().replace('_', '-')
    plain = _OTHER_NAMES.get(plain, plain)
    return plain if plain in PROVIDERS else name


def setting_prefix(provider: str) -> str:
    """The prefix of a provider's own settings."""
    return provider.replace('-', '_') + '_'


SETTING_PREFIXES = tuple(map(setting_prefix, PROVIDERS))
"""The prefixes of the settings of all providers."""
