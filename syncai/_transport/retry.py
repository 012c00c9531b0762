"""The failures that are retried, and the wait before an attempt."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import Context, ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

from .._base.logs import RETRY, debug, is_on
from .._base.phases import names_wait, note_failure, phase
from .._base.system import is_out_of_descriptors
from ..exceptions import ModelAPIError, ModelConnectionError, ModelHTTPError, ModelTimeoutError

__all__ = ['TemporaryFailure', 'backoff', 'is_temporary', 'prepare_retries', 'retry_after', 'spread', 'with_retries']

T = TypeVar('T')
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0
_SPREAD, _MOST_SPREAD = 0.25, 5.0  # the share added to a wait at random, and its highest number of seconds
_PREPARE_SECONDS = 1.0
_DURATION = re.compile(r'(\d+(?:\.\d+)?)s')
_NUMBER = re.compile(r'\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*s?\s*', re.ASCII | re.IGNORECASE)


class TemporaryFailure(Exception):
    """An attempt failed, and another may succeed.

    Args:
        error: The error to raise without a further attempt.
        wait: Seconds to wait before it, or None for the usual ones.
    """

    def __init__(self, error: ModelAPIError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


def is_temporary(status: int, body: object | None, headers: Mapping[str, str]) -> bool:
    """Whether an answer with this status, decoded body and lower-case headers is worth another attempt."""
    advice = headers.get('x-should-retry', '').lower()
    if advice in ('true', 'false'):
        return advice == 'true'
    if status == 429:
        return not any(error.get(key) == 'insufficient_quota' for error in _errors(body) for key in ('code', 'type'))
    return status in (408, 409) or status >= 500


def retry_after(headers: Mapping[str, str], body: object | None, now: float | None = None) -> float | None:
    """Seconds that the provider asks to wait; None for the usual wait, also if it asks for none or for the past.

    Args:
        headers: By their names in lower case.
        body: The decoded body of the error.
        now: The time in seconds since 1970.
    """
    for value in (
        _number(headers.get('retry-after-ms'), 0.001),
        _number(headers.get('retry-after'), 1.0),
        _until_date(headers.get('retry-after'), time.time() if now is None else now),
        _retry_info(body),
    ):
        if value:
            return value
    return None


def spread(wait: float) -> float:
    """A requested wait plus a random share, so that requests with equal waits do not return at the same instant."""
    return wait + min(wait * _SPREAD, _MOST_SPREAD) * _any_part()


def backoff(attempt: int, jitter: float | None = None) -> float:
    """Seconds to wait after the attempt of that number (from 1) failed; `jitter` from 0 to 1 takes up to a quarter."""
    part = _any_part() if jitter is None else jitter
    return min(_FIRST_WAIT * 2.0 ** (attempt - 1), _LONGEST_WAIT) * (1 - 0.25 * part)


def _any_part() -> float:
    import random

    return random.random()  # noqa: S311 - spreads load, hides nothing


# Whether requests of this context are sent only once; set by the caller, and read by the call in its context.
_once: ContextVar[bool] = ContextVar('syncai_sent_once', default=False)


@contextlib.contextmanager
def without_retries() -> Iterator[None]:
    """A block in which requests are sent once, because its caller repeats the whole."""
    token = _once.set(True)
    try:
        yield
    finally:
        _once.reset(token)


async def with_retries(attempt: Callable[[int], Awaitable[T]], max_retries: int) -> T:
    """The result of `attempt`, called with the number of the attempt (from 1) until it does not fail temporarily."""
    try:
        return await attempt(1)
    except TemporaryFailure as failure:
        first = failure
    except ModelAPIError as failure:
        _log_lasting(failure)
        raise
    max_retries = 0 if _once.get() else max_retries
    try:
        answer = await _retry(attempt, max_retries, first)
    except TemporaryFailure as failure:
        error: Exception = failure.error
        if is_on(RETRY):
            debug(RETRY, 'attempt %d failed: %s; no further attempt', max_retries + 1, _reason(failure.error))
        # Its frames and tenacity's cycles hold this object: neither may hold the error.
        failure.__traceback__ = None
        del failure.error
    except Exception as failure:
        _log_lasting(failure)
        error = failure
    else:
        note_failure(None)
        return answer
    finally:
        first.__traceback__ = None
        del first
    note_failure(None)  # unless cancelled: the error of a deadline names the reason of the retries
    try:
        raise error
    finally:
        del error


def prepare_retries() -> None:
    """Import the modules of retries some time after the first request, which need not wait for them. A failure is too
    late: it may be that no descriptor is left to import a module.
    """
    if 'tenacity' not in sys.modules:
        asyncio.get_running_loop().call_later(_PREPARE_SECONDS, _import_tenacity, context=Context())


def _import_tenacity() -> None:
    with contextlib.suppress(ImportError, OSError):  # the first retry raises it
        import tenacity  # noqa: F401


async def _retry(attempt: Callable[[int], Awaitable[T]], max_retries: int, first: TemporaryFailure) -> T:
    try:
        import tenacity
    except (ImportError, OSError) as error:
        if not is_out_of_descriptors(error):
            raise
        raise first from None  # a retry before the modules were imported
    retrying = tenacity.AsyncRetrying(
        sleep=_pause,
        stop=tenacity.stop_after_attempt(max_retries + 1),
        retry=tenacity.retry_if_exception_type(TemporaryFailure),
        wait=_wait,
        before_sleep=_log_failure if is_on(RETRY) else None,
        reraise=True,
    )
    async for state in retrying:
        with state:
            if (number := state.retry_state.attempt_number) == 1:
                raise first
            return await attempt(number)
    raise first


@names_wait('the next attempt, after one that failed')
async def _pause(seconds: float) -> None:
    with phase('retry wait'):
        await asyncio.sleep(seconds)


def _wait(state: Any) -> float:
    failure = state.outcome.exception()
    note_failure(failure.error)
    return backoff(state.attempt_number) if failure.wait is None else spread(failure.wait)


def _log_failure(state: Any) -> None:
    failure = state.outcome.exception()
    why, remark = _reason(failure.error), ', as the provider asks' if failure.wait else ''
    wait = state.next_action.sleep
    debug(RETRY, 'attempt %d failed: %s; the next one in %.3f s%s', state.attempt_number, why, wait, remark)


def _log_lasting(error: Exception) -> None:
    if is_on(RETRY) and isinstance(error, ModelAPIError):
        debug(RETRY, 'attempt failed: %s; it is not repeated', _reason(error))


def _reason(error: ModelAPIError) -> str:
    """The reason of a failed attempt, without text of the provider."""
    match error:
        case ModelHTTPError():
            return f'{type(error).__name__}, status {error.status_code}'
        case ModelTimeoutError():
            return f'{type(error).__name__} ({error.phase})'
        case ModelConnectionError():
            return f'{type(error).__name__}, {error.message}'
        case _:
            return type(error).__name__


def _number(text: str | None, scale: float) -> float | None:
    number = _NUMBER.fullmatch(text or '')
    value = float(number[1]) * scale if number else float('inf')
    return value if value < float('inf') else None


def _until_date(text: str | None, now: float) -> float | None:
    """Seconds until a date of HTTP or RFC 3339, read as GMT (RFC 9110 section 5.6.7)."""
    if not (text := (text or '').strip()):
        return None
    from email.utils import parsedate_to_datetime

    try:
        date = datetime.fromisoformat(text) if text[:4].isdecimal() else parsedate_to_datetime(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _retry_info(body: object | None) -> float | None:
    for error in _errors(body):
        details = error.get('details')
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict) and str(detail.get('@type', '')).endswith('google.rpc.RetryInfo'):
                match = _DURATION.fullmatch(str(detail.get('retryDelay', '')))
                if match:
                    return float(match[1])
    return None


def _errors(body: object | None) -> Iterator[dict[str, Any]]:
    """The error objects of a body: `{"error": {...}}`, the same in a list, or the fields themselves."""
    for item in body if isinstance(body, list) else [body]:
        if isinstance(item, dict):
            error = item.get('error')
            yield error if isinstance(error, dict) else item
