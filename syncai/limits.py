"""How much of a provider this process uses at a time and in a minute, whatever thread asks."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .exceptions import UserError

__all__ = ['limit', 'limits_in_force', 'ProviderLimits', 'remove_limit']


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderLimits:
    """What all threads of this process together may ask of a provider; None for no limit.

    Args:
        requests_per_minute: Requests in any 60 seconds; every attempt counts, as it does for the providers.
        tokens_per_minute: Tokens of prompts and answers in any 60 seconds. Before an answer has told what it used, its
            prompt is estimated, and `max_tokens` is added where it is set.
        max_concurrency: Requests under way at a time, from when they are sent until their answer was read.

    Raises:
        UserError: A limit is not above zero.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UserError(f'{one.name} must be an integer above 0, or None for no limit, not {value!r}')


# Entries are put, replaced and removed whole by any thread, and read on the loop thread. Empty: requests pass without a
# look at anything else.
limits_in_force: dict[str | None, ProviderLimits] = {}


def limit(
    provider: str | None = None,
    *,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    max_concurrency: int | None = None,
) -> None:
    """From now on, requests to a provider wait for their turn, in the order in which they came.

    A provider that is limited is also left in peace for as long as it asks for it: after a 429, or with the last
    request of a quota, its other requests wait too (up to `HttpOptions.max_retry_wait`; models with `max_retries=0`
    do not wait for that). Without any number, that is all that changes. Calling it again replaces the limits.

    Each API key of a provider has these limits for itself. A forked process begins with the same limits, unused.

    Args:
        provider: The provider's name, such as `openai`: what models give as `system`; None for the requests to all
            providers together.
        requests_per_minute: Requests in any 60 seconds, retries included.
        tokens_per_minute: Tokens in any 60 seconds.
        max_concurrency: Requests under way at a time.

    Raises:
        UserError: A limit is not an integer above zero, or `provider` is no name.
    """
    if provider is not None and (not isinstance(provider, str) or not provider or ':' in provider):
        raise UserError(f"provider must be a name such as 'openai', or None for all together, not {provider!r:.100}")
    limits_in_force[provider] = ProviderLimits(
        requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute, max_concurrency=max_concurrency
    )


def remove_limit(provider: str | None = None) -> None:
    """From now on, requests to a provider (None: to all together) do not wait; those that wait already do go on."""
    limits_in_force.pop(provider, None)
