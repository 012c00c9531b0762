"""A Celery application as a user would write it, run with each pool by the tests of places."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

from syncai import Agent
from syncai.models.openai import OpenAIChatModel

broker = os.environ['REDIS_URL']
app = Celery('shop', broker=broker, backend=broker)
app.conf.task_serializer = app.conf.result_serializer = os.environ.get('SERIALIZER', 'json')
app.conf.accept_content = ['json', 'pickle']
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True
agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))

if os.environ.get('ASK_AT_IMPORT'):  # in the worker's main process, before its pool forks
    assert agent.run_sync('short').data == 'answer'


@app.task
def ask(prompt: str) -> str:
    return agent.run_sync(prompt).data


@app.task
def stream(prompt: str) -> tuple[int, float]:
    began, count = time.monotonic(), 0
    with agent.run_stream_sync(prompt) as answer:
        for _ in answer.stream_text(delta=True, debounce_by=None):
            count += 1
    return count, time.monotonic() - began


@app.task(soft_time_limit=1, time_limit=20)
def stream_softly(prompt: str) -> str:
    try:
        stream(prompt)
    except SoftTimeLimitExceeded:
        return f'stopped; {agent.run_sync("short").data}'
    return 'finished'


@app.task(time_limit=1)
def stream_hard(prompt: str) -> None:
    stream(prompt)


stepper = Agent(agent.model, name='stepper')


@stepper.tool_plain
def look() -> str:
    return 'seen'


@app.task
def advance(messages: str, steps: int = 0) -> Any:
    """One step of a run; the next one is another task, with the messages as its only state."""
    step = stepper.step_sync(messages or [], None if messages else 'look')
    if step.done:
        return [steps + 1, step.result.data, step.messages_json().decode()]
    queue = advance.request.delivery_info['routing_key']
    return advance.apply_async((step.messages_json().decode(), steps + 1), queue=queue).id
