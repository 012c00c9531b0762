"""Any history is accepted by each provider: `format_rules` has the rules, which are checked on what was sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from any_history import HISTORIES
from format_rules import FLAWS
from hypothesis import HealthCheck, given, settings
from sampling import examples
from six_formats import MODELS

from syncai import Agent, RunPaused, UserError, model_request_sync
from syncai.messages import ModelMessage
from syncai.testing import ModelServer, Reply


def flaws_of(name: str, server: ModelServer) -> list[str]:
    return list(FLAWS[name](server.requests[-1].json))


each_format = pytest.mark.parametrize('name', MODELS)
quietly = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
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


@pytest.mark.slow
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
