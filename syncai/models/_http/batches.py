"""The base of the batch APIs: rows to a provider's files or lists, and its jobs and result lines to ours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ...exceptions import ModelAPIError, ModelHTTPError, UnexpectedModelBehavior
from ...messages import ModelMessage, ModelResponse
from ...parameters import ModelRequestParameters
from ...settings import HttpOptions, ModelSettings
from .answers import parse_json, unexpected_shape
from .requests import request_json

if TYPE_CHECKING:
    from ..._transport.client import HttpResponse
    from .model import HttpModel

__all__ = [
    'ApiAnswer',
    'Batches',
    'BatchLimits',
    'count_of',
    'failed_row',
    'JobState',
    'line_of',
    'list_of',
    'object_of',
    'ProviderJob',
    'RowAnswer',
    'RowBody',
    'unsure',
    'uploaded_form',
]

JobState: TypeAlias = Literal['running', 'cancelling', 'ended', 'failed']
"""`ended`: all or some rows have answers; `failed`: the provider did not begin."""

_LONGEST_UPLOAD = 1800.0  # seconds
_LARGEST_JOB = 2**30  # bytes of a job that holds its answers
_BOUNDARY = 'syncai-rows-7d1f0c2b9a3e4d58'  # a line of JSON cannot be this


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one job of a provider may hold.

    Attributes:
        rows: Requests.
        size: Bytes of all of them.
    """

    rows: int
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderJob:
    """The state of a job at the provider.

    Attributes:
        job_id: The provider's id of it.
        state: Its state.
        ending: Why rows may be without an answer, once it has ended.
        total: Its rows; 0 where the provider has not counted them yet.
        succeeded: Rows answered so far; some providers say it only at the end.
        failed: Rows that ended without an answer so far.
        tag: Our name of the job, if the provider stores one.
        created: When it was made, in seconds since 1970, or None.
        problem: The provider's error for the whole job, or None.
        files: The files that hold its answers, by the provider's names.
        answers: Its answers, if the job itself holds them.
        retry_after: Seconds to wait before the next request, or None.
    """

    job_id: str
    state: JobState
    ending: Literal['completed', 'cancelled', 'expired'] = 'completed'
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    tag: str | None = None
    created: float | None = None
    problem: str | None = None
    files: tuple[str, ...] = ()
    answers: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RowAnswer:
    """The outcome of one row.

    Attributes:
        custom_id: The row.
        body: The body of its answer, or None.
        status: The HTTP status of its failure, or None.
        error: The provider's error object, if it failed.
        lost: Why it has no answer, or None.
    """

    custom_id: str
    body: dict[str, Any] | None = None
    status: int | None = None
    error: object | None = None
    lost: Literal['cancelled', 'expired'] | None = None


