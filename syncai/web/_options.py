"""The checked options of `encode` and `encode_async`."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

from .._base.json import read_json
from .._base.json_values import whole_json_text
from .._base.system import warn_in_log
from ..exceptions import UserError
from ..messages import ModelMessage
from ..result import RunPaused, RunResult
from ..stream import StreamedRunEvents, StreamedRunEventsSync
from ._ag_ui import AgUiWriter
from ._ai_sdk import AiSdkWriter
from ._errors import ErrorReply, status_of
from ._events import EventsWriter
from ._forms import Form, check_form
from ._request import ChatRequest
from ._text import TextWriter
from ._writer import End, Ids, Writer

OnLeave: TypeAlias = Literal['stop', 'finish']
OnFinish: TypeAlias = Callable[[RunResult[Any]], object]
OnFinishAsync: TypeAlias = Callable[[RunResult[Any]], Awaitable[object] | object]
OnPause: TypeAlias = Callable[[RunPaused], object]
OnPauseAsync: TypeAlias = Callable[[RunPaused], Awaitable[object] | object]
Metadata: TypeAlias = Callable[[RunResult[Any]], Mapping[str, Any]]

_logger = logging.getLogger('syncai')


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options of one stream."""

    writer: Writer
    keepalive: float | None
    finishes: bool
    on_finish: OnFinishAsync | None
    on_pause: OnPauseAsync | None
    metadata: Metadata | None

    @classmethod
    def checked(
        cls,
        form: Form | None,
        asked: ChatRequest | None,
        message_id: str | None,
        keepalive: float | None,
        on_leave: OnLeave,
        on_finish: OnFinishAsync | None,
        on_pause: OnPauseAsync | None,
        metadata: Metadata | None,
    ) -> Options:
        """The options.

        Raises:
            UserError: One of them is wrong.
        """
        if keepalive is not None and (
            not isinstance(keepalive, int | float) or isinstance(keepalive, bool) or not 0 < keepalive < math.inf
        ):
            raise UserError(f'keepalive must be a number of seconds above 0, or None, not {keepalive!r}')
        if on_leave not in ('stop', 'finish'):
            raise UserError(f"on_leave must be 'stop' or 'finish', not {on_leave!r}")
        for name, function in (('on_finish', on_finish), ('on_pause', on_pause), ('metadata', metadata)):
            if function is not None and not callable(function):
                raise UserError(f'{name} must be a function of one argument, not {function!r:.100}')
        if asked is not None and not isinstance(asked, ChatRequest):
            raise UserError(f'asked must be what read_chat(...) gave, not {type(asked).__name__}')
        if message_id is not None and not isinstance(message_id, str):
            raise UserError(f'message_id must be a str, not {message_id!r:.100}')
        return cls(
            writer=_writer(form or (asked.form if asked else 'ai-sdk'), asked, message_id),
            keepalive=keepalive,
            finishes=on_leave == 'finish',
            on_finish=on_finish,
            on_pause=on_pause,
            metadata=metadata,
        )

    def end_of(self, result: RunResult[Any]) -> End:
        """The data to write for a successful run.

        Raises:
            UserError: `metadata` returned no mapping, or a value that JSON cannot hold.
        """
        if self.metadata is None:
            return End(result)
        fields: object = self.metadata(result)
        if not isinstance(fields, Mapping):
            raise UserError(f'metadata must return a dict for the page, not {type(fields).__name__}')
        try:
            return End(result, read_json(whole_json_text(dict(fields))))
        except ValueError as error:
            raise UserError(f'metadata returned what JSON cannot hold: {error}') from None

    def warn_of_slow_function(self, seconds: float) -> None:
        """Log that a function of the program blocked the writing thread for longer than the keep-alive."""
        if self.keepalive is None or seconds <= self.keepalive:
            return
        names = ' or '.join(map(repr, self.writer.open_tools())) or 'A function of the agent'
        warn_in_log(
            '%s took %.1f s in the thread that writes this stream, longer than its keepalive of %g s, so that nothing '
            "was sent meanwhile and proxies may end the stream: register the tool with run_in='thread'",
            f'Tool {names}' if self.writer.open_tools() else names,
            seconds,
            self.keepalive,
        )


def _writer(form: Form, asked: ChatRequest | None, message_id: str | None) -> Writer:
    form = check_form(form)
    continued = asked.continues if asked else False
    ids = Ids(
        message=None if continued else message_id or _new_id(),
        thread=(asked.id if asked else None) or _new_id(),
        run=(asked.run_id if asked else None) or _new_id(),
        calls={one.id: one.tool_call_id for one in (asked.approvals if asked else ()) if one.tool_call_id},
    )
    match form:
        case 'ai-sdk':
            return AiSdkWriter(ids)
        case 'ag-ui':
            return AgUiWriter(ids)
        case 'events':
            return EventsWriter(ids)
        case 'text':
            return TextWriter(ids)
        case _:
            assert_never(form)


def messages_before(stream: StreamedRunEvents[Any] | StreamedRunEventsSync[Any]) -> list[ModelMessage]:
    """The messages of the conversation before a run that has begun."""
    return stream.all_messages()[: stream._run.first_new]


def _new_id() -> str:
    return os.urandom(12).hex()


def logged_reply(error: BaseException) -> ErrorReply:
    """The reply for the page. Logs the error, with its traceback if the program is wrong."""
    reply = status_of(error)
    if reply.is_bug:
        _logger.error('A run that streams into a page failed: %s', error, exc_info=error)
    elif reply.code != 'refused':
        _logger.warning('A run that streams into a page ended with %s: %s', type(error).__name__, error)
    return reply
