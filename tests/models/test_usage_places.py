"""Counts of tokens in the places and under the names that servers use, and the limits that hold for them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from streams import eventually

from syncai.agent import Agent
from syncai.exceptions import UsageLimitExceeded
from syncai.models._anthropic.response import AnthropicStreamDecoder, anthropic_response
from syncai.models._anthropic.usage import anthropic_usage
from syncai.models._bedrock.response import converse_usage
from syncai.models._chat.response import ChatStreamDecoder, chat_response
from syncai.models._chat.usage import chat_usage
from syncai.models._google.response import GoogleStreamDecoder
from syncai.models._http.parts import PartsBuilder
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply
from syncai.usage import Usage, UsageLimits

PAIR = {'prompt_tokens': 7, 'completion_tokens': 3, 'total_tokens': 10}


def streamed(*chunks: dict[str, Any]) -> Usage:
    decoder = ChatStreamDecoder(PartsBuilder(), 'openai', 'm')
    decoder.feed([*map(json.dumps, chunks), '[DONE]'], [])
    return decoder.usage


def chunk(reason: str | None = None, usage: object = None, **more: Any) -> dict[str, Any]:
    choice = {'index': 0, 'delta': {} if reason else {'content': 'x'}, 'finish_reason': reason, **more}
    return {'id': 'c', 'model': 'm', 'choices': [choice], 'usage': usage}


def numbers(usage: Usage) -> tuple[int | None, int | None, int | None, dict[str, int] | None]:
    return usage.request_tokens, usage.response_tokens, usage.total_tokens, usage.details


@pytest.mark.parametrize(
    ('usage', 'expected'),
    [
        # https://platform.moonshot.ai/docs/api/chat
        ({**PAIR, 'cached_tokens': 5}, (7, 3, 10, {'cached_tokens': 5})),
        # https://api-docs.deepseek.com/guides/kv_cache
        (
            {**PAIR, 'prompt_cache_hit_tokens': 5, 'prompt_cache_miss_tokens': 2},
            (7, 3, 10, {'prompt_cache_hit_tokens': 5, 'prompt_cache_miss_tokens': 2, 'cached_tokens': 5}),
        ),
        # https://docs.litellm.ai/docs/completion/prompt_caching: the prompt's count holds the cached tokens
        (
            {**PAIR, 'cache_read_input_tokens': 5, 'cache_creation_input_tokens': 1},
            (7, 3, 10, {'cached_tokens': 5, 'cache_write_tokens': 1}),
        ),
        # https://platform.claude.com/docs/en/build-with-claude/prompt-caching: there it does not
        (
            {'input_tokens': 7, 'output_tokens': 3, 'cache_read_input_tokens': 5, 'cache_creation_input_tokens': 1},
            (13, 3, 16, {'cached_tokens': 5, 'cache_write_tokens': 1}),
        ),
        ({**PAIR, 'cache_read_input_tokens': 100}, (107, 3, 110, {'cached_tokens': 100})),
        # https://developers.openai.com/api/docs/api-reference/responses/object: part of the input
        (
            {'input_tokens': 7, 'output_tokens': 3, 'input_tokens_details': {'cached_tokens': 5}},
            (7, 3, 10, {'cached_tokens': 5}),
        ),
        ({'prompt_tokens': 0, 'input_tokens': 7, 'completion_tokens': 0, 'output_tokens': 3}, (7, 3, 10, None)),
        ({'prompt_tokens': 7.0, 'completion_tokens': 2.5, 'total_tokens': 9.5}, (7, 3, 10, None)),
        ({'prompt_tokens': '7', 'completion_tokens': '3'}, (7, 3, 10, None)),
        ({**PAIR, 'total_tokens': 0}, (7, 3, 10, None)),
        ({'prompt_tokens': float('nan'), 'completion_tokens': True, 'total_tokens': 'many'}, (None, None, None, None)),
        ({'prompt_tokens': -7, 'completion_tokens': 3}, (0, 3, 3, None)),
        ({**PAIR, 'prompt_tokens_details': {'cached_tokens': 5.0}}, (7, 3, 10, {'cached_tokens': 5})),
        ({'total_tokens': 10}, (None, None, 10, None)),
    ],
)
def test_the_names_of_servers(usage: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert numbers(chat_usage(usage)) == expected


def test_the_places_in_a_whole_answer() -> None:
    choice = {'message': {'content': 'x'}, 'finish_reason': 'stop'}
    bodies: list[dict[str, Any]] = [
        {'choices': [choice], 'usage': PAIR},
        {'choices': [{**choice, 'usage': PAIR}], 'usage': {}},
        {'choices': [choice], 'usage': None, 'x_groq': {'usage': PAIR}},
    ]
    for body in bodies:
        assert numbers(chat_response(body, 'openai', 'm').usage) == (7, 3, 10, None)


def test_the_places_in_a_stream() -> None:
    zeros = dict.fromkeys(PAIR, 0)
    details = {**PAIR, 'prompt_tokens_details': {'cached_tokens': 5}}
    streams: list[list[dict[str, Any]]] = [
        [chunk(), chunk('stop', usage=None) | {'x_groq': {'usage': PAIR}}],
        [chunk(), chunk('stop') | {'choices': [{'delta': {}, 'finish_reason': 'stop', 'usage': PAIR}]}],
        [chunk(usage={**PAIR, 'completion_tokens': 1, 'total_tokens': 8}), chunk('stop', usage=PAIR)],
        [chunk(usage=PAIR), chunk('stop', usage=zeros)],
        [chunk(usage={**PAIR, 'completion_tokens': 0}), chunk('stop', usage={'completion_tokens': 3})],
        [chunk(), chunk('stop'), {'choices': [], 'usage': PAIR}, {'choices': [], 'usage': None}],
    ]
    for chunks in streams:
        assert numbers(streamed(*chunks)) == (7, 3, 10, None), chunks
    assert numbers(streamed(chunk(usage=details), chunk('stop', usage=PAIR))) == (7, 3, 10, {'cached_tokens': 5})


# The example of https://platform.claude.com/docs/en/build-with-claude/compaction.
COMPACTED = {
    'input_tokens': 23_000,
    'output_tokens': 1000,
    'iterations': [
        {'type': 'compaction', 'input_tokens': 180_000, 'output_tokens': 3500},
        {'type': 'message', 'input_tokens': 23_000, 'output_tokens': 1000},
    ],
}


def test_a_gateway_that_counts_as_chat_completions_do_in_the_format_of_anthropic() -> None:
    body = {'type': 'message', 'content': [{'type': 'text', 'text': 'x'}], 'usage': PAIR}
    assert numbers(anthropic_response(body, 'anthropic', 'm').usage) == (7, 3, 10, None)


def test_every_iteration_of_anthropic_counts() -> None:
    assert numbers(anthropic_usage(COMPACTED)) == (203_000, 4500, 207_500, None)
    cached = {'cache_read_input_tokens': 10, 'cache_creation': {'ephemeral_1h_input_tokens': 4}}
    usage = anthropic_usage({**COMPACTED, 'iterations': [cached, cached], 'cache_read_input_tokens': 5})
    assert numbers(usage) == (23_020, 1000, 24_020, {'cached_tokens': 20, 'cache_write_1h_tokens': 8})
    for odd in (None, 'many', [], [None, 3, {'input_tokens': 'x'}]):
        assert numbers(anthropic_usage({**COMPACTED, 'iterations': odd})) == (23_000, 1000, 24_000, None)


def test_every_iteration_counts_in_a_stream() -> None:
    decoder = AnthropicStreamDecoder(PartsBuilder(), 'anthropic', 'm')
    start = {'type': 'message_start', 'message': {'id': 'm', 'usage': {'input_tokens': 23_000, 'output_tokens': 1}}}
    end = {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}, 'usage': COMPACTED}
    decoder.feed(map(json.dumps, [start, end, {'type': 'message_stop'}]), [])
    assert numbers(decoder.usage) == (203_000, 4500, 207_500, None)


def test_zeros_at_the_end_erase_nothing_in_other_formats() -> None:
    decoder = AnthropicStreamDecoder(PartsBuilder(), 'anthropic', 'm')
    start = {'type': 'message_start', 'message': {'id': 'm', 'usage': {'input_tokens': 7, 'output_tokens': 1}}}
    end = {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}}
    zeros = {'usage': {'input_tokens': 0, 'output_tokens': 3, 'cache_read_input_tokens': None}}
    decoder.feed(map(json.dumps, [start, {**end, **zeros}, {'type': 'message_stop'}]), [])
    assert numbers(decoder.usage) == (7, 3, 10, None)
    gemini = GoogleStreamDecoder(PartsBuilder(), 'google', 'm')
    candidate = {'content': {'parts': [{'text': 'x'}]}, 'finishReason': 'STOP'}
    counts = {'promptTokenCount': 7, 'candidatesTokenCount': 3, 'totalTokenCount': 10}
    chunks = [{'candidates': [candidate], 'usageMetadata': counts}, {'usageMetadata': dict.fromkeys(counts, 0)}]
    gemini.feed(map(json.dumps, chunks), [])
    assert numbers(gemini.usage) == (7, 3, 10, None)


def test_bedrock_tells_apart_what_is_cached_for_an_hour() -> None:
    # The shapes `TokenUsage` and `CacheDetail` of botocore's bedrock-runtime.
    caches = [{'ttl': '1h', 'inputTokens': 4}, {'ttl': '5m', 'inputTokens': 2}]
    usage = {'inputTokens': 1, 'outputTokens': 3, 'cacheWriteInputTokens': 6, 'cacheDetails': caches}
    assert numbers(converse_usage(usage)) == (7, 3, 10, {'cache_write_tokens': 6, 'cache_write_1h_tokens': 4})
    assert numbers(converse_usage({**usage, 'cacheDetails': [None, {}]})) == (7, 3, 10, {'cache_write_tokens': 6})


def test_the_limit_of_all_tokens_holds_where_only_one_side_is_counted() -> None:
    limits = UsageLimits(total_tokens_limit=5)
    for usage in (Usage(request_tokens=7), Usage(response_tokens=7), Usage(total_tokens=7), Usage(1, 4, 2, 3)):
        with pytest.raises(UsageLimitExceeded, match='total_tokens_limit of 5'):
            limits.check_tokens(usage)
    limits.check_tokens(Usage(request_tokens=3, response_tokens=2))


def test_a_limit_that_cannot_hold_is_named_once(model_server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    model_server.reply(*[Reply('x')] * 3, Reply('x', usage=(3, 2)))
    agent = Agent(OpenAIChatModel('uncounted', base_url=model_server.base_url))
    with caplog.at_level(logging.WARNING, 'syncai'):
        agent.run_sync('go')
        for _ in range(2):
            agent.run_sync('go', usage_limits=UsageLimits(total_tokens_limit=5))
    assert eventually(lambda: bool(caplog.records)), 'a worker thread of the loop writes it'
    assert [record.getMessage() for record in caplog.records] == [
        "Model 'uncounted' of openai does not say how many tokens it used: the limits of tokens in UsageLimits cannot "
        'hold; limit requests with request_limit'
    ]
    with pytest.raises(UsageLimitExceeded):
        agent.run_sync('go', usage_limits=UsageLimits(total_tokens_limit=4))
