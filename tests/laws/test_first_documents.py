# ruff: noqa: UP007 - they are written for older versions of Python
"""Programs from the documents that this project began with: only the name of the package is new."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Union

import pytest
from pydantic import BaseModel, ValidationError
from typing_extensions import TypedDict

from syncai import Agent, ModelRetry, RunContext, Tool, UnexpectedModelBehavior, capture_run_messages, models
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.format_as_xml import format_as_xml
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from syncai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from syncai.models.openai import OpenAIModel
from syncai.models.test import TestModel
from syncai.result import Cost
from syncai.tools import ToolDefinition
from syncai.usage import Usage


@dataclass
class Wheel:
    winner: int


roulette = Agent(
    'openai:gpt-4o',
    deps_type=Wheel,
    result_type=bool,
    system_prompt='Ask the wheel.',
    retries=2,
    defer_model_check=True,  # type: ignore[call-arg]  # what it asked for is always done
)


@roulette.tool
async def spin(ctx: RunContext[Wheel], square: int) -> str:
    """Tells whether a square wins.

    Args:
        square: The number that was bet on.
    """
    if ctx.retry == 0:
        raise ModelRetry('The ball is still rolling.')
    return 'winner' if square == ctx.deps.winner else 'loser'


def test_a_test_model_in_place_of_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, 'ALLOW_MODEL_REQUESTS', False)
    model = TestModel(custom_result_args=True)
    assert TestModel().agent_model_function_tools is None
    with capture_run_messages() as messages, roulette.override(model=model):
        result = roulette.run_sync('All on eighteen', deps=Wheel(18))
    assert result.data is True
    assert isinstance(result.cost(), Cost)
    assert result.cost().total_tokens == result.usage().total_tokens
    assert messages == result.all_messages()
    assert isinstance(messages[0].parts[0], SystemPromptPart)
    assert [p.part_kind for m in messages for p in m.parts if p.part_kind == 'retry-prompt'] == ['retry-prompt']
    [tool] = model.agent_model_function_tools or []
    assert tool.parameters_json_schema['properties']['square']['description'] == 'The number that was bet on.'
    assert model.agent_model_allow_text_result is False


def forecast(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        prompt = messages[0].parts[-1]
        assert isinstance(prompt, UserPromptPart)
        day = re.search(r'\d{4}-\d{2}-\d{2}', str(prompt.content))
        assert day is not None
        return ModelResponse.from_tool_call(
            ToolCallPart.from_raw_args(info.function_tools[0].name, {'day': day.group()})
        )
    last = messages[-1].parts[0]
    assert isinstance(last, ToolReturnPart)
    return ModelResponse.from_text(f'It will be {last.content}')


def weather(day: str) -> str:
    return f'sunny on {day}'


def test_a_function_as_the_model() -> None:
    agent = Agent(FunctionModel(forecast), tools=[Tool(weather, takes_ctx=False, max_retries=3)])
    assert agent.run_sync('How is it on 2030-01-02?').data == 'It will be sunny on 2030-01-02'


def broken(ctx: RunContext[None]) -> str:
    raise ModelRetry(f'again {ctx.retry}')


@pytest.mark.parametrize('tool', [Tool(broken, max_retries=2), Tool(broken, retries=2)])
def test_both_names_of_the_retries_of_a_tool(tool: Tool[Any]) -> None:
    with pytest.raises(UnexpectedModelBehavior, match='again 2'):
        Agent(TestModel(), tools=[tool]).run_sync('x')


class Whale(BaseModel):
    name: str
    length: float


async def whale_in_pieces(messages: list[ModelMessage], info: AgentInfo) -> Any:
    yield {0: DeltaToolCall(info.result_tools[0].name)}
    calls: list[DeltaToolCalls] = [
        {0: DeltaToolCall(json_args=text)} for text in ('{"name": "Blue"', ', "length": 25', '}')
    ]
    for call in calls:
        yield call


def test_a_structured_result_in_pieces() -> None:
    agent = Agent(FunctionModel(stream_function=whale_in_pieces), result_type=Whale)

    async def main() -> list[Whale]:
        whales = []
        async with agent.run_stream('Which one?') as result:
            assert result.is_structured
            async for message, last in result.stream_structured(debounce_by=None):
                try:
                    whales.append(await result.validate_structured_result(message, allow_partial=not last))
                except ValidationError:
                    continue
            assert result.is_complete
            assert await result.get_data() == whales[-1]
        return whales

    assert asyncio.run(main())[-1] == Whale(name='Blue', length=25)


class UserProfile(TypedDict, total=False):
    name: str
    dob: date
    bio: str


async def profile_in_pieces(messages: list[ModelMessage], info: AgentInfo) -> Any:
    yield {0: DeltaToolCall(info.result_tools[0].name)}
    for text in (
        '{"name": "Ben", ',
        '"dob": "1990-',
        '01-28", "bio": "Likes',
        ' the chain the ',
        'dog and',
        ' the pyr',
        'amid"}',
    ):
        yield {0: DeltaToolCall(json_args=text)}


def test_a_profile_that_grows_as_the_document_prints_it() -> None:
    """The name twice while the date arrives, and the whole twice: as far as it has arrived, and validated in full."""
    agent = Agent(FunctionModel(stream_function=profile_in_pieces), result_type=UserProfile)

    async def main() -> list[UserProfile]:
        async with agent.run_stream('My name is Ben, I was born on January 28th 1990.') as result:
            return [profile async for profile in result.stream(debounce_by=None)]

    name: UserProfile = {'name': 'Ben'}
    dated: UserProfile = {**name, 'dob': date(1990, 1, 28)}
    bios = ['Likes', 'Likes the chain the ', 'Likes the chain the dog and', 'Likes the chain the dog and the pyr']
    whole: UserProfile = {**dated, 'bio': 'Likes the chain the dog and the pyramid'}
    assert asyncio.run(main()) == [name, name, *({**dated, 'bio': bio} for bio in bios), whole, whole]


async def hello_world(messages: list[ModelMessage], info: AgentInfo) -> Any:
    for text in ('The first known', ' use of "hello,', ' world" was in', ' a 1974 textbook'):
        yield text


def test_a_text_that_grows_as_the_document_prints_it() -> None:
    agent = Agent(FunctionModel(stream_function=hello_world))

    async def main() -> list[str]:
        async with agent.run_stream('Where does "hello world" come from?') as result:
            return [message async for message in result.stream(debounce_by=None)]

    assert asyncio.run(main()) == [
        'The first known',
        'The first known use of "hello,',
        'The first known use of "hello, world" was in',
        'The first known use of "hello, world" was in a 1974 textbook',
    ]


def test_a_validator_that_asks_again_and_a_union() -> None:
    agent: Agent[None, Union[Whale, str]] = Agent(TestModel(custom_result_text='a fish'), result_type=Union[Whale, str])
    seen = []

    @agent.result_validator
    async def no_fish(ctx: RunContext[None], result: Union[Whale, str]) -> Union[Whale, str]:
        seen.append(ctx.retry)
        if ctx.retry == 0:
            raise ModelRetry('A whale is no fish.')
        return result

    assert agent.run_sync('Which one?').data == 'a fish'
    assert seen == [0, 1]


async def greeting_for(ctx: RunContext[str], definition: ToolDefinition) -> Union[ToolDefinition, None]:
    if ctx.deps == 'nobody':
        return None
    definition.parameters_json_schema['properties']['name']['description'] = f'Name of the {ctx.deps}.'
    return definition


def greet(name: str) -> str:
    return f'hello {name}'


def test_a_tool_that_is_prepared() -> None:
    model = TestModel()
    agent = Agent(model, deps_type=str, tools=[Tool(greet, prepare=greeting_for)])
    assert agent.run_sync('x', deps='machine').data == '{"greet":"hello a"}'
    [tool] = model.agent_model_function_tools or []
    assert tool.parameters_json_schema['properties']['name']['description'] == 'Name of the machine.'
    assert agent.run_sync('x', deps='nobody').data == 'success (no tool calls)'


def test_examples_in_a_system_prompt() -> None:
    agent: Agent[None, str] = Agent(TestModel())

    @agent.system_prompt
    async def examples() -> str:
        return 'Write SQL.\n\n' + format_as_xml([{'request': 'all', 'response': 'SELECT 1'}])

    result = agent.run_sync('x', infer_name=False)
    prompt = result.all_messages()[0].parts[0]
    assert isinstance(prompt, SystemPromptPart)
    assert '<request>all</request>' in prompt.content


def test_agents_that_hand_on_their_usage() -> None:
    jokes = Agent(TestModel(), result_type=list[str])
    chooser = Agent(TestModel())

    @chooser.tool
    async def tell(ctx: RunContext[None], count: int) -> list[str]:
        return (await jokes.run(f'Tell {count} jokes', usage=ctx.usage)).data

    usage = chooser.run_sync('A joke').usage()
    assert isinstance(usage, Usage)
    assert usage.requests == 3


def test_direct_requests() -> None:
    question = [ModelRequest.user_text_prompt('Who?')]
    assert model_request_sync(TestModel(), question).parts == [TextPart('success (no tool calls)')]
    opened = model_request_stream_sync('test', question)
    assert repr(opened) == 'StreamedResponseSync(context_entered=False)'
    with opened as stream:
        events = list(stream)
        assert 'TestStreamedResponse' in repr(stream)
        assert "'test'" in repr(stream)
    assert repr(events[0]) == "PartStartEvent(index=0, part=TextPart(content=''))"
    assert repr(events[1]) == "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='success '))"


@pytest.mark.parametrize('name', ['openai:gpt-4o', 'gpt-4o', 'claude-3-5-haiku-latest', 'google-gla:gemini-1.5-pro'])
def test_models_by_the_names_of_then(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GOOGLE_API_KEY'):
        monkeypatch.setenv(variable, 'key')
    assert isinstance(Agent(name).model, models.Model)


def test_a_model_by_its_first_name() -> None:
    assert OpenAIModel('gpt-4o', api_key='key').model_name == 'gpt-4o'
