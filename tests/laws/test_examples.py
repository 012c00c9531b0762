"""The first programs of new users, synchronous and asynchronous, over real HTTP and with a function."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, Field

from syncai import Agent, Cost, ModelRetry, RunContext
from syncai.direct import model_request_stream, model_request_stream_sync
from syncai.messages import ModelRequest, PartDeltaEvent, PartStartEvent
from syncai.models.test import TestModel
from syncai.result import RunResult
from syncai.testing import Reply, ToolCall

if TYPE_CHECKING:
    from scripted import Play

FORMS = pytest.mark.parametrize('form', ['sync', 'async'])


def run(form: str, agent: Agent[Any, Any], prompt: str, **options: Any) -> RunResult[Any]:
    return agent.run_sync(prompt, **options) if form == 'sync' else asyncio.run(agent.run(prompt, **options))


# --- 1: a city and its country, and what that cost --------------------------------------------------------------------


class CityLocation(BaseModel):
    city: str
    country: str


@FORMS
def test_1_a_city_and_its_country(play: Play, form: str) -> None:
    call = ToolCall('final_result', {'city': 'London', 'country': 'United Kingdom'})
    agent = Agent(play(Reply(tool_calls=[call], usage=(56, 8))), result_type=CityLocation)
    result = run(form, agent, 'Where were the olympics held in 2012?')
    assert result.data == CityLocation(city='London', country='United Kingdom')
    assert repr(result.cost()) == 'Cost(request_tokens=56, response_tokens=8, total_tokens=64, details=None)'
    assert result.cost() == Cost(request_tokens=56, response_tokens=8, total_tokens=64, details=None)


# --- 2: a box, or a question about it ---------------------------------------------------------------------------------


class Box(BaseModel):
    width: int
    height: int
    depth: int
    units: str


@FORMS
def test_2_a_box_or_a_question(play: Play, form: str) -> None:
    box = {'width': 10, 'height': 20, 'depth': 30, 'units': 'cm'}
    model = play(
        Reply('Please provide the units for the dimensions.'), Reply(tool_calls=[ToolCall('final_result', box)])
    )
    agent = Agent(
        model,
        result_type=Box | str,
        system_prompt="Extract me the dimensions of a box, if you can't extract all data, ask the user to try again.",
    )
    first = run(form, agent, 'The box is 10x20x30')
    assert first.data == 'Please provide the units for the dimensions.'
    second = run(form, agent, 'The box is 10x20x30 cm', message_history=first.all_messages())
    assert second.data == Box(width=10, height=20, depth=30, units='cm')


# --- 3: a list of colours or of sizes ---------------------------------------------------------------------------------


@pytest.mark.slow
@FORMS
def test_3_one_of_two_kinds_of_lists(play: Play, form: str) -> None:
    model = play(
        Reply(tool_calls=[ToolCall('final_result_list_str', {'response': ['red', 'blue', 'green']})]),
        Reply(tool_calls=[ToolCall('final_result_list_int', {'response': [10, 20, 30]})]),
    )
    agent = Agent(model, result_type=list[str] | list[int], system_prompt='Extract either colors or sizes.')
    assert run(form, agent, 'red square, blue circle, green triangle').data == ['red', 'blue', 'green']
    assert run(form, agent, 'square size 10, circle size 20, triangle size 30').data == [10, 20, 30]
    asked = TestModel(custom_result_args=['x'])
    assert run(form, agent, 'again', model=asked).data == ['x']
    parameters = asked.last_model_request_parameters
    assert parameters is not None
    assert [t.name for t in parameters.result_tools] == ['final_result_list_str', 'final_result_list_int']
    assert [t.outer_typed_dict_key for t in parameters.result_tools] == ['response', 'response']


# --- 4: SQL that a real database has checked --------------------------------------------------------------------------


class Success(BaseModel):
    """Response when SQL could be successfully generated."""

    sql_query: str


class InvalidRequest(BaseModel):
    """Response when the user input didn't include enough information to generate SQL."""

    error_message: str


@dataclass
class Deps:
    conn: sqlite3.Connection


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(':memory:', check_same_thread=False)
    connection.execute('CREATE TABLE users (id INTEGER PRIMARY KEY, last_active DATE)')
    yield connection
    connection.close()


@FORMS
def test_4_sql_checked_by_the_database(play: Play, form: str, database: sqlite3.Connection) -> None:
    model = play(
        Reply(tool_calls=[ToolCall('final_result_Success', {'sql_query': 'SELECT * FROM people'})]),
        Reply(tool_calls=[ToolCall('final_result_Success', {'sql_query': 'SELECT * FROM users'})]),
        Reply(tool_calls=[ToolCall('final_result_InvalidRequest', {'error_message': 'What do you want?'})]),
    )
    agent = Agent(
        model,
        result_type=Success | InvalidRequest,
        deps_type=Deps,
        system_prompt='Generate SQLite flavored SQL queries based on user input.',
    )

    @agent.result_validator
    def validate(ctx: RunContext[Deps], result: Success | InvalidRequest) -> Success | InvalidRequest:
        if isinstance(result, InvalidRequest):
            return result
        try:
            ctx.deps.conn.execute(f'EXPLAIN {result.sql_query}')
        except sqlite3.Error as error:
            raise ModelRetry(f'Invalid query: {error}') from error
        return result

    result = run(form, agent, 'get me users who were last active yesterday.', deps=Deps(database))
    assert result.data == Success(sql_query='SELECT * FROM users')
    retry = result.all_messages()[2].parts[0]
    assert 'no such table: people' in str(getattr(retry, 'content', ''))
    assert run(form, agent, 'hello', deps=Deps(database)).data == InvalidRequest(error_message='What do you want?')


