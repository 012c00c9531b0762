"""A chat page's endpoint in Starlette, FastAPI and Quart, as docs/web.md shows it, served by uvicorn."""

from __future__ import annotations

import os

import fastapi
import quart
import starlette.applications
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.web import encode_async, headers, read_chat, status_of

agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))


async def chat(request: fastapi.Request) -> Response:
    try:
        asked = read_chat(await request.body())
        stream = agent.run_stream_events(asked.prompt, message_history=asked.message_history)
        body = encode_async(stream, asked=asked, receive=request.receive)
        await body.begin()
    except Exception as error:
        reply = status_of(error)
        return Response(reply.body, reply.status, reply.headers)
    return StreamingResponse(body, headers=headers(asked.form))


async def ready(request: fastapi.Request) -> Response:
    return Response('ready')


on_starlette = starlette.applications.Starlette(
    routes=[Route('/chat', chat, methods=['POST']), Route('/', ready)],
)

on_fastapi = fastapi.FastAPI()
on_fastapi.add_route('/', ready)


@on_fastapi.post('/chat')
async def chat_of_fastapi(request: fastapi.Request) -> Response:
    return await chat(request)


on_quart = quart.Quart(__name__)


@on_quart.get('/')
async def ready_of_quart() -> str:
    return 'ready'


@on_quart.post('/chat')
async def chat_of_quart() -> quart.Response:
    try:
        asked = read_chat(await quart.request.get_data())
        body = encode_async(agent.run_stream_events(asked.prompt, message_history=asked.message_history), asked=asked)
        await body.begin()
    except Exception as error:
        reply = status_of(error)
        return quart.Response(reply.body, reply.status, reply.headers)
    response = quart.Response(body, headers=headers(asked.form))
    response.timeout = None  # else Quart ends a stream after a minute
    return response
