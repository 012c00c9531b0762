"""The prices of answers: as the provider reports them, or by the tables of genai-prices (extra `prices`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..exceptions import UserError

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

    from ..messages import ModelMessage, ModelResponse

_PROVIDER_IDS = {
    'bedrock': 'aws',
    'google-vertex': 'google',
    'moonshot': 'moonshotai',
    'openai-responses': 'openai',
    'xai': 'x-ai',
}
_SOUND_COSTS_MORE = frozenset(
    {'azure', 'openai', 'openai-responses'}
)  # than text; with Google some models take as much
_STANDARD_TIERS = frozenset({'auto', 'default', 'on_demand', 'standard', 'standard_only'})
_SAME_PRICE = frozenset({('groq', 'flex')})
"""Tiers that cost what the standard one does: https://console.groq.com/docs/flex-processing."""

_GLOBAL = frozenset({'global', 'not_available'})
_TICKS_OF_A_DOLLAR = 10**10  # of xAI, see https://docs.x.ai/developers/cost-tracking

# Our name of a count, that of genai-prices, and the rate without which the price would be too low: a rate that is not
# listed counts as nothing there, or as that of plain tokens.
_COUNTS = (
    ('cached_tokens', 'cache_read_tokens', None),
    ('cache_write_tokens', 'cache_write_tokens', 'cache_write_mtok'),
    ('cache_write_1h_tokens', 'cache_write_1h_tokens', 'cache_write_1h_mtok'),
    ('input_audio_tokens', 'input_audio_tokens', None),
    ('output_audio_tokens', 'output_audio_tokens', 'output_audio_mtok'),
    ('output_image_tokens', 'output_image_tokens', 'output_image_mtok'),
    ('web_search_requests', 'web_searches', 'web_searches_kcount'),
    ('file_search_requests', 'storage_searches', 'storage_searches_kcount'),
    ('code_execution_requests', 'code_executions', 'code_executions_kcount'),
)
_LISTED_FEES = frozenset({'web_searches', 'storage_searches', 'code_executions'})  # of some models
_NO_FEES: Mapping[str, int] = MappingProxyType({})
# Paid, and in no table.
_WITHOUT_RATE = (
    'image_generation_requests',
    'image_generation_tokens',
    'num_search_queries',
    'num_sources_used',
    'output_video_tokens',
)


def price_of(messages: Iterable[ModelMessage]) -> Decimal | None:
    """The price in US dollars of all answers among the messages, or None if that of one is not known.

    It is never too low: an answer whose tier, searches or kinds of tokens have no listed rate has no known price.

    Raises:
        UserError: The extra is not installed.
    """
    prices = [_price(message) for message in messages if message.kind == 'response']
    whole = [price for price in prices if price is not None]
    return sum(whole, Decimal(0)) if whole and len(whole) == len(prices) else None


def _price(response: ModelResponse) -> Decimal | None:
    of_provider = stated_price(response)
    if of_provider is not None or not response.model_name or _has_paid_extras(response):
        return of_provider
    prices = [_price_of_counts(response, model, counts) for model, counts in _iterations(response)]
    whole = [price for price in prices if price is not None]
    return sum(whole, Decimal(0)) if whole and len(whole) == len(prices) else None


def stated_price(response: ModelResponse) -> Decimal | None:
    """The price that the provider reports, which is exact; None if it reports none.

    Sources: https://openrouter.ai/docs/use-cases/usage-accounting and https://docs.x.ai/developers/cost-tracking.
    """
    details = response.provider_details or {}
    ticks, cost = details.get('cost_in_usd_ticks'), details.get('cost')
    if response.provider_name == 'xai' and _is_number(ticks):
        return Decimal(str(ticks)) / _TICKS_OF_A_DOLLAR
    if response.provider_name != 'openrouter' or not _is_number(cost):
        return None
    if not details.get('is_byok'):
        return Decimal(str(cost))
    upstream = (details.get('cost_details') or {}).get('upstream_inference_cost')  # paid with the user's own key
    return Decimal(str(cost)) + Decimal(str(upstream)) if _is_number(upstream) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_paid_extras(response: ModelResponse) -> bool:
    """Whether the answer has a cost that no table lists: tools of Groq, the searches of OpenAI's search models."""
    if any((part.provider_details or {}).get('executed_tools') for part in response.parts):
        return True
    searches = response.provider_name in ('azure', 'openai') and '-search-' in (response.model_name or '')
    usage, details = response.usage, response.usage.details or {}
    counted = (usage.request_tokens or 0) + (usage.response_tokens or 0)
    return searches or (usage.total_tokens or 0) > counted or any(details.get(name) for name in _WITHOUT_RATE)


