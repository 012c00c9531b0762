"""Conversations in the format of OpenAI's Chat Completions API, as dicts: read and written.

Source: https://developers.openai.com/api/docs/api-reference/chat/create (`messages`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._base.system import warn_in_log
from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ._catalog.providers import PROVIDERS
from ._chat.messages import chat_messages
from ._http.own_ids import with_own_ids

__all__ = ['messages_from_openai', 'messages_to_openai']

_ROLES = ('system', 'developer', 'user', 'assistant', 'tool', 'function')
_DATA_URL = re.compile(r'data:([^;,]+)(?:;[^,]*)?;base64,', re.IGNORECASE)
_AUDIO_TYPES = {'mp3': 'audio/mpeg', 'wav': 'audio/wav'}
_READ = {
    'system': {'role', 'content'},
    'developer': {'role', 'content'},
    'user': {'role', 'content'},
    'tool': {'role', 'content', 'tool_call_id', 'name'},
    'function': {'role', 'content', 'name'},
    'assistant': {
        *('role', 'content', 'refusal', 'tool_calls', 'function_call', 'reasoning_content', 'reasoning'),
        *('annotations', 'audio'),  # fields of an answer as OpenAI returns it; the text of the second is the content
    },
}


def messages_from_openai(messages: Iterable[Any]) -> list[ModelMessage]:
    """The conversation in messages of OpenAI's format, for `message_history=` or `model_request_sync`.

        history = messages_from_openai([{'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello!'}])
        agent.run_sync('And now?', message_history=history)

    Args:
        messages: Dicts with a `role`, or what the client of OpenAI gives (an object with `model_dump`). Fields without
            an equivalent here, such as `name`, are left out, with one warning in the log.

    Raises:
        UserError: A message does not match the format; the error names it and the problem.
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
        raise UserError(
            "messages must be a list of dicts such as {'role': 'user', 'content': 'Hi'}, "
            f'not {type(messages).__name__}'
        )
    reader = _Reader()
    for number, message in enumerate(messages):
        reader.read(message, f'messages[{number}]')
    if reader.left_out:
        warn_in_log('Messages of OpenAI have fields that are left out: %s', ', '.join(sorted(reader.left_out)))
    return reader.conversation()


def messages_to_openai(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """The conversation as dicts in the format of OpenAI's API, such as `result.all_messages()`.

    Thoughts are left out, since the format has no field for them; instructions of the last request come first.

    Raises:
        UserError: There is no message, or one holds a file that the format cannot hold; names it.
    """
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        raise UserError(f'messages must be a list, as all_messages() gives it, not {type(messages).__name__}')
    for message in messages:
        if not isinstance(message, ModelRequest | ModelResponse):
            raise UserError(f'messages must hold ModelRequest and ModelResponse, not {type(message).__name__}')
    return chat_messages(with_own_ids(messages), PROVIDERS['openai'])


class _Reader:
    """Joins messages: everything between two answers is one request."""

    def __init__(self) -> None:
        self.left_out: set[str] = set()
        self._messages: list[ModelMessage] = []
        self._parts: list[ModelRequestPart] = []
        self._tools: dict[str, str] = {}  # the name of the tool of each call
        self._function_calls = 0

    def conversation(self) -> list[ModelMessage]:
        """All that was read."""
        self._end_request()
        return self._messages

    def read(self, message: Any, place: str) -> None:
        """Add a message; `place` is what errors call it."""
        if hasattr(message, 'model_dump'):
            message = message.model_dump(exclude_none=True)
        if not isinstance(message, Mapping):
            raise UserError(f"{place} must be a dict such as {{'role': 'user', ...}}, not {type(message).__name__}")
        role = message.get('role')
        if role not in _ROLES:
            raise UserError(f'The role of {place} must be one of {", ".join(map(repr, _ROLES))}, not {role!r:.100}')
        self.left_out |= {name for name, value in message.items() if value is not None} - _READ[role]
        if role == 'assistant':
            self._end_request()
            self._messages.append(ModelResponse(list(self._answer(message, place))))
        elif role == 'user':
            self._parts.append(UserPromptPart(_user_content(message.get('content'), place)))
        elif role in ('system', 'developer'):
            self._parts.append(SystemPromptPart(_text(message.get('content'), place)))
        else:
            self._parts.append(self._tool_return(message, place))

    def _end_request(self) -> None:
        if self._parts:
            self._messages.append(ModelRequest(self._parts))
            self._parts = []

    def _answer(self, message: Mapping[str, Any], place: str) -> Iterator[ModelResponsePart]:
        if thoughts := message.get('reasoning_content') or message.get('reasoning'):
            yield ThinkingPart(_text(thoughts, place))
        for text in (message.get('content'), message.get('refusal')):
            if text:
                yield TextPart(_text(text, place))
        if audio := message.get('audio'):
            yield TextPart(_text(audio.get('transcript') if isinstance(audio, Mapping) else audio, place))
        for call in message.get('tool_calls') or ():
            yield self._call(call, place)
        if function := message.get('function_call'):  # the format before tools
            self._function_calls += 1
            call_id = f'function_call_{self._function_calls}'
            yield self._call({'id': call_id, 'type': 'function', 'function': function}, place)

    def _call(self, call: Any, place: str) -> ToolCallPart:
        function = call.get('function') if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get('name'), str):
            raise UserError(f'A call of {place} must be one of a function, with its name and its arguments')
        call_id = str(call.get('id') or '')
        self._tools[call_id] = function['name']
        return ToolCallPart(function['name'], function.get('arguments') or '{}', call_id)

    def _tool_return(self, message: Mapping[str, Any], place: str) -> ToolReturnPart:
        content = _text(message.get('content'), place)
        if message['role'] == 'function':
            name = str(message.get('name') or '')
            return ToolReturnPart(name, content, f'function_call_{self._function_calls}')
        call_id = message.get('tool_call_id')
        if not isinstance(call_id, str):
            raise UserError(f'{place} is the answer of a tool, and has no tool_call_id')
        return ToolReturnPart(self._tools.get(call_id) or str(message.get('name') or 'unknown'), content, call_id)


