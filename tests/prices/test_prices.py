"""The price of a run in money, where it is known."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from syncai._prices import price_of
from syncai.agent import Agent
from syncai.exceptions import UserError
from syncai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, TextPart
from syncai.models._anthropic.response import anthropic_response
from syncai.models._bedrock.response import converse_response
from syncai.models._chat.response import chat_response
from syncai.models._google.response import google_response
from syncai.models._responses.response import responses_response
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.runs import RunContext
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import Usage


def answer(model: str | None = 'gpt-4o', provider: str = 'openai', **counts: object) -> ModelResponse:
    usage = Usage(requests=1, request_tokens=1_000_000, response_tokens=100_000, **counts)  # type: ignore[arg-type]
    return ModelResponse([TextPart('x')], usage=usage, model_name=model, provider_name=provider)


def test_a_known_model_has_a_price() -> None:
    alone = price_of([ModelRequest.user_text_prompt('x'), answer()])
    assert alone is not None
    assert alone > 0
    assert price_of([answer(), answer()]) == 2 * alone
    assert price_of([answer(provider='openai-responses')]) == alone


def test_cached_tokens_cost_less() -> None:
    whole, cached = price_of([answer()]), price_of([answer(details={'cached_tokens': 900_000})])
    assert whole is not None
    assert cached is not None
    assert 0 < cached < whole


@pytest.mark.parametrize(
    'response',
    [
        answer('gpt-nobody-knows'),
        answer('gpt-4o', 'nobody'),
        answer(None),
        answer('qwen-3-coder-480b', 'cerebras'),  # listed, without a rate
        answer('amazon.titan-embed-text-v1', 'aws'),  # listed with a rate for prompts alone
        ModelResponse([TextPart('x')], model_name='gpt-4o', provider_name='openai', usage=Usage(requests=1)),
        answer(details={'cached_tokens': 5_000_000}),
    ],
)
def test_an_unknown_price_is_none_and_never_zero(response: ModelResponse) -> None:
    assert price_of([response]) is None
    assert price_of([answer(), response]) is None


# --- what the price depends on ----------------------------------------------------------------------------------------
# The expected rates are those that genai-prices 0.2.3 quotes from the providers' price pages. For a million tokens:
# gpt-5.5 5 and 30 dollars, half of it in batches and flex, 2.5 times of it with priority; Claude Sonnet 4.5 3 and 15,
# writes to its cache 3.75, or 6 for an hour; a thousand searches 10 dollars, with Gemini 3 14.

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def one(
    model: str = 'claude-sonnet-4-5',
    provider: str = 'anthropic',
    tokens: tuple[int, int] = (100_000, 10_000),
    parts: Sequence[TextPart] = (),
    stated: dict[str, Any] | None = None,
    **details: int,
) -> Decimal | None:
    usage = Usage(1, *tokens, sum(tokens), details or None)
    response = ModelResponse(
        parts, usage=usage, model_name=model, provider_name=provider, timestamp=NOW, provider_details=stated
    )
    return price_of([response])


def test_the_tier_decides_the_price() -> None:
    standard = one('gpt-5.5', 'openai')
    assert standard is not None
    assert standard == Decimal('0.8') == one('gpt-5.5', 'openai', stated={'service_tier': 'default'})
    assert one('gpt-5.5', 'openai', stated={'service_tier': 'flex'}) == standard / 2
    assert one('gpt-5.5', 'openai', stated={'service_tier': 'priority'}) == standard * Decimal('2.5')
    assert one('gpt-5.5', 'openai-responses', stated={'processing': 'batch'}) == standard / 2
    claude = one()
    assert claude is not None
    assert claude == Decimal('0.45')
    assert one(stated={'service_tier': 'batch'}) == claude / 2
    assert one(stated={'service_tier': 'standard', 'inference_geo': 'not_available', 'speed': 'standard'}) == claude
    assert one('openai/gpt-oss-120b', 'groq', stated={'service_tier': 'on_demand'}) is not None


@pytest.mark.parametrize(
    ('model', 'provider', 'stated'),
    [
        ('gpt-5.5', 'openai', {'service_tier': 'scale'}),  # bought beforehand
        ('gpt-4', 'openai', {'service_tier': 'priority'}),  # dearer, and not listed
        ('claude-sonnet-4-5', 'anthropic', {'service_tier': 'priority'}),
        ('claude-sonnet-4-5', 'anthropic', {'speed': 'fast'}),
        ('claude-sonnet-4-5', 'anthropic', {'inference_geo': 'us'}),  # a tenth more
        ('gemini-3.7-flash', 'google', {'service_tier': 'provisioned'}),
        ('amazon.nova-pro-v1:0', 'bedrock', {'latency': 'optimized'}),
        ('amazon.nova-pro-v1:0', 'bedrock', {'service_tier': 'priority'}),
    ],
)
def test_a_tier_that_is_not_listed_has_no_price(model: str, provider: str, stated: dict[str, Any]) -> None:
    assert one(model, provider) is not None
    assert one(model, provider, stated=stated) is None


def test_what_is_written_to_a_cache_for_an_hour_costs_more() -> None:
    short = one(cache_write_tokens=10_000)
    long = one(cache_write_tokens=10_000, cache_write_1h_tokens=10_000)
    assert short is not None
    assert long is not None
    assert long - short == Decimal('0.0225')
    assert one('us.anthropic.claude-sonnet-4-20250514-v1:0', 'bedrock', cache_write_tokens=9) is not None
    lasting = one(
        'us.anthropic.claude-sonnet-4-20250514-v1:0', 'bedrock', cache_write_tokens=9, cache_write_1h_tokens=9
    )
    assert lasting is None  # no rate for it is listed


def test_searches_of_the_provider_are_paid() -> None:
    for model, provider, fee in (
        ('claude-sonnet-4-5', 'anthropic', '0.03'),
        ('gemini-3.7-flash', 'google', '0.042'),
        ('gpt-5.5', 'openai-responses', '0.03'),
    ):
        plain, searched = one(model, provider), one(model, provider, web_search_requests=3)
        assert plain is not None
        assert searched is not None
        assert searched - plain == Decimal(fee)
    assert one('llama-3.3-70b-versatile', 'groq') is not None
    assert one('llama-3.3-70b-versatile', 'groq', web_search_requests=1) is None
    tools = [TextPart('x', provider_details={'executed_tools': [{'type': 'search'}]})]
    assert one('llama-3.3-70b-versatile', 'groq', parts=tools) is None
    assert one('gpt-4o-search-preview', 'openai') is None
    assert one('gpt-5.5', 'openai-responses', code_execution_requests=1) is None
    assert one('gpt-5.5', 'openai-responses', image_generation_tokens=1) is None


def test_tokens_that_nobody_listed_have_no_price() -> None:
    assert one('gpt-5.5', 'openai', output_audio_tokens=5) is None
    # 40 dollars a million, as https://openai.com/api/pricing has it, and listed as text alone.
    assert one('gpt-4o-audio-preview', 'openai', input_audio_tokens=5) is None
    assert one('gpt-audio', 'openai', input_audio_tokens=5) is not None
    assert one('gemini-2.5-pro', 'google', input_audio_tokens=5) is not None
    assert one('gemini-2.5-flash-image', 'google', output_image_tokens=1290) is not None
    assert one('gemini-2.5-flash', 'google', output_image_tokens=1290) is None
    hidden = ModelResponse(
        [TextPart('x')], usage=Usage(1, 10, 5, 20), model_name='gpt-5.5', provider_name='openai', timestamp=NOW
    )
    assert price_of([hidden]) is None  # five tokens of 20 are neither question nor answer


def test_cached_tokens_of_deepseek_and_moonshot_cost_less() -> None:
    for provider, model, counts in (
        ('deepseek', 'deepseek-v4-pro', {'prompt_cache_hit_tokens': 90_000, 'prompt_cache_miss_tokens': 10_000}),
        ('moonshot', 'kimi-k2.5', {'cached_tokens': 90_000}),
    ):
        body: dict[str, Any] = {'choices': [{'message': {'content': 'x'}, 'finish_reason': 'stop'}], 'model': model}
        usage = {'prompt_tokens': 100_000, 'completion_tokens': 1}
        whole = price_of([chat_response({**body, 'usage': usage}, provider, model)])
        cached = price_of([chat_response({**body, 'usage': {**usage, **counts}}, provider, model)])
        assert whole is not None
        assert cached is not None
        assert 0 < cached < whole / 2


def test_every_iteration_of_anthropic_has_its_own_price() -> None:
    # https://platform.claude.com/docs/en/build-with-claude/compaction: both are below the tier of 200,000 tokens.
    iterations = [
        {'type': 'compaction', 'input_tokens': 180_000, 'output_tokens': 3500},
        {'type': 'message', 'input_tokens': 23_000, 'output_tokens': 1000},
    ]
    usage: dict[str, Any] = {'input_tokens': 23_000, 'output_tokens': 1000, 'iterations': iterations}
    body: dict[str, Any] = {'content': [{'type': 'text', 'text': 'x'}], 'model': 'claude-sonnet-4-5', 'usage': usage}
    assert price_of([anthropic_response(body, 'anthropic', 'm')]) == Decimal('0.6765')
    advisor = {'type': 'advisor_message', 'model': 'claude-opus-4-5', 'input_tokens': 1000, 'output_tokens': 1000}
    advised = {**body, 'usage': {**usage, 'iterations': [*iterations, advisor]}}
    assert price_of([anthropic_response(advised, 'anthropic', 'm')]) == Decimal('0.6765') + Decimal('0.03')
    unknown = {**body, 'usage': {**usage, 'iterations': [*iterations, {**advisor, 'model': 'nobody'}]}}
    assert price_of([anthropic_response(unknown, 'anthropic', 'm')]) is None


def test_the_price_that_a_provider_states_is_the_price() -> None:
    # https://openrouter.ai/docs/use-cases/usage-accounting and https://docs.x.ai/developers/cost-tracking.
    assert one('anything', 'openrouter', stated={'cost': 0.00014}) == Decimal('0.00014')
    own_key = {'cost': 0.01, 'is_byok': True, 'cost_details': {'upstream_inference_cost': 0.2}}
    assert one('anything', 'openrouter', stated=own_key) == Decimal('0.21')
    assert one('anything', 'openrouter', stated={**own_key, 'cost_details': {}}) is None
    assert one('anything', 'xai', stated={'cost_in_usd_ticks': 318_319_000}) == Decimal('0.0318319')
    assert one('anything', 'nobody', stated={'cost': 1}) is None


def test_the_bodies_say_what_served_them() -> None:
    chat = {'choices': [{'message': {'content': 'x'}}], 'service_tier': 'flex', 'usage': {'cost': 0.5, 'x': 1}}
    assert chat_response(chat, 'openrouter', 'm').provider_details == {'service_tier': 'flex', 'cost': 0.5}
    message = {'type': 'message', 'role': 'assistant', 'content': [{'type': 'output_text', 'text': 'x'}]}
    search = {'type': 'web_search_call', 'action': {'type': 'search'}}
    opened = {'type': 'web_search_call', 'action': {'type': 'open_page'}}
    calls = [search, opened, {'type': 'file_search_call'}, {'type': 'code_interpreter_call'}, message]
    response = responses_response({'output': calls, 'service_tier': 'priority'}, 'openai-responses', 'm')
    assert response.provider_details == {'service_tier': 'priority'}
    assert response.usage.details == {
        'web_search_requests': 1,
        'file_search_requests': 1,
        'code_execution_requests': 1,
    }
    counted = {'web_search': {'num_requests': 4}, 'image_gen': {'total_tokens': 0}}
    again = responses_response({'output': calls, 'tool_usage': counted}, 'openai-responses', 'm')
    assert again.usage.details == {**(response.usage.details or {}), 'web_search_requests': 4}
    candidate = {'content': {'parts': [{'text': 'x'}]}, 'finishReason': 'STOP'}
    vertex = {'candidates': [candidate], 'usageMetadata': {'trafficType': 'ON_DEMAND_PRIORITY'}}
    assert google_response(vertex, 'google-vertex', 'm').provider_details == {'service_tier': 'priority'}
    converse = {
        'output': {'message': {'content': [{'text': 'x'}]}},
        'serviceTier': {'type': 'flex'},
        'performanceConfig': {'latency': 'standard'},
    }
    assert converse_response(converse, 'bedrock', 'm').provider_details == {
        'service_tier': 'flex',
        'latency': 'standard',
    }


def test_streams_say_what_served_them(model_server: ModelServer) -> None:
    chunk = {'id': 'c', 'model': 'm', 'service_tier': 'flex', 'choices': [{'index': 0, 'delta': {'content': 'x'}}]}
    end = {'id': 'c', 'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}], 'usage': {'cost': 0.5}}
    events = ''.join(f'data: {json.dumps(event)}\n\n' for event in (chunk, end))
    model_server.reply(Reply(body=f'{events}data: [DONE]\n\n', content_type='text/event-stream'))
    model = OpenAIChatModel('m', provider='openrouter', base_url=model_server.base_url, api_key='k')
    with Agent(model).run_stream_sync('x') as stream:
        stream.get_data()
        response = stream.all_messages()[-1]
    assert isinstance(response, ModelResponse)
    assert response.provider_details == {'service_tier': 'flex', 'cost': 0.5}
    assert price_of([response]) == Decimal('0.5')
    assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([response])) == [response]


def test_no_answer_has_no_price() -> None:
    assert price_of([]) is None


def test_the_price_of_a_run_is_that_of_its_own_requests(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('look')], usage=(1000, 100), model='gpt-4o'),
        Reply('done', usage=(2000, 100), model='gpt-4o'),
        Reply('more', usage=(1000, 100), model='gpt-4o'),
    )
    agent = Agent(OpenAIChatModel('gpt-4o', base_url=model_server.base_url))
    agent.tool_plain(look)
    first = agent.run_sync('x')
    second = agent.run_sync('y', message_history=first.all_messages())
    prices = first.price, second.price
    assert all(isinstance(price, Decimal) for price in prices)
    assert prices[0] > 2 * prices[1]  # type: ignore[operator]
    assert first.price is not None
    assert first.price() == first.price  # a method before
    assert Agent(TestModel()).run_sync('x').price is None


def test_usage_has_its_price_beside_the_tokens(model_server: ModelServer) -> None:
    model_server.reply(*(Reply('yes', usage=(1000, 100), model='gpt-4o') for _ in range(3)))
    agent = Agent(OpenAIChatModel('gpt-4o', base_url=model_server.base_url))
    first = agent.run_sync('x')
    assert first.price == first.usage().price == price_of([answer_of(1000, 100)]) == Decimal('0.0035')
    second = agent.run_sync('y', usage=first.usage())
    assert second.price == first.price
    assert second.usage().price == 2 * Decimal('0.0035')
    with agent.run_stream_sync('z') as stream:
        stream.get_data()
        assert stream.usage().price == Decimal('0.0035')
    assert (first.usage() + second.usage()).price == 3 * Decimal('0.0035')
    assert sum((first.usage(), first.usage()), Usage()).price == 2 * Decimal('0.0035')
    assert (first.usage() + Usage(requests=1)).price is None
    assert pickle.loads(pickle.dumps(second)).usage().price == second.usage().price
    assert first.usage() == Usage(1, 1000, 100, 1100)
    assert first.response.price == first.price


def test_a_nested_run_is_part_of_the_price(model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('ask')], usage=(1000, 100), model='gpt-4o'),
        Reply('inner', usage=(1000, 100), model='gpt-4o'),
        Reply('outer', usage=(1000, 100), model='gpt-4o'),
    )
    inner, outer = (Agent(OpenAIChatModel('gpt-4o', base_url=model_server.base_url)) for _ in range(2))

    @outer.tool
    def ask(ctx: RunContext[None]) -> str:
        assert ctx.usage.price == Decimal('0.0035')
        run = inner.run_sync('z', usage=ctx.usage)
        assert run.price == Decimal('0.0035')
        return run.data

    result = outer.run_sync('x')
    assert result.price == result.usage().price == 3 * Decimal('0.0035')


def answer_of(prompt: int, generated: int) -> ModelResponse:
    usage = Usage(requests=1, request_tokens=prompt, response_tokens=generated)
    return ModelResponse([TextPart('x')], usage=usage, model_name='gpt-4o', provider_name='openai')


def look() -> str:
    return 'found'


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'genai_prices', None)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[prices]'"):
        price_of([answer()])
