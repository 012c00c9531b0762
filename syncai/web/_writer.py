"""What every form of a stream has in common: a writer takes events, and gives text."""

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
"""A comment, which all readers of server-sent events pass over."""


@dataclass(frozen=True, slots=True)
class Ids:
    """What a stream is called.

    Attributes:
        message: The id of the answer; None continues the message that the page has.
        thread: The conversation.
        run: The run.
        calls: The ids that calls have in the message that continues, by their ids in the run.
    """

    message: str | None
    thread: str
    run: str
    calls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended well.

    Attributes:
        result: What it gave.
        metadata: What the program adds for the page.
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
    """Turns the events of one run into text of one form. Knows no thread, no clock and no connection.

    `opening` is called first, then `event` for each event, then one of `ending` and `failing`, once.
    """

    ping: bytes = PING

    def __init__(self, ids: Ids) -> None:
        self.ids = ids

    def follow(self, history: History) -> None:  # noqa: B027 - a form without calls has no use for it
        """Take a function that gives the messages before this run; it is asked where a form has to know them."""

    @abstractmethod
    def opening(self) -> str:
        """What goes out at once."""

    @abstractmethod
    def event(self, event: AgentStreamEvent) -> str:
        """What an event becomes; often nothing."""

    @abstractmethod
    def ending(self, end: End) -> str:
        """The ends of what is open, and the last event of the form."""

    @abstractmethod
    def pausing(self, paused: RunPaused) -> str:
        """The same where calls wait for a decision; their events have been written."""

    @abstractmethod
    def failing(self, reply: ErrorReply) -> str:
        """The same where the run failed."""

    def events(self, batch: Sequence[AgentStreamEvent]) -> bytes:
        """What a batch of events becomes."""
        return to_bytes(''.join(map(self.event, batch)))

    def open_tools(self) -> list[str]:
        """The names of the tools that are being called."""
        return []


def usage_fields(usage: Usage) -> dict[str, int]:
    """The tokens of a run in the words of both protocols; what is not known is left out."""
    details = usage.details or {}
    return without_none(
        inputTokens=usage.request_tokens,
        outputTokens=usage.response_tokens,
        totalTokens=usage.total_tokens,
        reasoningTokens=details.get('reasoning_tokens'),
        cachedInputTokens=details.get('cached_tokens'),
    )
