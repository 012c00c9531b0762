"""An answer of the chat as it arrives: live Markdown, the calls of tools, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, assert_never

from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.pretty import Pretty
from rich.text import Text

from .._base.notebook import safe_markdown
from .._base.printable import printable
from ..approvals import Approve, Deny, PendingCall, ask_in_terminal
from ..events import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    ResponseEndEvent,
    ResultRefusedEvent,
    ToolCallPausedEvent,
)
from ..messages import (
    ModelResponsePart,
    ModelResponsePartDelta,
    RetryPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ..usage import Usage

__all__ = ['AnswerView', 'footer']

_LONGEST_RETURN = 200  # characters of what a tool returned


class AnswerView:
    """Shows one answer: its last lines while it grows, and the whole at its end.

    Args:
        console: The output. If it is no terminal, it gets the text as it arrives, without Markdown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._text = ''
        self._thoughts = 0  # characters

    @contextmanager
    def shown(self) -> Iterator[AnswerView]:
        """While the block runs the answer is on the screen."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(Text('...', 'dim'), console=self._console, transient=True, refresh_per_second=12) as self._live:
            yield self
        self._live = None

    def take(self, event: AgentStreamEvent) -> None:
        """Show an event of the run."""
        match event:
            case PartStartEvent(part=piece) | PartDeltaEvent(delta=piece):
                self._take_piece(piece)
            case FunctionToolCallEvent(part=call):
                arguments = ', '.join(f'{name}={value!r}' for name, value in _arguments(call).items())
                self._note(f'-> {call.tool_name}({arguments})')
            case FunctionToolResultEvent(result=result):
                text = 'try again' if isinstance(result, RetryPromptPart) else result.model_response_str()
                self._note(f'<- {text[:_LONGEST_RETURN]}{"..." if len(text) > _LONGEST_RETURN else ""}')
            case PartEndEvent() | ResponseEndEvent() | ToolCallPausedEvent():
                pass
            case FinalResultEvent() | ResultRefusedEvent():
                pass
            case _:
                assert_never(event)

    def approve(self, call: PendingCall) -> Approve | Deny | None:
        """Ask about a call; the answer is not shown meanwhile."""
        if self._live is None:
            return ask_in_terminal(call)
        self._live.stop()
        try:
            return ask_in_terminal(call)
        finally:
            self._live.start()

    def end(self, data: object) -> None:
        """Print the whole: the text, or data of another type."""
        if not isinstance(data, str):
            self._console.print(Pretty(data))
        elif self._console.is_terminal:
            self._console.print(_markdown(data))
        elif not self._text.endswith('\n'):
            self._console.print()

    def keep(self) -> None:
        """Print the arrived part of a stopped answer."""
        if self._text and self._console.is_terminal:
            self._console.print(_markdown(self._text))

    def _take_piece(self, piece: ModelResponsePart | ModelResponsePartDelta) -> None:
        match piece:
            case TextPart(content) | TextPartDelta(content):
                self._add(content)
            case ThinkingPart(content) | ThinkingPartDelta(content):
                self._think(content or '')
            case ToolCallPart() | ToolCallPartDelta():
                pass  # shown when it is called
            case _:
                assert_never(piece)

    def _add(self, content: str) -> None:
        self._text += content
        if self._live is None:
            self._console.print(printable(content), end='', markup=False, soft_wrap=True)
        else:
            self._live.update(_tail(self._text, self._console.height - 2))

    def _think(self, content: str) -> None:
        self._thoughts += len(content)
        if self._live is not None and not self._text:
            self._live.update(Text(f'thinking ({self._thoughts} characters)', 'dim'))

    def _note(self, line: str) -> None:
        if self._text:
            self.keep()
            self._text = ''
        self._console.print(Text(printable(line), 'dim'), soft_wrap=True)


def _arguments(call: Any) -> dict[str, Any]:
    try:
        arguments: dict[str, Any] = call.args_as_dict()
    except ValueError:  # the model did not write JSON
        return {'arguments': call.args}
    return arguments


def _markdown(text: str) -> Markdown:
    """A model's text without control characters; its HTML is escaped, since Markdown would leave it out."""
    return Markdown(safe_markdown(printable(text)), hyperlinks=False)


def _tail(text: str, lines: int) -> Group:
    """The last lines as Markdown; the rest has scrolled away."""
    last_lines = text.splitlines()[-max(lines, 1) :]
    return Group(_markdown('\n'.join(last_lines)))


def footer(usage: Usage, price: Decimal | None, began: float) -> str:
    """Tokens, price and time of an answer, in one line."""
    parts = []
    if usage.total_tokens is not None:
        parts.append(f'{usage.request_tokens or 0} + {usage.response_tokens or 0} tokens')
    if price is not None:
        parts.append(f'${price:.4f}')
    return ', '.join([*parts, f'{time.monotonic() - began:.1f} s'])
