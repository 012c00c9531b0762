"""Messages as OpenAI Chat Completions writes them; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._values import to_json_str
from ..exceptions import UserError
from ..messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ._providers import Provider

AUDIO_FORMATS = {
    'audio/wav': 'wav',
    'audio/x-wav': 'wav',
    'audio/wave': 'wav',
    'audio/vnd.wave': 'wav',
    'audio/mpeg': 'mp3',
    'audio/mp3': 'mp3',
}
TEXT_TYPES = frozenset({'application/json', 'application/xml', 'application/yaml', 'application/x-yaml'})


def chat_messages(messages: Sequence[ModelMessage], provider: Provider) -> list[dict[str, Any]]:
    """The conversation as the list of messages of a request.

    Raises:
        UserError: There is no message, or one holds what the provider cannot take; names it.
    """
    written: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            written.extend(_request_part(part, provider) for part in message.parts)
        elif answer := _response(message, provider):
            written.append(answer)
    instructions = latest_instructions(messages)
    if instructions:
        written.insert(0, {'role': provider.system_role, 'content': instructions})
    if not written:
        raise UserError(
            'messages is empty: the model needs at least one part, as [ModelRequest.user_text_prompt("...")]'
        )
    return _with_single_system_message(written, provider) if provider.single_system_message else written


def with_schema(written: list[dict[str, Any]], schema: dict[str, Any], provider: Provider) -> list[dict[str, Any]]:
    """The messages with a system prompt that shows the schema of the answer."""
    shown = f'Answer with JSON that fits this schema:\n{to_json_str(schema)}'
    first = written[0]
    if first['role'] == provider.system_role != 'user' and isinstance(first['content'], str):
        return [{**first, 'content': f'{first["content"]}\n\n{shown}'}, *written[1:]]
    return [{'role': provider.system_role, 'content': shown}, *written]


def latest_instructions(messages: Sequence[ModelMessage]) -> str | None:
    """The instructions of the latest request: they are for now, and not part of the history."""
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            return message.instructions
    return None


def _with_single_system_message(written: list[dict[str, Any]], provider: Provider) -> list[dict[str, Any]]:
    system = [m['content'] for m in written if m['role'] == provider.system_role and isinstance(m['content'], str)]
    if provider.system_role == 'user' or not system:
        return written
    rest = [m for m in written if m['role'] != provider.system_role]
    return [{'role': provider.system_role, 'content': '\n\n'.join(system)}, *rest]


def _request_part(part: ModelRequestPart, provider: Provider) -> dict[str, Any]:
    if isinstance(part, UserPromptPart):
        return {'role': 'user', 'content': _user_content(part.content, provider)}
    if isinstance(part, SystemPromptPart):
        return {'role': provider.system_role, 'content': part.content}
    if isinstance(part, ToolReturnPart):
        return {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': part.model_response_str()}
    if isinstance(part, RetryPromptPart):
        if part.tool_name is None or not part.tool_call_id:
            return {'role': 'user', 'content': part.model_response()}
        return {'role': 'tool', 'tool_call_id': part.tool_call_id, 'content': part.model_response()}
    raise UserError(f'A ModelRequest cannot hold {part!r:.200}')


def _response(response: ModelResponse, provider: Provider) -> dict[str, Any] | None:
    texts = [part.content for part in response.parts if isinstance(part, TextPart) and part.content]
    calls = [_tool_call(part) for part in response.parts if isinstance(part, ToolCallPart)]
    if not texts and not calls:
        return None  # An answer without content cannot be sent back: servers refuse it.
    written: dict[str, Any] = {'role': 'assistant', 'content': '\n\n'.join(texts) if texts else None}
    if calls:
        written['tool_calls'] = calls
    thoughts = [part.content for part in response.parts if isinstance(part, ThinkingPart) and part.content]
    if provider.replay_reasoning and thoughts and response.provider_name == provider.name:
        written[provider.replay_reasoning] = '\n\n'.join(thoughts)
    return written


def _tool_call(part: ToolCallPart) -> dict[str, Any]:
    function = {'name': part.tool_name, 'arguments': part.args_as_json_str()}
    return {'id': part.tool_call_id, 'type': 'function', 'function': function}


def _user_content(content: str | Sequence[UserContent], provider: Provider) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = list(_user_parts(content, provider))
    if not parts:
        raise UserError('A UserPromptPart holds no content: give it text or a sequence of text and files')
    return parts


def _user_parts(content: Sequence[UserContent], provider: Provider) -> Iterator[dict[str, Any]]:
    for item in content:
        if isinstance(item, str):
            yield {'type': 'text', 'text': item}
        elif isinstance(item, ImageUrl):
            yield _image(item.url, item.detail)
        elif isinstance(item, BinaryContent):
            yield _binary(item, provider)
        elif isinstance(item, DocumentUrl) and provider.supports_file_url:
            name = item.url.partition('?')[0].rsplit('/', 1)[-1] or 'document'
            yield {'type': 'file', 'file': {'filename': name, 'file_data': item.url}}
        else:
            raise UserError(_unsupported(item, provider))


def _image(url: str, detail: str | None) -> dict[str, Any]:
    return {'type': 'image_url', 'image_url': {'url': url, 'detail': detail} if detail else {'url': url}}


def _binary(item: BinaryContent, provider: Provider) -> dict[str, Any]:
    media_type = item.media_type.partition(';')[0].strip().lower()
    if item.is_image:
        return _image(item.data_url, item.detail)
    if media_type in AUDIO_FORMATS and provider.supports_audio:
        return {'type': 'input_audio', 'input_audio': {'data': item.base64, 'format': AUDIO_FORMATS[media_type]}}
    if media_type == 'application/pdf' and provider.supports_files:
        return {'type': 'file', 'file': {'filename': item.filename or 'document.pdf', 'file_data': item.data_url}}
    if media_type.startswith('text/') or media_type in TEXT_TYPES:
        return {'type': 'text', 'text': text_document(item)}
    raise UserError(_unsupported(item, provider))


def text_document(item: BinaryContent) -> str:
    """A text file as part of a prompt."""
    name = item.filename or item.media_type
    text = item.data.decode('utf-8', errors='replace')
    return f'-----BEGIN FILE {name}-----\n{text}\n-----END FILE {name}-----'


def _unsupported(item: object, provider: Provider) -> str:
    shown = f'{type(item).__name__}({item.media_type})' if isinstance(item, BinaryContent) else type(item).__name__
    taken = ['text', 'images']
    if provider.supports_audio:
        taken.append('audio/wav and audio/mpeg as BinaryContent')
    if provider.supports_files:
        taken.append('application/pdf as BinaryContent')
    advice = (
        ' Download it and pass BinaryContent(data, media_type).' if isinstance(item, AudioUrl | DocumentUrl) else ''
    )
    return f'{provider.title} Chat Completions takes no {shown}; it takes {", ".join(taken)}.{advice}'
