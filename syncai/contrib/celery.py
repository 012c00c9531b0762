"""Tasks of Celery (extra `celery`): retried when the provider says, with the details of a failure.

from syncai.contrib.celery import report_progress, syncai_task

@syncai_task(app, soft_time_limit=60)
def summarise(text):
    with agent.run_stream_sync(text) as stream:
        return report_progress(stream)
"""

from __future__ import annotations

import functools
import importlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .._transport.retry import without_retries
from ..agent import capture_run_messages
from ..exceptions import AgentRunError, UserError
from ..messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from .tasks import retry_in

__all__ = ['report_progress', 'retry_in', 'syncai_task', 'TaskFailed']

_MOST_RETRIES = 5
_SOFT_LIMIT = 'SoftTimeLimitExceeded'  # of billiard, a dependency of Celery


class TaskFailed(Exception):
    """A run in a task failed. It holds only text, so every serializer of Celery keeps it complete.

    Attributes:
        kind: The class of the error, such as `RateLimitError`; `SoftTimeLimitExceeded` for the limit of the task.
        details: `kind`, `retry_after` in seconds or None, and the conversation as JSON.
    """

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, details or {})
        self.details = details or {}

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def kind(self) -> str:
        """The class of the error."""
        return str(self.details.get('kind', ''))

    @property
    def messages(self) -> list[ModelMessage]:
        """The conversation until then, with the arrived part of the last answer."""
        return ModelMessagesTypeAdapter.validate_json(self.details.get('messages') or '[]')

    @property
    def partial(self) -> ModelResponse | None:
        """The arrived part of the last answer, or None if none had begun."""
        last = next(reversed(self.messages), None)
        return last if isinstance(last, ModelResponse) else None

    @classmethod
    def of(cls, error: BaseException, messages: list[ModelMessage]) -> TaskFailed:
        """The failure of a run's error, with the messages of the run."""
        whole = getattr(error, 'messages', None) or messages
        text = ModelMessagesTypeAdapter.dump_json(list(whole)).decode()
        details = {
            'kind': type(error).__name__,
            'retry_after': getattr(error, 'retry_after', None),
            'messages': json.dumps(json.loads(text), ensure_ascii=True),
        }
        return cls(f'{type(error).__name__}: {error}', details)


def syncai_task(app: Any, *, max_retries: int = _MOST_RETRIES, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that makes a task of a function with runs of agents.

    - Errors that pass (see `retry_in`) have Celery try the task again, after the seconds that the provider asked for;
      the library's own retries are off meanwhile, so that a worker is not held up by waiting.
    - Every other error of a run, and the last one, is `TaskFailed`, with the conversation and the partial answer.
    - `soft_time_limit` stops the request and keeps what had arrived, as a `TaskFailed` too.
    - `result.revoke(terminate=True)` ends the process and with it the request.

    Args:
        app: The Celery application.
        max_retries: How many times the task is tried again.
        options: Options of `app.task`: `soft_time_limit`, `name`, `queue`, ...; with `bind=True` the function gets the
            task first.

    Raises:
        UserError: `app` is no Celery application.
    """
    if not callable(getattr(app, 'task', None)):
        raise UserError(f'syncai_task takes a Celery application, not {type(app).__name__}: @syncai_task(app)')
    bound = options.pop('bind', False)

    def decorate(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def run(task: Any, *args: Any, **kwargs: Any) -> Any:
            arguments = (task, *args) if bound else args
            with without_retries(), capture_run_messages() as messages:
                try:
                    return function(*arguments, **kwargs)
                except Exception as error:
                    if not isinstance(error, AgentRunError) and type(error).__name__ != _SOFT_LIMIT:
                        raise
                    failure, seconds = TaskFailed.of(error, messages), retry_in(error)
            if seconds is not None:
                raise task.retry(exc=failure, countdown=seconds, max_retries=max_retries)
            raise failure

        return app.task(bind=True, max_retries=max_retries, **options)(run)

    return decorate


def _current_task() -> Any:
    try:
        return importlib.import_module('celery').current_task
    except ModuleNotFoundError:
        raise UserError("syncai.contrib.celery needs celery: pip install 'syncai-client[celery]'") from None


class _TextStream(Protocol):
    def stream_text(self, *, delta: bool = ..., debounce_by: float | None = ...) -> Iterator[str]:
        """The text so far, again and again."""
        ...


def report_progress(stream: _TextStream, *, every: float = 0.5) -> str:
    """The text of a stream; while it arrives, the state of the task shows the text so far.

    The state is `PROGRESS`, and its `meta` (`AsyncResult.info`) has `text`. Outside of a task nothing is reported.

    Args:
        stream: A stream of text, within its `with` block.
        every: Seconds between two reports.
    """
    task = _current_task()
    text, reported = '', 0.0
    for text in stream.stream_text(debounce_by=None):
        if task and time.monotonic() - reported >= every:
            task.update_state(state='PROGRESS', meta={'text': text})
            reported = time.monotonic()
    return text
