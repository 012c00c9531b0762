"""The request of a chat page, read as untrusted input. From a conversation that the page sends along, only texts and
files are taken. Instructions, tool calls and their returns are not: a page could invent them, and so give orders to the
model or fake the return of a tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, assert_never

from .._base.json import read_json
from .._base.json_values import whole_escapes
from ..exceptions import ChatRequestError, UserError
from ._forms import Form, check_form
from ._request import Bounds, ChatRequest

__all__ = ['check_bounds', 'MOST_OF_BODY', 'read_chat']

MOST_OF_BODY = 10_000_000  # bytes


def read_chat(
    body: bytes | str | Mapping[str, Any],
    form: Form = 'ai-sdk',
    *,
    history: Literal['client', 'server'] = 'client',
    max_body: int = MOST_OF_BODY,
    max_files: int = 10,
    max_messages: int = 500,
) -> ChatRequest:
    """The request of a page, ready for a run.

    | form | what is read |
    |---|---|
    | `'ai-sdk'` | what `useChat` posts: `{id, messages, trigger, messageId}`, or `{id, message}` |
    | `'ag-ui'` | `RunAgentInput` |
    | `'events'`, `'text'` | `{prompt, id?}`, or `{messages: [{role, content}], id?}` |

    Args:
        body: The body of the request; or its JSON, read.
        form: The form in which the page writes.
        history: Who keeps the conversation: the `'client'`, which sends it along, or the `'server'`, so that only the
            last message of the user is read.
        max_body: The most bytes of a body.
        max_files: The most files in what is read.
        max_messages: The most messages in what is read.

    Raises:
        ChatRequestError: It is no valid request of such a page, or too large. A `UserError` with a message for the
            user, and the `status_code` of the answer.
        UserError: An argument is wrong.

    Example:
        ```python
        asked = read_chat(b'{"messages": [{"role": "user", "parts": [{"type": "text", "text": "Hello"}]}]}')
        print(asked.prompt)
        #> Hello
        ```
    """
    form = check_form(form)
    if history not in ('client', 'server'):
        raise UserError(f"history must be 'client' or 'server', not {history!r}")
    check_bounds({'max_body': max_body, 'max_files': max_files, 'max_messages': max_messages})
    data = _object(body, max_body)
    bounds = Bounds(max_files, max_messages)
    asked = _read(data, form, bounds, with_history=history == 'client')
    bounds.log()
    return asked


def check_bounds(bounds: Mapping[str, object]) -> None:
    """Raise UserError unless these bounds of a request are numbers."""
    for name, most in bounds.items():
        if not isinstance(most, int) or isinstance(most, bool) or most < 0:
            raise UserError(f'{name} must be an integer, 0 or above, not {most!r:.100}')


def _read(data: Mapping[str, Any], form: Form, bounds: Bounds, *, with_history: bool) -> ChatRequest:
    from ._read_ag_ui import read_ag_ui
    from ._read_ai_sdk import read_ai_sdk
    from ._read_plain import read_plain

    match form:
        case 'ai-sdk':
            return read_ai_sdk(data, bounds, with_history=with_history)
        case 'ag-ui':
            return read_ag_ui(data, bounds, with_history=with_history)
        case 'events' | 'text':
            return read_plain(data, form, bounds, with_history=with_history)
        case _:
            assert_never(form)


def _object(body: bytes | str | Mapping[str, Any], max_body: int) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    if not isinstance(body, bytes | bytearray | memoryview | str):
        raise UserError(f'body must be bytes, or the JSON object that was read of them, not {type(body).__name__}')
    size = len(body.encode('utf-8', 'replace')) if isinstance(body, str) else len(body)
    if size > max_body:
        raise ChatRequestError(f'This message is too large: {max_body} bytes at most.', status_code=413)
    try:
        data = _read_json(body if isinstance(body, str | bytes) else bytes(body))
    except ValueError:
        raise ChatRequestError('The request is not JSON.') from None
    if not isinstance(data, Mapping):
        raise ChatRequestError('The request is not a JSON object.')
    return data


def _read_json(body: str | bytes) -> Any:
    """The JSON value; half of a surrogate pair, which browsers send for a cut emoji, is replaced."""
    try:
        return read_json(body)
    except ValueError:
        text = body if isinstance(body, str) else body.decode()
        return read_json(whole_escapes(text))
