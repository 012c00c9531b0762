"""What `make demo` runs: a streamed answer and a structured value, in plain synchronous code.

    python -m syncai.demo

The model is the one that `SYNCAI_MODEL` names (such as `openai:gpt-5.4-mini`), else one of the first provider whose key
is in the environment, else one of a local Ollama, else a server built into this demo, which needs no network.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from .direct import model_request_stream_sync, model_request_sync
from .exceptions import SyncAIError
from .messages import ModelRequest, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from .models import Model, ModelRequestParameters, ResultSchema
from .models.openai import OpenAIChatModel
from .settings import ModelSettings
from .usage import Usage

if TYPE_CHECKING:
    from .messages import ModelResponseStreamEvent
    from .testing import RecordedRequest, Reply

__all__ = ['City', 'main']

KEYS = {'OPENAI_API_KEY': 'openai:gpt-5.4-mini'}
SETTINGS: ModelSettings = {'timeout': 120.0}
ANSWER = (
    'A synchronous program calls a function and waits for it; an asynchronous one hands over and goes on. '
    'This text crossed a real socket, was read by the event loop of one background thread, '
    'and reached a plain for loop word by word.'
)


class City(BaseModel):
    """What the second question asks for."""

    model_config = ConfigDict(extra='forbid')

    city: str
    country: str
    year: int


def main() -> int:
    """Run the demo; returns the exit status: 0, 1 for an error told in one line, 130 after Ctrl-C."""
    try:
        with choose_model() as (model, source):
            print(f'Model: {source}\n')
            started = time.monotonic()
            usage = show_stream(model) + show_structured(model)
            print(f'\n{describe(usage)}, {time.monotonic() - started:.1f} s')
    except KeyboardInterrupt:
        print('\nInterrupted: the request was cancelled.', file=sys.stderr)
        return 130
    except BrokenPipeError:  # as with `| head`: whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SyncAIError as error:
        print(f'\n{type(error).__name__}: {one_line(str(error))}', file=sys.stderr)
        return 1
    except ValidationError as error:
        print(f'\nThe model did not keep to the schema: {one_line(str(error))}', file=sys.stderr)
        return 1
    return 0


def show_stream(model: Model | str) -> Usage:
    """Ask a question and print the answer as it arrives."""
    question = 'In three sentences: how does synchronous code differ from asynchronous code?'
    print(f'> {question}')
    with model_request_stream_sync(model, [ModelRequest.user_text_prompt(question)], model_settings=SETTINGS) as stream:
        for event in stream:
            print(text_of(event), end='', flush=True)
        print('\n')
        return stream.usage()


def show_structured(model: Model | str) -> Usage:
    """Ask for a value of a type of ours and print it."""
    question = 'Where were the summer Olympics held in 2012? Answer with city, country and year.'
    print(f'> {question}')
    parameters = ModelRequestParameters(
        result_mode='native', result_schema=ResultSchema(name='City', schema=City.model_json_schema())
    )
    response = model_request_sync(
        model,
        [ModelRequest.user_text_prompt(question)],
        model_settings=SETTINGS,
        model_request_parameters=parameters,
    )
    print(repr(City.model_validate_json(response.text)))
    return response.usage


def text_of(event: ModelResponseStreamEvent) -> str:
    """The text that an event brings, or an empty string."""
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
    return ''


@contextmanager
def choose_model() -> Iterator[tuple[Model | str, str]]:
    """The model to ask, and words that say which it is and why."""
    if name := os.environ.get('SYNCAI_MODEL'):
        yield name, f'{name} (from SYNCAI_MODEL)'
    elif key := next((key for key in KEYS if os.environ.get(key)), None):
        yield KEYS[key], f'{KEYS[key]} ({key} is set)'
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
    """A model served on loopback by this very process."""
    from .testing import ModelServer

    with ModelServer(answer) as server:
        yield OpenAIChatModel('demo', base_url=server.base_url)


def answer(request: RecordedRequest) -> Reply:
    """What the embedded server says: a value where a schema asks for one, else some text, at a reader's speed."""
    from .testing import Reply

    body: Any = request.json
    if 'response_format' in body:
        return Reply('{"city": "London", "country": "United Kingdom", "year": 2012}', usage=(31, 16))
    words = [f'{word} ' for word in ANSWER.split()]
    return Reply(*words, usage=(18, len(words)), delay_between_events=0.03)


def describe(usage: Usage) -> str:
    """Requests and tokens in words."""
    sent, received = usage.request_tokens, usage.response_tokens
    tokens = f'{sent} tokens sent, {received} received' if usage.total_tokens is not None else 'tokens not told'
    return f'{usage.requests} requests, {tokens}'


def one_line(text: str) -> str:
    """The text without its line breaks, cut to what a terminal shows well."""
    line = ' '.join(text.split())
    return line if len(line) <= 400 else f'{line[:399]}…'


if __name__ == '__main__':
    sys.exit(main())
