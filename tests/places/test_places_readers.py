"""The readers of pages themselves: the AI SDK in three majors with their first releases, and AG-UI's client.

What each makes of the stream of a run is compared with the result of the run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from page_server import serving
from pydantic import BaseModel
from serving import PLACES, only_in_make_places
from streams import model_of

from syncai import Agent
from syncai.exceptions import ModelRetry
from syncai.messages import ModelResponse, TextPart
from syncai.result import RunResult
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.usage import UsageLimits
from syncai.web import encode, headers, read_chat

only_in_make_places()
FOLDER = os.environ.get('SYNCAI_WEB_READERS', '')
if shutil.which('node') is None or not (Path(FOLDER) / 'node_modules').is_dir():
    reason = 'no readers: npm install the packages of tests/places/web_readers, named by SYNCAI_WEB_READERS'
    pytest.skip(reason, allow_module_level=True)

VERSIONS = ['ai5', 'ai6', 'ai7', 'ai6first', 'ai7first']


class Box(BaseModel):
    width: int


class Page:
    """An application that streams one run after another, and their results."""

    def __init__(self, agent: Agent[Any, Any], **options: Any) -> None:
        self.agent = agent
        self.options = options
        self.results: list[RunResult[Any]] = []
        self.form: Any = 'ai-sdk'

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        asked = read_chat(environ['wsgi.input'].read(int(environ['CONTENT_LENGTH'])), self.form)
        stream = self.agent.run_stream_events_sync(asked.prompt, **self.options)
        body = encode(stream, asked=asked, environ=environ, on_finish=self.results.append)
        start_response('200 OK', list(headers(self.form).items()))
        return body

    def seen_by(self, reader: str) -> dict[str, Any]:
        self.form = 'ag-ui' if reader == 'ag-ui' else 'ai-sdk'
        with serving(self) as port:
            command = ['node', str(PLACES / 'web_readers' / 'reader.mjs'), FOLDER, reader, f'http://127.0.0.1:{port}/']
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        seen: dict[str, Any] = json.loads(done.stdout)
        return seen


def doubling(server: ModelServer) -> Agent[None, Any]:
    agent = Agent(model_of(server, http=HttpOptions(max_retries=0)))

    @agent.tool_plain
    def double(number: int) -> int | None:
        if number < 0:
            raise ModelRetry('Not below zero.')
        return 2 * number or None

    return agent


def calls(*numbers: int) -> list[ToolCall]:
    return [ToolCall('double', json.dumps({'number': number}), f'c{number}') for number in numbers]


RUNS: dict[str, list[Reply]] = {
    'text': [Reply('Four', '. \U0001f600', usage=(12, 7))],
    'thinking': [Reply('Four', thinking=['Two ', 'and two'])],
    'parallel': [Reply('I look.', thinking='Hm', tool_calls=calls(2, 3, 0)), Reply('4, 6')],
    'retries': [Reply(tool_calls=calls(-1)), Reply(tool_calls=calls(1)), Reply('2')],
    'same ids': [Reply(tool_calls=calls(1)), Reply(tool_calls=calls(1)), Reply('2')],
    'unknown tool': [Reply(tool_calls=[ToolCall('nope', '{}', 'c1')]), Reply('No.')],
    'broken arguments': [Reply(tool_calls=[ToolCall('double', '[1', 'c1')]), Reply('No.')],
    'cut': [Reply('Fo', finish_reason='length')],
}


def parts_of_run(result: RunResult[Any], kind: str) -> list[str]:
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    parts = [part for response in responses for part in response.parts]
    if kind == 'text':
        return [part.content for part in parts if isinstance(part, TextPart)]
    return [call.tool_name for response in responses for call in response.tool_calls]


@pytest.mark.parametrize('reader', VERSIONS)
def test_the_ai_sdk_sees_what_the_run_gave(reader: str, model_server: ModelServer) -> None:
    page = Page(doubling(model_server))
    for name, replies in RUNS.items():
        model_server.reply(*replies)
        seen = page.seen_by(reader)
        assert seen['errors'] == [], (name, seen)
        parts, result = seen['message']['parts'], page.results[-1]
        assert [part['text'] for part in parts if part['type'] == 'text'] == parts_of_run(result, 'text'), name
        tools = [part for part in parts if part['type'].startswith('tool-')]
        assert [part['type'][5:] for part in tools] == parts_of_run(result, 'call'), name
        assert {part['state'] for part in tools} <= {'output-available', 'output-error'}, name
        assert {part['state'] for part in parts if part['type'] in ('text', 'reasoning')} <= {'done'}, name
        assert seen['message']['metadata']['usage'].get('inputTokens') == result.usage().request_tokens


def test_the_client_of_ag_ui_sees_what_the_run_gave(model_server: ModelServer) -> None:
    page = Page(doubling(model_server))
    for name, replies in RUNS.items():
        model_server.reply(*replies)
        seen = page.seen_by('ag-ui')
        assert seen['errors'] == [], (name, seen)
        assert seen['warnings'] == [], (name, seen)
        said = [message for message in seen['messages'] if message['role'] == 'assistant']
        texts = [message['content'] for message in said if message.get('content')]
        assert texts == parts_of_run(page.results[-1], 'text'), name
        names = [call['function']['name'] for message in said for call in message.get('toolCalls', ())]
        assert names == parts_of_run(page.results[-1], 'call'), name
        assert len([m for m in seen['messages'] if m['role'] == 'tool']) == len(names)
        assert seen['finished'][0]['outcome'] == {'type': 'success'}


ALL = [*VERSIONS, 'ag-ui']


@pytest.mark.parametrize('reader', ALL)
def test_a_structured_result_is_data(reader: str, model_server: ModelServer) -> None:
    answers = ['{"width": "x"}', '{"width": 7}']
    model_server.reply(*[Reply(tool_calls=[ToolCall('final_result', args, 'c1')]) for args in answers])
    seen = Page(Agent(model_of(model_server), result_type=Box)).seen_by(reader)
    assert seen['errors'] == [], seen
    if reader == 'ag-ui':
        assert seen['finished'][0]['result'] == {'width': 7}
    else:
        (part,) = [part for part in seen['message']['parts'] if part['type'] != 'step-start']
        assert (part['type'], part['data']) == ('data-result', {'width': 7})


@pytest.mark.parametrize('reader', ALL)
def test_an_error_in_the_middle_is_a_sentence(reader: str, model_server: ModelServer) -> None:
    model_server.reply(Reply('Half', ' of', ending='error'))
    seen = Page(doubling(model_server)).seen_by(reader)
    assert 'The model is not available at the moment. Please try again later.' in seen['errors'][0]
    text = seen['message']['parts'][-1]['text'] if 'message' in seen else seen['messages'][-1]['content']
    assert text == 'Half of', 'what came stays'


@pytest.mark.parametrize('reader', ALL)
def test_a_limit_is_an_error_and_the_calls_before_it_are_whole(reader: str, model_server: ModelServer) -> None:
    model_server.reply(Reply(tool_calls=calls(2)))
    page = Page(doubling(model_server), usage_limits=UsageLimits(request_limit=1))
    seen = page.seen_by(reader)
    assert 'limit' in seen['errors'][0]
    if reader != 'ag-ui':
        assert seen['message']['parts'][-1]['output'] == 4
