"""Functions that the model calls: their descriptions, their calls, the checks of arguments, and the use of their
returns.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from unittest.mock import Mock

import pytest
from agent_faces import Ask, Script, both, call, model_of
from pydantic import AfterValidator, BaseModel

from syncai.agent import Agent
from syncai.exceptions import ModelRetry, UserError
from syncai.messages import ModelMessagesTypeAdapter, RetryPromptPart, ToolReturnPart
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import RunContext, Tool
from syncai.usage import Usage


class Place(BaseModel):
    name: str
    since: date


@dataclass
class Pair:
    left: int
    right: Place


PLACE = Place(name='Rome', since=date(2024, 2, 29))


def returned(result: Any) -> list[Any]:
    """The returns of the tools, in the order of their calls."""
    return [p.content for m in result.all_messages() for p in m.parts if isinstance(p, ToolReturnPart)]


# --- the text for the model ------------------------------------------------------------------------------------------


def weather(ctx: RunContext[str], city: str, days: int = 1) -> dict[str, Any]:
    """The weather to come.

    Args:
        ctx: The run.
        city: Where.
        days: How many days
            ahead.
    """
    return {'city': city, 'days': days, 'key': ctx.deps}


@both
def test_tools_over_http(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(
        Reply(
            tool_calls=[ToolCall('weather', {'city': 'Rome', 'days': 2}, 'c1'), ToolCall('now', id='c2')], usage=(9, 2)
        ),
        Reply('Sunny.', usage=(20, 3)),
    )
    agent = Agent(model_of(model_server), deps_type=str)
    agent.tool(weather)

    @agent.tool_plain(name='now', retries=3)
    async def the_time() -> date:
        """Today."""
        return date(2024, 2, 29)

    result = ask(agent, 'Weather?', deps='key')
    assert result.data == 'Sunny.'
    first, second = (request.json for request in model_server.requests)
    functions = {tool['function']['name']: tool['function'] for tool in first['tools']}
    assert list(functions) == ['weather', 'now']
    assert functions['weather']['description'] == 'The weather to come.'
    properties = functions['weather']['parameters']['properties']
    assert properties['city'] == {'type': 'string', 'description': 'Where.'}
    assert properties['days']['description'].split() == ['How', 'many', 'days', 'ahead.']
    assert functions['weather']['parameters']['required'] == ['city']
    answers = [(m['tool_call_id'], m['content']) for m in second['messages'][-2:]]
    assert answers == [('c1', '{"city":"Rome","days":2,"key":"key"}'), ('c2', '2024-02-29')]


@both
def test_what_a_tool_knows_of_the_run(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look', id='c1')], usage=(9, 2)), Reply('Sunny.'))
    agent = Agent(model_of(model_server), deps_type=str)
    seen: list[RunContext[str]] = []

    @agent.tool
    def look(ctx: RunContext[str]) -> str:
        seen.append(ctx)
        return 'sun'

    ask(agent, 'Weather?', deps='key')
    (ctx,) = seen
    assert (ctx.deps, ctx.prompt, ctx.run_step, ctx.retry) == ('key', 'Weather?', 1, 0)
    assert (ctx.tool_name, ctx.tool_call_id) == ('look', 'c1')
    assert ctx.model is agent.model
    assert ctx.usage == Usage(1, 9, 2, 11)
    assert ctx.messages[1].parts[0].tool_name == 'look'  # type: ignore[union-attr]
    assert "tool_name='look'" in repr(ctx)
    assert 'key' not in repr(ctx)


@both
def test_the_conversation_that_a_tool_sees_is_its_own(ask: Ask) -> None:
    seen: list[Any] = []

    def look(ctx: RunContext[Any]) -> str:
        seen.append(ctx.messages)
        ctx.messages.append('junk')  # type: ignore[attr-defined]
        return 'x'

    result = ask(Agent(TestModel(), tools=[look]), 'x')
    assert len(result.all_messages()) == 4
    assert seen == [[*result.all_messages()[:2], 'junk']]


def numpy_style(city: str) -> str:
    """Look.

    Parameters
    ----------
    city : str
        Which city.
    """
    return city


def sphinx_style(city: str) -> str:
    """Look.

    :param city: Which city.
    """
    return city


@pytest.mark.parametrize('function', [numpy_style, sphinx_style])
def test_descriptions_in_other_styles(function: Any) -> None:
    model = TestModel()
    Agent(model, tools=[function]).run_sync('x')
    assert model.last_model_request_parameters is not None
    (tool,) = model.last_model_request_parameters.function_tools
    assert (tool.description, tool.parameters_json_schema['properties']['city']['description']) == (
        'Look.',
        'Which city.',
    )


class Shop:
    def __init__(self, stock: int) -> None:
        self.stock = stock

    def take(self, count: int) -> int:
        self.stock -= count
        return self.stock

    async def peek(self, ctx: RunContext[Any]) -> str:
        return f'{ctx.tool_name}: {self.stock}'

    def __call__(self, count: int) -> int:
        return count * 2


class AsyncCallable:
    async def __call__(self, n: int) -> int:
        return n + 1


def scaled(factor: int, n: int) -> int:
    return factor * n


async def scaled_later(factor: int, n: int) -> int:
    return factor * n


@both
def test_whatever_can_be_called(ask: Ask) -> None:
    shop = Shop(10)
    tools: list[Any] = [
        shop.take,
        Tool(Shop(10).peek, takes_ctx=True),  # of another shop: in a coroutine both run at once
        Tool(shop, name='double'),
        AsyncCallable(),
        functools.partial(scaled, 3),
        Tool(functools.partial(scaled_later, 4), name='later'),
        Tool(lambda n: n, name='same'),
        Tool(Mock(return_value='mocked'), name='mock'),
    ]
    script = Script(
        [
            call('take', {'count': 3}),
            call('peek'),
            call('double', {'count': 4}),
            call('AsyncCallable', {'n': 1}),
            call('scaled', {'n': 5}),
            call('later', {'n': 5}),
            call('same', {'n': 'x'}),
            call('mock'),
        ],
        'done',
    )
    assert returned(ask(Agent(script.model, tools=tools), 'x')) == [7, 'peek: 10', 8, 2, 15, 20, 'x', 'mocked']


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)  # not async itself

    return wrapper


@pytest.mark.parametrize('run_in', ['caller', 'thread'])
@both
def test_a_sync_function_that_returns_an_awaitable(ask: Ask, run_in: Any) -> None:
    @wrapped
    async def number(n: int) -> int:
        if n < 0:
            raise ModelRetry('not below 0')
        return n

    script = Script(call('number', {'n': -1}), call('number', {'n': 5}), 'done')
    assert returned(ask(Agent(script.model, tools=[Tool(number, run_in=run_in)]), 'x')) == [5]
    assert script.last_parts(1)[0].content == 'not below 0'

    @wrapped
    async def thing() -> object:
        return object()

    with pytest.raises(UserError, match="Tool 'thing' returned a value of object, which cannot be written as JSON"):
        ask(Agent(Script(call('thing')).model, tools=[Tool(thing, run_in=run_in)]), 'x')


# --- arguments and returns --------------------------------------------------------------------------------------------


@both
def test_wrong_arguments(ask: Ask) -> None:
    script = Script(call('add', {'a': 'x', 'c': 1}), call('add', '{"a": 1, "b": 2}'), 'done')
    called: list[Any] = []

    def add(a: int, b: int) -> int:
        called.append((a, b))
        return a + b

    assert returned(ask(Agent(script.model, tools=[add]), 'x')) == [3]
    (part,) = script.last_parts(1)
    assert isinstance(part, RetryPromptPart)
    errors = {tuple(error['loc']): error['type'] for error in part.content}  # type: ignore[index]
    assert errors == {('a',): 'int_parsing', ('b',): 'missing', ('c',): 'extra_forbidden'}
    assert called == [(1, 2)]


def checked(value: str) -> str:
    if value == 'bad':
        raise ModelRetry('Anything but bad.')
    return value


@pytest.mark.parametrize('kind', ['sync', 'thread', 'async'])
@both
def test_validators_of_arguments_may_ask_again(ask: Ask, kind: str) -> None:
    def echo(text: Annotated[str, AfterValidator(checked)]) -> str:
        return text

    async def echo_later(text: Annotated[str, AfterValidator(checked)]) -> str:
        return text

    tool = Tool(echo_later if kind == 'async' else echo, name='echo', run_in='thread' if kind == 'thread' else 'caller')
    script = Script(call('echo', {'text': 'bad'}), call('echo', {'text': 'good'}), 'done')
    assert returned(ask(Agent(script.model, tools=[tool]), 'x')) == ['good']
    assert script.last_parts(1)[0].content == 'Anything but bad.'


def numbers() -> Iterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (PLACE, '{"name":"Rome","since":"2024-02-29"}'),
        (Pair(1, PLACE), '{"left":1,"right":{"name":"Rome","since":"2024-02-29"}}'),
        ([PLACE], '[{"name":"Rome","since":"2024-02-29"}]'),
        ({'when': date(2024, 2, 29)}, '{"when":"2024-02-29"}'),
        (None, 'null'),
        (3, '3'),
        (True, 'true'),
        ('text', 'text'),
    ],
)
@both
def test_what_tools_may_return(ask: Ask, value: Any, text: str, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('get', id='c')]), Reply('done'))
    result = ask(Agent(model_of(model_server), tools=[Tool(lambda: value, name='get')]), 'x')
    assert model_server.requests[1].json['messages'][-1]['content'] == text
    assert returned(result) == [value]
    again: Any = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
    assert again[2].parts[0].model_response_str() == text


@both
def test_a_generator_is_read_once_and_written_each_time(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('numbers')]), Reply(tool_calls=[ToolCall('numbers')]), Reply('done'))
    assert returned(ask(Agent(model_of(model_server), tools=[numbers]), 'x')) == [[1, 2], [1, 2]]
    contents = [m['content'] for m in model_server.requests[2].json['messages'] if m['role'] == 'tool']
    assert contents == ['[1,2]', '[1,2]']


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize('function', [object, circle, lambda: b'\xff\xfe'])
@pytest.mark.parametrize('run_in', ['caller', 'thread'])
@both
def test_a_return_that_cannot_be_written(ask: Ask, function: Any, run_in: Any) -> None:
    tool = Tool(lambda: function(), name='get', run_in=run_in)
    with pytest.raises(UserError, match=r"Tool 'get' returned .* which cannot be written as JSON for the model"):
        ask(Agent(Script(call('get')).model, tools=[tool]), 'x')


# --- errors -----------------------------------------------------------------------------------------------------------


class Broken(Exception):
    pass


def explode(n: int) -> None:
    raise Broken(n)


async def explode_later(n: int) -> None:
    explode(n)


@pytest.mark.parametrize(
    'tool',
    [Tool(explode), Tool(explode, run_in='thread'), Tool(explode_later, name='explode')],
    ids=['sync', 'thread', 'async'],
)
@both
def test_a_tools_own_error_reaches_the_caller(ask: Ask, tool: Any) -> None:
    agent = Agent(Script(call('explode', {'n': 7})).model, tools=[tool])
    with pytest.raises(Broken) as caught:
        ask(agent, 'x')
    assert caught.value.args == (7,)
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert frames[-1] == 'explode'
    assert 'test_a_tools_own_error_reaches_the_caller' in frames
    assert ask(agent, 'x', model=TestModel(call_tools=[])).data  # the next run works
