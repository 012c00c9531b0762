"""Limits of the requests to a provider, at a time and per minute, over all threads of this process."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Literal

from ._base.call_hints import explaining_arguments
from ._base.frozen import dataclass
from ._base.lazy import importer
from ._base.other_arguments import OF_LIMIT
from ._providers.names import provider_name
from ._providers.table import PROVIDERS
from .exceptions import UserError

if TYPE_CHECKING:
    from ._stores.ledger import Ledger

__all__ = ['limit', 'ProviderLimits', 'remove_limit']


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderLimits:
    """The limits of a provider or model, over all threads of this process; None for no limit.

    Args:
        requests_per_minute: Requests in any 60 seconds; every attempt counts, as providers count them.
        tokens_per_minute: Tokens of prompts and answers in any 60 seconds. Until an answer reports its usage, the
            prompt is estimated, and `max_tokens` is added if it is set.
        max_concurrency: Requests under way at a time, from sending until the answer was read.
        store: The store in which processes count together, or None for this process alone.
        on_store_error: Whether requests are sent (`open`) or refused (`closed`) while the store is unavailable.

    Raises:
        UserError: A limit is not above zero, or the store is not a store.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    store: Ledger | None = None
    on_store_error: Literal['open', 'closed'] = 'open'

    def __post_init__(self) -> None:
        if self.store is not None and not hasattr(self.store, 'reserve'):
            raise UserError(
                'store must be SQLite(path), Redis(url) or DjangoCache() of syncai.budgets, or None, '
                f'not {self.store!r:.100}'
            )
        if self.on_store_error not in ('open', 'closed'):
            raise UserError(f"on_store_error must be 'open' or 'closed', not {self.on_store_error!r:.100}")
        for one in fields(self)[:3]:
            value = getattr(self, one.name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UserError(f'{one.name} must be an integer above 0, or None for no limit, not {value!r}')


# Any thread adds, replaces and removes whole entries; the loop thread reads them. Without entries, requests pass
# without any further check.
limits_in_force: dict[str | None, ProviderLimits] = {}


def limit(
    name: str | None = None,
    *,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    max_concurrency: int | None = None,
    store: Ledger | None = None,
    on_store_error: Literal['open', 'closed'] = 'open',
) -> None:
    """From now on, requests to a provider or model wait for their turn, in the order in which they came.

    A pause that the provider asks for holds for all requests under the limit: after a 429, or with the last request of
    a quota, the other requests wait too (up to `HttpOptions.max_retry_wait`; models with `max_retries=0` do not wait
    for that). Without any number, this is the only effect. Calling it again replaces the limits, within a second also
    for waiting requests. The limits hold for each API key separately. A forked process begins with the same limits,
    unused.

    Args:
        name: A provider such as `openai`, or one of its models such as `openai:gpt-5.4-mini`: limits of both hold
            together. `gpt-5.4-mini` alone is the model of that name at each provider. None for the requests to all
            providers together.
        requests_per_minute: Requests in any 60 seconds, retries included.
        tokens_per_minute: Tokens in any 60 seconds.
        max_concurrency: Requests under way at a time.
        store: `SQLite(path)`, `Redis(url)` or `DjangoCache()` of `syncai.budgets`: then all processes with this store
            share the limits.
        on_store_error: While the store is unavailable, `'open'` sends requests, under the limits of this process alone,
            and `'closed'` refuses them.

    Raises:
        UserError: A limit is not an integer above zero, or `name` is not a name, or almost matches that of a provider.
    """
    limits_in_force[limit_key(name)] = ProviderLimits(
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        max_concurrency=max_concurrency,
        store=store,
        on_store_error=on_store_error,
    )


if not TYPE_CHECKING:
    limit = explaining_arguments(limit, 'limit()', OF_LIMIT)


def remove_limit(name: str | None = None) -> None:
    """Remove the limits of a provider or model (None: of all together), within a second also for waiting requests."""
    limits_in_force.pop(limit_key(name), None)


def quota_of(provider: str) -> str:
    """The provider whose quotas the requests count against: OpenAI counts both of its APIs together."""
    return provider.removesuffix('-responses')


def _near(name: str) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name.lower(), PROVIDERS, n=1, cutoff=0.75)), None)


def limit_key(name: str | None) -> str | None:
    """The key under which a limit is kept.

    Raises:
        UserError: The name is invalid, or almost matches that of a provider.
    """
    if name is None:
        return None
    if not isinstance(name, str) or not name.isprintable() or not all(part.strip() for part in name.split(':', 1)):
        raise UserError(f"name must be as 'openai' or 'openai:gpt-5.4-mini', or None for all, not {name!r:.100}")
    provider, colon, model = name.partition(':')
    provider, model = provider_name(provider), model.strip()
    if provider not in PROVIDERS and provider.isalpha() and (near := _near(provider)):
        raise UserError(
            f'There is no provider {provider!r}: did you mean {near + colon + model!r}? '
            f"A model of this name is limited as 'provider:{name}'"
        )
    return f'{quota_of(provider)}{colon}{model}'


if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})
