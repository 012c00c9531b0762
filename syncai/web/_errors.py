"""Errors for a page: a status while nothing was sent, a code and a sentence later. The sentences are syncai's. Texts of
a provider, a tool or Python may hold names, paths and keys, and only go to the log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from ..exceptions import (
    AllModelsFailed,
    BudgetExceeded,
    CallCancelled,
    ChatRequestError,
    ContentFilterError,
    ContextWindowExceeded,
    ConversationConflict,
    DecisionError,
    DownloadError,
    IncompleteStreamError,
    ModelAPIError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadedError,
    RateLimitError,
    ReaderTimeout,
    ServerError,
    StoreError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
)

Code: TypeAlias = Literal[
    'rate_limited', 'overloaded', 'timeout', 'filtered', 'cut', 'limit', 'refused', 'conflict', 'internal'
]
"""The kind of failure. `refused`: the request of the page; `conflict`: another writer continued it."""

_WAIT_SECONDS = 10
"""The `Retry-After` if the provider gives none."""
_LONGEST_WAIT = 31 * 86_400
_TIMEOUTS = (408, 504, 524)  # from a provider that gave up, or its proxy


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """The reply for a run that failed.

    Attributes:
        status: The HTTP status, while nothing was sent.
        code: The kind of failure, for programs.
        sentence: The failure in words for the user of the page; never the text of the provider.
        retry_after: Seconds after which to try again, or None.
        is_bug: Whether the program or its configuration is wrong, so that the error belongs in the log.
    """

    status: int
    code: Code
    sentence: str
    retry_after: int | None = None
    is_bug: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Those of a response that carries the sentence as its body."""
        wait = {} if self.retry_after is None else {'Retry-After': str(self.retry_after)}
        return {'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', **wait}

    @property
    def body(self) -> bytes:
        """The sentence, which clients of AI SDK show unchanged."""
        return self.sentence.encode()


_MANY = 'There are too many requests at the moment. Please try again later.'
_CUT = 'The answer broke off. Please try again.'
_UNAVAILABLE = 'The model is not available at the moment. Please try again later.'
_LIMIT = 'This answer would pass a limit that is set for it.'
_LONG = 'This conversation is too long for the model. Please start a new one.'
_FILTERED = 'The question or its answer was withheld by a content filter. Please ask differently.'
_SLOW = 'The model took too long to answer. Please try again.'
_CONFLICT = 'This conversation went on elsewhere meanwhile, so this answer was not kept. Please load it again.'
_NOT_KEPT = 'The conversation cannot be loaded or kept at the moment. Please try again later.'
_DECIDED = 'This call waits for no decision any more. Please load the conversation again.'

# The first matching class counts.
_REPLIES: Mapping[type[BaseException], ErrorReply] = {
    RateLimitError: ErrorReply(429, 'rate_limited', _MANY),
    OverloadedError: ErrorReply(503, 'overloaded', 'The model is overloaded at the moment. Please try again later.'),
    ServerError: ErrorReply(502, 'overloaded', _UNAVAILABLE),
    ContextWindowExceeded: ErrorReply(400, 'limit', _LONG),
    ReaderTimeout: ErrorReply(504, 'timeout', 'The answer was not read for too long, and was stopped.'),
    ModelTimeoutError: ErrorReply(504, 'timeout', _SLOW),
    ModelConnectionError: ErrorReply(502, 'overloaded', _UNAVAILABLE),
    IncompleteStreamError: ErrorReply(502, 'cut', _CUT),
    CallCancelled: ErrorReply(503, 'cut', 'The answer was stopped.'),
    ContentFilterError: ErrorReply(400, 'filtered', _FILTERED),
    UsageLimitExceeded: ErrorReply(429, 'limit', _LIMIT),
    DownloadError: ErrorReply(400, 'refused', 'A file of this message could not be fetched.'),
    ConversationConflict: ErrorReply(409, 'conflict', _CONFLICT),
    StoreError: ErrorReply(503, 'internal', _NOT_KEPT, is_bug=True),
}
_INTERNAL = ErrorReply(500, 'internal', 'Something went wrong on the server. Please try again later.', is_bug=True)
_NONSENSE = ErrorReply(502, 'internal', 'The model gave no usable answer. Please try again.', is_bug=True)


def status_of(error: BaseException) -> ErrorReply:
    """The reply for an error that ended a run or prevented it.

    | error | status | code |
    |---|---|---|
    | what the page sent (`ChatRequestError`) | its own, mostly 400 | `refused` |
    | a call waits for a decision, or no longer | 409 | `refused` |
    | `ConversationConflict` | 409 | `conflict` |
    | `RateLimitError` | 429, with `Retry-After` | `rate_limited` |
    | a limit of the program | 429, with `Retry-After` where a budget begins again | `limit` |
    | `OverloadedError` | 503, with `Retry-After` | `overloaded` |
    | other failures of the provider, no connection | 502 | `overloaded` |
    | timeouts and deadlines, here or of the provider | 504 | `timeout` |
    | the answer broke off | 502 | `cut` |
    | a content filter | 400 | `filtered` |
    | the conversation is too long | 400 | `limit` |
    | an answer that cannot be used | 502 | `internal`, or `cut` at its most tokens |
    | `StoreError` | 503 | `internal` |
    | anything else: `UserError`, a key that is not accepted, an error of a tool | 500 | `internal` |
    """
    if isinstance(error, AllModelsFailed):
        return status_of(error.errors[-1])
    if isinstance(error, ChatRequestError):
        return ErrorReply(error.status_code, 'refused', error.message)
    if isinstance(error, DecisionError):
        waits = f'This conversation waits for a decision about: {", ".join(error.tools)}.'
        return ErrorReply(409, 'refused', waits if error.tools else _DECIDED)
    if isinstance(error, UnexpectedModelBehavior):
        cut = error.partial is not None and error.partial.finish_reason == 'length'
        return ErrorReply(502, 'cut', _CUT) if cut else _NONSENSE
    kind = ModelTimeoutError if isinstance(error, ServerError) and error.status_code in _TIMEOUTS else type(error)
    reply = next((reply for error_class, reply in _REPLIES.items() if issubclass(kind, error_class)), _INTERNAL)
    return replace(reply, retry_after=_wait_of(error, reply))


def _wait_of(error: BaseException, reply: ErrorReply) -> int | None:
    """Seconds before another attempt: from the provider or the budget, else a few if waiting helps."""
    seconds = error.retry_after if isinstance(error, ModelAPIError) else None
    if isinstance(error, BudgetExceeded) and error.resets_at is not None:
        seconds = (error.resets_at - datetime.now(UTC)).total_seconds()
    if reply.is_bug or (seconds is None and reply.code not in ('rate_limited', 'overloaded')):
        return None
    return _WAIT_SECONDS if seconds is None else min(max(1, math.ceil(seconds)), _LONGEST_WAIT)