def _text(content: Any, place: str) -> str:
    """A content of text alone, whole or in parts."""
    if content is None or isinstance(content, str):
        return content or ''
    texts = []
    for part in content if isinstance(content, list | tuple) else [content]:
        text = part.get('text', part.get('refusal')) if isinstance(part, Mapping) else None
        if not isinstance(text, str):
            raise UserError(f'The content of {place} must be text, not {_kind(part)}')
        texts.append(text)
    return '\n\n'.join(texts)


def _user_content(content: Any, place: str) -> str | list[UserContent]:
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise UserError(f'The content of {place} must be a str or a list of parts, not {type(content).__name__}')
    return [_user_part(part, place) for part in content]


def _user_part(part: Any, place: str) -> UserContent:
    if isinstance(part, str):
        return part
    kind = part.get('type') if isinstance(part, Mapping) else None
    match kind, part.get(kind) if kind else None:
        case 'text', str(text):
            return text
        case ('image_url' | 'video_url') as name, value:
            return _at_address(*_address(value), name, place)
        case 'input_audio', {'data': str(data), 'format': str(form)}:
            return BinaryContent(_decoded(data, place), _AUDIO_TYPES.get(form, f'audio/{form}'))
        case 'file', {'file_data': str(data), **other}:
            return _file(data, other.get('filename'), place)
        case 'file', {'file_id': _}:
            raise UserError(
                f'A file of {place} is kept at OpenAI (file_id): give its bytes, as file_data or BinaryContent'
            )
    raise UserError(f'The content of {place} holds {_kind(part)}: it may hold text, image_url, input_audio and file')


def _address(value: Any) -> tuple[Any, Any]:
    return (value.get('url'), value.get('detail')) if isinstance(value, Mapping) else (value, None)


def _at_address(url: Any, detail: Any, kind: str, place: str) -> UserContent:
    if not isinstance(url, str):
        raise UserError(f'A part {kind!r} of {place} has no url')
    if match := _DATA_URL.match(url):
        return BinaryContent(_decoded(url[match.end() :], place), match[1], detail=detail)
    return VideoUrl(url) if kind == 'video_url' else ImageUrl(url, detail=detail)


def _file(data: str, filename: Any, place: str) -> UserContent:
    if match := _DATA_URL.match(data):
        return BinaryContent(_decoded(data[match.end() :], place), match[1], filename=filename)
    if data.startswith(('http://', 'https://')):
        return AudioUrl(data) if data.endswith(('.mp3', '.wav')) else DocumentUrl(data)
    return BinaryContent(_decoded(data, place), 'application/pdf', filename=filename)


def _decoded(data: str, place: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise UserError(f'A file of {place} is not base64') from None


def _kind(part: Any) -> str:
    return f'a part {part.get("type")!r:.60}' if isinstance(part, Mapping) else f'a value of {type(part).__name__}'
