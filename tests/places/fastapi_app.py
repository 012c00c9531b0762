"""A FastAPI application that streams in each form that docs/places.md shows, served by uvicorn."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse

from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions

gc.disable()  # a stream that only the garbage collector closes stays open
http = HttpOptions(reader_timeout=float(os.environ['READER_TIMEOUT']))
agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key', http=http))
app = FastAPI()


@app.get('/')
def ready() -> str:
    return 'ready'


@app.get('/asynchronous/{prompt}')
async def asynchronous(prompt: str) -> StreamingResponse:
    async def pieces() -> AsyncIterator[str]:
        async with agent.run_stream(prompt) as answer:
            async for text in answer.stream_text(delta=True, debounce_by=None):
                yield text

    return StreamingResponse(pieces(), media_type='text/plain')


def answered(prompt: str) -> Iterator[object]:
    with agent.run_stream_sync(prompt) as answer:
        yield answer


@app.get('/dependency/{prompt}')
def dependency(answer: Annotated[Any, Depends(answered)]) -> StreamingResponse:
    return StreamingResponse(answer.stream_text(delta=True, debounce_by=None), media_type='text/plain')


def pieces(prompt: str) -> Generator[str]:
    with agent.run_stream_sync(prompt) as answer:
        yield from answer.stream_text(delta=True, debounce_by=None)


@app.get('/background/{prompt}')
def background(prompt: str) -> StreamingResponse:
    text = pieces(prompt)
    return StreamingResponse(text, media_type='text/plain', background=BackgroundTask(text.close))


@app.get('/left_alone/{prompt}')
def left_alone(prompt: str) -> StreamingResponse:
    return StreamingResponse(pieces(prompt), media_type='text/plain')
