"""Language models from ordinary synchronous Python: streamed, typed, from any thread.

The names of daily use, imported when first used: `import syncai` starts no thread and reads no environment.
"""

from __future__ import annotations

from ._base.lazy import importer
from ._base.version import __version__ as __version__

# Type checkers treat it as true. Importing it from typing would take longer than this whole module, and with a plain
# False static completion (jedi) treats the imports as unreachable.
TYPE_CHECKING = not __name__

if TYPE_CHECKING:
    from .agent import (
        Agent,
        ask,
        capture_run_messages,
    )
    from .approvals import (
        Answered,
        Approve,
        Deny,
        PendingCall,
        ask_in_terminal,
    )
    from .content import (
        AudioUrl,
        BinaryContent,
        DocumentUrl,
        ImageUrl,
        VideoUrl,
    )
    from .diagnosis import (
        debug,
    )
    from .direct import (
        model_request,
        model_request_stream,
        model_request_stream_sync,
        model_request_sync,
    )
    from .exceptions import (
        AgentRunError,
        AllModelsFailed,
        AuthenticationError,
        BadRequestError,
        BatchError,
        BudgetExceeded,
        CallCancelled,
        ChatRequestError,
        ContentFilterError,
        ContextWindowExceeded,
        ConversationConflict,
        DeadlineExceeded,
        DecisionError,
        DownloadError,
        ForkedError,
        IncompleteStreamError,
        LoopThreadDied,
        LoopThreadError,
        MissingKeyError,
        ModelAPIError,
        ModelConnectionError,
        ModelHTTPError,
        ModelRetry,
        ModelTimeoutError,
        NotFoundError,
        OverloadedError,
        Pause,
        PermissionDeniedError,
        RateLimitError,
        ReaderTimeout,
        ServerError,
        StoreError,
        SyncAIError,
        TapeError,
        TapeMismatch,
        UnexpectedModelBehavior,
        UsageLimitExceeded,
        UserError,
    )
    from .instrumentation import (
        InstrumentationSettings,
    )
    from .messages import (
        ModelMessage,
        ModelMessagesTypeAdapter,
        ModelRequest,
        ModelResponse,
    )
    from .models.openai_messages import (
        messages_from_openai,
        messages_to_openai,
    )
    from .result import (
        Cost,
        MapRow,
        RunPaused,
        RunResult,
    )
    from .runs import (
        RunContext,
        RunOptions,
    )
    from .settings import (
        HttpOptions,
        ModelSettings,
    )
    from .tools import (
        Tool,
        ToolDefinition,
        ToolReturn,
    )
    from .usage import (
        Usage,
        UsageLimits,
    )

__all__ = [
    'Agent',
    'AgentRunError',
    'AllModelsFailed',
    'Answered',
    'Approve',
    'ask',
    'ask_in_terminal',
    'AudioUrl',
    'AuthenticationError',
    'BadRequestError',
    'BatchError',
    'BinaryContent',
    'BudgetExceeded',
    'CallCancelled',
    'capture_run_messages',
    'ChatRequestError',
    'ContentFilterError',
    'ContextWindowExceeded',
    'ConversationConflict',
    'Cost',
    'DeadlineExceeded',
    'debug',
    'DecisionError',
    'Deny',
    'DocumentUrl',
    'DownloadError',
    'ForkedError',
    'HttpOptions',
    'ImageUrl',
    'IncompleteStreamError',
    'InstrumentationSettings',
    'LoopThreadDied',
    'LoopThreadError',
    'MapRow',
    'messages_from_openai',
    'messages_to_openai',
    'MissingKeyError',
    'model_request',
    'model_request_stream',
    'model_request_stream_sync',
    'model_request_sync',
    'ModelAPIError',
    'ModelConnectionError',
    'ModelHTTPError',
    'ModelMessage',
    'ModelMessagesTypeAdapter',
    'ModelRequest',
    'ModelResponse',
    'ModelRetry',
    'ModelSettings',
    'ModelTimeoutError',
    'NotFoundError',
    'OverloadedError',
    'Pause',
    'PendingCall',
    'PermissionDeniedError',
    'RateLimitError',
    'ReaderTimeout',
    'RunContext',
    'RunOptions',
    'RunPaused',
    'RunResult',
    'ServerError',
    'StoreError',
    'SyncAIError',
    'TapeError',
    'TapeMismatch',
    'Tool',
    'ToolDefinition',
    'ToolReturn',
    'UnexpectedModelBehavior',
    'Usage',
    'UsageLimitExceeded',
    'UsageLimits',
    'UserError',
    'VideoUrl',
]

_HOMES = {
    'agent': (
        'Agent',
        'ask',
        'capture_run_messages',
    ),
    'approvals': (
        'Answered',
        'Approve',
        'Deny',
        'PendingCall',
        'ask_in_terminal',
    ),
    'content': (
        'AudioUrl',
        'BinaryContent',
        'DocumentUrl',
        'ImageUrl',
        'VideoUrl',
    ),
    'diagnosis': ('debug',),
    'direct': (
        'model_request',
        'model_request_stream',
        'model_request_stream_sync',
        'model_request_sync',
    ),
    'exceptions': (
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
    ),
    'instrumentation': ('InstrumentationSettings',),
    'messages': (
        'ModelMessage',
        'ModelMessagesTypeAdapter',
        'ModelRequest',
        'ModelResponse',
    ),
    'models.openai_messages': (
        'messages_from_openai',
        'messages_to_openai',
    ),
    'result': (
        'Cost',
        'MapRow',
        'RunPaused',
        'RunResult',
    ),
    'runs': (
        'RunContext',
        'RunOptions',
    ),
    'settings': (
        'HttpOptions',
        'ModelSettings',
    ),
    'tools': (
        'Tool',
        'ToolDefinition',
        'ToolReturn',
    ),
    'usage': (
        'Usage',
        'UsageLimits',
    ),
}
if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {name: home for home, names in _HOMES.items() for name in names})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
