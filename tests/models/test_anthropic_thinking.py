"""The differences between generations of Claude, and the fields for `thinking` of each."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from syncai.exceptions import UserError
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models import ModelRequestParameters
from syncai.models._anthropic.models import traits_of
from syncai.models._anthropic.request import anthropic_request
from syncai.models._catalog.known_names import KNOWN_MODEL_NAMES
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._http import answers

ADAPTIVE = {'type': 'adaptive'}
DROPPING = {'block_binding': {'prefix_mismatch_behavior': 'drop_block'}}
SHOWN = {'type': 'adaptive', 'display': 'summarized'}


def asked(model: str, messages: list[ModelMessage] | None = None, **settings: Any) -> tuple[Any, Any, int]:
    """The request's `thinking`, its effort and its `max_tokens`."""
    messages = messages or [ModelRequest.user_text_prompt('hello')]
    body = anthropic_request(model, PROVIDERS['anthropic'], messages, settings, ModelRequestParameters(), stream=False)
    return body.get('thinking'), body.get('output_config', {}).get('effort'), body['max_tokens']


def budget(tokens: int) -> dict[str, Any]:
    return {'type': 'enabled', 'budget_tokens': tokens}


@pytest.mark.parametrize(
    ('model', 'level', 'wanted'),
    [
        ('claude-sonnet-4-5', None, (None, None, 16_384)),
        ('claude-sonnet-4-5', False, (None, None, 16_384)),
        ('claude-sonnet-4-5', True, (budget(8192), None, 16_384 + 8192)),
        ('claude-sonnet-4-5', 'minimal', (budget(1024), None, 16_384 + 1024)),
        ('claude-sonnet-4-5', 'high', (budget(16_384), None, 32_768)),
        ('claude-sonnet-4-5', 'max', (budget(48_000), None, 64_000)),
        ('claude-opus-4-1-20250805', 'max', (budget(24_000), None, 32_000)),
        ('claude-opus-4-5', 'low', (budget(4096), None, 16_384 + 4096)),
        ('claude-3-7-sonnet-latest', 'none', (None, None, 16_384)),
        ('claude-opus-4-6', True, (ADAPTIVE, None, 16_384)),
        ('claude-opus-4-6', 'minimal', (ADAPTIVE, 'low', 16_384)),
        ('claude-opus-4-6', 'xhigh', (ADAPTIVE, 'high', 16_384)),
        ('claude-opus-4-6', 'max', (ADAPTIVE, 'max', 64_000)),
        ('claude-opus-4-6', False, (None, None, 16_384)),
        ('claude-opus-4-7', 'xhigh', (SHOWN, 'xhigh', 64_000)),
        ('claude-opus-5', False, ({'type': 'disabled'}, None, 16_384)),
        ('claude-haiku-5-5', 'none', ({'type': 'disabled'}, None, 16_384)),
        ('claude-haiku-5-5', 'medium', (SHOWN, 'medium', 16_384)),
        ('claude-sonnet-5', False, ({'type': 'disabled'}, None, 16_384)),
        ('claude-sonnet-5-5', False, ({'type': 'between_tools'}, None, 16_384)),
        ('claude-sonnet-5-5', None, (None, None, 16_384)),
        ('claude-opus-5-5', False, (None, 'low', 16_384)),
        ('claude-fable-5-1', 'none', (None, 'low', 16_384)),
        ('claude-mythos-preview', 'low', (SHOWN, 'low', 16_384)),
        ('some-other-model', 'low', (budget(4096), None, 8192)),
    ],
)
def test_levels(model: str, level: object, wanted: tuple[Any, Any, int]) -> None:
    settings: Any = {} if level is None else {'thinking': level}
    assert asked(model, **settings) == wanted


@pytest.mark.parametrize(
    ('max_tokens', 'wanted'), [(100_000, budget(16_384)), (8000, budget(6000)), (1200, budget(1024)), (1024, None)]
)
def test_a_budget_leaves_room_for_the_answer(max_tokens: int, wanted: object, caplog: pytest.LogCaptureFixture) -> None:
    answers._warned.clear()
    with caplog.at_level(logging.WARNING, logger='syncai'):
        assert asked('claude-sonnet-4-5', thinking='high', max_tokens=max_tokens) == (wanted, None, max_tokens)
    assert len(caplog.records) == (wanted is None)


def test_a_model_that_cannot_think_says_so(caplog: pytest.LogCaptureFixture) -> None:
    answers._warned.clear()
    with caplog.at_level(logging.WARNING, logger='syncai'):
        assert asked('claude-3-5-haiku-latest', thinking='high') == (None, None, 8192)
        assert asked('claude-3-5-haiku-latest', thinking=False) == (None, None, 8192)
    assert "'thinking'" in caplog.records[0].message
    assert len(caplog.records) == 1


