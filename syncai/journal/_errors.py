"""Errors as JSON; errors of syncai are read back with the same class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from .. import exceptions
from ..exceptions import AgentRunError, SyncAIError
from ..exceptions._root import _restore
from ..messages import ModelMessage, ModelRequest
from ..result import RunPaused
from ..usage import Usage

_DECIMAL, _MOMENT = 'decimal of an error', 'moment of an error'
_HELD = ('messages', 'partial')  # the entry has the messages


def error_json(error: BaseException) -> str:
    """An error as JSON: its class, its message, and the attributes that JSON can hold."""
    kind = type(error)
    described: dict[str, Any] = {'class': kind.__name__, 'message': str(error)}
    if getattr(exceptions, kind.__name__, None) is not kind:
        described['module'] = kind.__module__
    elif is_plain(error.args):
        state = {name: value for name, value in vars(error).items() if name not in _HELD}
        described['args'] = error.args
        described['state'] = {name: _written(value) for name, value in state.items()}
    return json.dumps(described)


def error_from_json(text: str, messages: Sequence[ModelMessage] = (), usage: Usage | None = None) -> Exception:
    """The error that `error_json` wrote; a foreign error becomes an `AgentRunError` that names its class.

    Args:
        text: The JSON.
        messages: The conversation of the run, needed to resume after a pause.
        usage: What the run has used.
    """
    described = json.loads(text)
    if described.get('module') == RunPaused.__module__ and described['class'] == RunPaused.__name__:
        last = messages[-1] if messages else None
        pending = last.pending if isinstance(last, ModelRequest) else ()
        return RunPaused(described['message'], pending=pending, messages=messages, usage=usage)
    kind = getattr(exceptions, described['class'], None) if 'args' in described else None
    if not isinstance(kind, type) or not issubclass(kind, SyncAIError):
        return AgentRunError(f'{described["class"]}: {described["message"]}')
    state = dict.fromkeys(_HELD) if issubclass(kind, AgentRunError) else {}
    values = {name: _read(value) for name, value in described['state'].items()}
    return _restore(kind, tuple(described['args']), state | values)


def _written(value: Any) -> Any:
    """The value of an attribute for JSON; None if that cannot hold it."""
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, datetime):
        return {_MOMENT: value.isoformat()}
    return value if is_plain(value) else None


def _read(value: Any) -> Any:
    kind, text = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ('', '')
    if kind == _DECIMAL:
        return Decimal(text)
    return datetime.fromisoformat(text) if kind == _MOMENT else value


def is_plain(value: Any) -> bool:
    """Whether JSON holds the value unchanged, except for tuples."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int | float | bool)
