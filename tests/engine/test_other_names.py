"""Names that people try, since other libraries have them: each ends in one line that names the right thing."""

from __future__ import annotations

import asyncio
import copy
import importlib
import inspect
import pickle
import re
import sys
import threading
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import syncai
from syncai import (
    Agent,
    Cost,
    ModelRequest,
    ModelResponse,
    Usage,
    UserError,
    ask,
    exceptions,
    model_request,
    model_request_stream_sync,
    model_request_sync,
)
from syncai._base.elsewhere import HOMES
from syncai._base.functions import is_async
from syncai._providers.names import provider_name
from syncai.limits import limit, limits_in_force, remove_limit
from syncai.models import infer_model
from syncai.models._catalog.providers import PROVIDERS
from syncai.models.function import FunctionModel

agent = Agent('test')
DICTS: Any = [{'role': 'user', 'content': 'Hi'}]


def one_line(error: BaseException) -> str:
    text = str(error)
    assert '\n' not in text
    return text


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('output', '`.data`'),
        ('messages', '`.all_messages()`'),
        ('total_tokens', '`.usage().total_tokens`'),
        ('exception', '`.error`'),
        ('user_prompt', '`.prompt`'),
        ('index', '`key=`'),
    ],
)
def test_names_of_a_row(name: str, remedy: str) -> None:
    (row,) = agent.map_sync(['Hi'])
    with pytest.raises(AttributeError, match=re.escape(remedy)) as caught:
        getattr(row, name)
    assert one_line(caught.value).startswith('MapRow has no ')


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('output', '`.data`'),
        ('text', '`.data`'),
        ('content', '`.data`'),
        ('choices', '`.response`'),
        ('messages', '`.all_messages()`'),
        ('total_tokens', '`.usage().total_tokens`'),
        ('input_tokens', '`.usage()'),
    ],
)
def test_of_a_result(name: str, remedy: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(remedy)) as caught:
        getattr(agent.run_sync('x'), name)
    assert name in one_line(caught.value)


@pytest.mark.parametrize(
    ('name', 'remedy'), [('text', '.stream_text()'), ('data', '.get_data()'), ('output', '.get_data()')]
)
def test_of_a_stream(name: str, remedy: str) -> None:
    with agent.run_stream_sync('x') as stream, pytest.raises(AttributeError, match=re.escape(remedy)):
        getattr(stream, name)
    question = [ModelRequest.user_text_prompt('x')]
    with model_request_stream_sync('test', question) as direct, pytest.raises(AttributeError, match=r'\.get\(\)'):
        getattr(direct, name)
    with agent.run_stream_events_sync('x') as events, pytest.raises(AttributeError, match=re.escape('.result.data')):
        getattr(events, name)

    async def main() -> None:
        async with agent.run_stream('x') as stream:
            with pytest.raises(AttributeError, match=re.escape(remedy)):
                getattr(stream, name)

    asyncio.run(main())


def test_of_a_response_and_of_usage() -> None:
    with pytest.raises(AttributeError, match=re.escape('`.text`')):
        _ = ModelResponse([]).content  # type: ignore[attr-defined]
    usage = Usage(1, 2, 3, 5)
    assert (usage.input_tokens, usage.output_tokens) == (2, 3)
    with pytest.raises((AttributeError, TypeError)):  # which of them, frozen dataclasses with slots say differently
        usage.input_tokens = 3  # type: ignore[misc]
    with pytest.raises(AttributeError, match='request_tokens'):
        _ = usage.prompt_tokens  # type: ignore[attr-defined]
    assert 'input_tokens' not in repr(usage)
    with pytest.raises(AttributeError, match='request_tokens'):
        _ = Cost.of(usage).input_tokens  # type: ignore[attr-defined]


def test_what_python_looks_for_stays_plain() -> None:
    result = agent.run_sync('x')
    with pytest.raises(AttributeError, match="'RunResult' object has no attribute '_dat'") as caught:
        _ = result._dat  # type: ignore[attr-defined]
    assert (caught.value.name, caught.value.obj) == ('_dat', result)
    assert not hasattr(result, 'output')
    assert copy.deepcopy(result) == result == pickle.loads(pickle.dumps(result))
    assert not hasattr(copy.copy(agent), 'chat')


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('chat', 'agent.run_sync(prompt)'),
        ('ask', 'agent.run_sync(prompt)'),
        ('invoke', 'agent.run_sync(prompt)'),
        ('stream', 'agent.run_stream_sync(prompt)'),
        ('add_tool', '@agent.tool'),
        ('output_validator', '@agent.result_validator'),
        ('history', 'message_history=result.all_messages()'),
    ],
)
def test_of_an_agent(name: str, remedy: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(remedy)) as caught:
        getattr(agent, name)
    one_line(caught.value)


