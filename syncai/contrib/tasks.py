"""The time of a task's next attempt after an error: for Celery, `django.tasks`, RQ, Dramatiq and other queues."""

from __future__ import annotations

from ..exceptions import (
    DeadlineExceeded,
    IncompleteStreamError,
    ModelConnectionError,
    ModelTimeoutError,
    RateLimitError,
    ServerError,
)

__all__ = ['retry_in']

_USUAL_WAIT = 10.0  # seconds, where the provider asked for no other
_PASSING = (RateLimitError, ServerError, ModelConnectionError, ModelTimeoutError, IncompleteStreamError)


def retry_in(error: BaseException) -> float | None:
    """Seconds to wait before another attempt, or None if the error is permanent. Rate limits, overload, other failures
    of the provider, lost connections and timeouts are temporary; the provider's `retry_after` is followed. All other
    errors are permanent, including a deadline of the program (`timeout=`).

    Example:
        ```python
        try:
            answer = agent.run_sync(prompt).data
        except SyncAIError as error:
            if (seconds := retry_in(error)) is None:
                raise
            queue.enqueue_in(timedelta(seconds=seconds), ask, prompt)
        ```
    """
    if not isinstance(error, _PASSING) or isinstance(error, DeadlineExceeded):
        return None
    wait = getattr(error, 'retry_after', None)
    return _USUAL_WAIT if wait is None else float(wait)
