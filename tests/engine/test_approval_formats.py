"""A pause and its decisions in each wire format: every request is one that the provider takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from format_rules import FLAWS
from six_formats import MODELS

from syncai import Agent, Answered, Approve, Deny, RunPaused, ToolReturn
from syncai.models.fallback import FallbackModel
from syncai.testing import ModelServer, Reply, ToolCall

each_format = pytest.mark.parametrize('name', MODELS)
CALLS = [ToolCall('refund', {'order': 1}, id='a'), ToolCall('show'), ToolCall('refund', {'order': 2}, id='b')]


def shop(model: Any, done: list[Any]) -> Agent[None, str]:
    agent: Agent[None, str] = Agent(model)

    @agent.tool_plain(approve=True)
    def refund(order: int) -> str:
        done.append(order)
        return f'refunded {order}'

    @agent.tool_plain
    def show() -> ToolReturn:
        done.append('show')
        return ToolReturn('shown', content='Look at the left.')

    return agent


@pytest.mark.many(5)
@each_format
@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize('behind_fallback', [False, True])
def test_pause_answer_one_answer_the_other(name: str, stream: bool, behind_fallback: bool) -> None:
    with ModelServer() as server:
        server.reply(Reply(tool_calls=CALLS), Reply('Done.'), Reply('Fine.'))
        done: list[Any] = []
        model = MODELS[name](server)
        agent = shop(FallbackModel(model, model) if behind_fallback else model, done)
        messages = _paused(agent, stream)
        first, second = messages.pending
        with pytest.raises(RunPaused) as caught:
            agent.resume_sync(messages.messages_json(), {first.id: Approve({'order': 3})})
        assert [one.id for one in caught.value.pending] == [second.id]
        result = agent.resume_sync(caught.value.messages_json(), {second.id: Deny('no')})
        assert result.data == 'Done.'
        assert done == ['show', 3]
        assert _flaws(name, server) == []
        body = json.dumps(server.requests[-1].json)
        assert all(words in body for words in ('refunded 3', 'shown', 'The reason: no', 'with other arguments', 'left'))
        assert agent.run_sync('And now?', message_history=result.all_messages()).data == 'Fine.'
        assert _flaws(name, server) == []


def _paused(agent: Agent[None, str], stream: bool) -> RunPaused:
    with pytest.raises(RunPaused) as caught:
        if stream:
            with agent.run_stream_sync('Refund') as answer:
                answer.get_data()
        else:
            agent.run_sync('Refund')
    return caught.value


@each_format
def test_another_prompt_in_place_of_the_decision(name: str) -> None:
    with ModelServer() as server:
        server.reply(Reply(tool_calls=CALLS), Reply('Fine.'), Reply('Well.'))
        agent = shop(MODELS[name](server), [])
        paused = _paused(agent, stream=False)
        result = agent.run_sync('Never mind.', message_history=paused.messages)
        assert result.data == 'Fine.'
        assert _flaws(name, server) == []
        assert agent.run_sync('Well?', message_history=result.all_messages()).data == 'Well.'
        assert _flaws(name, server) == []


@each_format
def test_steps(name: str) -> None:
    with ModelServer() as server:
        server.reply(Reply(tool_calls=CALLS), Reply(tool_calls=[ToolCall('show')]), Reply('Done.'))
        agent = shop(MODELS[name](server), [])
        step = agent.step_sync([], 'Refund')
        first, second = step.pending
        step = agent.step_sync(step.messages_json(), answers={first.id: Answered({'paid': 1})})
        step = agent.step_sync(step.messages_json(), answers={second.id: Approve()})
        for _ in range(2):
            assert not step.done
            step = agent.step_sync(step.messages_json())
            assert _flaws(name, server) == []
        assert step.result.data == 'Done.'


def _flaws(name: str, server: ModelServer) -> list[str]:
    return list(FLAWS[name](server.requests[-1].json))
