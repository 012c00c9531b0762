"""Returns of tools, prepared for the model, the history and stores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._base.files import signature_of
from .._base.json_values import HALF_PAIR, JsonFile, json_text, sendable_text, whole_values
from .._base.system import warn_in_log
from ..content import BinaryContent, UserContent, user_content
from ..exceptions import UserError
from ..tools import ToolReturn


def ready_value(tool: str, value: Any) -> Any:
    """The value of a tool in a form that can be sent to the model. Files stay files, and bytes of a known kind become
    files. Half of a surrogate pair is replaced, with a warning that names the tool.

    Raises:
        UserError: It cannot be written; names the tool.
    """
    if isinstance(value, ToolReturn):
        return _ready_return(tool, value)
    if value is None or isinstance(value, int | float | JsonFile):
        return value
    if isinstance(value, str):
        return sendable_text(value, f'A return of tool {tool!r}')
    if isinstance(value, Iterator):
        value = list(value)  # an iterator can be read once, and is written more than once
    if isinstance(value, list | tuple) and any(isinstance(item, ToolReturn) for item in value):
        raise UserError(f'Tool {tool!r} returned a ToolReturn within a list: give one, with the whole list in it')
    if isinstance(value, bytes | bytearray | memoryview):
        return _ready_bytes(tool, bytes(value))
    try:
        json_text(value)
    except ValueError as error:
        return _plain(tool, value, error)
    return value


def _ready_bytes(tool: str, data: bytes) -> Any:
    if kind := signature_of(data):
        return BinaryContent(data, kind)
    try:
        data.decode()
    except ValueError as error:
        raise _unwritable(tool, data, error) from None
    return data


def _plain(tool: str, value: Any, error: ValueError) -> Any:
    """The value as lists and dicts of JSON values, if it can be written so."""
    try:
        plain = whole_values(value)
        json_text(plain)
    except (ValueError, RecursionError):
        raise _unwritable(tool, value, error) from None
    if 'surrogate' in str(error):
        warn_in_log(HALF_PAIR, f'A return of tool {tool!r}')
    return plain


def _unwritable(tool: str, value: object, error: ValueError) -> UserError:
    return UserError(
        f'Tool {tool!r} returned a value of {type(value).__name__}, which cannot be written as JSON for the '
        f'model ({error}): return a str, a number, a list, a dict, a dataclass, a pydantic model, or a file as '
        'BinaryContent(data, media_type)'
    )


def _ready_return(tool: str, value: ToolReturn) -> ToolReturn:
    if isinstance(value.value, ToolReturn):
        raise UserError(f'Tool {tool!r} returned a ToolReturn within a ToolReturn: give one, with the value')
    content: str | Sequence[UserContent] | None = None
    if value.content is not None:
        content = user_content(value.content, f'The content of the ToolReturn of tool {tool!r}')
    return ToolReturn(ready_value(tool, value.value), content, value.metadata)
