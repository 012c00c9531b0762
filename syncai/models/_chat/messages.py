"""Messages as OpenAI Chat Completions writes them; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._base.tool_arguments import args_text_to_send
from ..._base.values import to_json_str
from ...exceptions import UserError
from ...messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from .._catalog.providers import Provider
from .._http.own_ids import name_to_send, with_short_ids
from .._http.requests import (
    AUDIO_FORMATS,
    NO_CONTENT,
    NO_MESSAGES,
    for_tool,
    is_text_document,
    latest_instructions,
    returned_items,
    text_document,
    unknown_part,
)
from .additions import FIELDS
from .calls import kept_of_call


def chat_messages(messages: Sequence[ModelMessage], provider: Provider) -> list[dict[str, Any]]:
    """The conversation as the list of messages of a request.

    Raises:
        UserError: There is no message, or one holds content that the provider does not take; names it.
    """
    entries: list[dict[str, Any]] = []
    if (longest := provider.chat.longest_tool_call_id) is not None:
        messages = with_short_ids(messages, longest, provider.name)
    for message in messages:
        if isinstance(message, ModelRequest):
            entries.extend(_request(message, provider))
        elif answer := _response(message, provider):
            entries.append(answer)
    instructions = latest_instructions(messages)
    if instructions:
        entries.insert(0, {'role': provider.chat.system_role, 'content': instructions})
    if not entries:
        raise UserError(NO_MESSAGES)
    if provider.chat.answers_tools_first:
        entries = _with_answers_after_tools(entries)
    return _with_single_system_message(entries, provider) if provider.chat.single_system_message else entries


def with_schema(entries: list[dict[str, Any]], schema: dict[str, Any], provider: Provider) -> list[dict[str, Any]]:
    """The messages with a system prompt that shows the schema of the answer."""
    instruction = f'Answer with JSON that fits this schema:\n{to_json_str(schema)}'
    first = entries[0]
    if first['role'] == provider.chat.system_role != 'user' and isinstance(first['content'], str):
        return [{**first, 'content': f'{first["content"]}\n\n{instruction}'}, *entries[1:]]
    return [{'role': provider.chat.system_role, 'content': instruction}, *entries]


def _with_answers_after_tools(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with a short answer of the model wherever a user prompt follows a tool's return."""
    filled: list[dict[str, Any]] = []
    for message in entries:
        if filled and filled[-1]['role'] == 'tool' and message['role'] == 'user':
            filled.append({'role': 'assistant', 'content': 'OK'})
        filled.append(message)
    return filled


def _with_single_system_message(entries: list[dict[str, Any]], provider: Provider) -> list[dict[str, Any]]:
    system = [m['content'] for m in entries if m['role'] == provider.chat.system_role and isinstance(m['content'], str)]
    if provider.chat.system_role == 'user' or not system:
        return entries
    rest = [m for m in entries if m['role'] != provider.chat.system_role]
    return [{'role': provider.chat.system_role, 'content': '\n\n'.join(system)}, *rest]


def _request(request: ModelRequest, provider: Provider) -> list[dict[str, Any]]:
    """The messages of one request; files that tools returned follow all answers, which can only hold text."""
    entries: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    for part in request.parts:
        if isinstance(part, ToolReturnPart):
            items = returned_items(part.content)
            entries.append(_tool_message(part.tool_call_id, _returned_text(items), provider))
            if len(items) > 1 or not isinstance(items[0], str):
                files += for_tool(part.tool_name, _returned_files, part.tool_name, items, provider)
        else:
            entries.append(_request_part(part, provider))
    if files:
        end = 1 + max(number for number, message in enumerate(entries) if message['role'] == 'tool')
        entries.insert(end, {'role': 'user', 'content': files})
    return entries


def _returned_text(items: Sequence[UserContent]) -> str:
    texts = [item for item in items if isinstance(item, str)]
    return '\n\n'.join(texts if len(texts) == len(items) else [*texts, 'The files follow.'])


def _returned_files(tool_name: str, items: Sequence[UserContent], provider: Provider) -> list[dict[str, Any]]:
    files = [item for item in items if not isinstance(item, str)]
    return list(_user_parts([f'Returned by {tool_name}:', *files], provider)) if files else []


def _request_part(part: UserPromptPart | SystemPromptPart | RetryPromptPart, provider: Provider) -> dict[str, Any]:
    if isinstance(part, UserPromptPart):
        return {'role': 'user', 'content': _user_content(part.content, provider)}
    if isinstance(part, SystemPromptPart):
        return {'role': provider.chat.system_role, 'content': part.content}
    if isinstance(part, RetryPromptPart):
        if part.tool_name is None or not part.tool_call_id:
            return {'role': 'user', 'content': part.model_response()}
        return _tool_message(part.tool_call_id, part.model_response(), provider)
    raise unknown_part('ModelRequest', part)


def _tool_message(call_id: str, content: str, provider: Provider) -> dict[str, Any]:
    return {'role': 'tool', 'tool_call_id': _call_id(call_id, provider), 'content': content}


def _response(response: ModelResponse, provider: Provider) -> dict[str, Any] | None:
    own = response.provider_name == provider.name
    texts, calls = [], []
    for part in response.parts:
        if isinstance(part, TextPart):
            texts.append(part.content)
        elif isinstance(part, ToolCallPart):
            calls.append(_tool_call(part, provider, own))
        elif not isinstance(part, ThinkingPart):  # `_thoughts` makes its fields
            raise unknown_part('ModelResponse', part)
    texts = [text for text in texts if text]
    kept_fields = dict(_kept(response, provider))
    if not texts and not calls and not kept_fields:
        return None  # An answer without content cannot be sent back: servers refuse it.
    text = '\n\n'.join(texts) if texts else None if calls else ''
    entry: dict[str, Any] = {'role': 'assistant', 'content': text}
    if calls:
        entry['tool_calls'] = calls
    if provider.chat.replay_reasoning:
        entry.update(_thoughts(response, entry['content'], provider))
    return {**entry, **kept_fields}


