"""Whatever a conversation was, on whatever providers: what Anthropic gets of it keeps to the rules of the API."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models._anthropic.messages import OPENING, anthropic_messages

KINDS = {'user': {'text', 'tool_result'}, 'assistant': {'text', 'thinking', 'tool_use'}}
TEXTS = st.sampled_from(['', ' ', 'a', 'b\n'])
IDS = st.sampled_from(['', 'call_0', 'call:0', 'call_0_2', 'fc_1|x', 'toolu_ü'])
PROVIDERS = st.sampled_from(['anthropic', 'openai', None])
ARGS = st.sampled_from([None, '', '{}', '{"x": 1}', '{"x', {'y': [1]}])


@st.composite
def answers(draw: st.DrawFn) -> ModelResponse:
    provider = draw(PROVIDERS)
    kinds = st.one_of(
        st.builds(TextPart, TEXTS),
        st.builds(ThinkingPart, TEXTS, signature=st.sampled_from([None, 's']), provider_name=PROVIDERS),
        st.builds(lambda args, call_id: ToolCallPart('f', args, call_id), ARGS, IDS),
    )
    parts: list[ModelResponsePart] = draw(st.lists(kinds, max_size=5))
    return ModelResponse(parts, provider_name=provider)


@st.composite
def conversations(draw: st.DrawFn) -> list[ModelMessage]:
    """Requests and answers, in which the next request answers every call, with the number of the call."""
    messages: list[ModelMessage] = []
    calls: list[ToolCallPart] = []
    number = 0
    for _ in range(draw(st.integers(1, 6))):
        parts: list[ModelRequestPart] = draw(
            st.lists(st.one_of(st.builds(UserPromptPart, TEXTS), st.builds(SystemPromptPart, TEXTS)), max_size=3)
        )
        for call in calls:
            failed = draw(st.booleans()) and bool(call.tool_call_id)
            parts.append(
                RetryPromptPart(f'{number}.', tool_name='f', tool_call_id=call.tool_call_id)
                if failed
                else ToolReturnPart('f', f'{number}.', call.tool_call_id)
            )
            number += 1
        messages.append(ModelRequest(parts))
        answer = draw(answers())
        calls = answer.tool_calls
        messages.append(answer)
    return messages[:-1] if draw(st.booleans()) and messages[:-1][-1].parts else messages


def uses_and_results(turns: list[dict[str, Any]]) -> tuple[list[str], list[tuple[str, str]]]:
    blocks = [block for turn in turns for block in turn['content']]
    uses = [block['id'] for block in blocks if block['type'] == 'tool_use']
    results = [(b['tool_use_id'], b['content'].partition('.')[0]) for b in blocks if b['type'] == 'tool_result']
    return uses, results


@pytest.mark.slow
@given(conversations())
def test_the_rules_of_the_api(messages: list[ModelMessage]) -> None:
    if not any(message.parts for message in messages):
        return
    turns = anthropic_messages(messages, 'anthropic')
    json.dumps(turns)
    assert [turn['role'] for turn in turns] == [('user', 'assistant')[n % 2] for n in range(len(turns))]
    for turn in turns:
        kinds = [block['type'] for block in turn['content']]
        assert kinds
        assert (
            set(kinds) <= {'user': {'text', 'tool_result'}, 'assistant': {'text', 'thinking', 'tool_use'}}[turn['role']]
        )
        assert 'tool_result' not in kinds[kinds.count('tool_result') :]
        assert all(block['text'].strip() for block in turn['content'] if block['type'] == 'text')

    uses, results = uses_and_results(turns)
    assert len(set(uses)) == len(uses)
    assert all(re.fullmatch('[a-zA-Z0-9_-]+', call_id) for call_id in uses)
    # Each result names the call that it is of: the first result that of the first call, and so on.
    assert results == [(call_id, str(number)) for number, call_id in enumerate(uses[: len(results)])]


@pytest.mark.slow
@given(conversations())
def test_nothing_that_was_said_is_lost(messages: list[ModelMessage]) -> None:
    if not any(message.parts for message in messages):
        return
    parts = [part for message in messages for part in message.parts]
    said = [str(p.content) for p in parts if isinstance(p, TextPart | UserPromptPart) and str(p.content).strip()]
    turns = anthropic_messages(messages, 'anthropic')
    blocks = [block for turn in turns for block in turn['content']]
    opening = [OPENING] if turns[0]['content'] == [{'type': 'text', 'text': OPENING}] else []
    assert sorted(block['text'] for block in blocks if block['type'] == 'text') == sorted([*said, *opening])
    thoughts = [p for p in parts if isinstance(p, ThinkingPart) and p.provider_name == 'anthropic' and p.signature]
    assert len([b for b in blocks if b['type'] == 'thinking']) == len(thoughts)
