"""What answers cost in money, by the tables of genai-prices (extra `prices`)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from .exceptions import UserError
from .messages import ModelMessage, ModelResponse


def price_of(messages: Iterable[ModelMessage]) -> Decimal | None:
    """The price in US dollars of all answers among the messages, or None where that of one is not known.

    Raises:
        UserError: The extra is not installed.
    """
    prices = [_price(message) for message in messages if isinstance(message, ModelResponse)]
    known = [price for price in prices if price is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(prices) else None


def _price(response: ModelResponse) -> Decimal | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        raise UserError("Prices need the package genai-prices: pip install 'syncai-client[prices]'") from None
    usage, details = response.usage, response.usage.details or {}
    if not response.model_name or usage.request_tokens is None or usage.response_tokens is None:
        return None
    counts = Usage(
        input_tokens=usage.request_tokens,
        output_tokens=usage.response_tokens,
        cache_read_tokens=details.get('cached_tokens') or details.get('cache_read_tokens'),
        cache_write_tokens=details.get('cache_write_tokens'),
        input_audio_tokens=details.get('input_audio_tokens'),
        output_audio_tokens=details.get('output_audio_tokens'),
    )
    provider = _PROVIDER_IDS.get(response.provider_name or '', response.provider_name)
    try:
        found = calc_price(
            counts, response.model_name, provider_id=provider, genai_request_timestamp=response.timestamp
        )
    except (LookupError, ValueError):  # a model or a provider that is not listed, or counts that contradict each other
        return None
    # A rate that is not listed counts as nothing there, be it that it is free or that nobody knows.
    rates = (
        (usage.request_tokens, found.model_price.input_mtok),
        (usage.response_tokens, found.model_price.output_mtok),
    )
    if any(tokens and rate is None for tokens, rate in rates):
        return None
    price: Decimal = found.total_price
    return price


_PROVIDER_IDS = {'openai-responses': 'openai', 'google-vertex': 'google', 'bedrock': 'aws', 'xai': 'x-ai'}
