"""One request and its answer, as a tape keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .._canonical import CanonicalRequest
from ..content import BinaryContent
from ..exceptions import AgentRunError
from ..messages import ModelResponse
from ._errors import error_json, error_of
from ._events import Batch, batches_json, batches_of, redacted_batches
from ._messages import UnreadableError, redacted_response, response_json, response_of
from ._rewriting import Rewrite


@dataclass(frozen=True, eq=False)
class Question:
    """A request under a tape.

    Attributes:
        request: Its canonical form, redacted.
        number: Its place among the requests of this process.
        files: The files in it, by their hashes.
    """

    request: CanonicalRequest
    number: int
    files: Mapping[str, BinaryContent]


@dataclass(frozen=True, eq=False)
class Exchange:
    """A request and its answer.

    Attributes:
        request: Its canonical form.
        recorded: When it was answered, in UTC.
        response: The arrived part of the answer; None if there is only an error.
        batches: The events of its stream, or None if it came whole.
        complete: Whether the stream was read to its end.
        error: How the request or its stream failed, or None.
        number: Its place among the requests of this process.
        files: The files in the request, by their hashes; of a recording alone.
    """

    request: CanonicalRequest
    recorded: datetime
    response: ModelResponse | None = None
    batches: Sequence[Batch] | None = None
    complete: bool = True
    error: AgentRunError | None = None
    number: int = 0
    files: Mapping[str, BinaryContent] = field(default_factory=dict)

    @property
    def is_certain(self) -> bool:
        """Whether it holds the complete answer, which later requests would get too."""
        return self.complete and self.error is None

    @property
    def identity(self) -> tuple[str, str]:
        """Its unique key in a file."""
        return self.request.key, _written(self.recorded)

    def to_json(self, redact: Rewrite | None) -> dict[str, Any]:
        """Its JSON in the file."""
        form: dict[str, Any] = {'request': self.request.form, 'recorded': _written(self.recorded)}
        if not self.complete:
            form['complete'] = False
        if self.error is not None:
            form['error'] = error_json(self.error, redact)
        if self.response is not None:
            response = response_json(self.response)
            form['response'] = response if redact is None else redacted_response(response, redact)
        if self.batches is not None:
            batches = batches_json(self.batches)
            form['events'] = batches if redact is None else redacted_batches(batches, redact)
        return form

    @classmethod
    def of_json(cls, form: Mapping[str, Any]) -> Exchange:
        """The exchange that `to_json` wrote.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: It is none.
        """
        if 'response' not in form and 'error' not in form:
            raise UnreadableError('it has neither a response nor an error')
        request = form['request']
        if not {'model', 'messages', 'settings', 'parameters'} <= request.keys():
            raise UnreadableError('its request lacks one of model, messages, settings and parameters')
        return cls(
            CanonicalRequest(request),
            datetime.fromisoformat(form['recorded']).astimezone(UTC),
            response=response_of(form['response']) if 'response' in form else None,
            batches=batches_of(form['events']) if 'events' in form else None,
            complete=form.get('complete', True) is True,
            error=error_of(form['error']) if 'error' in form else None,
        )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec='milliseconds').replace('+00:00', 'Z')
