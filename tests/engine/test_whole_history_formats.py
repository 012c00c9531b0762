"""Any history is accepted by each provider: `format_rules` has the rules, which are checked on what was sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from format_rules import FLAWS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from six_formats import MODELS

from syncai import Agent, PendingCall, RunPaused, UserError, model_request_sync
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.testing import ModelServer, Reply

# --- histories of any kind --------------------------------------------------------------------------------------------

IDS = st.sampled_from(['a', 'b', 'c', ''])
TOOLS = st.sampled_from(['look', 'hear'])
REQUEST_PARTS = st.one_of(
    st.builds(ToolReturnPart, TOOLS, st.sampled_from(['seen', {'x': 1}, None, ['y']]), IDS),
    st.builds(lambda tool, known: RetryPromptPart('bad', tool_name=tool, tool_call_id=known), TOOLS, IDS),
    st.just(UserPromptPart('go on')),
    st.just(SystemPromptPart('be kind')),
    st.just(RetryPromptPart('try again')),
)
RESPONSE_PARTS = st.one_of(st.builds(ToolCallPart, TOOLS, st.just('{}'), IDS), st.just(TextPart('well')))
PENDING = st.lists(st.builds(PendingCall, IDS, TOOLS, st.just({})), max_size=2).map(tuple)
MESSAGES = st.one_of(
    st.builds(
        lambda parts, calls: ModelRequest(parts, pending=calls), st.lists(REQUEST_PARTS, max_size=2), PENDING
    ).filter(lambda request: request.parts or request.pending),
    st.lists(REQUEST_PARTS, min_size=1, max_size=4).map(ModelRequest),
    st.builds(
        lambda parts, cut: ModelResponse(parts, incomplete=cut), st.lists(RESPONSE_PARTS, max_size=4), st.booleans()
    ),
)
HISTORIES = st.lists(MESSAGES, max_size=7)


def flaws_of(name: str, server: ModelServer) -> list[str]:
    return list(FLAWS[name](server.requests[-1].json))


each_format = pytest.mark.parametrize('name', MODELS)
quietly = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@each_format
def test_a_run_over_any_history(name: str) -> None:
    with ModelServer(lambda request: Reply('fine')) as server:
        agent = Agent(MODELS[name](server))

        @quietly
        @given(history=HISTORIES)
        def check(history: list[ModelMessage]) -> None:
            before = list(history)
            result = agent.run_sync('next', message_history=history)
            assert flaws_of(name, server) == []
            assert history == before
            assert result.all_messages()[: len(history)] == history

        check()


@each_format
def test_a_direct_call_and_a_run_without_a_prompt_over_any_history(name: str) -> None:
    """Where the last message answers calls that are not there, nothing can be asked: that one is an error."""
    with ModelServer(lambda request: Reply('fine')) as server:
        model = MODELS[name](server)
        agent = Agent(model, tools=[look, hear])

        @quietly
        @given(history=HISTORIES.filter(bool))
        def check(history: list[ModelMessage]) -> None:
            for ask in (lambda: model_request_sync(model, history), lambda: agent.run_sync(message_history=history)):
                asked = len(server.requests)
                refused = refusal_of(ask)
                assert flaws_of(name, server) == [] if refused is None else len(server.requests) == asked
                assert refused is None or any(words in refused for words in REFUSALS)

        check()


REFUSALS = (
    'nothing else is left',
    'there is no prompt',
    'calls that broke off',
    'messages is empty',
    'waits for a decision',
)


def refusal_of(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except (RunPaused, UserError) as error:
        return str(error)
    return None


def look() -> str:
    return 'seen'


def hear() -> str:
    return 'heard'
