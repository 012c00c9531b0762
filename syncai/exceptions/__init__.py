"""The errors of syncai: one tree.

    SyncAIError
    ├── UserError (RuntimeError)                  the call is wrong: correct the program
    │   ├── MissingKeyError                       no API key; names the variable and the parameter
    │   ├── ChatRequestError                      the request of a chat page is refused
    │   ├── DecisionError                         calls wait for decisions, or the decisions match no waiting call
    │   ├── LoopThreadError                       a synchronous call made on the loop thread would wait for itself
    │   └── TapeError                             a tape cannot be read, used or written
    │       └── TapeMismatch                      the request is not on a tape that may only be replayed
    ├── ModelRetry                                raised by *your* functions: ask the model to try again
    ├── Pause                                     raised by *your* tools: wait for a decision about the call
    ├── RunPaused                                 calls of the run wait for a decision (in `syncai.result`)
    └── AgentRunError (RuntimeError)              the call was correct, but failed
        ├── UsageLimitExceeded                    a limit of `UsageLimits` was passed
        │   └── BudgetExceeded                    a request does not fit in a budget; it was not sent
        ├── UnexpectedModelBehavior               the answer cannot be used
        ├── ContentFilterError                    the provider withheld the answer
        ├── AllModelsFailed (ExceptionGroup)      every model of a `FallbackModel` failed; holds the error of each
        ├── ReaderTimeout (TimeoutError)          a stream was stopped that nobody read for its `reader_timeout`
        ├── DownloadError                         a file that the prompt names by its address could not be fetched
        ├── BatchError                            a row of a batch without an answer: expired, cancelled, lost
        ├── StoreError                            a file or server that keeps things for you failed: full, locked, lost
        ├── ConversationConflict                  another writer changed the conversation since it was loaded
        ├── CallCancelled                         the call was stopped: closed, shut down or cancelled elsewhere
        │   ├── LoopThreadDied                    the loop thread is gone
        │   └── ForkedError                       the call belongs to the parent of this forked process
        └── ModelAPIError                         the provider could not be reached, or answered with an error
            ├── ModelConnectionError (ConnectionError)   no connection, or it broke before the answer began
            ├── ModelTimeoutError (TimeoutError)         connect, first-event or idle timeout
            │   └── DeadlineExceeded                     the whole call took longer than its `timeout`
            ├── IncompleteStreamError             the stream ended before the provider said it was done
            └── ModelHTTPError                    an HTTP status; one class for each kind of remedy
                ├── BadRequestError                      400, 409, 413, 422
                │   └── ContextWindowExceeded            the conversation is too long for the model
                ├── AuthenticationError                  401
                ├── PermissionDeniedError                403
                ├── NotFoundError                        404
                ├── RateLimitError                       429
                └── ServerError                          5xx, and 408
                    └── OverloadedError                  503, 529

Every class can be pickled and copied. None of them holds a key, a request header or an object of another library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._base.lazy import importer
from ._api import (
    AuthenticationError,
    BadRequestError,
    ContextWindowExceeded,
    DeadlineExceeded,
    IncompleteStreamError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from ._root import (
    AgentRunError,
    AllModelsFailed,
    BatchError,
    BudgetExceeded,
    CallCancelled,
    ChatRequestError,
    ContentFilterError,
    ConversationConflict,
    DecisionError,
    DownloadError,
    ForkedError,
    LoopThreadDied,
    LoopThreadError,
    MissingKeyError,
    ModelRetry,
    Pause,
    ReaderTimeout,
    StoreError,
    SyncAIError,
    TapeError,
    TapeMismatch,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)

__all__ = [
    'AgentRunError',
    'AllModelsFailed',
    'AuthenticationError',
    'BadRequestError',
    'BatchError',
    'BudgetExceeded',
    'CallCancelled',
    'ChatRequestError',
    'ContentFilterError',
    'ContextWindowExceeded',
    'ConversationConflict',
    'DeadlineExceeded',
    'DecisionError',
    'DownloadError',
    'ForkedError',
    'IncompleteStreamError',
    'LoopThreadDied',
    'LoopThreadError',
    'MissingKeyError',
    'ModelAPIError',
    'ModelConnectionError',
    'ModelHTTPError',
    'ModelRetry',
    'ModelTimeoutError',
    'NotFoundError',
    'OverloadedError',
    'Pause',
    'PermissionDeniedError',
    'RateLimitError',
    'ReaderTimeout',
    'ServerError',
    'StoreError',
    'SyncAIError',
    'TapeError',
    'TapeMismatch',
    'UnexpectedModelBehavior',
    'UsageLimitExceeded',
    'UserError',
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # the module name in pickles and tracebacks

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})
