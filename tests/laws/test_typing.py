"""The types of the public surface, as a type checker sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from type_checker import check, plain

pytestmark = pytest.mark.xdist_group('checkers')  # they share a cache that one process may write

pytest.importorskip('mypy', reason='types are checked where the checker is installed')

REVEALED = """
from syncai import ModelRequest, ModelSettings, model_request, model_request_stream, model_request_stream_sync
from syncai import HttpOptions, model_request_sync
from syncai.exceptions import DeadlineExceeded, IncompleteStreamError, ModelHTTPError
from syncai.models import ModelRequestParameters, infer_model
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

ask = [ModelRequest.user_text_prompt('Hi')]
reveal_type(ask)  # list[syncai.messages.ModelRequest]
answer = model_request_sync('openai:gpt-5.4-mini', ask)
reveal_type(answer)  # syncai.messages.ModelResponse
reveal_type(answer.text)  # str
reveal_type(answer.usage.total_tokens)  # int | None
reveal_type(infer_model('openai:gpt-5.4-mini'))  # syncai.models.Model
with model_request_stream_sync(OpenAIChatModel('name', http=HttpOptions()), ask) as stream:
    reveal_type(stream)  # syncai.stream.response.StreamedResponseSync
    for event in stream:
        reveal_type(event)  # syncai.messages.PartStartEvent | syncai.messages.PartDeltaEvent
    reveal_type(stream.get())  # syncai.messages.ModelResponse
    reveal_type(stream.usage())  # syncai.usage.Usage
    reveal_type(stream.timestamp)  # datetime.datetime


async def main() -> None:
    reveal_type(await model_request('openai:name', ask))  # syncai.messages.ModelResponse
    async with model_request_stream('openai:name', ask, model_settings=ModelSettings(timeout=3)) as stream:
        reveal_type(stream)  # syncai.stream.response.StreamedResponseAsync
        async for event in stream:
            reveal_type(event)  # syncai.messages.PartStartEvent | syncai.messages.PartDeltaEvent


def remedy(error: ModelHTTPError | DeadlineExceeded | IncompleteStreamError) -> None:
    reveal_type(error.retry_after)  # float | None
    reveal_type(error.partial)  # syncai.messages.ModelResponse | None


with ModelServer(lambda request: Reply('Hello')) as server:
    reveal_type(server)  # syncai.testing.ModelServer
    reveal_type(server.base_url)  # str
"""

AGENTS = """
from dataclasses import dataclass
from typing import Literal, Union

from pydantic import BaseModel

from syncai import Agent, ModelRetry, RunContext, RunResult, Tool, Usage, UsageLimits
from syncai.models.test import TestModel


class City(BaseModel):
    name: str


@dataclass
class Db:
    url: str


plain = Agent('test')
reveal_type(plain)  # syncai.agent.Agent[None, str]
reveal_type(plain.run_sync('x').data)  # str
cities = Agent(TestModel(), result_type=City, deps_type=Db, usage_limits=UsageLimits(request_limit=3))
reveal_type(cities)  # syncai.agent.Agent[Db, City]
reveal_type(cities.run_sync('x', deps=Db('')))  # syncai.result.RunResult[City]
reveal_type(cities.run_sync('x', deps=Db('')).data.name)  # str
reveal_type(Agent('test', result_type=Union[City, str]).run_sync('x').data)  # City | str
reveal_type(Agent('test', result_type=list[str] | list[int]).run_sync('x').data)  # list[str] | list[int]
reveal_type(Agent('test', result_type=Literal['a', 'b']).run_sync('x').data)  # Literal['a'] | Literal['b']
reveal_type(cities.submit('x', deps=Db('')))  # concurrent.futures._base.Future[syncai.result.RunResult[City]]
for result in cities.map_sync(['x'], deps=Db('')):
    reveal_type(result.data)  # City
for outcome in cities.map_sync(['x'], deps=Db(''), return_exceptions=True):
    reveal_type(outcome)  # syncai.result.MapRow[City]
    reveal_type(outcome.error)  # Exception | None
with cities.run_stream_sync('x', deps=Db('')) as stream:
    reveal_type(stream)  # syncai.stream.run.StreamedRunResultSync[City]
    for city in stream.stream():
        reveal_type(city)  # City
    for text in stream.stream_text(delta=True):
        reveal_type(text)  # str
    for message, last in stream.stream_structured():
        reveal_type(message)  # syncai.messages.ModelResponse
        reveal_type(stream.validate_structured_result(message, allow_partial=not last))  # City
    reveal_type(stream.get_data())  # City
