"""The program of `make demo`: a streamed text, then a streamed list made with a tool, in plain synchronous code.

    python -m syncai.demo

The model is the one that `SYNCAI_MODEL` names (such as `openai:gpt-5.4-mini`), else one of the first provider whose key
is in the environment, else one of a local Ollama, else a server built into this demo, which needs no network.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from .agent import Agent
from .exceptions import SyncAIError
from .models import Model
from .models._route.choice import MODEL_OF_KEY
from .models.openai import OpenAIChatModel
from .usage import Usage

if TYPE_CHECKING:
    from .testing import RecordedRequest, Reply

__all__ = ['Games', 'main']

TIMEOUT = 120.0
ANSWER = (
    'A synchronous program calls a function and waits for it; an asynchronous one hands over and goes on. '
    'This text crossed a real socket, was read by the event loop of one background thread, '
    'and reached a plain for loop word by word.'
)
HOSTS = {2012: ('London', 'United Kingdom'), 2016: ('Rio de Janeiro', 'Brazil'), 2024: ('Paris', 'France')}


class Games(BaseModel):
    """One of the summer Olympics."""

    year: int
    city: str
    country: str


def main() -> int:
    """Run the demo; returns the exit status: 0, 1 for an error shown in one line, 130 after Ctrl-C."""
    try:
        with choose_model() as (model, source):
            print(f'Model: {source}\n')
            started = time.monotonic()
            usage = show_text(model) + show_values(model)
            print(f'\n{describe(usage)}, {time.monotonic() - started:.1f} s')
    except KeyboardInterrupt:
        print('\nInterrupted: the request was cancelled.', file=sys.stderr)
        return 130
    except BrokenPipeError:  # as with `| head`: the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SyncAIError as error:
        print(f'\n{type(error).__name__}: {one_line(str(error))}', file=sys.stderr)
        return 1
    return 0


def show_text(model: Model | str) -> Usage:
    """Ask a question and print the answer as it arrives."""
    question = 'In three sentences: how does synchronous code differ from asynchronous code?'
    print(f'> {question}')
    with Agent(model).run_stream_sync(question, timeout=TIMEOUT) as stream:
        for text in stream.stream_text(delta=True, debounce_by=None):
            print(text, end='', flush=True)
        print('\n')
        return stream.usage()


def show_values(model: Model | str) -> Usage:
    """Ask for a list of typed values, with a function of the program as a tool, and print each when it is whole."""
    agent = Agent(model, result_type=list[Games], system_prompt='Look up each host with the tool; do not guess.')

    @agent.tool_plain
    def olympics(year: int) -> str:
        """Gives the city and the country that hosted the summer Olympics of a year."""
        print(f'  olympics({year}) called in {threading.current_thread().name}')
        return ', '.join(HOSTS.get(year, ('nobody', 'nowhere')))

    question = 'Which cities hosted the summer Olympics of 2012, 2016 and 2024?'
    print(f'> {question}')
    with agent.run_stream_sync(question, timeout=TIMEOUT) as stream:
        for games in stream.stream_items():
            print(repr(games))
        return stream.usage()


@contextmanager
def choose_model() -> Iterator[tuple[Model | str, str]]:
    """The model to ask, and a text that names it and the reason for the choice."""
    if name := os.environ.get('SYNCAI_MODEL'):
        yield name, f'{name} (from SYNCAI_MODEL)'
    elif key := next((key for key in MODEL_OF_KEY if os.environ.get(key)), None):
        yield MODEL_OF_KEY[key], f'{MODEL_OF_KEY[key]} ({key} is set)'
    elif local := find_ollama():
        name, base_url = local
        yield OpenAIChatModel(name, base_url=base_url, provider='ollama'), f'{name} (a local Ollama)'
    else:
        with embedded_model() as model:
            yield (
                model,
                'a server built into this demo, over real HTTP (set OPENAI_API_KEY or SYNCAI_MODEL for a real one)',
            )


def find_ollama(timeout: float = 0.3) -> tuple[str, str] | None:
    """The first chat model of an Ollama on this machine and its base URL, or None."""
    address = os.environ.get('OLLAMA_HOST') or '127.0.0.1:11434'
    try:
        parts = urlsplit(address if '//' in address else f'http://{address}')
        host, port = (parts.hostname or '127.0.0.1').replace('0.0.0.0', '127.0.0.1'), parts.port or 11434  # noqa: S104
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    except (ValueError, http.client.InvalidURL):  # not an address
        return None
    try:
        connection.request('GET', '/api/tags')
        models = json.loads(connection.getresponse().read())['models']
        names = [model['name'] for model in models if 'embed' not in model['name']]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return None
    finally:
        connection.close()
    return (names[0], f'http://{host}:{port}/v1') if names else None


@contextmanager
def embedded_model() -> Iterator[Model]:
    """A model served on loopback by this process."""
    from .testing import ModelServer

    with ModelServer(answer) as server:
        yield OpenAIChatModel('demo', base_url=server.base_url)


def answer(request: RecordedRequest) -> Reply:
    """The answer of the embedded server, at reading speed: text, or calls of the tool and then values."""
    from .testing import Reply, ToolCall

    body: Any = request.json
    if 'tools' not in body:
        words = [f'{word} ' for word in ANSWER.split()]
        return Reply(*words, usage=(18, len(words)), delay_between_events=0.03)
    if body['messages'][-1]['role'] != 'tool':
        calls = [ToolCall('olympics', {'year': year}) for year in HOSTS]
        return Reply(tool_calls=calls, usage=(95, 54))
    values = [{'year': year, 'city': city, 'country': country} for year, (city, country) in HOSTS.items()]
    call = ToolCall('final_result', {'response': values}, pieces=40)
    return Reply(tool_calls=[call], usage=(171, 70), delay_between_events=0.02)


def describe(usage: Usage) -> str:
    """The requests and tokens as text."""
    prompt, received = usage.request_tokens, usage.response_tokens
    tokens = f'{prompt} tokens sent, {received} received' if usage.total_tokens is not None else 'tokens not reported'
    return f'{usage.requests} requests, {tokens}'


def one_line(text: str) -> str:
    """The text without its line breaks, cut to what a terminal shows well."""
    line = ' '.join(text.split())
    return line if len(line) <= 400 else f'{line[:399]}…'


if __name__ == '__main__':
    sys.exit(main())
