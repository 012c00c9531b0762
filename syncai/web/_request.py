"""The request of a chat page, read as untrusted input. From a conversation that the page sends along, only texts and
files are taken. Instructions, tool calls and their returns are not: a page could invent them, and so give orders to the
model or fake the return of a tool.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, assert_never

from .._base.json import read_json
from .._base.json_values import whole_escapes
from ..approvals import Approve, Deny
from ..content import UserContent
from ..exceptions import ChatRequestError, UserError
from ..messages import ModelMessage
from ._forms import Form, check_form

_logger = logging.getLogger('syncai')

MOST_OF_BODY = 10_000_000  # bytes
Trigger: TypeAlias = Literal['submit-message', 'regenerate-message']


@dataclass(frozen=True, slots=True)
class Approval:
    """A decision about a tool call that waits.

    It is untrusted: compare `id` and `tool_call_id` with the waiting calls, and run these with the stored arguments.

    Attributes:
        id: The id of the request for the decision.
        approved: Whether the call may be made.
        tool_call_id: The call, if the page sends it.
        reason: Why not, or None.
    """

    id: str
    approved: bool
    tool_call_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """The request of a page.

    Attributes:
        form: The form of the request and its answer.
        prompt: The user's prompt, ready for a run: text, or a list of text and files; None without a new one.
        files: The files of the prompt.
        message_history: The conversation before it, without untrusted parts; empty with `history='server'`.
        id: The conversation (in AG-UI the thread), or None. Any client can send any id: check its owner.
        run_id: The run of AG-UI, or None.
        message_id: The message that is sent, edited, made again or continued, or None.
        trigger: `'regenerate-message'` where an answer is wanted again.
        approvals: The decisions about calls that waited.
        state: The state of AG-UI, unchecked; None in the other forms.
    """

    form: Form
    prompt: str | list[UserContent] | None = None
    files: Sequence[UserContent] = ()
    message_history: list[ModelMessage] = field(default_factory=list)
    id: str | None = None
    run_id: str | None = None
    message_id: str | None = None
    trigger: Trigger = 'submit-message'
    approvals: tuple[Approval, ...] = ()
    state: Any = None

    @property
    def decisions(self) -> dict[str, Approve | Deny]:
        """The approvals for `agent.resume_sync`, without arguments, which the page may have changed. Among several
        about one call, a refusal wins.
        """
        in_order = sorted(self.approvals, key=lambda approval: not approval.approved)
        return {approval.id: Approve() if approval.approved else Deny(approval.reason or '') for approval in in_order}

    @property
    def continues(self) -> bool:
        """Whether the answer continues the page's message, as after a decision about a call."""
        return bool(self.approvals)


@dataclass(slots=True)
class Bounds:
    """The limits of a request, and the record of what was left out.

    Args:
        max_files: Files in all that is read.
        max_messages: Messages in the conversation.
        max_text: Characters of one id.
    """

    max_files: int
    max_messages: int
    files: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, what: str) -> None:
        """Record that something was left out."""
        self.dropped[what] = self.dropped.get(what, 0) + 1

    def count_file(self) -> None:
        """Count one more file.

        Raises:
            ChatRequestError: There are too many.
        """
        self.files += 1
        if self.files > self.max_files:
            raise ChatRequestError(f'A message may have {self.max_files} files at most.', status_code=413)

    def messages_of(self, value: object, *, with_history: bool) -> list[Mapping[str, Any]]:
        """The messages of a conversation, or only the last.

        Raises:
            ChatRequestError: There are none, or too many.
        """
        if isinstance(value, list) and not with_history:
            value = value[-1:]
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise ChatRequestError('`messages` must be a list of messages.')
        if len(value) > self.max_messages:
            sentence = f'This conversation is too long: {self.max_messages} messages at most. Please start a new one.'
            raise ChatRequestError(sentence, status_code=413)
        return value

    def log(self) -> None:
        """Log one line with what was left out."""
        if self.dropped:
            words = ', '.join(f'{number} {what}' for what, number in self.dropped.items())
            _logger.warning('Left out of what a page sent, since it may be made up: %s', words)


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


def text_of(data: Mapping[str, Any], name: str) -> str | None:
    """A short text of the request, such as an id, or None if there is none.

    Raises:
        ChatRequestError: It is something else.
    """
    value = data.get(name)
    if value is None or value == '':
        return None
    if not isinstance(value, str) or len(value) > 300 or not value.isprintable():
        raise ChatRequestError(f'`{name}` must be a short text.')
    return value
