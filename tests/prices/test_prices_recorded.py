"""The price of answers, read and priced by syncai, and by genai-prices alone from the bodies of the providers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from beside import RECORDINGS
from replay import conversations

from syncai._prices import price_of
from syncai.messages import ModelResponse
from syncai.models._anthropic.response import anthropic_response
from syncai.models._chat.response import chat_response
from syncai.models._google.response import google_response
from syncai.models._responses.response import responses_response

genai = pytest.importorskip('genai_prices')

NOW = datetime(2026, 11, 22, tzinfo=UTC)
Read = Callable[[dict[str, Any], str, str], ModelResponse]
# The directory of the recordings, the reader of the format, the provider there and here, and what genai-prices calls
# the format.
FORMATS: list[tuple[str, Read, str, str, str]] = [
    ('openai_chat', chat_response, 'openai', 'openai', 'chat'),
    ('openai_responses', responses_response, 'openai', 'openai-responses', 'responses'),
    ('anthropic', anthropic_response, 'anthropic', 'anthropic', 'default'),
    ('google', google_response, 'google', 'google', 'default'),
    ('groq', chat_response, 'groq', 'groq', 'default'),
    ('mistral', chat_response, 'mistral', 'mistral', 'default'),
    ('deepseek', chat_response, 'deepseek', 'deepseek', 'chat'),
]


def bodies() -> Iterator[Any]:
    """Every whole answer that reports what it used."""
    for folder, read, theirs, ours, flavor in FORMATS:
        for conversation in conversations(folder).values():
            for exchange in conversation:
                other = folder == 'openai_chat' and exchange.url.endswith('/responses')
                if exchange.status != 200 or other or 'json' not in exchange.content_type:
                    continue
                body = exchange.json
                if isinstance(body, dict) and (body.get('usage') or body.get('usageMetadata')):
                    yield pytest.param(body, read, theirs, ours, flavor, id=f'{folder}-{exchange.name}')


def batched() -> Iterator[Any]:
    """The answers of recorded batches."""
    for name, read, theirs, ours, flavor in (
        ('openai_responses_two_answers', responses_response, 'openai', 'openai-responses', 'responses'),
        ('anthropic_two_answers', anthropic_response, 'anthropic', 'anthropic', 'default'),
    ):
        path = RECORDINGS / 'batch' / f'{name}.json'
        last = json.loads(path.read_text())[-1]['response']['body'] if path.exists() else ''
        for number, line in enumerate(last.splitlines()):
            row = json.loads(line)
            body = row['response']['body'] if 'response' in row else row['result']['message']
            yield pytest.param(body, read, theirs, ours, flavor, id=f'{name}-{number}')


def priced_alone(body: dict[str, Any], provider: str, flavor: str, **context: str) -> Decimal | None:
    """The price by genai-prices, which reads the counts itself."""
    try:
        extracted = genai.extract_usage(body, provider_id=provider, api_flavor=flavor)
        price = extracted.calc_price(genai_request_timestamp=NOW, price_context=context or None)
    except (LookupError, ValueError):  # it knows no such model
        return None
    total: Decimal = price.total_price
    return total


def at(response: ModelResponse, **details: str) -> ModelResponse:
    return replace(response, timestamp=NOW, provider_details={**(response.provider_details or {}), **details})


@pytest.mark.needs_recordings
@pytest.mark.parametrize(('body', 'read', 'theirs', 'ours', 'flavor'), list(bodies()))
def test_answers(body: dict[str, Any], read: Read, theirs: str, ours: str, flavor: str) -> None:
    price = price_of([at(read(body, ours, 'a-model'))])
    assert price == priced_alone(body, theirs, flavor)


@pytest.mark.needs_recordings
@pytest.mark.parametrize(('body', 'read', 'theirs', 'ours', 'flavor'), list(batched()))
def test_answers_of_batches(body: dict[str, Any], read: Read, theirs: str, ours: str, flavor: str) -> None:
    price = price_of([at(read(body, ours, 'a-model'), processing='batch')])
    assert price is not None
    assert price == priced_alone(body, theirs, flavor, processing='batch')
    assert 2 * price == priced_alone(body, theirs, flavor)


def chat(model: str, usage: dict[str, Any]) -> dict[str, Any]:
    return {'model': model, 'choices': [{'message': {'content': 'x'}, 'finish_reason': 'stop'}], 'usage': usage}


def claude(**usage: Any) -> dict[str, Any]:
    return {'model': 'claude-sonnet-4-5', 'content': [{'type': 'text', 'text': 'x'}], 'usage': usage}


def gemini(model: str, **usage: Any) -> dict[str, Any]:
    candidate = {'content': {'parts': [{'text': 'x'}]}, 'finishReason': 'STOP'}
    return {'candidates': [candidate], 'modelVersion': model, 'usageMetadata': usage}


WRITTEN_OUT = {
    'cached tokens of OpenAI': (
        chat(
            'gpt-5.5',
            {'prompt_tokens': 9000, 'completion_tokens': 10, 'prompt_tokens_details': {'cached_tokens': 8000}},
        ),
        FORMATS[0],
    ),
    'sounds of OpenAI': (
        chat(
            'gpt-audio',
            {
                'prompt_tokens': 900,
                'completion_tokens': 500,
                'prompt_tokens_details': {'audio_tokens': 700},
                'completion_tokens_details': {'audio_tokens': 400},
            },
        ),
        FORMATS[0],
    ),
    'writes of Anthropic for minutes and for an hour': (
        claude(
            input_tokens=100,
            output_tokens=50,
            cache_read_input_tokens=4000,
            cache_creation_input_tokens=3000,
            cache_creation={'ephemeral_5m_input_tokens': 1000, 'ephemeral_1h_input_tokens': 2000},
        ),
        FORMATS[2],
    ),
    'searches of Anthropic': (
        claude(input_tokens=100, output_tokens=50, server_tool_use={'web_search_requests': 3}),
        FORMATS[2],
    ),
    'a prompt of Anthropic above 200,000 tokens': (claude(input_tokens=250_000, output_tokens=50), FORMATS[2]),
    'thoughts and cached tokens of Gemini': (
        gemini(
            'gemini-2.5-pro',
            promptTokenCount=5000,
            cachedContentTokenCount=4000,
            candidatesTokenCount=20,
            thoughtsTokenCount=300,
            totalTokenCount=5320,
        ),
        FORMATS[3],
    ),
    'sounds for Gemini': (
        gemini(
            'gemini-2.5-flash',
            promptTokenCount=5000,
            promptTokensDetails=[{'modality': 'TEXT', 'tokenCount': 1000}, {'modality': 'AUDIO', 'tokenCount': 4000}],
            candidatesTokenCount=20,
            totalTokenCount=5020,
        ),
        FORMATS[3],
    ),
}


@pytest.mark.parametrize('name', WRITTEN_OUT)
def test_counts_that_no_recording_has(name: str) -> None:
    body, (_, read, theirs, ours, flavor) = WRITTEN_OUT[name]
    price = price_of([at(read(body, ours, str(body.get('model') or body.get('modelVersion'))))])
    assert price is not None
    assert price == priced_alone(body, theirs, flavor)