def test_the_providers_own_words_win() -> None:
    own = {'type': 'adaptive', 'display': 'omitted'}
    assert asked('claude-opus-5-5', thinking='max', anthropic_thinking=own) == (own, None, 16_384)
    assert asked('claude-opus-5-5', thinking='max', anthropic_effort='low') == (SHOWN, 'low', 16_384)
    assert asked('claude-opus-5-5', thinking=False, anthropic_effort='max') == (None, 'max', 64_000)
    assert asked('claude-sonnet-4-5', anthropic_thinking=budget(30_000)) == (budget(30_000), None, 46_384)
    assert asked('claude-3-opus-latest', max_tokens=7) == (None, None, 7)
    with pytest.raises(UserError, match='anthropic_thinking must be a dict'):
        asked('claude-opus-5-5', anthropic_thinking='adaptive')


def test_a_budget_cannot_begin_in_the_middle_of_tool_calls() -> None:
    def loop(*parts: Any) -> list[ModelMessage]:
        answer = ModelResponse([*parts, ToolCallPart('f', None, 'c')], provider_name='anthropic')
        return [ModelRequest.user_text_prompt('q'), answer, ModelRequest([ToolReturnPart('f', 'x', 'c')])]

    thoughts = ThinkingPart('hm', signature='s', provider_name='anthropic')
    redacted = ThinkingPart('', provider_name='anthropic', provider_details={'type': 'redacted_thinking'})
    for begun in (loop(), loop(TextPart('a')), loop(ThinkingPart('hm', provider_name='google'))):
        assert asked('claude-sonnet-4-5', begun, thinking='low')[0] is None
        assert asked('claude-opus-5-5', begun, thinking='low')[0] == SHOWN
        after = [*begun, ModelResponse([TextPart('done')]), ModelRequest([UserPromptPart('next')])]
        assert asked('claude-sonnet-4-5', after, thinking='low')[0] == budget(4096)
    for begun in (loop(thoughts), loop(redacted)):
        assert asked('claude-sonnet-4-5', begun, thinking='low')[0] == budget(4096)


@pytest.mark.parametrize(
    ('model', 'settings', 'wanted'),
    [
        ('claude-sonnet-5-5', {}, {**ADAPTIVE, **DROPPING}),
        ('claude-fable-5-1', {}, {**ADAPTIVE, **DROPPING}),
        ('claude-haiku-5-5', {'thinking': 'low'}, {**SHOWN, **DROPPING}),
        ('claude-opus-5-5', {'thinking': False}, {**ADAPTIVE, **DROPPING}),
        ('claude-opus-5-5', {'anthropic_thinking': ADAPTIVE}, ADAPTIVE),
        ('claude-sonnet-5-5', {'thinking': False}, {'type': 'between_tools'}),
        ('claude-haiku-5-5', {'thinking': False}, {'type': 'disabled'}),
        ('claude-opus-5', {}, None),
        ('claude-mythos-5-1', {}, None),
        ('claude-fable-5', {}, None),
        ('claude-sonnet-4-5', {}, None),
    ],
)
def test_thoughts_that_no_longer_fit_are_dropped(model: str, settings: dict[str, Any], wanted: object) -> None:
    def history(*parts: Any) -> list[ModelMessage]:
        question = ModelRequest.user_text_prompt('q')
        return [question, ModelResponse([*parts, TextPart('a')], provider_name='anthropic'), question]

    thoughts = ThinkingPart('', signature='s', provider_name='anthropic')
    assert asked(model, history(thoughts), **settings)[0] == wanted
    without = {'block_binding'} & set(asked(model, history(), **settings)[0] or ())
    assert without == set()


@pytest.mark.parametrize(
    ('name', 'limit'),
    [
        ('claude-3-opus-20240229', 4096),
        ('claude-3-5-haiku-20241022', 8192),
        ('claude-3-7-sonnet-latest', 64_000),
        ('claude-opus-4-20250514', 32_000),
        ('claude-opus-4-1', 32_000),
        ('claude-sonnet-4-0', 64_000),
        ('claude-haiku-4-5-20251001', 64_000),
        ('claude-opus-4-6', 128_000),
        ('us.anthropic.claude-opus-4-1-20250805-v1:0', 32_000),
        ('claude-opus-4@20250514', 32_000),
        ('claude-2.1', 4096),
    ],
)
def test_how_much_a_model_generates_by_its_name(name: str, limit: int) -> None:
    assert traits_of(name).max_output == limit


def test_names_that_are_not_known_are_of_the_newest_generation() -> None:
    for old, new in [('claude-sonnet-5-5', 'claude-sonnet-9'), ('claude-haiku-5-5', 'claude-haiku-latest')]:
        assert traits_of(new) == traits_of(old)
    assert traits_of('gpt-oss') == traits_of('anything')


def test_all_known_models_have_their_traits() -> None:
    known = [name.partition(':')[2] for name in KNOWN_MODEL_NAMES if name.startswith('anthropic:')]
    assert len(known) > 10
    for name in known:
        traits = traits_of(name)
        assert traits.structured
        assert (traits.thinking == 'adaptive') == (name not in KNOWN_WITH_BUDGET)
        assert traits.hides_thoughts == (traits.sampling == 'none')
        assert set(traits.efforts) <= {'low', 'medium', 'high', 'xhigh', 'max'}


KNOWN_WITH_BUDGET = ('claude-opus-4-1', 'claude-opus-4-5', 'claude-sonnet-4-5', 'claude-haiku-4-5')
