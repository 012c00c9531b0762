"""The errors of providers as JSON, without headers, which may hold private data."""

from __future__ import annotations

from typing import Any

from .. import exceptions
from .._base.json_values import json_value
from ..exceptions import (
    AgentRunError,
    ContentFilterError,
    DeadlineExceeded,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
)
from ..exceptions._root import _restore
from ._messages import UnreadableError, redacted_response, response_json, response_of
from ._rewriting import Rewrite, rewritten

_LEFT_OUT = ('message', 'partial', 'messages', 'headers')


def is_recorded(error: BaseException) -> bool:
    """Whether an error comes from the provider, and not from a caller that stopped the call."""
    kinds = (ModelAPIError, UnexpectedModelBehavior, ContentFilterError)
    return isinstance(error, kinds) and not isinstance(error, DeadlineExceeded)


def error_json(error: AgentRunError, redact: Rewrite | None) -> dict[str, Any]:
    """An error as JSON; a field that JSON cannot hold is left out."""
    form: dict[str, Any] = {'class': type(error).__name__, 'message': error.message}
    for name, value in vars(error).items():
        if name not in _LEFT_OUT and not name.startswith('_') and value is not None:
            try:
                form[name] = json_value(value)
            except ValueError:
                continue
    if redact is not None:
        form = {**rewritten(redact, form), 'class': form['class']}
    if error.partial is not None:
        partial = response_json(error.partial)
        form['partial'] = partial if redact is None else redacted_response(partial, redact)
    return form


def error_of(form: dict[str, Any]) -> AgentRunError:
    """A new error like the one that `error_json` wrote.

    Raises:
        KeyError, ValueError: It is no such JSON.
    """
    kind = getattr(exceptions, form['class'], None)
    if not (isinstance(kind, type) and issubclass(kind, AgentRunError)):
        raise UnreadableError(f'{form["class"]!r} is no error of a call')
    state: dict[str, Any] = {'model_name': None, 'provider': None, **form}
    state['partial'] = response_of(form['partial']) if 'partial' in form else None
    del state['class']
    args: tuple[Any, ...] = (form['message'],)
    if issubclass(kind, ModelAPIError):
        state = {'request_id': None, 'attempts': 1, 'retry_after': None, 'host': None, 'limit': None, **state}
    if issubclass(kind, ModelHTTPError):
        state = {'body': None, 'headers': {}, **state}
        args = (state['status_code'], state['model_name'], state['body'])
    error = _restore(kind, args, state)
    assert isinstance(error, AgentRunError)
    return error
