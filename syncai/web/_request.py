"""The request of a chat page, and the bounds of what is read of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..approvals import Approve, Deny
from ..content import UserContent
from ..exceptions import ChatRequestError
from ..messages import ModelMessage
from ._forms import Form

_logger = logging.getLogger('syncai')

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