@pytest.mark.parametrize(
    ('options', 'remedy'),
    [
        ({'output_type': int}, 'it is called result_type=... here'),
        ({'response_model': int}, 'it is called result_type=... here'),
        ({'system': 'Be brief.'}, 'it is called system_prompt=... here'),
        ({'temperature': 0}, "model_settings={'temperature': ...}"),
        ({'max_output_tokens': 5}, "model_settings={'max_tokens': ...}"),
        ({'api_key': 'sk-secret'}, "Agent(OpenAIChatModel('gpt-5.4-mini', api_key=...))"),
        ({'base_url': 'http://x'}, "Agent(OpenAIChatModel('gpt-5.4-mini', base_url=...))"),
        ({'timeout': 5}, 'agent.run_sync(prompt, timeout=...)'),
        ({'messages': []}, 'agent.run_sync(prompt, message_history=...)'),
        ({'deps': 5}, 'deps_type=...'),
        ({'prompt': 'Hi'}, 'agent.run_sync(prompt)'),
        ({'resulttype': int}, "did you mean 'result_type'"),
        ({'zzz': 1}, 'known are deps_type, end_strategy'),
    ],
)
def test_arguments_of_an_agent(options: dict[str, Any], remedy: str) -> None:
    with pytest.raises(UserError, match=re.escape(remedy)) as caught:
        Agent('openai:gpt-5.4-mini', **options)
    assert 'secret' not in one_line(caught.value)


def test_a_prompt_where_the_model_stands_alone() -> None:
    with pytest.raises(UserError, match='system_prompt='):
        Agent('test', 'Be brief.')  # type: ignore[arg-type, call-arg]


@pytest.mark.parametrize(
    ('options', 'remedy'),
    [
        ({'output_type': int}, 'it is called result_type=... here'),
        ({'messages': []}, 'it is called message_history=... here'),
        ({'max_workers': 8}, 'agent.map_sync(prompts, max_concurrency=...)'),
        ({'images': ['page.png']}, "agent.run_sync(['What is this?', pathlib.Path('page.png')])"),
        ({'reasoning_effort': 'low'}, "model_settings={'thinking': ...}"),
        ({'api_key': 'sk-secret'}, "model=OpenAIChatModel('gpt-5.4-mini', api_key=...)"),
        ({'stream': True}, 'agent.run_stream_sync(prompt)'),
        ({'system_prompt': 'x'}, 'instructions=...'),
    ],
)
def test_options_of_a_run(options: dict[str, Any], remedy: str) -> None:
    for call in (agent.run_sync, ask):
        with pytest.raises(UserError, match=re.escape(remedy)) as caught:
            call('x', **({'model': 'test'} | options))
        assert 'secret' not in one_line(caught.value)


def test_messages_of_openai() -> None:
    calls: list[Any] = [
        lambda: agent.run_sync(DICTS),
        lambda: agent.run_sync(DICTS[0]),
        lambda: agent.run_sync('x', message_history=DICTS),
        lambda: ask(DICTS, model='test'),
        lambda: model_request_sync('test', DICTS),
        lambda: model_request_stream_sync('test', DICTS),
    ]
    for call in calls:
        with pytest.raises(UserError, match=re.escape('messages_from_openai([...])')) as caught:
            call()
        one_line(caught.value)


# --- coroutines -------------------------------------------------------------------------------------------------------


def test_a_run_that_is_not_awaited() -> None:
    for make, remedy in (
        (lambda: agent.run('x'), 'agent.run_sync(...)'),
        (lambda: model_request('test', [ModelRequest.user_text_prompt('x')]), 'model_request_sync(...)'),
    ):
        run: Any = make()
        with pytest.raises(AttributeError, match=re.escape(remedy)) as caught:
            _ = run.data
        one_line(caught.value)
        assert remedy in repr(run)
        del caught
        with pytest.warns(RuntimeWarning, match=re.escape(remedy)):
            del run


def test_a_run_is_still_a_coroutine() -> None:
    async def main() -> list[str]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(agent.run('x'))
        many = await asyncio.gather(agent.run('x'), asyncio.wait_for(agent.run('x'), 5))
        return [task.result().data, *(one.data for one in many), (await agent.run('x')).data]

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert asyncio.run(main()) == ['success (no tool calls)'] * 4
        assert asyncio.run(agent.run('x')).data == 'success (no tool calls)'
    run = agent.run('x')
    assert asyncio.iscoroutine(run)
    assert inspect.isawaitable(run)
    run.close()


