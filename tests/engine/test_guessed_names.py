"""Names, arguments and places that users of other libraries guess: kinds of guesses, of which no table has each one."""

from __future__ import annotations

import importlib
import re
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from syncai import (
    Agent,
    ModelHTTPError,
    ModelRequest,
    RunContext,
    UsageLimits,
    UserError,
    ask,
    model_request_stream_sync,
    model_request_sync,
)
from syncai.models.function import FunctionModel
from syncai.models.test import TestModel


class City(BaseModel):
    city: str
    country: str


agent = Agent('test')
result = agent.run_sync('x')
city = agent.run_sync('x', result_type=City)
QUESTION = [ModelRequest.user_text_prompt('x')]


def one_line(error: BaseException) -> str:
    text = str(error)
    assert '\n' not in text
    return text


@pytest.mark.parametrize(
    ('owner', 'name', 'remedy'),
    [
        (city, 'city', '`.data.city`'),  # an attribute of the value
        (result, 'strip', '`.data.strip`'),
        (result.response, 'split', '`.text.split`'),
        (result, 'get_usage', '`.usage()`'),  # with a prefix of other libraries
        (result, 'dat', '`.data`'),  # mistyped
        (result, 'allMessages', '`.all_messages('),  # in the style of another language
        (result, 'total_cost', '`.price`'),
        (result, 'elapsed_time', '`.timestamp()`'),
        (result, 'zzz', '`.data`'),  # nothing is like it: all that there is
        (result.response, 'stop_reason', '`.finish_reason`'),
        (result.response, 'reasoning_content', '`.thinking`'),
        (result.usage(), 'cache_read_tokens', '`.details`'),
        (result.usage(), 'cost', '`.price`'),
        (result.usage(), 'zzz', '`.total_tokens`'),
        (UsageLimits(), 'max_requests', '`.request_limit`'),
        (RunContext(), 'dependencies', '`.deps`'),
        (RunContext(), 'message_history', '`.messages`'),
        (agent, 'execute_sync', 'agent.run_sync(prompt)'),
        (agent, 'generate_content', 'agent.run_sync(prompt)'),
        (agent, 'arun_stream', '`.run_stream(...)`'),
        (agent, 'run_parallel', 'agent.map_sync(prompts)'),
        (agent, 'add_tools', '@agent.tool'),
        (agent, 'start_chat', "agent.conversation('id')"),
        (agent, 'zzz', 'agent.run_sync(prompt)'),
        (ModelHTTPError(400, 'gpt', {}), 'status', '`.status_code`'),
        (ModelHTTPError(400, 'gpt', {}), 'response', '`.body`'),
        (UserError('x'), 'status_code', 'ModelHTTPError'),
    ],
)
def test_attributes(owner: object, name: str, remedy: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(remedy)) as caught:
        getattr(owner, name)
    assert one_line(caught.value).startswith(f'{type(owner).__name__} has no {name!r}: ')
    assert not hasattr(owner, name)


@pytest.mark.parametrize(
    ('owner', 'key', 'remedy'),
    [
        (result, 'data', 'RunResult is not a dict: write `.data`'),
        (result, 'output', '`.data`'),
        (city, 'city', '`.data.city`'),
        (result, 0, 'RunResult is not a list: it has `.all_messages('),
        (result.response, 'choices', '`.text`'),
        (result.usage(), 'total_tokens', '`.total_tokens`'),
        (agent, 'model', '`.model`'),
    ],
)
def test_items_as_of_a_dict(owner: Any, key: object, remedy: str) -> None:
    with pytest.raises(TypeError, match=re.escape(remedy)) as caught:
        owner[key]
    one_line(caught.value)


def test_values_are_no_sequences() -> None:
    """Other libraries ask for `__iter__` before they take a value apart."""
    assert not hasattr(result, '__iter__')
    with pytest.raises(TypeError, match='is not a list'):
        list(result)  # type: ignore[call-overload]
    result_of_dict = agent.run_sync('x', result_type=dict[str, int], model=TestModel(custom_result_args={'a': 1}))
    with pytest.raises(AttributeError, match=re.escape("`.data['a']`")):
        _ = result_of_dict.a  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('max_turns', 'UsageLimits(request_limit=...)'),
        ('callbacks', 'agent.run_stream_events_sync(prompt)'),
        ('session_id', "agent.conversation('id')"),
        ('verify', 'http=HttpOptions(...)'),
        ('headers', "model_settings={'extra_headers': ...}"),
        ('provider', "'openai:gpt-5.4-mini'"),
        ('budget', 'UsageLimits(price_limit=...)'),
        ('guardrails', '@agent.result_validator'),
        ('json_mode', 'it is called result_type=... here'),
        ('stop', "{'stop_sequences': ...}"),
        ('metadata', "{'extra_body': ...}"),
        ('return_exceptions', 'agent.map_sync(prompts, return_exceptions=...)'),
        ('show_progress', 'progress=True'),
        ('mcp_servers', 'tools=[...]'),
        ('verbose', "logging.getLogger('syncai')"),
        ('deadline', 'timeout=...'),
    ],
)
def test_options_of_agents_and_runs(name: str, remedy: str) -> None:
    option: Any = {name: 1}
    calls: list[Any] = [lambda: agent.run_sync('x', **option), lambda: ask('x', **option), lambda: Agent(**option)]
    for call in calls:
        with pytest.raises(UserError, match=re.escape(remedy)) as caught:
            call()
        assert repr(name) in one_line(caught.value)


def test_no_option_is_named_that_is_only_spelled_alike() -> None:
    for name in ('max_iters', 'order', 'delta_t', 'provide'):
        with pytest.raises(UserError) as caught:
            agent.run_sync('x', **{name: 1})  # type: ignore[call-overload]
        assert 'did you mean' not in one_line(caught.value)


