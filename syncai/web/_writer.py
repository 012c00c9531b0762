"""The common part of all forms: a writer that turns events into text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..events import AgentStreamEvent
from ..messages import FinishReason
from ..result import RunPaused, RunResult
from ..usage import Usage
from ._calls import History
from ._errors import ErrorReply
from ._json import to_bytes, without_none

PING = b': ping\n\n'
"""A comment, which readers of server-sent events ignore."""


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of a stream.

    Attributes:
        message: The id of the answer; None continues the message that the page has.
        thread: The conversation.
        run: The run.
        calls: The ids of calls in a continued message, by their ids in the run.
    """

    message: str | None
    thread: str
    run: str
    calls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """The end of a successful run.

    Attributes:
        result: Its result.
        metadata: Further data of the program for the page.
    """

    result: RunResult[Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the model stopped, in common words."""
        return self.result.response.finish_reason

    @property
    def has_text(self) -> bool:
        """Whether the result is the text that was written."""
        return isinstance(self.result.data, str) and self.result._result_tool_call_id is None


class Writer(ABC):
    """Turns the events of one run into text of one form, without threads, clocks and connections.

    `opening` is called first, then `event` for each event, then one of `ending` and `failing`, once.
    """

    ping: bytes = PING

    def __init__(self, ids: Ids) -> None:
        self.ids = ids

    def follow(self, history: History) -> None:  # noqa: B027 - a form without calls has no use for it
        """Take a function that returns the messages before this run, for forms that need them."""

    @abstractmethod
    def opening(self) -> str:
        """The text to send at once."""

    @abstractmethod
    def event(self, event: AgentStreamEvent) -> str:
        """The text for an event, often empty."""

    @abstractmethod
    def ending(self, end: End) -> str:
        """The ends of open parts, and the last event of the form."""

    @abstractmethod
    def pausing(self, paused: RunPaused) -> str:
        """The same for calls that wait for a decision; their events have been written."""

    @abstractmethod
    def failing(self, reply: ErrorReply) -> str:
        """The same for a failed run."""

    def events(self, batch: Sequence[AgentStreamEvent]) -> bytes:
        """The text for a batch of events."""
        return to_bytes(''.join(map(self.event, batch)))

    def open_tools(self) -> list[str]:
        """The names of the tools that are being called."""
        return []


def usage_fields(usage: Usage) -> dict[str, int]:
    """The tokens of a run under the names of both protocols, without unknown counts."""
    details = usage.details or {}
    return without_none(
        inputTokens=usage.request_tokens,
        outputTokens=usage.response_tokens,
        totalTokens=usage.total_tokens,
        reasoningTokens=details.get('reasoning_tokens'),
        cachedInputTokens=details.get('cached_tokens'),
    )