def test_a_task_of_a_run_can_be_cancelled() -> None:
    async def never(messages: Any, info: Any) -> ModelResponse:
        begun.set()
        await asyncio.sleep(3600)
        raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(Agent(FunctionModel(never)).run('x'))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        unstarted = asyncio.create_task(agent.run('x'))
        task.cancel()
        unstarted.cancel()
        for one in (task, unstarted):
            with pytest.raises(asyncio.CancelledError):
                await one

    begun = threading.Event()
    asyncio.run(main())


def test_frameworks_see_an_async_function() -> None:
    assert is_async(agent.run)
    assert is_async(model_request)
    assert not is_async(agent.run_sync)
    assert not is_async(Mock())  # which has every attribute that it is asked for
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(agent.run)


# --- providers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'system'),
    [
        ('claude:claude-sonnet-5-5', 'anthropic'),
        ('gemini:gemini-flash-latest', 'google'),
        ('OpenAI:gpt-5.5', 'openai'),
        (' openai : gpt-5.5', 'openai'),
        ('chatgpt:gpt-5.5', 'openai'),
        ('grok:grok-4', 'xai'),
        ('lm_studio:any', 'lmstudio'),
        ('kimi:kimi-k2.6', 'moonshot'),
    ],
)
def test_other_names_of_providers(name: str, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in PROVIDERS.values():
        for variable in row.key_variables:
            monkeypatch.setenv(variable, 'key')
    model = infer_model(name)
    assert (model.system, model.model_name) == (system, name.partition(':')[2].strip())
    assert provider_name(name.partition(':')[0]) == system


def test_a_slash_for_a_colon() -> None:
    with pytest.raises(UserError, match=re.escape("write 'anthropic:claude-sonnet-5-5'")):
        Agent('claude/claude-sonnet-5-5')


@pytest.mark.parametrize('name', ['opnai', 'antropic', 'opnai:gpt-5.4-mini', 'Gogle'])
def test_a_limit_of_a_provider_that_there_is_not(name: str) -> None:
    with pytest.raises(UserError, match='did you mean') as caught:
        limit(name, max_concurrency=3)
    one_line(caught.value)
    assert not limits_in_force


@pytest.mark.parametrize(
    ('name', 'known'),
    [('claude', 'anthropic'), ('OpenAI', 'openai'), ('gemini:gemini-2.5-pro', 'google:gemini-2.5-pro')]
    + [(name, name) for name in ('llama3.2', 'gpt-oss:20b', 'my-model', 'mistral', 'deepseek-r1')],
)
def test_a_limit_by_another_name(name: str, known: str) -> None:
    limit(name, max_concurrency=3)
    assert list(limits_in_force) == [known]
    remove_limit(name)
    assert not limits_in_force


# --- what can be imported ---------------------------------------------------------------------------------------------


def test_all_errors_can_be_imported() -> None:
    for name in exceptions.__all__:
        assert getattr(syncai, name) is getattr(exceptions, name)
        assert name in syncai.__all__


@pytest.mark.many(5)
@pytest.mark.parametrize(('name', 'module'), [*HOMES.items()])
def test_names_of_other_modules_are_where_the_hint_says(name: str, module: str) -> None:
    assert name in importlib.import_module(f'syncai.{module}').__all__
    with pytest.raises(ImportError) as caught:
        exec(f'from syncai import {name}')
    assert f'`from syncai.{module} import {name}`' in one_line(caught.value)
    with pytest.raises(AttributeError, match=f'from syncai.{module} import {name}'):
        getattr(syncai, name)
    assert not hasattr(syncai, name)


def test_every_public_name_is_in_the_package_or_has_a_hint() -> None:
    """What is imported from framework packages of `contrib`, and what is no part of a program, is left out."""
    lines = (Path(__file__).parent.parent / 'laws' / 'surface.txt').read_text().splitlines()
    apart = re.compile(r'syncai\.(contrib|cli|demo|testing\.pytest_plugin)\b')
    names, module = set[str](), ''
    for line in lines:
        if not line.startswith(' '):
            module = line[:-1]
        elif (match := re.match(r'    (?:class )?(\w+)', line)) and not apart.match(module):
            names.add(match[1])
    assert names - {*syncai.__all__} - {*HOMES} == {'format_as_xml'}  # the name of a module, too
    assert not {*syncai.__all__} & {*HOMES}


def test_a_name_that_nothing_is_like_gives_what_python_says() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Zzyzx' from 'syncai'"):
        exec('from syncai import Zzyzx')
    with pytest.raises(AttributeError, match=r"^module 'syncai' has no attribute 'Zzyzx'$"):
        syncai.Zzyzx  # type: ignore[attr-defined]  # noqa: B018
