"""A Django site with synchronous and asynchronous views, served by uvicorn."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from syncai import Agent
from syncai.models.openai import OpenAIChatModel

settings.configure(
    ALLOWED_HOSTS=['*'],
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}},
    ROOT_URLCONF=__name__,
    SECRET_KEY='of a test',
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402

agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))
beats = 0


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse('ready')


def ask(request: HttpRequest, prompt: str) -> HttpResponse:
    return HttpResponse(agent.run_sync(prompt).data)


async def ask_in_async(request: HttpRequest, prompt: str) -> HttpResponse:
    """A synchronous call in an asynchronous view: it works, and the other requests of the loop wait."""
    asyncio.get_running_loop()
    assert threading.current_thread() is threading.main_thread()
    return HttpResponse(agent.run_sync(prompt).data)


async def ask_later(request: HttpRequest, prompt: str) -> HttpResponse:
    return HttpResponse((await agent.run(prompt)).data)


def stream(request: HttpRequest, prompt: str) -> StreamingHttpResponse:
    def pieces() -> Iterator[str]:
        with agent.run_stream_sync(prompt) as answer:
            yield from answer.stream_text(delta=True, debounce_by=None)

    return StreamingHttpResponse(pieces())


async def stream_later(request: HttpRequest, prompt: str) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[str]:
        async with agent.run_stream(prompt) as answer:
            async for text in answer.stream_text(delta=True, debounce_by=None):
                yield text

    return StreamingHttpResponse(pieces())


urlpatterns = [
    path('', ready),
    path('ask/<str:prompt>', ask),
    path('ask_in_async/<str:prompt>', ask_in_async),
    path('ask_later/<str:prompt>', ask_later),
    path('stream/<str:prompt>', stream),
    path('stream_later/<str:prompt>', stream_later),
]
application = get_asgi_application()
