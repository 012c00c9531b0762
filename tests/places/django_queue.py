"""Tasks of Django that try again when the provider says so, as users write them; run to enqueue its arguments."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import os
import sys
from datetime import timedelta

import django
from django.utils import timezone
from django_tasks import task

from syncai import Agent, HttpOptions, SyncAIError
from syncai.contrib.tasks import retry_in
from syncai.models.openai import OpenAIChatModel

model = OpenAIChatModel('m', base_url=os.environ['MODEL_URL'], api_key='key', http=HttpOptions(max_retries=0))
agent = Agent(model)


@task()
def ask(prompt: str, attempts: int = 5) -> str | None:
    """A task that enqueues itself again for later."""
    try:
        return agent.run_sync(prompt).data
    except SyncAIError as error:
        seconds = retry_in(error)
        if seconds is None or attempts == 1:
            raise
        later = ask.using(run_after=timezone.now() + timedelta(seconds=seconds))
        later.enqueue(prompt, attempts - 1)
        return None


if __name__ == '__main__':
    import django_queue  # under the name by which the worker finds the task

    django.setup()
    for argument in sys.argv[1:]:
        django_queue.ask.enqueue(argument)
