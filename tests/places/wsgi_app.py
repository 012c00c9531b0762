"""A WSGI application as a user would write it, run under gunicorn and uWSGI by the tests of places."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.web import encode
from syncai.web import headers as headers_of

agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))


def ask(prompt: str) -> str:
    return agent.run_sync(prompt).data


def stream(prompt: str) -> Iterator[bytes]:
    with agent.run_stream_sync(prompt) as answer:
        for text in answer.stream_text(delta=True, debounce_by=None):
            yield text.encode()


if os.environ.get('ASK_AT_IMPORT'):  # before the server forks its workers, where it preloads the application
    assert ask('short') == 'answer'


def application(environ: dict[str, str], start_response: Callable[..., object]) -> Iterable[bytes]:
    kind, _, prompt = environ['PATH_INFO'].strip('/').partition('/')
    if kind == 'chat':
        start_response('200 OK', list(headers_of().items()))
        return encode(agent.run_stream_events_sync(prompt), environ=environ)
    headers = [('Content-Type', 'text/plain'), ('X-Pid', str(os.getpid()))]
    if kind == 'stream':
        headers.append(('X-Accel-Buffering', 'no'))
    start_response('200 OK', headers)
    if kind.startswith('stream'):
        return stream(prompt)
    return [ask(prompt).encode()] if kind == 'ask' else [b'ready']
