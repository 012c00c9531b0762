"""Jobs of RQ and actors of Dramatiq that try again when the provider says so, as a user would write them."""
# mypy: disable-error-code="untyped-decorator,no-untyped-call"

from __future__ import annotations

import math
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from rq import Retry

from syncai import Agent, HttpOptions, SyncAIError
from syncai.contrib.tasks import retry_in
from syncai.models.openai import OpenAIChatModel

url = os.environ['REDIS_URL']
model = OpenAIChatModel('m', base_url=os.environ['MODEL_URL'], api_key='key', http=HttpOptions(max_retries=0))
agent = Agent(model)
broker = RedisBroker(url=url)
results = RedisBackend(url=url)
broker.add_middleware(Results(backend=results))
dramatiq.set_broker(broker)


def job(prompt: str) -> str | Retry:
    """A job of RQ: a `Retry` that it returns has RQ make it again."""
    try:
        return agent.run_sync(prompt).data
    except SyncAIError as error:
        if (seconds := retry_in(error)) is None:
            raise
        return Retry(max=5, interval=math.ceil(seconds))


@dramatiq.actor(store_results=True, max_retries=5, throws=SyncAIError)
def actor(prompt: str) -> str:
    """An actor of Dramatiq: `throws` are errors after which it is not tried again."""
    try:
        return agent.run_sync(prompt).data
    except SyncAIError as error:
        if (seconds := retry_in(error)) is None:
            raise
        raise dramatiq.errors.Retry(str(error), delay=int(seconds * 1000)) from error