def _kept(response: ModelResponse, provider: Provider) -> Iterator[tuple[str, Any]]:
    """The data of the provider's own answer that goes back with it."""
    if response.provider_name == provider.name:
        parts = [part.provider_details for part in response.parts if isinstance(part, TextPart | ThinkingPart)]
        for name in provider.chat.replay_details:
            if items := [item for details in parts for item in (details or {}).get(name, ())]:
                yield name, items


def _thoughts(response: ModelResponse, text: str | None, provider: Provider) -> Iterator[tuple[str, Any]]:
    """The fields with the model's own thoughts; those of another provider are left out."""
    own = [
        part
        for part in response.parts
        if isinstance(part, ThinkingPart) and (part.provider_name or response.provider_name) == provider.name
    ]
    thoughts = '\n\n'.join(part.content for part in own if part.content)
    field = provider.chat.replay_reasoning
    details = [detail for part in own for detail in (part.provider_details or {}).get(field or '', ())]
    if field in FIELDS and details:
        yield field, details
    elif field == 'thinking_parts' and thoughts:
        thinking = {'type': 'thinking', 'thinking': [{'type': 'text', 'text': thoughts}]}
        yield 'content', [thinking, {'type': 'text', 'text': text}] if text else [thinking]
    elif field in ('think_tags', 'content') and thoughts:
        yield 'content', f'{_tagged(thoughts, provider) if field == "think_tags" else thoughts}{text or ""}'
    elif field in ('reasoning_content', 'reasoning') and (thoughts or provider.chat.requires_reasoning):
        yield field, thoughts or ' '  # some models of DeepSeek refuse an empty text like a missing one


def _tagged(thoughts: str, provider: Provider) -> str:
    opening, closing = provider.chat.thinking_tags or ('<think>', '</think>')
    return f'{opening}{thoughts}{closing}'


def _tool_call(part: ToolCallPart, provider: Provider, own: bool) -> dict[str, Any]:
    function = {'name': name_to_send(part.tool_name), 'arguments': args_text_to_send(part.args)}
    kept_fields = kept_of_call(part.provider_details or {}) if own else {}
    return {'id': _call_id(part.tool_call_id, provider), 'type': 'function', 'function': function, **kept_fields}


def _call_id(call_id: str, provider: Provider) -> str:
    """The id; if the provider would refuse it, letters and digits derived from it."""
    length = provider.chat.tool_call_id_length
    if length is None or (len(call_id) == length and call_id.isascii() and call_id.isalnum()):
        return call_id
    from hashlib import sha256

    return sha256(call_id.encode()).hexdigest()[:length]


def _user_content(content: str | Sequence[UserContent], provider: Provider) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = list(_user_parts(content, provider))
    if not parts:
        raise UserError(NO_CONTENT)
    return parts


def _user_parts(content: Sequence[UserContent], provider: Provider) -> Iterator[dict[str, Any]]:
    for item in content:
        if isinstance(item, str):
            yield {'type': 'text', 'text': item}
        elif isinstance(item, ImageUrl) and provider.chat.supports_images:
            yield _image(item.url, item.detail)
        elif isinstance(item, VideoUrl) and provider.chat.supports_video:
            yield _video(item.url)
        elif isinstance(item, BinaryContent):
            yield _binary(item, provider)
        elif isinstance(item, DocumentUrl) and provider.chat.supports_file_url:
            yield _file(item.url.partition('?')[0].rsplit('/', 1)[-1] or 'document', item.url, provider)
        else:
            raise UserError(_unsupported(item, provider))


def _image(url: str, detail: str | None) -> dict[str, Any]:
    return {'type': 'image_url', 'image_url': {'url': url, 'detail': detail} if detail else {'url': url}}


def _video(url: str) -> dict[str, Any]:
    return {'type': 'video_url', 'video_url': {'url': url}}


def _file(name: str, address: str, provider: Provider) -> dict[str, Any]:
    if provider.chat.file_part == 'document_url':
        return {'type': 'document_url', 'document_url': address, 'document_name': name}
    return {'type': 'file', 'file': {'filename': name, 'file_data': address}}


def _binary(item: BinaryContent, provider: Provider) -> dict[str, Any]:
    media_type = item.media_type.partition(';')[0].strip().lower()
    if item.is_image and provider.chat.supports_images:
        return _image(item.data_url, item.detail)
    if media_type.startswith('video/') and provider.chat.supports_video:
        return _video(item.data_url)
    if media_type in AUDIO_FORMATS and provider.chat.supports_audio:
        return {'type': 'input_audio', 'input_audio': {'data': item.base64, 'format': AUDIO_FORMATS[media_type]}}
    if media_type == 'application/pdf' and provider.chat.supports_files:
        return _file(item.filename or 'document.pdf', item.data_url, provider)
    if is_text_document(media_type):
        return {'type': 'text', 'text': text_document(item)}
    raise UserError(_unsupported(item, provider))


def _unsupported(item: object, provider: Provider) -> str:
    kind = f'{type(item).__name__}({item.media_type})' if isinstance(item, BinaryContent) else type(item).__name__
    kinds = ['text and files of text']
    if provider.chat.supports_images:
        kinds.append('images')
    if provider.chat.supports_audio:
        kinds.append('audio/wav and audio/mpeg')
    if provider.chat.supports_files:
        kinds.append('application/pdf')
    if provider.chat.supports_video:
        kinds.append('video')
    return f'{provider.title} Chat Completions takes no {kind}; it takes {", ".join(kinds)}.'
