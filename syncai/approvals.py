"""Calls of tools that wait for a decision, and the decisions: of a person, or of a system that answers later. All can
be pickled, and written and read as JSON: `TypeAdapter(dict[str, Decision])` reads decisions, and
`TypeAdapter(list[PendingCall])` reads calls.
"""

from __future__ import annotations

import json
import math
from dataclasses import field
from typing import Annotated, Any, Literal, TypeAlias

from ._base.frozen import dataclass
from ._base.printable import printable
from ._base.tool_returns import Metadata, Returned
from ._base.values import Value

__all__ = ['Answered', 'Approve', 'ask_in_terminal', 'Decision', 'Deny', 'PendingCall']


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PendingCall(Value):
    """A tool call that waits for a decision.

    Args:
        id: The id of the call, `ToolCallPart.tool_call_id`; decisions name it.
        tool_name: The tool.
        args: The arguments as the model wrote them; they fit the tool.
        reason: Why the call waits, for a person to read, or None.
        details: More facts from the tool, or None. Stored messages keep what JSON can hold.
    """

    id: str
    tool_name: str
    args: dict[str, Any]
    reason: str | None = None
    details: Annotated[Any, Metadata] = None

    __hash__ = Value.__hash__

    def _compared(self) -> tuple[Any, ...]:
        return self.id, self.args_hash, self.reason, json.dumps(self.details, sort_keys=True, default=repr)

    @property
    def args_hash(self) -> str:
        """SHA-256 of the tool and its arguments in hex: equal in every process, and after a round trip through JSON."""
        from hashlib import sha256

        text = json.dumps([self.tool_name, _plain(self.args)], sort_keys=True, separators=(',', ':'))
        return sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Values as JSON gives them back: browsers and databases write 2.0 as 2."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Approve(Value):
    """The call is made.

    Args:
        args: Arguments that replace the model's; the model reads that they were changed. None keeps the model's. They
            are validated like the model's.
        args_hash: `PendingCall.args_hash` of the call that the person saw; if the call has other arguments now, the
            decision is refused. None checks against the messages alone.
    """

    args: dict[str, Any] | None = None
    args_hash: str | None = field(default=None, kw_only=True)
    decision: Literal['approve'] = field(default='approve', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Deny(Value):
    """The call is not made, and the model reads why.

    Args:
        reason: The reason, for the model to read; with the empty string it only reads that the call was denied.
        args_hash: As in `Approve`.
    """

    reason: str = ''
    args_hash: str | None = field(default=None, kw_only=True)
    decision: Literal['deny'] = field(default='deny', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Answered(Value):
    """The return of a call that was made elsewhere: by a webhook, a worker, the browser.

    Args:
        value: What the model reads as the return of the tool: anything that a tool may return.
        args_hash: As in `Approve`.
    """

    value: Annotated[Any, Returned]
    args_hash: str | None = field(default=None, kw_only=True)
    decision: Literal['answered'] = field(default='answered', kw_only=True)


Decision: TypeAlias = Approve | Deny | Answered
"""A decision about a call that waits."""


def ask_in_terminal(call: PendingCall) -> Approve | Deny | None:
    """Show a call in the terminal and ask for the decision: for `agent.run_sync(..., approve=ask_in_terminal)`.

    `y` or `yes` approves, nothing or `n` denies, and any other text denies with that text as the reason. Where standard
    input has ended, as in a service, the call continues waiting: None.
    """
    arguments = ', '.join(f'{name}={value!r}' for name, value in call.args.items())
    lines = [f'{call.tool_name}({arguments})']
    lines += [f'  {text}' for text in (call.reason, call.details) if text is not None]
    print(printable('\n'.join(lines)))
    try:
        answer = input('Approve? [y/N, or why not] ').strip()
    except EOFError:
        print()
        return None
    if answer.lower() in ('y', 'yes'):
        return Approve()
    return Deny() if answer.lower() in ('', 'n', 'no') else Deny(answer)