# --- 8: the events of a direct request --------------------------------------------------------------------------------

QUESTION = [ModelRequest.user_text_prompt('Who was Albert Einstein?')]


@FORMS
def test_8_chunks_of_a_direct_request(play: Play, form: str) -> None:
    model = play(Reply('Albert Einstein was ', 'a German-born theoretical ', 'physicist.'))
    events: list[object] = []
    if form == 'sync':
        with model_request_stream_sync(model, QUESTION) as stream:
            events.extend(stream)
    else:

        async def main() -> None:
            async with model_request_stream(model, QUESTION) as stream:
                events.extend([event async for event in stream])

        asyncio.run(main())
    first, *rest = events
    assert isinstance(first, PartStartEvent)
    assert getattr(first.part, 'content', None) == 'Albert Einstein was '
    assert all(isinstance(event, PartDeltaEvent) for event in rest)
    assert [getattr(e.delta, 'content_delta', None) for e in rest if isinstance(e, PartDeltaEvent)] == [
        'a German-born theoretical ',
        'physicist.',
    ]


def test_8_chunks_of_the_test_model() -> None:
    with model_request_stream_sync('test', QUESTION) as stream:
        assert [repr(event) for event in stream] == [
            "PartStartEvent(index=0, part=TextPart(content=''))",
            "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='success '))",
            "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='(no '))",
            "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='tool '))",
            "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='calls)'))",
        ]


# --- 9: a bank's support --------------------------------------------------------------------------------------------


class DatabaseConn:
    async def customer_name(self, *, customer_id: int) -> str | None:
        return 'John' if customer_id == 123 else None

    async def customer_balance(self, *, customer_id: int, include_pending: bool) -> float:
        if customer_id != 123:
            raise ValueError('Customer not found')
        return 123.45 if include_pending else 100.0


@dataclass
class SupportDependencies:
    customer_id: int
    db: DatabaseConn


class SupportResult(BaseModel):
    support_advice: str = Field(description='Advice returned to the customer')
    block_card: bool = Field(description="Whether to block the customer's card")
    risk: int = Field(description='Risk level of query', ge=0, le=10)


def support_agent(model: Any) -> Agent[SupportDependencies, SupportResult]:
    agent = Agent(
        model,
        deps_type=SupportDependencies,
        result_type=SupportResult,
        system_prompt='You are a support agent in our bank, give the customer support and judge the risk level.',
    )

    @agent.system_prompt
    async def add_customer_name(ctx: RunContext[SupportDependencies]) -> str:
        name = await ctx.deps.db.customer_name(customer_id=ctx.deps.customer_id)
        return f"The customer's name is {name!r}"

    @agent.tool
    async def customer_balance(ctx: RunContext[SupportDependencies], include_pending: bool) -> str:
        """Returns the customer's current account balance."""
        balance = await ctx.deps.db.customer_balance(customer_id=ctx.deps.customer_id, include_pending=include_pending)
        return f'${balance:.2f}'

    @agent.tool_plain
    def card_status(card: str) -> str:
        """Tells whether a card is blocked."""
        return f'{card} is open'

    return agent


@FORMS
def test_9_bank_support(play: Play, form: str) -> None:
    advice = {'support_advice': 'Hello John, your balance is $123.45.', 'block_card': False, 'risk': 1}
    model = play(
        Reply(
            tool_calls=[ToolCall('customer_balance', {'include_pending': True}), ToolCall('card_status', {'card': 'x'})]
        ),
        Reply(tool_calls=[ToolCall('final_result', advice)]),
    )
    deps = SupportDependencies(customer_id=123, db=DatabaseConn())
    result = run(form, support_agent(model), 'What is my balance?', deps=deps)
    assert result.data == SupportResult(**advice)  # type: ignore[arg-type]
    messages = result.all_messages()
    assert "The customer's name is 'John'" in [getattr(p, 'content', None) for p in messages[0].parts]
    assert [getattr(p, 'content', None) for p in messages[2].parts] == ['$123.45', 'x is open']


@FORMS
def test_9_with_the_test_model(form: str) -> None:
    deps = SupportDependencies(customer_id=123, db=DatabaseConn())
    agent = support_agent('test')
    assert run(form, agent, 'x', deps=deps).data == SupportResult(support_advice='a', block_card=False, risk=0)
    with agent.override(model=TestModel(custom_result_args={'support_advice': 'b', 'block_card': True, 'risk': 9})):
        assert run(form, agent, 'x', deps=deps).data.block_card
