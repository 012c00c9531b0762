"""`tool_choice` in a run: a call that is forced comes first, and the run can end after it.

Forced for every request it is a loop that users pay for: https://github.com/openai/openai-agents-python/issues/263.
"""

from __future__ import annotations

from typing import Any

import pytest
from agent_faces import Ask, both
from every_provider import EVERY, Make

from syncai import Agent
from syncai.exceptions import UserError
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall


def look() -> str:
    """Looks."""
    return 'seen'


def is_forced(body: Any) -> bool:
    """Whether a request of any format demands a call."""
    config = body.get('toolConfig', {})  # of Gemini, and of Bedrock
    if config.get('functionCallingConfig', {}).get('mode') == 'ANY' or 'any' in config.get('toolChoice', {}):
        return True
    return 'tool' in config.get('toolChoice', {}) or body.get('tool_choice', 'auto') not in ('auto', {'type': 'auto'})


def obeying(request: RecordedRequest) -> Reply:
    """A model that calls the tool as long as it must."""
    return Reply(tool_calls=ToolCall('look')) if is_forced(request.json) else Reply('done')


@pytest.mark.many(5)
@EVERY
@pytest.mark.parametrize('choice', ['required', ['look']], ids=str)
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
def test_a_forced_call_is_forced_once(make: Make, choice: Any, stream: bool) -> None:
    with ModelServer(obeying) as server:
        agent = Agent(make(server), tools=[look], model_settings={'tool_choice': choice})
        if stream:
            with agent.run_stream_sync('go') as run:
                assert run.get_data() == 'done'
        else:
            assert agent.run_sync('go').data == 'done'
        assert [is_forced(request.json) for request in server.requests] == [True, False]
        again = agent.run_sync('go', message_history=[])
        assert again.data == 'done'  # each run has a first step
        assert [is_forced(request.json) for request in server.requests[2:]] == [True, False]


@both
@pytest.mark.parametrize('result_mode', ['native', 'prompted'])
def test_a_result_that_is_no_call(ask: Ask, result_mode: Any) -> None:
    def answer(request: RecordedRequest) -> Reply:
        return obeying(request) if is_forced(request.json) else Reply('{"response": 5}')

    with ModelServer(answer) as server:
        model = OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url)
        agent = Agent(model, tools=[look], result_type=int, result_mode=result_mode)
        assert ask(agent, 'go', model_settings={'tool_choice': 'required'}).data == 5
        assert len(server.requests) == 2


def test_a_choice_in_the_settings_of_a_model_or_of_one_behind_another() -> None:
    with ModelServer(obeying) as server:
        forced = OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, settings={'tool_choice': 'required'})
        for model in (forced, FallbackModel(forced)):
            assert Agent(model, tools=[look]).run_sync('go').data == 'done'
        assert [is_forced(request.json) for request in server.requests] == [True, False] * 2


def test_where_the_result_is_a_call_it_stays_forced() -> None:
    replies = [Reply(tool_calls=ToolCall('look')), Reply(tool_calls=ToolCall('final_result', '{"response": 5}'))]
    for choice in ('required', ['look', 'final_result'], None):
        with ModelServer(replies) as server:
            agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url), tools=[look], result_type=int)
            settings: Any = {} if choice is None else {'tool_choice': choice}
            assert agent.run_sync('go', model_settings=settings).data == 5
            first, second = (request.json['tool_choice'] for request in server.requests)
            assert first == second
            assert is_forced(server.requests[1].json)


def test_names_without_the_tool_of_the_result_hold_for_the_first_step() -> None:
    replies = [Reply(tool_calls=ToolCall('look')), Reply(tool_calls=ToolCall('final_result', '{"response": 5}'))]
    with ModelServer(replies) as server:
        agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url), tools=[look], result_type=int)
        assert agent.run_sync('go', model_settings={'tool_choice': ['look']}).data == 5
        assert server.requests[0].json['tool_choice'] == {'type': 'function', 'function': {'name': 'look'}}
        assert server.requests[1].json['tool_choice'] == 'required'  # as without any wish, for this result


def test_choices_that_force_nothing_hold_for_every_step() -> None:
    for choice in ('auto', 'none'):
        with ModelServer([Reply(tool_calls=ToolCall('look')), Reply('done')]) as server:
            agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url), tools=[look])
            assert agent.run_sync('go', model_settings={'tool_choice': choice}).data == 'done'
            assert [request.json['tool_choice'] for request in server.requests] == [choice, choice]


@both
def test_no_calls_where_the_result_is_one(ask: Ask) -> None:
    with ModelServer([Reply('five')]) as server:
        agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url), result_type=int)
        with pytest.raises(UserError, match="tool_choice is 'none', and the model gives this result by calling a tool"):
            ask(agent, 'go', model_settings={'tool_choice': 'none'})
        assert not server.requests
