"""When a task should be tried again after an error: for Celery, `django.tasks`, RQ, Dramatiq and other queues."""

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
    """Seconds after which to try again, or None for an error that a later attempt would meet again.

    Rate limits, overload, other failures of the provider, lost connections and timeouts pass; what the provider asked
    for (`retry_after`) is followed. A deadline of the program (`timeout=`) does not pass, nor does anything else.

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
