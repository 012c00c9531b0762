"""Wrong input: a clear error that names the remedy, before any request where that is possible."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import pytest
from agent_faces import Ask, Script, both, call
from pydantic import BaseModel

from syncai.agent import Agent
from syncai.exceptions import MissingKeyError, UserError
from syncai.messages import BinaryContent, ImageUrl, ModelRequest
from syncai.models.test import TestModel
from syncai.tools import RunContext, Tool
from syncai.usage import Usage, UsageLimits


def look() -> str:
    return 'seen'


def final_result() -> str:
    return ''


def takes_context(ctx: RunContext[Any], name: str) -> str:
    return name


def unresolved(value: Missing) -> str:  # type: ignore[name-defined]  # noqa: F821 - what the test is about
    return str(value)


class NotDescribable:
    pass


# --- the agent --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'model': 5}, "model must be a Model or a name like 'openai:gpt-5.4-mini', not 5"),
        ({'model': 'opnai:gpt-5.4-mini'}, "Unknown provider 'opnai'"),
        ({'model': 'llama-3.3-70b'}, "Unknown model 'llama-3.3-70b'; write 'provider:model'. Did you mean"),
        ({'name': 5}, 'name must be a str or None, not 5'),
        ({'result_type': NotDescribable}, 'The result type NotDescribable has no JSON schema'),
        ({'result_type': Callable[[], int]}, 'has no JSON schema'),
        (
            {'result_type': BaseModel},
            'The result type BaseModel has no fields of its own: give a model derived from it',
        ),
        ({'result_type': list[str] | BaseModel}, 'The result type BaseModel has no fields'),
        ({'result_type': [str, int]}, 'result_type is a list: write a union'),
        ({'result_type': 'str'}, "result_type is the text 'str': give the type itself"),
        ({'result_type': look}, "result_type is the function 'look'"),
        ({'result_tool_name': 'not a name'}, "'not a name' cannot be the name of a tool"),
        ({'result_tool_name': 5}, 'result_tool_name must be a str, not 5'),
        ({'result_tool_description': 5}, 'result_tool_description must be a str or None, not 5'),
        ({'result_mode': 'json'}, "result_mode must be one of 'auto', 'tool', 'native', 'prompted', not 'json'"),
        ({'end_strategy': 'late'}, "end_strategy must be one of 'early', 'exhaustive', not 'late'"),
        ({'retries': -1}, 'retries must be an integer, 0 or above, not -1'),
        ({'retries': None}, 'retries must be an integer, 0 or above, not None'),
        ({'retries': True}, 'retries must be an integer'),
        ({'result_retries': 1.5}, 'result_retries must be an integer, 0 or above, not 1.5'),
        ({'system_prompt': 5}, 'system_prompt must be a str or a sequence of them, not int'),
        ({'system_prompt': [look]}, 'a function is registered with @agent.system_prompt'),
        ({'deps_type': NotDescribable()}, 'deps_type must be a type, not a value of NotDescribable'),
        ({'deps_type': {'a': 1}}, 'deps_type must be a type, not a value of dict'),
        ({'model_settings': {'temprature': 1}}, "Unknown model setting 'temprature': did you mean 'temperature'"),
        ({'model_settings': [1]}, 'model_settings must be a dict'),
        ({'model_settings': {'timeout': -1}}, "Model setting 'timeout' must be a number of seconds above 0"),
        ({'usage_limits': 5}, 'usage_limits must be UsageLimits(...) or None, not 5'),
        ({'usage_limits': Usage()}, 'usage_limits must be UsageLimits(...) or None'),
        ({'tools': look}, 'tools must be a list of functions and Tools, not function'),
        ({'tools': 'look'}, 'tools must be a list of functions and Tools, not str'),
        ({'tools': [5]}, 'A tool must be a function, not 5'),
        ({'tools': [look, look]}, "The agent has a tool 'look' already: give one of the two another name=..."),
        ({'tools': [final_result], 'result_type': int}, "'final_result' is the name of the tool by which the model"),
        ({'tools': [lambda: 1]}, 'A lambda has no name by which a model could call it'),
        ({'tools': [unresolved]}, "The type 'Missing' of parameter 'value' of 'unresolved' cannot be resolved"),
    ],
)
def test_arguments_of_an_agent(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        Agent(**arguments)


def test_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    agent = Agent('openai:gpt-5.4-mini')
    with pytest.raises(MissingKeyError, match='OPENAI_API_KEY'):
        agent.run_sync('x')
    assert agent.run_sync('x', model='test').data


class Store(Protocol):
    def get(self) -> int: ...


@pytest.mark.parametrize('deps_type', [Store, Any, int | None, Annotated[int, 'n'], list[int], type(None), None])
def test_deps_types_of_which_little_is_known(deps_type: Any) -> None:
    deps = [1] if deps_type == list[int] else 3
    assert Agent('test', deps_type=deps_type).run_sync('x', deps=deps).data


# --- functions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'name': 'not a name'}, "'not a name' cannot be the name of a tool"),
        ({'name': 5}, 'name of a tool must be a str or None, not 5'),
        ({'description': 5}, 'description of a tool must be a str or None, not 5'),
        ({'retries': -1}, "retries of tool 'look' must be an integer, 0 or above, not -1"),
        ({'prepare': 'x'}, "prepare of tool 'look' must be a function, not 'x'"),
        ({'run_in': 'process'}, "run_in of tool 'look' must be 'caller' or 'thread'"),
    ],
)
def test_options_of_a_tool(options: dict[str, Any], message: str) -> None:
    for register in (lambda: Tool(look, **options), lambda: Agent().tool_plain(**options)(look)):
        with pytest.raises(UserError, match=re.escape(message)):
            register()


def test_decorators() -> None:
    agent: Agent[None, int] = Agent(result_type=int)
    with pytest.raises(UserError, match="'look' takes a RunContext but has no first parameter for it"):
        agent.tool(look)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r'is a RunContext, but .* registered without one: use @agent\.tool'):
        agent.tool_plain(takes_context)
    agent.tool_plain(look)
    with pytest.raises(UserError, match="The agent has a tool 'look' already"):
        agent.tool_plain(look)
    with pytest.raises(UserError, match="'final_result' is the name of the tool by which the model gives its result"):
        agent.tool_plain(final_result)
    with pytest.raises(UserError, match=r"The system prompt 'two' must take \(ctx\) or none, not 2 parameters"):

        @agent.system_prompt
        def two(a: int, b: int) -> str:
            return ''

    with pytest.raises(UserError, match=r"The result validator 'none' must take \(data\) or \(ctx, data\)"):

        @agent.result_validator
        def none() -> int:
            return 1

    with pytest.raises(UserError, match='A system prompt must be a function'):
        agent.system_prompt('Be brief.')  # type: ignore[call-overload]
    with pytest.raises(TypeError, match='retires'):
        agent.tool_plain(retires=3)(final_result)  # type: ignore[call-overload]


@both
def test_a_system_prompt_function_that_returns_nothing(ask: Ask) -> None:
    script = Script('never')
    agent = Agent(script.model)

    @agent.system_prompt
    def forgot() -> None:
        return None

    with pytest.raises(UserError, match="The system prompt function 'forgot' must return a str, not NoneType"):
        ask(agent, 'x')
    assert script.asked == []


# --- a run ------------------------------------------------------------------------------------------------------------


@dataclass
class Db:
    name: str


RUNS: list[tuple[dict[str, Any], str]] = [
    ({'prompt': None}, 'A run needs a prompt, or a message_history that ends in one'),
    ({'prompt': ''}, 'The prompt is empty: the model needs something to answer'),
    ({'prompt': []}, 'The prompt is empty'),
    ({'prompt': ['', '']}, 'The prompt is empty'),
    ({'prompt': 5}, 'The prompt must be a str, or a list of str and files, not int'),
    ({'prompt': b'x'}, 'The prompt must be a str, or a list of str and files, not bytes'),
    ({'prompt': {'a': 1}}, 'The prompt must be a str, or a list of str and files, not dict'),
    ({'prompt': ['x', 5]}, 'The prompt holds a value of int: it may hold str, ImageUrl'),
    ({'prompt': [ModelRequest.user_text_prompt('x')]}, 'The prompt holds a value of ModelRequest'),
    ({'prompt': ['x', ImageUrl('photo.png')]}, "ImageUrl takes an address such as https://host/file, not 'photo.png'"),
    ({'deps': 'db'}, 'deps must be of the type Db (the deps_type of the agent), not str'),
    ({'deps': None}, 'deps must be of the type Db (the deps_type of the agent), none were given'),
    ({'message_history': 'x'}, 'message_history must be a list of messages, as all_messages() gives them'),
    ({'message_history': ['x']}, 'ModelMessagesTypeAdapter.validate_json'),
    ({'message_history': b'[]'}, 'ModelMessagesTypeAdapter.validate_json'),
    ({'message_history': ModelRequest.user_text_prompt('x')}, 'message_history must be a list'),
    ({'message_history': [ModelRequest('x')]}, 'The parts of a ModelRequest must be a list of parts, not str'),  # type: ignore[arg-type]
    ({'timeout': 0}, 'timeout must be a number of seconds above 0, not 0'),
    ({'timeout': -1}, 'timeout must be a number of seconds above 0, not -1'),
    ({'timeout': float('nan')}, 'timeout must be a number of seconds above 0, not nan'),
    ({'timeout': '3'}, "timeout must be a number of seconds above 0, not '3'"),
    ({'timeout': True}, 'timeout must be a number of seconds above 0, not True'),
    ({'model_settings': {'temprature': 1}}, "did you mean 'temperature'"),
    ({'usage_limits': 5}, 'usage_limits must be UsageLimits(...), not int'),
    ({'usage': UsageLimits()}, 'usage must be Usage(...), not UsageLimits'),
    ({'model': 5}, "model must be a Model or a name like 'openai:gpt-5.4-mini', not 5"),
    ({'model': 'opnai:x'}, "Unknown provider 'opnai'"),
    ({'mesage_history': []}, "Unknown option 'mesage_history' of a run: did you mean 'message_history'?"),
    (
        {'max_tokens': 5},
        "'max_tokens' of a run: it is a setting of the model: model_settings={'max_tokens'",
    ),
    ({'infer_name': 'me'}, "infer_name must be True or False, not 'me'"),
    (
        {'result_retries': 2},
        "Unknown option 'result_retries' of a run: it belongs to the agent: Agent(..., result_retries=...)",
    ),
    ({'system_prompt': 'x'}, 'it belongs to the agent: Agent(..., system_prompt=...)'),
    ({'question': 'x'}, "Unknown option 'question' of a run: the prompt is the first argument, or user_prompt=..."),
    ({'stream': True}, "Unknown option 'stream' of a run: write agent.run_stream_sync(prompt)"),
]


@pytest.mark.parametrize(('options', 'message'), RUNS)
@both
def test_options_of_a_run(ask: Ask, options: dict[str, Any], message: str) -> None:
    script = Script('never')
    agent = Agent(script.model, deps_type=Db)
    with pytest.raises(UserError, match=re.escape(message)):
        ask(agent, **{'prompt': 'x', 'deps': Db('a'), **options})
    assert script.asked == []


@both
def test_a_run_without_a_model(ask: Ask) -> None:
    with pytest.raises(UserError, match='The run has no model: give one to the agent'):
        ask(Agent(), 'x')


def test_deps_that_override() -> None:
    agent = Agent('test', deps_type=Db)
    with agent.override(deps=5), pytest.raises(UserError, match='deps must be of the type Db'):
        agent.run_sync('x', deps=Db('a'))
    with agent.override(deps=Db('b')):
        assert agent.run_sync('x').data
    with pytest.raises(UserError, match='model must be a Model'), agent.override(model=5):  # type: ignore[arg-type]
        pass


def test_prompts_of_every_kind() -> None:
    image, file = ImageUrl('https://example.com/a.png'), BinaryContent(b'x', media_type='image/png')
    prompts: list[Any] = ['x', ['x', image], ('x', file), [image]]
    for prompt in prompts:
        assert Agent(TestModel()).run_sync(prompt).data


@pytest.mark.parametrize('limit', [-1, 1.5, True, 'x'])
def test_usage_limits(limit: Any) -> None:
    with pytest.raises(UserError, match=r'UsageLimits\.total_tokens_limit must be None or an integer, 0 or above'):
        UsageLimits(total_tokens_limit=limit)


@both
def test_a_result_validator_that_forgets_to_return(ask: Ask) -> None:
    agent: Agent[None, str] = Agent(Script('text').model)
    agent.result_validator(lambda data: None)
    with pytest.raises(UserError, match="The result validator '<lambda>' returned nothing: it must return the result"):
        ask(agent, 'x')
    kinds: list[Any] = [str | None, Annotated[str | None, 'n'], Any]
    for kind in kinds:
        text = Script('text') if kind == str | None else Script(call('final_result', {'response': 'text'}))
        lenient: Agent[None, Any] = Agent(text.model, result_type=kind)
        lenient.result_validator(lambda data: None)
        assert ask(lenient, 'x').data is None


@both
def test_the_error_of_a_model_that_gives_no_answer(ask: Ask) -> None:
    from syncai.models.function import FunctionModel

    with pytest.raises(UserError, match='must return a ModelResponse'):
        ask(Agent(FunctionModel(lambda messages, info: 7)), 'x')  # type: ignore[arg-type, return-value]
    script = Script(call('final_result', {'response': 1}))
    assert ask(Agent(script.model, result_type=int), 'x').data == 1


# --- streams ---------------------------------------------------------------------------------------------------------


def test_the_other_kind_of_block_or_loop_is_named() -> None:
    agent = Agent(TestModel())

    async def wrong_block(stream: Any) -> None:
        async with stream:
            pass

    async def wrong_loop(stream: Any) -> None:
        async for _ in stream:
            pass

    for stream in agent.run_stream_sync('x'), agent.run_stream_events_sync('x'):
        with pytest.raises(UserError, match='is for synchronous code: write `with`'):
            asyncio.run(wrong_block(stream))
    for stream in agent.run_stream('x'), agent.run_stream_events('x'):  # type: ignore[assignment]
        with pytest.raises(UserError, match='is for coroutines: write `async with`'), stream:
            pass
    with pytest.raises(UserError, match='write `with` and `for`'):
        asyncio.run(wrong_loop(agent.run_stream_events_sync('x')))
    with pytest.raises(UserError, match='write `async with` and `async for`'):
        list(agent.run_stream_events('x'))  # type: ignore[call-overload]
    with pytest.raises(UserError, match='Say how to read it'):
        list(agent.run_stream_sync('x'))  # type: ignore[call-overload]
    with pytest.raises(UserError, match='Say how to read it'):
        asyncio.run(wrong_loop(agent.run_stream('x')))


@pytest.mark.parametrize('decorator', ['tool', 'tool_plain'])
def test_takes_ctx_of_a_decorator_names_the_right_one(decorator: str) -> None:
    with pytest.raises(UserError, match=r'@agent\.tool_plain for those without'):
        getattr(Agent('test'), decorator)(takes_ctx=True)
