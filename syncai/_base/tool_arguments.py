"""The arguments of a tool call as models write them: JSON text that may be missing, wrapped, or broken."""

from __future__ import annotations

import json
import math
import re
from typing import Any, TypeAlias

from .json_values import json_value, whole_escapes, whole_text
from .values import to_json_str

Args: TypeAlias = 'str | dict[str, Any] | None'

BROKEN = 'INVALID_JSON'
"""The key under which arguments that are no object go back to the model, as Anthropic advises.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
"""

_EMPTY_START = re.compile(r'\s*(?:\{\s*\}\s*)+(?=\{)')


def args_text(value: object) -> str | None:
    """The arguments that a provider sent, as the text to keep: some send an object although the format wants text."""
    if value is None or isinstance(value, str):
        return value or None
    return to_json_str(value)


def decoded_args(args: Args) -> dict[str, Any]:
    """The arguments as an object. These count as no arguments: nothing, a blank text, `null`, and the empty list that
    PHP writes for an empty object. These are unwrapped to the object in them: JSON text within JSON text, an object
    after the `{}` with which some gateways begin a stream, and strings with raw line breaks. Halves of surrogate pairs
    are replaced.

    Raises:
        ValueError: The arguments are anything else.
    """
    if isinstance(args, dict):
        return args
    value: Any = _decoded(args)
    if isinstance(value, str):
        value = _decoded(value)
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise _NoObjectError(f'they are {type(value).__name__}, not an object')
    return value


def args_to_send(args: Args) -> dict[str, Any]:
    """The arguments as an object of plain JSON, which every server can parse.

    Broken ones are shown as text under `BROKEN`; NaN and infinity, which are not JSON, become strings.
    """
    try:
        value = decoded_args(args)
    except ValueError:
        value = {BROKEN: args}
    plain: dict[str, Any] = _plain(value)
    return plain


def args_text_to_send(args: Args) -> str:
    """The arguments as the JSON text of an object; text that already is one is sent unchanged, so that the provider's
    cache recognizes it.
    """
    if isinstance(args, str):
        from pydantic_core import from_json

        try:
            if isinstance(from_json(args, allow_inf_nan=False), dict):
                return args
        except (ValueError, TypeError):
            pass
    return to_json_str(args_to_send(args))


class _NoObjectError(ValueError):
    pass


def _decoded(text: str | None) -> Any:
    from pydantic_core import from_json

    if text is None or not text.strip():
        return None
    text = whole_escapes(whole_text(text)).removeprefix('\ufeff')
    try:
        return from_json(text)
    except ValueError as error:
        try:
            # Written again, so that too deep nesting fails here.
            return from_json(json.dumps(json.loads(_EMPTY_START.sub('', text, count=1), strict=False)))
        except (ValueError, RecursionError):
            raise error from None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, bytes | bytearray):
        return json_value(value)
    if isinstance(value, float) and not math.isfinite(value):
        return 'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def with_piece(before: str | None, piece: str | None) -> str | None:
    """Arguments with their next piece, which replaces the `{}` that some servers send as a placeholder."""
    if not piece or not before:
        return piece or before
    return piece if is_placeholder(before, piece) else before + piece


def is_placeholder(before: str, piece: str) -> bool:
    """Whether the arguments so far are only a placeholder."""
    return before.strip() == '{}' and piece.lstrip().startswith('{')
