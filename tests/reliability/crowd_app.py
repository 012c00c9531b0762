"""The application of `crowd.py`: `/KIND` streams a run of that kind, `/held` counts the resources of the worker."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
from pathlib import Path
from typing import Any

from syncai import Agent, HttpOptions
from syncai._bridge import open_calls, run_sync
from syncai.models.openai import OpenAIChatModel
from syncai.web import encode, headers, status_of

PAGE_BYTES = os.sysconf('SC_PAGE_SIZE')
model = OpenAIChatModel(
    'm', base_url=os.environ['MODEL_URL'], api_key='key', http=HttpOptions(max_retries=0, keepalive_expiry=0.5)
)
agent = Agent(model)
inner = Agent(model)


@agent.tool_plain
async def consult() -> str:
    """Asks another model, on the loop thread."""
    return (await inner.run('slow')).data


@agent.tool_plain(run_in='thread')
def look() -> str:
    """Asks another model, in a worker thread."""
    return inner.run_sync('words').data


async def _tasks() -> int:
    return len(asyncio.all_tasks()) - 1


def held() -> dict[str, int]:
    """The resources of this process, without those of this request."""
    gc.collect()
    return {
        'descriptors': len(list(Path('/proc/self/fd').iterdir())),
        # Those of gunicorn's pool are begun as they are needed, at most as many as it is given.
        'threads': sum(not thread.name.startswith('ThreadPoolExecutor') for thread in threading.enumerate()),
        'tasks': run_sync(_tasks),
        'open calls': len(open_calls()),
        'resident MiB': int(Path('/proc/self/statm').read_text().split()[1]) * PAGE_BYTES >> 20,
    }


def application(environ: dict[str, Any], start_response: Any) -> Any:
    kind = environ['PATH_INFO'].strip('/')
    if kind in ('', 'held'):
        start_response('200 OK', [('Content-Type', 'application/json')])
        return [json.dumps(held()).encode()]
    try:
        body = encode(agent.run_stream_events_sync(kind), environ=environ)
        body.begin()
    except Exception as error:
        reply = status_of(error)
        start_response(f'{reply.status} Error', list(reply.headers.items()))
        return [reply.body]
    start_response('200 OK', list(headers().items()))
    return body
