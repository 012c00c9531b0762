"""Tasks of `syncai.contrib.celery`, as a user would write them."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from syncai import Agent
from syncai.contrib.celery import report_progress, syncai_task
from syncai.models.openai import OpenAIChatModel

broker = os.environ['REDIS_URL']
app = Celery('tasks', broker=broker, backend=broker)
app.conf.task_serializer = app.conf.result_serializer = os.environ['SERIALIZER']
app.conf.accept_content = ['json', 'pickle']
app.conf.broker_connection_retry_on_startup = True
agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))


@syncai_task(app, max_retries=2)
def ask(prompt: str) -> str:
    return agent.run_sync(prompt).data


@syncai_task(app, soft_time_limit=2)
def softly(prompt: str) -> str:
    with agent.run_stream_sync(prompt) as stream:
        return report_progress(stream, every=0.1)


@syncai_task(app, bind=True)
def bound(task: Any, prompt: str) -> str:
    return f'{task.name}: {agent.run_sync(prompt).data}'
