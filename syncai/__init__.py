"""Language models from ordinary synchronous Python: streamed, typed, from any thread.

The names of daily use, imported when first used: `import syncai` starts no thread and reads no environment.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing it from typing would take longer than all of this

if TYPE_CHECKING:
    from .direct import model_request, model_request_stream, model_request_stream_sync, model_request_sync
    from .exceptions import ModelHTTPError, ModelRetry, SyncAIError, UnexpectedModelBehavior, UserError
    from .messages import ModelMessage, ModelRequest, ModelResponse
    from .settings import HttpOptions, ModelSettings
    from .tools import ToolDefinition
    from .usage import Usage

__all__ = [
    'HttpOptions',
    'model_request',
    'model_request_stream',
    'model_request_stream_sync',
    'model_request_sync',
    'ModelHTTPError',
    'ModelMessage',
    'ModelRequest',
    'ModelResponse',
    'ModelRetry',
    'ModelSettings',
    'SyncAIError',
    'ToolDefinition',
    'UnexpectedModelBehavior',
    'Usage',
    'UserError',
]

__version__ = '0.1.0'

_HOMES = {
    'direct': ('model_request', 'model_request_stream', 'model_request_stream_sync', 'model_request_sync'),
    'exceptions': ('ModelHTTPError', 'ModelRetry', 'SyncAIError', 'UnexpectedModelBehavior', 'UserError'),
    'messages': ('ModelMessage', 'ModelRequest', 'ModelResponse'),
    'settings': ('HttpOptions', 'ModelSettings'),
    'tools': ('ToolDefinition',),
    'usage': ('Usage',),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f'.{home}', __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