@pytest.mark.parametrize(
    ('setting', 'remedy'),
    [
        ('stop', "'stop_sequences'"),
        ('max_completion_tokens', "'max_tokens'"),
        ('reasoning_effort', "'thinking'"),
        ('model', "model='openai:gpt-5.4-mini'"),
        ('response_format', 'result_type=...'),
        ('user', "'extra_body'"),
    ],
)
def test_settings(setting: str, remedy: str) -> None:
    with pytest.raises(UserError, match=re.escape(remedy)) as caught:
        Agent('test', model_settings={setting: 1})  # type: ignore[arg-type]
    one_line(caught.value)


@pytest.mark.parametrize(
    ('value', 'name'),
    [
        (City, 'result_type'),
        (list[City], 'result_type'),
        ('openai:gpt-5.4-mini', 'model'),
        (TestModel(), 'model'),
        (30, 'timeout'),
        (UsageLimits(), 'usage_limits'),
        ({'temperature': 0}, 'model_settings'),
        (QUESTION, 'message_history'),
        ([print], 'tools'),
        (Decimal(1), 'deps'),
    ],
)
def test_values_without_a_name(value: Any, name: str) -> None:
    chat: Any = agent.conversation('u')
    runs: list[Any] = [agent.run_sync, agent.run_stream_sync, agent.run_stream_events_sync, agent.submit, chat.run_sync]
    for run in runs:
        with pytest.raises(UserError, match=re.escape(f'agent.run_sync(prompt, {name}=...)')) as caught:
            run('x', value)
        one_line(caught.value)
    with pytest.raises(UserError, match=re.escape(f"ask('...', City, {name}=...)")):
        ask('x', City, value)  # type: ignore[call-overload]


def test_a_number_of_runs_without_a_name() -> None:
    with pytest.raises(UserError, match=re.escape('agent.map_sync(prompts, max_concurrency=...)')):
        agent.map_sync(['x'], 8)  # type: ignore[call-overload]


def test_arguments_of_streams_and_of_direct_requests() -> None:
    with agent.run_stream_sync('x') as stream:
        with pytest.raises(TypeError, match=re.escape('it is called debounce_by=... here')) as caught:
            stream.stream_text(debounce=None)  # type: ignore[call-arg]
        one_line(caught.value)
        with pytest.raises(TypeError, match=re.escape('stream.stream_text(delta=True)')):
            stream.stream(delta=True)  # type: ignore[call-arg]
    calls: list[Any] = [model_request_sync, model_request_stream_sync]
    for call in calls:
        with pytest.raises(TypeError, match=re.escape("model_settings={'temperature': ...}")):
            call('test', QUESTION, temperature=0)
        with pytest.raises(TypeError, match=re.escape("ask('...')")):
            call('test', prompt='x')


def test_a_message_as_a_dict_is_no_system_prompt() -> None:
    with pytest.raises(UserError, match='system_prompt must be a str'):
        Agent('test', system_prompt={'role': 'system', 'content': 'Be brief.'})  # type: ignore[arg-type]


def test_names_that_an_agent_would_not_read() -> None:
    with pytest.raises(AttributeError, match=re.escape('Agent(..., result_type=...)')):
        agent.output_type = City  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ('statement', 'remedy'),
    [
        ('from syncai import Agnet', '`Agent`'),
        ('from syncai import OpenAIProvider', 'api_key=...'),
        ('from syncai import RateLimitErr', '`RateLimitError`'),
        ('from syncai.models import OpenAIChatModel', '`from syncai.models.openai import OpenAIChatModel`'),
        ('from syncai.models.openai import AnthropicModel', '`from syncai.models.anthropic import AnthropicModel`'),
        ('from syncai.messages import Agent', '`from syncai import Agent`'),
        ('from syncai.exceptions import APIError', '`ModelAPIError`'),
        ('from syncai.tools import tool', '@agent.tool_plain'),
        ('from syncai.testing import TestModel', '`from syncai.models.test import TestModel`'),
        ('from syncai.conversations import SqliteStore', '`SQLiteStore`'),
        ('from syncai.usage import RunUsage', '`Usage`'),
        ('from syncai.result import AgentRunResult', '`RunResult`'),
        ('from syncai.events import TextDelta', '`from syncai.messages import TextPartDelta`'),
        ('from syncai.limits import Limit', '`limit`'),
        ('from syncai.settings import Settings', '`ModelSettings`'),
        ('from syncai.stream import RunResult', '`from syncai import RunResult`'),
    ],
)
def test_a_name_of_another_module(statement: str, remedy: str) -> None:
    with pytest.raises(ImportError, match=re.escape(remedy)) as caught:
        exec(statement)
    name = statement.split()[-1]
    assert one_line(caught.value).startswith(f'{name!r} is not in ')
    module = importlib.import_module(statement.split()[1])
    with pytest.raises(AttributeError, match=re.escape(remedy)):
        getattr(module, name)


def test_to_look_for_an_attribute_raises_no_other_error() -> None:
    """Libraries ask errors and results for names of theirs, such as Dask and tornado."""

    def fail(*_: object) -> str:
        raise UserError('no answer')

    (row,) = Agent(FunctionModel(fail)).map_sync(['Hi'], return_exceptions=True)
    assert row.error is not None
    for owner in (row, row.error, ModelHTTPError(500, 'm')):
        for name in ('add_notes', 'city', 'foo', 'notes', 'traceback', 'with_tracebacks', *dir(BaseException)):
            assert hasattr(owner, name) == (name in dir(owner)), (type(owner), name)
