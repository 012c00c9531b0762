"""The answers of a scripted model, and their faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, get_args

from ..exceptions import UserError

__all__ = ['Ending', 'Reply', 'ToolCall']

Ending = Literal['done', 'eof', 'cut', 'reset', 'reset_before_headers', 'error']
"""How a scripted answer ends."""


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool that the scripted model makes.

    Attributes:
        name: Name of the tool.
        args: The arguments: a mapping, or the text exactly as the model writes it (also malformed).
        id: The call's id; None for `call_0`, `call_1`, ...
        pieces: Into how many fragments a stream cuts the arguments.
    """

    name: str
    args: str | Mapping[str, Any] = '{}'
    id: str | None = None
    _: KW_ONLY
    pieces: int = 2


@dataclass(frozen=True, init=False)
class Reply:
    """One answer of the scripted model: `Reply('Hello ', 'world', usage=(3, 2))`.

    A request without `"stream": true` gets the same answer as one JSON body.

    Attributes:
        text: The text, one event for each string.
        tool_calls: Calls of tools, after the text.
        thinking: Reasoning before the text, one event for each string.
        thinking_signature: The proof that goes with the reasoning, in formats that have one.
        usage: Tokens of the prompt and of the answer, or the wire's `usage` object; None for none. A stream carries
            it only if the request asks for it, as the providers do.
        finish_reason: The wire's finish reason; None for `tool_calls` or `stop`, as fits.
        model: Name of the model in the answer; None for that of the request.
        status: HTTP status. From 400 on the body is an error object, unless `body` is given.
        headers: Further response headers, such as `{'retry-after': '1'}`.
        body: The body instead of all of the above: text or bytes as they are, anything else as JSON.
        content_type: Content type instead of the right one.
        delay_headers: Seconds before the headers.
        delay_first_event: Seconds between the headers and the first event or the body.
        delay_between_events: Seconds between two events, kept on an absolute schedule.
        repeat: How many times the strings of the text are sent.
        ending: `done`: complete. `eof`: the body ends cleanly, without finish reason and `[DONE]`. `cut`: the
            connection closes inside a chunk. `reset`: it is reset (RST). `reset_before_headers`: it is reset instead
            of an answer, after `delay_headers`. `error`: the provider's error object comes in the stream, or with
            status 200 as the whole body. Otherwise a whole body is cut in its middle.
        cut_after_events: Events sent before `eof`, `cut`, `reset` or `error`; None for all of the content.
        malformed_event_at: Index of the event (from 0) whose JSON breaks off; a whole body breaks off for any index.
        big_event_bytes: Adds one text event of at least that many bytes.
        cut_bytes: Sends everything, framing included, in TCP writes of at most that many bytes. The receiver's kernel
            may join them again; with 1 every boundary is possible.
        events_per_write: Joins that many events to one chunk and one write, as a fast provider does.
    """

    text: tuple[str, ...]
    tool_calls: Sequence[ToolCall] = ()
    thinking: Sequence[str] = ()
    thinking_signature: str | None = None
    usage: tuple[int, int] | Mapping[str, Any] | None = None
    finish_reason: str | None = None
    model: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str | None = None
    delay_headers: float = 0
    delay_first_event: float = 0
    delay_between_events: float = 0
    repeat: int = 1
    ending: Ending = 'done'
    cut_after_events: int | None = None
    malformed_event_at: int | None = None
    big_event_bytes: int | None = None
    cut_bytes: int | None = None
    events_per_write: int = 1

    def __init__(
        self,
        *text: str,
        tool_calls: ToolCall | Sequence[ToolCall] = (),
        thinking: str | Sequence[str] = (),
        thinking_signature: str | None = None,
        usage: tuple[int, int] | Mapping[str, Any] | None = None,
        finish_reason: str | None = None,
        model: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
        delay_headers: float = 0,
        delay_first_event: float = 0,
        delay_between_events: float = 0,
        repeat: int = 1,
        ending: Ending = 'done',
        cut_after_events: int | None = None,
        malformed_event_at: int | None = None,
        big_event_bytes: int | None = None,
        cut_bytes: int | None = None,
        events_per_write: int = 1,
    ) -> None:
        values = {name: value for name, value in locals().items() if name not in ('self', '__class__')}
        values['thinking'] = (thinking,) if isinstance(thinking, str) else tuple(thinking)
        values['tool_calls'] = (tool_calls,) if isinstance(tool_calls, ToolCall | str) else tuple(tool_calls)
        values['headers'] = dict(headers or {})
        for name, value in values.items():
            object.__setattr__(self, name, value)
        _check(self)


def _check(reply: Reply) -> None:
    _check_types(reply)
    if reply.ending not in get_args(Ending):
        raise UserError(f'ending={reply.ending!r} is none of {", ".join(get_args(Ending))}')
    if reply.cut_after_events is not None and reply.ending not in ('eof', 'cut', 'reset', 'error'):
        raise UserError("cut_after_events needs ending='eof', 'cut', 'reset' or 'error'")
    if not 200 <= reply.status <= 599:
        raise UserError(f'status={reply.status!r} is not a final HTTP status (200 to 599)')
    for name in ('repeat', 'events_per_write'):
        if getattr(reply, name) < 1:
            raise UserError(f'{name} must be at least 1')
    if reply.cut_bytes is not None and reply.cut_bytes < 1:
        raise UserError('cut_bytes must be at least 1')


def _check_types(reply: Reply) -> None:
    """Raise for wrong types here, instead of later in the server's thread."""
    for name, of in (('text', str), ('thinking', str), ('tool_calls', ToolCall)):
        for item in getattr(reply, name):
            if not isinstance(item, of):
                raise UserError(f'{name} of a Reply must be of {of.__name__}, not {item!r:.100}')
    for name in ('status', 'repeat', 'events_per_write', 'cut_after_events', 'malformed_event_at', 'cut_bytes'):
        value = getattr(reply, name)
        if not isinstance(value, int) and (value is not None or name in ('status', 'repeat', 'events_per_write')):
            raise UserError(f'{name} must be an integer, not {value!r:.100}')
    for name in ('delay_headers', 'delay_first_event', 'delay_between_events'):
        seconds = getattr(reply, name)
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise UserError(f'{name} must be a number of seconds, 0 or above, not {seconds!r:.100}')
    usage = reply.usage
    if not (usage is None or isinstance(usage, Mapping) or (isinstance(usage, tuple | list) and len(usage) == 2)):
        raise UserError(f'usage must be the tokens of prompt and answer, as (3, 2), or a dict, not {usage!r:.100}')
