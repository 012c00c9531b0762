"""The clients of chat pages, as node programs: the AI SDK in three majors with their first releases, and AG-UI."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from page_server import serving
from serving import PLACES

from syncai import Agent, RunPaused
from syncai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from syncai.result import RunResult
from syncai.web import ChatRequest, encode, headers, read_chat

FOLDER = os.environ.get('SYNCAI_WEB_READERS', '')
AI_SDK = ('ai5', 'ai6', 'ai7', 'ai5first', 'ai6first', 'ai7first')
READERS = (*AI_SDK, 'ag-ui')
_PATIENCE = 40.0  # seconds


def only_with_readers() -> None:
    """Skip the module where node or the packages are absent."""
    if shutil.which('node') is None or not (Path(FOLDER) / 'node_modules').is_dir():
        reason = 'no readers: npm install the packages of tests/places/web_readers, named by SYNCAI_WEB_READERS'
        pytest.skip(reason, allow_module_level=True)


@dataclass(frozen=True)
class Seen:
    """The state of a client after the streams of a plan.

    Attributes:
        errors: The errors that it has reported.
        warnings: Its output on the console.
        messages: All messages that it holds.
        finished: How its streams ended.
    """

    errors: list[str]
    warnings: list[str]
    messages: list[dict[str, Any]]
    finished: list[dict[str, Any]]

    @property
    def _answers(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if message['role'] == 'assistant']

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Those of the answers, in the AI SDK."""
        return [part for message in self._answers for part in message['parts']]

    @property
    def texts(self) -> list[str]:
        """The texts of the answers."""
        if any('parts' in message for message in self._answers):
            return [part['text'] for part in self.parts if part['type'] == 'text']
        return [message['content'] for message in self._answers if message.get('content')]

    @property
    def thoughts(self) -> list[str]:
        """The thoughts of the model."""
        if any('parts' in message for message in self._answers):
            return [part['text'] for part in self.parts if part['type'] == 'reasoning']
        return [message['content'] for message in self.messages if message['role'] == 'reasoning']

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """The tools that were called, with their arguments."""
        if any('parts' in message for message in self._answers):
            tools = [part for part in self.parts if part['type'].startswith('tool-')]
            return [(part['type'][5:], part.get('input')) for part in tools]
        functions = [call['function'] for message in self._answers for call in message.get('toolCalls', ())]
        return [(function['name'], _read(function['arguments'])) for function in functions]

    @property
    def returns(self) -> list[Any]:
        """The returns of the tools, or the sentences of their errors, in the order of the calls."""
        if any('parts' in message for message in self._answers):
            tools = [part for part in self.parts if part['type'].startswith('tool-')]
            return [part.get('output', part.get('errorText')) for part in tools]
        by_id = {message['toolCallId']: message['content'] for message in self.messages if message['role'] == 'tool'}
        ids = [call['id'] for message in self._answers for call in message.get('toolCalls', ())]
        return [_read(by_id[ident]) if ident in by_id else None for ident in ids]


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Reader:
    """A client in a separate process, for any number of plans."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.form: Any = 'ag-ui' if name == 'ag-ui' else 'ai-sdk'
        program = str(PLACES / 'web_readers' / 'reader.mjs')
        self._process = subprocess.Popen(
            ['node', program, FOLDER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def __str__(self) -> str:
        return self.name

    def see(self, url: str, *plan: str) -> Seen:
        """The state of the client after the streams at an address: `say:TEXT`, `approve`, `deny:REASON`, `stop`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({'url': url, 'plan': plan}) + '\n')
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        assert ready, f'{self.name} has not settled within {_PATIENCE} s: {plan}'
        state: Mapping[str, Any] = json.loads(self._process.stdout.readline())
        return Seen(*(state[name] for name in ('errors', 'warnings', 'messages', 'finished')))


class ChatEndpoint:
    """An application that streams runs, keeps a paused one, and records the result of each run."""

    def __init__(self, agent: Agent[Any, Any], **options: Any) -> None:
        self.agent = agent
        self.options = options
        self.results: list[RunResult[Any]] = []
        self.streams: list[Any] = []
        self.paused: list[RunPaused] = []
        self.form: Any = 'ai-sdk'

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        chat = read_chat(environ['wsgi.input'].read(int(environ['CONTENT_LENGTH'])), self.form)
        self.streams.append(self._stream(chat))
        body = encode(
            self.streams[-1],
            asked=chat,
            environ=environ,
            on_finish=self.results.append,
            on_pause=self.paused.append,
        )
        start_response('200 OK', list(headers(self.form).items()))
        return body

    def seen_by(self, reader: Reader, *plan: str) -> Seen:
        """The state of a client of this application; without a plan it asks one question."""
        self.form = reader.form
        with serving(self) as port:
            return reader.see(f'http://127.0.0.1:{port}/', *(plan or ('say:Hi',)))

    def _stream(self, chat: ChatRequest) -> Any:
        if chat.approvals:
            return self.agent.resume_stream_events_sync(self.paused[-1].messages, chat.decisions, **self.options)
        return self.agent.run_stream_events_sync(chat.prompt, **self.options)


@dataclass(frozen=True)
class OfRun:
    """The content of the messages of a run, as a page must show it."""

    texts: list[str]
    thoughts: list[str]
    calls: list[tuple[str, Any]]
    returns: list[Any]


def of_messages(messages: Sequence[ModelMessage]) -> OfRun:
    """The texts, thoughts and calls in the messages of a run, with the return of each call."""
    responses = [message for message in messages if isinstance(message, ModelResponse)]
    parts = [part for response in responses for part in response.parts]
    calls = [part for part in parts if isinstance(part, ToolCallPart) and part.tool_name != 'final_result']
    return OfRun(
        texts=[part.content for part in parts if isinstance(part, TextPart) and part.content],
        thoughts=[part.content for part in parts if isinstance(part, ThinkingPart) and part.content],
        calls=[(call.tool_name, _read(call.args_as_json_str())) for call in calls],
        returns=list(_returns(messages)),
    )


def _returns(messages: Sequence[ModelMessage]) -> Iterator[Any]:
    for at, message in enumerate(messages):
        if not isinstance(message, ModelResponse):
            continue
        later = [other for other in messages[at + 1 :] if isinstance(other, ModelRequest)]
        for call in message.tool_calls:
            if call.tool_name != 'final_result':
                yield next((_content(part) for other in later for part in other.parts if _answers(part, call)), None)


def _answers(part: object, call: ToolCallPart) -> bool:
    return isinstance(part, ToolReturnPart | RetryPromptPart) and part.tool_call_id == call.tool_call_id


def _content(part: object) -> Any:
    return part.content if isinstance(part, ToolReturnPart | RetryPromptPart) else None
