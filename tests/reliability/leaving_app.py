"""The application of `leaving.py`, for WSGI and ASGI servers: `/PHASE` streams a run whose prompt is the phase."""

from __future__ import annotations

import os
from typing import Any

from syncai import Agent
from syncai.models.openai import OpenAIChatModel
from syncai.web import encode, encode_async, headers

model = OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key')
agent = Agent(model)
inner = Agent(model)
KEEPALIVE = float(os.environ.get('KEEPALIVE', '15'))


@agent.tool_plain
async def consult() -> str:
    """Asks another model, which is silent."""
    return (await inner.run('silent within the tool')).data


def application(environ: dict[str, Any], start_response: Any) -> Any:
    if environ['PATH_INFO'] == '/':
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [b'ready']
    stream = agent.run_stream_events_sync(environ['PATH_INFO'])
    start_response('200 OK', list(headers().items()))
    return encode(stream, environ=environ, keepalive=KEEPALIVE)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    assert scope['type'] == 'http'
    await receive()
    fields = [(name.lower().encode(), value.encode()) for name, value in headers().items()]
    await send({'type': 'http.response.start', 'status': 200, 'headers': fields})
    if scope['path'] == '/':
        await send({'type': 'http.response.body', 'body': b'ready'})
        return
    async for piece in encode_async(agent.run_stream_events(scope['path']), receive=receive, keepalive=KEEPALIVE):
        await send({'type': 'http.response.body', 'body': piece, 'more_body': True})
    await send({'type': 'http.response.body', 'body': b''})