@dataclass(frozen=True, slots=True)
class RowBody:
    """The JSON of one request in a batch, and the headers that the whole batch needs for it."""

    body: dict[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The answer of the API, and the seconds to wait before the next request, or None."""

    body: dict[str, Any] = field(repr=False)
    retry_after: float | None = None


class Batches(ABC):
    """The batch API of the provider of one model. Its methods run on the loop thread.

    Args:
        model: The model, which has the address, the key and the wire format of the rows.

    Attributes:
        limits: What one job may hold.
        has_tags: Whether a job keeps its tag; else only the prefix of its `custom_id`s distinguishes it from others.
        names_results: Whether an ended job names or holds its results.
    """

    limits: BatchLimits
    has_tags: bool = True
    names_results: bool = True

    def __init__(self, model: HttpModel) -> None:
        self._model = model

    @property
    def model(self) -> HttpModel:
        """The model that answers the rows."""
        return self._model

    # --- implemented by each wire format ------------------------------------------------------------------------------

    @abstractmethod
    def row(self, custom_id: str, body: Mapping[str, Any]) -> bytes:
        """One request in the provider's form for batches, as JSON on one line."""

    @abstractmethod
    async def create(self, rows: Sequence[bytes], tag: str, headers: Mapping[str, str]) -> ProviderJob:
        """A new job with these rows. The request is sent once: a second attempt might make a second job.

        Raises:
            ModelAPIError: It was refused; or the connection broke, and the job may or may not exist.
        """

    @abstractmethod
    async def job(self, job_id: str) -> ProviderJob:
        """The job as it is now."""

    @abstractmethod
    async def cancel(self, job_id: str) -> None:
        """Ask the provider to cancel the job; rows that were answered until then stay, and are billed."""

    @abstractmethod
    def jobs(self, since: float) -> AsyncIterator[ProviderJob]:
        """The jobs of this account, the newest first, until they are older than `since` (seconds since 1970)."""

    @abstractmethod
    def answers(self, job: ProviderJob) -> AsyncGenerator[RowAnswer, None]:
        """The outcomes of the rows of an ended job, in any order; rows may be missing.

        Raises:
            ModelAPIError: The answers could not be fetched, or were deleted.
            UnexpectedModelBehavior: A line is no result.
        """

    def fitted(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body of a request in the form for batches, if that differs from the live one."""
        body.pop('stream', None)
        return body

    # --- rows ---------------------------------------------------------------------------------------------------------

    async def body(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> RowBody:
        """The request of one row.

        Args:
            messages: The conversation.
            settings: Those of the model and of the row, merged.
            parameters: The tools, and the form of the answer.

        Raises:
            UserError: The request asks for a feature that the model lacks; names it.
            DownloadError: A file could not be fetched.
        """
        body, headers = await self._model._whole_request(messages, settings, parameters)
        return RowBody(self.fitted(body), headers)

    def response(self, answer: RowAnswer, settings: ModelSettings) -> ModelResponse:
        """The answer of a row, marked as one of a batch because its price differs.

        Args:
            answer: What the provider returned for the row.
            settings: Those of the model and of the row, merged.

        Raises:
            AgentRunError: The row failed; the class says what to do.
        """
        body = answer.body
        if body is None:
            error = ModelHTTPError.of(answer.status or 500, self._model.model_name, answer.error)
            error.provider = self._model.system
            body = self._model._answer_in(error)
        response = self._model._read_whole(body, settings)
        details = {**(response.provider_details or {}), 'processing': 'batch'}
        return replace(response, provider_details=details)

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes = b'',
        *,
        content_type: str = 'application/json',
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> ApiAnswer:
        """The JSON object in the API's answer; `{}` for an empty body.

        Args:
            method: The HTTP method.
            path: The path after the base URL, or a whole URL.
            body: What to send.
            content_type: What that is.
            headers: Further headers.
            once: Send it only once: a second attempt might make a second job.
        """
        from ..._transport.retry import retry_after

        answer = await self._exchange(method, path, body, content_type=content_type, headers=headers, once=once)
        model = self._model
        value = parse_json(answer.body, model.system, model.model_name) if answer.body.strip() else {}
        return ApiAnswer(value, retry_after(answer.headers, None))

    async def _exchange(
        self,
        method: str,
        path: str,
        body: bytes = b'',
        *,
        content_type: str = 'application/json',
        headers: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> HttpResponse:
        from ..._transport.client import shared_client

        request = self._model._plain_request(method, path, body, {'content-type': content_type, **(headers or {})})
        try:
            return await shared_client(_options(self._model._http, once=once)).send(request)
        except ModelHTTPError as error:
            raise self._model._failure(error) from None

    async def _lines(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        """The JSON objects of a file, one on each line, read as they arrive."""
        from ..._transport.client import shared_client

        request = self._model._plain_request('GET', path, b'', {})
        try:
            client = shared_client(_options(self._model._http, once=False))
            async with aclosing(client.lines(request)) as lines:
                async for line in lines:
                    yield parse_json(line, self._model.system, self._model.model_name)
        except ModelHTTPError as error:
            raise self._model._failure(error) from None

    def _read_line(self, read: Callable[[Mapping[str, Any]], RowAnswer | None], line: Mapping[str, Any]) -> RowAnswer:
        """The outcome of a row in a line of results; raises an error that shows the line if `read` does not know it."""
        if (answer := read(line)) is None:
            raise self._odd('a line that is no result of a batch', line)
        return answer

    def _name_in(self, body: Mapping[str, Any], field: str, what: str) -> str:
        """The provider's id of a job or file; without one, raises an error that shows the body."""
        name = body.get(field)
        if not isinstance(name, str) or not name:
            raise self._odd(f'{what} without {field!r}', body)
        return name

    def _odd(self, what: str, body: object) -> UnexpectedModelBehavior:
        return unexpected_shape(what, body, self._model.system, self._model.model_name)


def line_of(row: Mapping[str, Any]) -> bytes:
    """A row as JSON on one line."""
    return request_json(dict(row))


def uploaded_form(rows: Iterable[bytes], filename: str, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """A file of rows and some fields as a form (RFC 7578), and its content type."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: application/jsonl'
    parts += [f'--{_BOUNDARY}\r\n{head}\r\n\r\n'.encode(), b'\n'.join(rows), f'\n\r\n--{_BOUNDARY}--\r\n'.encode()]
    return b''.join(parts), f'multipart/form-data; boundary={_BOUNDARY}'


def _options(http: HttpOptions, *, once: bool) -> HttpOptions:
    return replace(
        http,
        max_retries=0 if once else http.max_retries,
        max_body_bytes=max(http.max_body_bytes, _LARGEST_JOB),
        first_event_timeout=max(http.first_event_timeout, _LONGEST_UPLOAD if once else http.first_event_timeout),
    )


def object_of(value: object) -> dict[str, Any]:
    """The value, if it is an object; else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The value, if it is a list; else an empty one."""
    return value if isinstance(value, list) else []


def count_of(value: object) -> int:
    """A count, also one that is written as text, as by Google; 0 for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def failed_row(custom_id: str, status: object, error: object, lost_by: Mapping[str, Any]) -> RowAnswer:
    """A row without an answer.

    Args:
        custom_id: The row.
        status: The HTTP status, if there is one.
        error: The error object.
        lost_by: The codes of rows without an answer, and the reasons.
    """
    code = str(object_of(error).get('code') or '')
    failure = status if isinstance(status, int) and 400 <= status < 600 else None
    return RowAnswer(custom_id=custom_id, status=failure, error=error, lost=None if failure else lost_by.get(code))


def unsure(error: Exception) -> bool:
    """Whether a job may exist although the request for it failed."""
    status = getattr(error, 'status_code', None)
    return isinstance(error, ModelAPIError) and (status is None or status in (408, 409) or status >= 500)


def seconds_of(time: object) -> float | None:
    """Seconds since 1970 of a time in ISO 8601, or None."""
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return None
