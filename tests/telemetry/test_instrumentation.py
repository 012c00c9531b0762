"""Spans and metrics, taken by the exporters of OpenTelemetry's SDK."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from plain_http import wait_until
from telemetry import Telemetry, attributes, telemetry

from syncai.agent import Agent
from syncai.content import BinaryContent
from syncai.direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
from syncai.exceptions import ModelRetry, ServerError, UserError
from syncai.instrumentation import InstrumentationSettings
from syncai.messages import ModelRequest
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.settings import HttpOptions, ModelSettings
from syncai.testing import ModelServer, Reply, ToolCall

__all__ = ['telemetry']
QUESTION = [ModelRequest.user_text_prompt('the secret question')]


def model_at(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, http=HttpOptions(max_retries=0))


def look(name: str = '') -> str:
    return 'secret return'


USAGE = {
    'prompt_tokens': 50,
    'completion_tokens': 9,
    'total_tokens': 59,
    'prompt_tokens_details': {'cached_tokens': 40},
    'completion_tokens_details': {'reasoning_tokens': 5},
}


def test_a_run_its_requests_and_its_tools(model_server: ModelServer, telemetry: Telemetry) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look', {'name': 'x'})]), Reply('done'))
    agent = Agent(model_at(model_server), name='finder', instrument=telemetry.settings())
    inside: list[tuple[int, Any]] = []

    @agent.tool_plain
    def look(name: str) -> str:
        """Looks it up."""
        inside.append((threading.get_ident(), trace.get_current_span().get_span_context().span_id))
        return f'found {name}'

    with telemetry.tracers.get_tracer('app').start_as_current_span('view') as view:
        assert agent.run_sync('go').data == 'done'
        assert trace.get_current_span() is view
    chats = [s for s in telemetry.exporter.get_finished_spans() if s.name == 'chat gpt-5.4-mini']
    run, tool = telemetry.spans()['invoke_agent finder'], telemetry.spans()['execute_tool look']
    assert run.parent is not None
    assert run.parent.span_id == view.get_span_context().span_id
    assert {s.parent.span_id for s in (*chats, tool) if s.parent} == {run.context.span_id}
    assert inside == [(threading.get_ident(), tool.context.span_id)]
    assert attributes(tool)['gen_ai.tool.description'] == 'Looks it up.'


def test_the_attributes_of_a_request(model_server: ModelServer, telemetry: Telemetry) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look', {'name': 'x'})], usage=USAGE, model='gpt-x'))
    settings = ModelSettings(temperature=0.5, max_tokens=9)
    model_request_sync(model_at(model_server), QUESTION, model_settings=settings, instrument=telemetry.settings())
    first = attributes(telemetry.spans()['chat gpt-5.4-mini'])
    assert first.pop('server.port') == model_server.port
    assert first == {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-5.4-mini',
        'gen_ai.request.stream': False,
        'gen_ai.request.temperature': 0.5,
        'gen_ai.request.max_tokens': 9,
        'gen_ai.output.type': 'text',
        'gen_ai.response.id': 'chatcmpl-0',
        'gen_ai.response.model': 'gpt-x',
        'gen_ai.response.finish_reasons': ('tool_call',),
        'gen_ai.usage.input_tokens': 50,
        'gen_ai.usage.output_tokens': 9,
        'gen_ai.usage.cache_read.input_tokens': 40,
        'gen_ai.usage.reasoning.output_tokens': 5,
        'server.address': '127.0.0.1',
    }


def test_metrics(model_server: ModelServer, telemetry: Telemetry) -> None:
    model_server.reply(Reply(tool_calls=[ToolCall('look')], usage=USAGE), Reply('done'))
    agent = Agent(model_at(model_server), name='finder', instrument=telemetry.settings())
    agent.tool_plain(look)
    agent.run_sync('go')
    assert attributes(telemetry.spans()['invoke_agent finder'])['gen_ai.usage.input_tokens'] == 50
    metrics = telemetry.metrics()
    assert {p.attributes['gen_ai.token.type']: p.sum for p in metrics['gen_ai.client.token.usage']} == {
        'input': 50,
        'output': 9,
    }
    assert sum(p.count for p in metrics['gen_ai.client.operation.duration']) == 2
    assert metrics['gen_ai.invoke_agent.duration'][0].attributes['gen_ai.agent.name'] == 'finder'
    assert metrics['gen_ai.execute_tool.duration'][0].attributes['gen_ai.tool.name'] == 'look'


def test_content_is_left_out_unless_it_is_asked_for(model_server: ModelServer, telemetry: Telemetry) -> None:
    def run(**options: Any) -> str:
        model_server.reply(Reply(tool_calls=[ToolCall('look', {'name': 'secret argument'})]), Reply('secret answer'))
        agent = Agent(
            model_at(model_server),
            name='finder',
            system_prompt='secret prompt',
            instrument=telemetry.settings(**options),
        )
        agent.tool_plain(look)
        telemetry.exporter.clear()
        agent.run_sync(['secret question', BinaryContent(b'secret picture', 'image/png')])
        return json.dumps([[s.name, attributes(s)] for s in telemetry.exporter.get_finished_spans()])

    picture = BinaryContent(b'secret picture', 'image/png').base64
    assert 'secret' not in run()
    shown = run(include_content=True)
    for words in ('prompt', 'question', 'argument', 'return', 'answer'):
        assert f'secret {words}' in shown
    assert picture not in shown
    assert picture in run(include_content=True, include_binary_content=True)


def test_files_that_tools_returned_are_left_out_as_well(model_server: ModelServer, telemetry: Telemetry) -> None:
    image = BinaryContent(b'\x89PNG\r\n\x1a\nsecret picture', 'image/png')

    def run(**options: Any) -> str:
        model_server.reply(Reply(tool_calls=[ToolCall('give', {})]), Reply('x'))
        agent = Agent(model_at(model_server), instrument=telemetry.settings(**options))

        @agent.tool_plain
        def give() -> dict[str, Any]:
            return {'caption': 'a secret', 'picture': image, 'half': '\ud83d'}

        telemetry.exporter.clear()
        agent.run_sync('go')
        return json.dumps([[s.name, attributes(s)] for s in telemetry.exporter.get_finished_spans()])

    assert 'secret' not in run()
    shown = run(include_content=True)
    assert 'a secret' in shown
    assert '[file 1, attached]' in shown
    assert image.base64 not in shown
    assert image.base64 in run(include_content=True, include_binary_content=True)


def test_messages_in_spans_are_those_of_the_conventions(telemetry: Telemetry) -> None:
    agent = Agent(TestModel(), name='a', system_prompt='be kind', instrument=telemetry.settings(include_content=True))

    @agent.tool_plain
    def look() -> int:
        return 4

    agent.run_sync('hi')
    last = attributes(telemetry.spans()['chat test'])
    assert json.loads(last['gen_ai.system_instructions']) == [{'type': 'text', 'content': 'be kind'}]
    sent = json.loads(last['gen_ai.input.messages'])
    assert [m['role'] for m in sent] == ['user', 'assistant', 'tool']
    assert sent[1]['parts'][0]['type'] == 'tool_call'
    assert sent[2]['parts'] == [{'type': 'tool_call_response', 'id': sent[1]['parts'][0]['id'], 'response': 4}]
    assert json.loads(last['gen_ai.output.messages'])[0]['finish_reason'] == 'stop'


def test_a_stream_tells_when_its_first_chunk_came(model_server: ModelServer, telemetry: Telemetry) -> None:
    model_server.reply(Reply('a', 'b', usage=(3, 2)))
    with model_request_stream_sync(model_at(model_server), QUESTION, instrument=telemetry.settings()) as stream:
        assert len(list(stream)) == 2
    chat = attributes(telemetry.spans()['chat gpt-5.4-mini'])
    assert chat['gen_ai.request.stream'] is True
    assert chat['gen_ai.response.time_to_first_chunk'] > 0
    assert chat['gen_ai.usage.output_tokens'] == 2
    assert telemetry.metrics()['gen_ai.client.operation.time_to_first_chunk'][0].count == 1


def test_a_stream_that_is_left_early_ends_its_spans(model_server: ModelServer, telemetry: Telemetry) -> None:
    model_server.reply(Reply('a', repeat=1000, delay_between_events=0.01))
    with model_request_stream_sync(model_at(model_server), QUESTION, instrument=telemetry.settings()) as stream:
        next(iter(stream))
    wait_until(lambda: 'chat gpt-5.4-mini' in telemetry.spans())
    span = telemetry.spans()['chat gpt-5.4-mini']
    assert span.status.is_unset
    assert 'error.type' not in attributes(span)


@pytest.mark.parametrize('kind', ['result', 'events', 'async', 'dropped', 'error'])
def test_a_run_that_is_left_early_ends_its_spans(model_server: ModelServer, telemetry: Telemetry, kind: str) -> None:
    model_server.reply(Reply('a', repeat=1000, delay_between_events=0.01))
    agent = Agent(model_at(model_server), name='a', instrument=telemetry.settings())

    async def leave() -> None:
        async with agent.run_stream('x') as stream:
            async for _ in stream.stream_text(delta=True, debounce_by=None):
                break

    with telemetry.tracers.get_tracer('app').start_as_current_span('view') as view:
        if kind == 'async':
            asyncio.run(leave())
        elif kind == 'events':
            with agent.run_stream_events_sync('x') as events:
                next(iter(events))
        elif kind == 'dropped':
            stream = agent.run_stream_sync('x').__enter__()
            next(stream.stream_text(delta=True))
            del stream
        else:
            with contextlib.suppress(KeyError), agent.run_stream_sync('x') as stream:
                next(stream.stream_text(delta=True))
                if kind == 'error':
                    raise KeyError
    wait_until(lambda: len(telemetry.spans()) == 3)
    chat, run = telemetry.spans()['chat gpt-5.4-mini'], telemetry.spans()['invoke_agent a']
    assert [span.parent.span_id for span in (chat, run) if span.parent] == [
        run.context.span_id,
        view.get_span_context().span_id,
    ]
    assert chat.status.is_unset
    assert run.status.is_unset


@pytest.mark.parametrize('name', ['sync', 'async'])
def test_errors_are_told_and_their_text_is_not(model_server: ModelServer, telemetry: Telemetry, name: str) -> None:
    model_server.reply(Reply(status=500, body={'error': {'message': 'secret'}}))
    settings = telemetry.settings()
    with pytest.raises(ServerError):
        if name == 'sync':
            model_request_sync(model_at(model_server), QUESTION, instrument=settings)
        else:
            asyncio.run(model_request(model_at(model_server), QUESTION, instrument=settings))
    span = telemetry.spans()['chat gpt-5.4-mini']
    assert (span.status.is_ok, attributes(span)['error.type']) == (False, '500')
    assert 'secret' not in f'{span.to_json()}'
    assert telemetry.metrics()['gen_ai.client.operation.duration'][0].attributes['error.type'] == '500'


def test_a_tool_that_fails_is_told(telemetry: Telemetry) -> None:
    agent = Agent(TestModel(), name='a', retries=5, instrument=telemetry.settings())
    calls = []

    @agent.tool_plain
    def shaky() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ModelRetry('again')
        raise KeyError('gone')

    with pytest.raises(KeyError):
        agent.run_sync('x')
    tools = [s for s in telemetry.exporter.get_finished_spans() if s.name == 'execute_tool shaky']
    assert [attributes(s)['error.type'] for s in tools] == ['ModelRetry', 'KeyError']
    assert attributes(telemetry.spans()['invoke_agent a'])['error.type'] == 'KeyError'


def test_async_callers_have_their_own_parent(telemetry: Telemetry) -> None:
    agent = Agent(TestModel(), name='a', instrument=telemetry.settings())
    current: list[int] = []

    @agent.tool_plain
    async def look() -> str:
        current.append(trace.get_current_span().get_span_context().span_id)
        return 'x'

    async def call(name: str) -> None:
        with telemetry.tracers.get_tracer('app').start_as_current_span(name):
            await agent.run('hi')
            async with model_request_stream(TestModel(), QUESTION, instrument=telemetry.settings()) as stream:
                async for _ in stream:
                    pass

    async def main() -> None:
        await asyncio.gather(call('one'), call('two'))

    asyncio.run(main())
    spans = telemetry.exporter.get_finished_spans()
    parents = {s.context.span_id: s.name for s in spans}
    assert sorted(parents[s.parent.span_id] for s in spans if s.name == 'invoke_agent a' and s.parent) == ['one', 'two']
    assert sorted(parents[span_id] for span_id in current) == ['execute_tool look'] * 2


def test_the_parent_of_a_run_is_the_span_in_which_it_was_begun(telemetry: Telemetry) -> None:
    agent = Agent(TestModel(), name='a', instrument=telemetry.settings())
    agent.tool_plain(run_in='thread')(look)
    tracer = telemetry.tracers.get_tracer('app')
    with tracer.start_as_current_span('submitted'):
        future = agent.submit('x')
    future.result(5)
    with tracer.start_as_current_span('mapped'):
        assert len(list(agent.map_sync(['x', 'y']))) == 2
    with tracer.start_as_current_span('streamed'):
        opened = agent.run_stream_sync('x').__enter__()
    with contextlib.closing(opened), ThreadPoolExecutor(1) as pool, tracer.start_as_current_span('elsewhere'):
        assert 'secret return' in pool.submit(opened.get_data).result(5)
    spans = telemetry.exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans}
    parents = [by_id[s.parent.span_id].name for s in spans if s.name == 'invoke_agent a' and s.parent]
    assert parents == ['submitted', 'mapped', 'mapped', 'streamed']
    within = {by_id[s.parent.span_id].name for s in spans if s.name.startswith(('chat', 'execute')) and s.parent}
    assert within == {'invoke_agent a'}


def test_everything_can_be_traced_at_once(telemetry: Telemetry) -> None:
    Agent.instrument_all(telemetry.settings())
    try:
        Agent(TestModel(), name='a').run_sync('x')
        Agent(TestModel(), name='silent', instrument=False).run_sync('x')
        model_request_sync(TestModel(), QUESTION)
    finally:
        Agent.instrument_all(False)
    names = [s.name for s in telemetry.exporter.get_finished_spans()]
    assert names == ['chat test', 'invoke_agent a', 'chat test']
    Agent(TestModel(), name='b').run_sync('x')
    assert len(telemetry.exporter.get_finished_spans()) == 3


def test_a_wrong_value_is_named() -> None:
    with pytest.raises(UserError, match='instrument must be'):
        Agent(TestModel(), instrument='yes')  # type: ignore[arg-type]
    with pytest.raises(UserError, match='instrument must be'):
        model_request_sync(TestModel(), QUESTION, instrument=1)  # type: ignore[arg-type]
    with pytest.raises(UserError, match='tracer_provider must be an OpenTelemetry provider'):
        InstrumentationSettings(tracer_provider='x')
    with pytest.raises(UserError, match='include_content must be True or False'):
        InstrumentationSettings(include_content='no')  # type: ignore[arg-type]


@pytest.mark.slow
def test_nothing_is_imported_while_it_is_off() -> None:
    code = (
        'import sys; from syncai.agent import Agent; from syncai.models.test import TestModel;'
        "Agent(TestModel()).run_sync('x');"
        "print([m for m in sys.modules if 'telemetry' in m or m == 'syncai._telemetry.tracing'])"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == '[]', done.stderr


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncai._engine import traced_call

    traced_call._tracing.cache_clear()
    monkeypatch.setitem(sys.modules, 'opentelemetry', None)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[otel\]'"):
        Agent(TestModel(), instrument=True)
