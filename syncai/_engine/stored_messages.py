"""A stored conversation: messages, or their JSON."""

from __future__ import annotations

from typing import Any

from ..exceptions import UserError
from ..messages import ModelMessage
from ..result import RunPaused


def stored_messages(messages: object) -> list[ModelMessage]:
    """The messages. Reads JSON as text, as bytes, or as the lists and dicts that a database returns.

    Raises:
        UserError: The value is no conversation; the message says what to pass.
    """
    if isinstance(messages, RunPaused):
        raise UserError('messages is a RunPaused: give its `messages`, or its `messages_json()`')
    if isinstance(messages, str | bytes | bytearray | memoryview):
        return _from_json(messages if isinstance(messages, str) else bytes(messages))
    if isinstance(messages, list | tuple) and messages and all(isinstance(message, dict) for message in messages):
        from pydantic_core import to_json

        return _from_json(to_json(messages))
    if not isinstance(messages, list | tuple):
        raise UserError(f'messages must be a list of messages or the JSON of one, not {type(messages).__name__}')
    return list(messages)


def _from_json(text: str | bytes) -> list[ModelMessage]:
    from pydantic import ValidationError

    from ..messages import ModelMessagesTypeAdapter

    try:
        return ModelMessagesTypeAdapter.validate_json(text)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False)[0]
        place = '.'.join(map(str, first['loc'])) or 'the text'
        raise UserError(
            f'messages is not the JSON of a conversation ({place}: {first["msg"]}): give what `messages_json()` or '
            '`all_messages_json()` returned. A prompt is the second argument of a step: agent.step_sync([], prompt)'
        ) from None