lists = Agent('test', result_type=list[City])
with lists.run_stream_sync('x') as many:
    for item in many.stream_items():
        reveal_type(item)  # City
for loose in (Agent('test', result_type=list[City] | list[int]), Agent('test', result_type=tuple[City, ...])):
    with loose.run_stream_sync('x') as others:
        for other in others.stream_items():
            reveal_type(other)  # Any
with cities.run_stream_events_sync('x', deps=Db('')) as events:
    reveal_type(events.result)  # syncai.result.RunResult[City]


async def main() -> None:
    reveal_type(await cities.run('x', deps=Db('')))  # syncai.result.RunResult[City]
    async with cities.run_stream('x', deps=Db('')) as stream:
        reveal_type(await stream.get_data())  # City
        async for city in stream.stream():
            reveal_type(city)  # City
        async for message, last in stream.stream_structured():
            reveal_type(await stream.validate_structured_result(message))  # City
    async with lists.run_stream('x') as many:
        async for item in many.stream_items():
            reveal_type(item)  # City
    async with cities.run_stream_events('x', deps=Db('')) as events:
        reveal_type(events.result)  # syncai.result.RunResult[City]


@cities.tool
def with_context(ctx: RunContext[Db], name: str) -> int:
    reveal_type(ctx.deps)  # Db
    return len(name)


@cities.tool(retries=2, run_in='thread')
def with_options(ctx: RunContext[Db]) -> int:
    return 1


@cities.tool_plain
async def without_context(name: str) -> int:
    return len(name)


@cities.system_prompt
def prompt(ctx: RunContext[Db]) -> str:
    return ctx.deps.url


@cities.result_validator
def validate(ctx: RunContext[Db], city: City) -> City:
    raise ModelRetry('again')


reveal_type(with_context(RunContext(deps=Db(''), model=TestModel(), usage=Usage(), prompt='', messages=[]), 'x'))  # int
"""

REFUSED_AGENTS = """
from syncai import Agent, RunContext

numbers = Agent('test', deps_type=int)
numbers.run_sync('x', deps='text')  # call-overload
numbers.run_sync('x', modle='test')  # call-overload
numbers.run_sync(1)  # call-overload
Agent('test', end_strategy='late')  # arg-type
Agent('test', retries='many')  # arg-type


@numbers.tool  # arg-type
def wrong(ctx: RunContext[str]) -> None: ...


@numbers.tool(retires=1)  # call-overload
def misspelt(ctx: RunContext[int]) -> None: ...
"""

REFUSED = """
from syncai import ModelRequest, ModelSettings, model_request_sync


model_request_sync('openai:name', 'Hi')  # arg-type
model_request_sync('openai:name', [ModelRequest.user_text_prompt('Hi')], {})  # call-arg, misc
ModelSettings(temprature=1)  # typeddict-unknown-key, typeddict-item
ModelSettings(max_tokens='many')  # typeddict-item
ModelRequest.user_text_prompt(1)  # arg-type
"""


@pytest.mark.whole('make types')
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize('code', [REVEALED, AGENTS], ids=['direct', 'agents'])
def test_types_of_the_public_surface(code: str, tmp_path: Path) -> None:
    said = check(code, tmp_path / 'revealed.py')
    expected = {
        number: line.partition('  # ')[2] for number, line in enumerate(code.splitlines(), 1) if 'reveal_type(' in line
    }
    revealed = {n: plain(text.removeprefix('Revealed type is ').strip('"')) for n, text in said.items()}
    assert revealed == expected


@pytest.mark.whole('make types')
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize('code', [REFUSED, REFUSED_AGENTS], ids=['direct', 'agents'])
def test_wrong_calls_are_refused(code: str, tmp_path: Path) -> None:
    said = check(code, tmp_path / 'refused.py')
    for number, line in enumerate(code.splitlines(), 1):
        if '  # ' in line:
            codes = line.partition('  # ')[2].split(', ')
            assert any(f'[{code}]' in said.get(number, '') for code in codes), (line, said.get(number))
    assert len(said) == code.count('  # ')