def _iterations(response: ModelResponse) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each model that worked on this answer, with its counts; with Anthropic these may be several."""
    model, usage = response.model_name or '', response.usage
    generated = usage.response_tokens
    if generated is None and usage.total_tokens is not None and usage.total_tokens == usage.request_tokens:
        generated = 0  # Google leaves counts of 0 out, as that of an answer that it blocked
    whole = {'input': usage.request_tokens, 'output': generated, **(usage.details or {})}
    iterations = (response.provider_details or {}).get('iterations')
    if not isinstance(iterations, list) or not _covers(iterations, whole):
        yield model, whole
        return
    searches = {name: count for name, count in (usage.details or {}).items() if name.endswith('_requests')}
    for number, counts in enumerate(iterations):
        yield counts.get('model') or model, counts if number else {**counts, **searches}


def _covers(iterations: list[dict[str, Any]], whole: Mapping[str, Any]) -> bool:
    return all(sum(one.get(name) or 0 for one in iterations) >= (whole[name] or 0) for name in ('input', 'output'))


def price_of_tokens(
    system: str,
    model_name: str,
    tokens: int,
    generated: int,
    *,
    tier: str | None = None,
    caches: bool = False,
    fees: Mapping[str, int] = _NO_FEES,
    sounds: int = 0,
) -> Decimal | None:
    """The price of a prompt and an answer of these tokens, or None if it is not known.

    Args:
        system: The provider.
        model_name: The model.
        tokens: Those of the prompt.
        generated: Those of the answer.
        tier: The service tier, if it is not the standard one.
        caches: Whether the prompt may be written to a cache, which costs more with some providers.
        fees: The numbers of other billed uses, such as `web_searches`, by the names of genai-prices.
        sounds: How many of the tokens of the prompt are sounds.

    Raises:
        UserError: The extra is not installed.
    """
    plain = {'input_tokens': tokens, 'output_tokens': generated}
    heard = {'input_audio_tokens': min(sounds, tokens)} if sounds else {}
    prices = [_listed_price(system, model_name, tier, fees, **plain, **heard)]
    for kind in ('cache_write_tokens', 'cache_write_1h_tokens') if caches and prices[0] is not None else ():
        counts = {'input_tokens': tokens, 'cache_write_tokens': tokens, 'output_tokens': generated, kind: tokens}
        prices.append(_listed_price(system, model_name, tier, fees, **counts))
    return max((price for price in prices if price is not None), default=None)


def _listed_price(
    system: str, model_name: str, tier: str | None, fees: Mapping[str, int], **counts: int
) -> Decimal | None:
    genai, now = _genai_prices(), datetime.now(UTC)
    context = {} if tier is None else {'service_tier': tier}
    provider = _PROVIDER_IDS.get(system, system)
    if not fees.keys() <= _LISTED_FEES:
        return None
    try:
        usage = genai.Usage(**counts, **fees)
        price = genai.calc_price(
            usage, model_name, provider_id=provider, genai_request_timestamp=now, price_context=context
        )
    except (LookupError, ValueError):
        return None
    rates = [price.model_price.input_mtok, price.model_price.output_mtok]
    rates += [getattr(price.model_price, f'{name}_kcount', None) for name in fees]
    if 'input_audio_tokens' in counts and system in _SOUND_COSTS_MORE:
        rates.append(price.model_price.input_audio_mtok)
    total: Decimal = price.total_price
    return total if None not in rates and _is_listed(price, context, now) else None


def check_installed() -> None:
    """Raise UserError unless the extra is installed."""
    _genai_prices()


def _genai_prices() -> Any:
    try:
        import genai_prices
    except ImportError:
        raise UserError("Prices need the package genai-prices: pip install 'syncai-client[prices]'") from None
    return genai_prices


def _price_of_counts(response: ModelResponse, model: str, counts: Mapping[str, Any]) -> Decimal | None:
    genai = _genai_prices()
    tokens, generated = counts.get('input'), counts.get('output')
    if tokens is None or generated is None:
        return None
    theirs_by_name = {theirs: counts[ours] for ours, theirs, _ in _COUNTS if counts.get(ours)}
    context = dict(_context(response))
    try:
        price = genai.calc_price(
            genai.Usage(input_tokens=tokens, output_tokens=generated, **theirs_by_name),
            model,
            provider_id=_PROVIDER_IDS.get(response.provider_name or '', response.provider_name),
            genai_request_timestamp=response.timestamp,
            price_context=context or None,
        )
    except (LookupError, ValueError):  # a model or a provider that is not listed, or counts that contradict each other
        return None
    rates = [('input_mtok', tokens), ('output_mtok', generated)]
    rates += [(rate, counts.get(ours)) for ours, _, rate in _COUNTS if rate is not None]
    if response.provider_name in _SOUND_COSTS_MORE:
        rates.append(('input_audio_mtok', counts.get('input_audio_tokens')))
    if any(count and getattr(price.model_price, rate) is None for rate, count in rates):
        return None
    total: Decimal = price.total_price
    return total if _is_listed(price, context, response.timestamp) else None


def _context(response: ModelResponse) -> Iterator[tuple[str, str]]:
    """The differences of this answer from one at the standard price."""
    details = response.provider_details or {}
    tier = str(details.get('service_tier') or 'default').lower()
    if tier == 'batch' or details.get('processing') == 'batch':
        yield 'processing', 'batch'
    elif tier not in _STANDARD_TIERS and (response.provider_name, tier) not in _SAME_PRICE:
        yield 'service_tier', tier
    for name, standard in (('speed', {'standard'}), ('latency', {'standard'}), ('inference_geo', _GLOBAL)):
        if details.get(name) and details[name] not in standard:
            yield name, details[name]


def _is_listed(price: PriceCalculation, context: Mapping[str, str], moment: datetime) -> bool:
    """Whether the table has rates for all of the context: unknown entries get the standard price."""
    variants = [
        variant
        for variant in price.model.price_variants or ()
        if variant.constraint is None or variant.constraint.active(moment)
    ]
    fitting = [variant.when for variant in variants if variant.when.items() <= context.items()]
    return all(any(name in when for when in fitting) for name in context)
