"""A warning for answers without token counts under a limit of tokens."""

from __future__ import annotations

from .._base.system import warn_in_log
from ..messages import ModelResponse

# Added to by any thread, under no lock: at worst a warning is logged twice.
_warned: set[tuple[str | None, str]] = set()


def warn_uncounted(response: ModelResponse, model_name: str) -> None:
    """Log, once for a model, that a limit of tokens cannot hold since the provider does not count them."""
    usage, key = response.usage, (response.provider_name, model_name)
    if usage.request_tokens is usage.response_tokens is usage.total_tokens is None and key not in _warned:
        _warned.add(key)
        warn_in_log(
            'Model %r of %s does not say how many tokens it used: the limits of tokens in UsageLimits cannot hold; '
            'limit requests with request_limit',
            model_name,
            response.provider_name or 'an unknown provider',
        )
