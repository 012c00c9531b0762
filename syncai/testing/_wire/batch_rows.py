"""The rows, results and jobs of batches of any provider, and how they are read from requests."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

from pydantic_core import from_json, to_json

from ..batch_plan import BatchPlan
from ..recorded import RecordedRequest
from ..script import Reply
from . import openai_chat
from .formats import format_of


@dataclass(frozen=True)
class Row:
    """One request of a batch, in the form of a single request."""

    custom_id: str
    request: RecordedRequest


@dataclass(frozen=True)
class Result:
    """The outcome of a row: the body and the status of its answer, or the reason why it has none."""

    custom_id: str
    status: int = 200
    body: Any = None
    lost: str | None = None


@dataclass
class Job:
    """One batch."""

    kind: Kind
    name: str
    number: int
    created: float
    plan: BatchPlan
    rows: Sequence[Row]
    about: Mapping[str, Any]
    host: str = ''
    looks: int = 0
    cancelling: bool = False
    ending: str = ''
    results: list[Result] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.ending)

    def count(self) -> tuple[int, int, int]:
        """How many results succeeded, failed, and were lost."""
        lost = sum(result.lost is not None for result in self.results)
        failed = sum(result.lost is None and result.status >= 400 for result in self.results)
        return len(self.results) - lost - failed, failed, lost


class Kind(Protocol):
    """How one kind of provider writes batches."""

    @property
    def shows_cancelled(self) -> bool:
        """Whether the answer to a cancellation is the job."""
        ...

    def name(self, number: int) -> str: ...
    def rows(self, request: RecordedRequest, files: Mapping[str, bytes], model: str) -> list[Row] | str: ...
    def about(self, request: RecordedRequest, model: str) -> Mapping[str, Any]: ...
    def show(self, job: Job) -> dict[str, Any]: ...
    def page(self, jobs: Sequence[Job], request: RecordedRequest) -> dict[str, Any]: ...
    def lines(self, results: Iterable[Result]) -> bytes: ...
    def files(self, job: Job) -> dict[str, bytes]: ...


def uploaded(request: RecordedRequest) -> bytes | None:
    """The file in a form (RFC 7578) with `purpose=batch`; None if it is no such form."""
    boundary = re.search(r'boundary="?([^";]+)', request.headers.get('content-type', ''))
    if boundary is None:
        return None
    fields = {}
    for part in request.body.split(b'--' + boundary[1].encode()):
        head, _, body = part.partition(b'\r\n\r\n')
        if name := re.search(rb'[; ]name="(\w+)"', head):
            fields[name[1]] = body.removesuffix(b'\r\n')
    return fields.get(b'file') if fields.get(b'purpose') == b'batch' else None


def file_object(name: str, content: bytes) -> dict[str, Any]:
    """A file in OpenAI's form, with the further fields of Mistral's."""
    now = int(time.time())
    about = {'purpose': 'batch', 'filename': f'{name}.jsonl', 'status': 'processed', 'created_at': now}
    more = {'status_details': None, 'sample_type': 'batch_request', 'source': 'upload'}
    return {'id': name, 'object': 'file', 'bytes': len(content), **about, 'expires_at': now + 30 * 86400, **more}


def body_of(reply: Reply, request: RecordedRequest) -> Any:
    """The JSON of the answer to a single request; text where the script has text."""
    wire = format_of(request) or openai_chat
    if reply.body is not None:
        raw = reply.body
    else:
        raw = wire.error_body(reply.status) if reply.status >= 400 else wire.completion(reply, request)
    try:
        return from_json(raw) if isinstance(raw, bytes | str) else raw
    except ValueError:
        return raw.decode() if isinstance(raw, bytes) else raw


def row_of(number: int, custom_id: str, address: str, body: Any) -> Row:
    request = RecordedRequest(
        number=number,
        connection=-1,
        method='POST',
        path=address,
        headers={},
        body=to_json(body),
        json=body,
        received_at=time.monotonic(),
    )
    return Row(custom_id, request)


def parsed_rows(lines: bytes) -> list[Any] | str:
    try:
        return [from_json(line) for line in lines.split(b'\n') if line.strip()]
    except ValueError as error:
        return f'A line is not JSON: {error}'


def repeated_id(ids: Sequence[str]) -> str | None:
    return next((f'The custom_id {one!r} is not unique.' for n, one in enumerate(ids) if one in ids[:n][-50:]), None)


def page_of(jobs: Sequence[Job], request: RecordedRequest, name: str) -> tuple[Sequence[Job], bool]:
    """The jobs after the one that the query names, up to the requested number, and whether there are more."""
    query = parse_qs(request.path.partition('?')[2])
    after, limit = query.get(name, [''])[0], number_in(request, 'limit', 20)
    begin = next((n + 1 for n, job in enumerate(jobs) if job.name == after), 0)
    return jobs[begin : begin + limit], begin + limit < len(jobs)


def number_in(request: RecordedRequest, name: str, default: int) -> int:
    return int(parse_qs(request.path.partition('?')[2]).get(name, [str(default)])[0])


def rfc_3339(seconds: float) -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))
