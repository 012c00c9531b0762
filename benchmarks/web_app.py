"""One view, written with either library for either framework; gunicorn serves `application`.

The environment says which: `LIBRARY`, `FRAMEWORK`, and `BASE_URL`, the address of the server that plays the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

LIBRARY, FRAMEWORK, BASE_URL = (os.environ[name] for name in ('LIBRARY', 'FRAMEWORK', 'BASE_URL'))
MODEL, PROMPT = 'gpt-5.4-mini', 'What is two and two?'


def with_syncai() -> tuple[Callable[[], str], Callable[[], Iterator[str]]]:
    """A whole answer, and its pieces."""
    from syncai import Agent
    from syncai.models.openai import OpenAIChatModel

    agent = Agent(OpenAIChatModel(MODEL, base_url=BASE_URL, api_key='key'))

    def pieces() -> Iterator[str]:
        with agent.run_stream_sync(PROMPT) as stream:
            yield from stream.stream_text(delta=True, debounce_by=None)

    return lambda: agent.run_sync(PROMPT).data, pieces


def with_openai() -> tuple[Callable[[], str], Callable[[], Iterator[str]]]:
    """The same with the official client."""
    from openai import OpenAI

    create = OpenAI(base_url=BASE_URL, api_key='key').chat.completions.create
    question: Any = {'model': MODEL, 'messages': [{'role': 'user', 'content': PROMPT}]}

    def pieces() -> Iterator[str]:
        with create(**question, stream=True) as stream:
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    return lambda: create(**question).choices[0].message.content, pieces


def chat_of_syncai() -> Callable[[Any], Any]:
    """A Django view that streams to `useChat`."""
    from syncai import Agent
    from syncai.contrib.django import stream_response
    from syncai.models.openai import OpenAIChatModel

    agent = Agent(OpenAIChatModel(MODEL, base_url=BASE_URL, api_key='key'))
    return lambda request: stream_response(request, agent, PROMPT)


def chat_of_openai() -> Callable[[Any], Any]:
    """The same stream, written by hand over the official client."""
    import json

    from django.http import StreamingHttpResponse

    _, pieces = with_openai()

    def events() -> Iterator[str]:
        yield from ('data: {"type":"start","messageId":"m"}\n\n', 'data: {"type":"start-step"}\n\n')
        yield 'data: {"type":"text-start","id":"t"}\n\n'
        for piece in pieces():
            yield f'data: {json.dumps({"type": "text-delta", "id": "t", "delta": piece})}\n\n'
        yield from ('data: {"type":"text-end","id":"t"}\n\n', 'data: {"type":"finish-step"}\n\n')
        yield from ('data: {"type":"finish","finishReason":"stop"}\n\n', 'data: [DONE]\n\n')

    return lambda _: StreamingHttpResponse(events(), content_type='text/event-stream')


def flask_application(whole: Callable[[], str], pieces: Callable[[], Iterator[str]]) -> Any:
    """A Flask application of two views."""
    from flask import Flask, Response

    app = Flask(__name__)
    app.get('/short')(whole)
    app.get('/stream', endpoint='stream')(lambda: Response(pieces(), mimetype='text/plain'))
    return app


def django_application(whole: Callable[[], str], pieces: Callable[[], Iterator[str]]) -> Any:
    """A Django project of two views."""
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
    from django.urls import path

    def short(_: HttpRequest) -> HttpResponse:
        return HttpResponse(whole())

    def stream(_: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(pieces(), content_type='text/plain')

    global urlpatterns
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], SECRET_KEY='benchmark', USE_TZ=True)
    django.setup()
    chat = chat_of_syncai() if LIBRARY == 'syncai' else chat_of_openai()
    urlpatterns = [path('short', short), path('stream', stream), path('chat', chat)]
    return WSGIHandler()


urlpatterns: list[Any] = []
library = with_syncai if LIBRARY == 'syncai' else with_openai
application = (flask_application if FRAMEWORK == 'flask' else django_application)(*library())
