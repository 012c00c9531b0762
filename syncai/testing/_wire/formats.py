"""The wire formats that the server speaks, each a module with these functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..recorded import RecordedRequest
from ..script import Reply
from . import anthropic, bedrock, google, openai_chat, openai_responses


class WireFormat(Protocol):
    """How one kind of provider writes a `Reply`."""

    @property
    def CONTENT_TYPE(self) -> str:  # noqa: N802 - a constant of its module
        """The content type of a stream."""
        ...

    @property
    def CUT_EVENT(self) -> bytes:  # noqa: N802 - a constant of its module
        """The beginning of an event, for a stream that breaks off inside one."""
        ...

    def serves(self, path: str) -> bool:
        """Whether a POST to `path` (without query) is a request in this format."""
        ...

    def content_events(self, reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
        """The events of the answer's content, made one by one as they are sent."""
        ...

    def closing_events(self, reply: Reply, request: RecordedRequest) -> Iterator[bytes]:
        """The events that end a complete answer."""
        ...

    def error_event(self, reply: Reply) -> bytes:
        """An error in the middle of a stream."""
        ...

    def completion(self, reply: Reply, request: RecordedRequest) -> bytes:
        """The whole answer as one body."""
        ...

    def error_body(self, status: int, message: str | None = None) -> bytes:
        """The provider's error object for a status, or with a text of one's own."""
        ...


FORMATS: tuple[WireFormat, ...] = (anthropic, bedrock, openai_chat, openai_responses, google)


def format_of(request: RecordedRequest) -> WireFormat | None:
    """The format of a request, by its path."""
    path = request.path.partition('?')[0]
    return next((wire_format for wire_format in FORMATS if request.method == 'POST' and wire_format.serves(path)), None)
