"""Messages as the input items of OpenAI Responses; pure."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

from ..._base.tool_arguments import args_text_to_send
from ...exceptions import UserError
from ...messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from .._catalog.providers import Provider
from .._http.own_ids import name_to_send
from .._http.requests import (
    AUDIO_FORMATS,
    NO_CONTENT,
    for_tool,
    is_text_document,
    returned_items,
    text_document,
    unknown_part,
)

_LONGEST_CALL_ID = 64  # a longer one is refused: string_above_max_length

# https://developers.openai.com/api/docs/guides/file-inputs: beside PDF, documents and spreadsheets.
_DOCUMENTS = (
    'application/pdf',
    'application/msword',
    'application/rtf',
    'application/vnd.ms-',
    'application/vnd.oasis.opendocument.',
    'application/vnd.openxmlformats-officedocument.',
)


def input_items(messages: Sequence[ModelMessage], provider: Provider, *, stored: bool) -> list[dict[str, Any]]:
    """The conversation as the list of input items of a request.

    Args:
        messages: The conversation.
        provider: The provider that is asked; only its own thoughts go back to it.
        stored: Whether it keeps its answers, and so knows thoughts by their id alone.

    Raises:
        UserError: There is no message, or one holds what the provider cannot take; names it.
    """
    items: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            items.extend(_request_part(part, provider) for part in message.parts)
            items.extend(_sounds(message.parts, provider))
        else:
            items.extend(_answer(message, provider, stored))
    return items


def call_id(part: ToolCallPart | ToolReturnPart | RetryPromptPart) -> str:
    """The id of a call as this provider takes it: the same for a call and its return."""
    own_id = part.tool_call_id or part.tool_name or ''
    return own_id if len(own_id) <= _LONGEST_CALL_ID else f'call_{sha256(own_id.encode()).hexdigest()[:40]}'


# --- requests ---------------------------------------------------------------------------------------------------------


def _request_part(part: ModelRequestPart, provider: Provider) -> dict[str, Any]:
    if isinstance(part, UserPromptPart):
        return {'role': 'user', 'content': _user_content(part.content, provider)}
    if isinstance(part, SystemPromptPart):
        return {'role': provider.chat.system_role, 'content': part.content}
    if isinstance(part, ToolReturnPart):
        return _output(part, for_tool(part.tool_name, _returned, part, provider))
    if isinstance(part, RetryPromptPart):
        if part.tool_name is None or not part.tool_call_id:
            return {'role': 'user', 'content': part.model_response()}
        return _output(part, part.model_response())
    raise unknown_part('ModelRequest', part)


def _output(part: ToolReturnPart | RetryPromptPart, output: str | list[dict[str, Any]]) -> dict[str, Any]:
    return {'type': 'function_call_output', 'call_id': call_id(part), 'output': output}


def _returned(part: ToolReturnPart, provider: Provider) -> str | list[dict[str, Any]]:
    items = returned_items(part.content)
    if len(items) == 1 and isinstance(items[0], str):
        return items[0]
    parts = [_user_part(item, provider) for item in items]
    sounds = [{'type': 'input_text', 'text': 'The recording follows.'}] if any(map(_is_sound, parts)) else []
    return [*(item for item in parts if not _is_sound(item)), *sounds]


def _sounds(parts: Sequence[ModelRequestPart], provider: Provider) -> Iterator[dict[str, Any]]:
    """Sounds that tools returned, as user content: the output of a tool can only hold text, images and documents."""
    for part in parts:
        if isinstance(part, ToolReturnPart) and not isinstance(part.content, str):
            files = [item for item in returned_items(part.content) if not isinstance(item, str)]
            if sounds := [item for item in (_user_part(file, provider) for file in files) if _is_sound(item)]:
                title = {'type': 'input_text', 'text': f'Returned by {part.tool_name}:'}
                yield {'role': 'user', 'content': [title, *sounds]}


def _is_sound(form: dict[str, Any]) -> bool:
    return bool(form['type'] == 'input_audio')


def _user_content(content: str | Sequence[UserContent], provider: Provider) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    if not content:
        raise UserError(NO_CONTENT)
    return [_user_part(item, provider) for item in content]


def _user_part(item: UserContent, provider: Provider) -> dict[str, Any]:
    if isinstance(item, str):
        return {'type': 'input_text', 'text': item}
    if isinstance(item, ImageUrl):
        return {'type': 'input_image', 'image_url': item.url, 'detail': item.detail or 'auto'}
    if isinstance(item, DocumentUrl) and _is_document(item):
        return {'type': 'input_file', 'file_url': item.url}
    if isinstance(item, BinaryContent) and (file_part := _binary(item, provider)):
        return file_part
    known = isinstance(item, BinaryContent | DocumentUrl)
    kind = f'{type(item).__name__}({item.media_type})' if known else type(item).__name__
    audio = ', audio/wav and audio/mpeg as BinaryContent' if provider.chat.supports_audio else ''
    raise UserError(
        f'{provider.title} takes no {kind}; it takes text, images, documents (PDF, office formats) and their '
        f'addresses{audio}'
    )


def _is_document(item: DocumentUrl) -> bool:
    """Whether an address shows a supported document; many do not."""
    kind = item.media_type_ or mimetypes.guess_type(item.url.partition('?')[0])[0]
    return kind is None or is_text_document(kind) or kind.startswith(_DOCUMENTS)


def _binary(item: BinaryContent, provider: Provider) -> dict[str, Any] | None:
    kind = item.media_type.partition(';')[0].strip().lower()
    if item.is_image:
        return {'type': 'input_image', 'image_url': item.data_url, 'detail': item.detail or 'auto'}
    if kind in AUDIO_FORMATS and provider.chat.supports_audio:
        return {'type': 'input_audio', 'input_audio': {'data': item.base64, 'format': AUDIO_FORMATS[kind]}}
    if is_text_document(kind):
        return {'type': 'input_text', 'text': text_document(item)}  # as a file, tables would be cut to 1,000 rows
    if kind.startswith(_DOCUMENTS):
        name = item.filename or f'document{mimetypes.guess_extension(kind) or ""}'
        return {'type': 'input_file', 'filename': name, 'file_data': item.data_url}
    return None


# --- answers ----------------------------------------------------------------------------------------------------------


def _answer(response: ModelResponse, provider: Provider, stored: bool) -> Iterator[dict[str, Any]]:
    """The items of an answer, with their ids where its thoughts go back too: the provider holds the two together.

    Thoughts go back only to the provider that made them, and only with their proof, where it keeps them itself, or
    where they are not hidden.
    """
    own = response.provider_name == provider.name
    stored = stored and not response.incomplete
    thoughts = [p for p in response.parts if isinstance(p, ThinkingPart) and not _opaque(p)]
    thought_ids = {p.id for p in thoughts if p.signature or (stored and p.id) or _is_raw(p)}
    whole = own and all(part.id in thought_ids and part.provider_name == provider.name for part in thoughts)
    ids = whole and bool(thoughts)
    for _, group in groupby(response.parts, _item_of):
        parts = list(group)
        if texts := [part for part in parts if isinstance(part, TextPart) and part.content]:
            yield _message(texts, _details(texts[0], own=own, ids=ids))
        yield from (_call(p, _details(p, own=own, ids=ids)) for p in parts if isinstance(p, ToolCallPart))
        if whole and (same := [part for part in parts if isinstance(part, ThinkingPart)]):
            yield _opaque(same[0]) or _reasoning(same)


def _item_of(part: ModelResponsePart) -> tuple[object, ...]:
    """The key of the parts of one item."""
    if isinstance(part, ThinkingPart):
        return ('thinking', part.id, id(part) if _opaque(part) else None)
    if isinstance(part, TextPart):
        return ('text', (part.provider_details or {}).get('id'))
    if isinstance(part, ToolCallPart):
        return ('call',)
    raise unknown_part('ModelResponse', part)


def _opaque(part: ThinkingPart) -> dict[str, Any] | None:
    """An item of a kind that is not read, such as a web search, as it came."""
    item = (part.provider_details or {}).get('item')
    return item if isinstance(item, dict) else None


def _is_raw(part: ThinkingPart) -> bool:
    """Whether these are the thoughts themselves, as open models show them, and not a summary."""
    return (part.provider_details or {}).get('type') == 'reasoning_text'


def _details(part: TextPart | ToolCallPart, *, own: bool, ids: bool) -> dict[str, Any]:
    details = part.provider_details or {} if own else {}
    return {key: value for key, value in details.items() if key != 'id' or ids}


def _message(texts: Sequence[TextPart], details: dict[str, Any]) -> dict[str, Any]:
    phase = {'phase': details['phase']} if 'phase' in details else {}
    head = {'type': 'message', 'role': 'assistant'}  # llama.cpp knows an answer by its type alone
    if 'id' not in details:
        return {**head, 'content': '\n\n'.join(part.content for part in texts), **phase}
    content = [_output_part(part) for part in texts]
    return {**head, 'id': details['id'], 'status': 'completed', 'content': content, **phase}


def _output_part(part: TextPart) -> dict[str, Any]:
    details = part.provider_details or {}
    if details.get('refusal'):
        return {'type': 'refusal', 'refusal': part.content}
    return {'type': 'output_text', 'text': part.content, 'annotations': details.get('annotations', [])}


def _call(part: ToolCallPart, details: dict[str, Any]) -> dict[str, Any]:
    details_kept = {key: value for key, value in details.items() if key in ('id', 'namespace')}
    call = {'call_id': call_id(part), 'name': name_to_send(part.tool_name), 'arguments': args_text_to_send(part.args)}
    return {'type': 'function_call', **details_kept, **call}


def _reasoning(thoughts: Sequence[ThinkingPart]) -> dict[str, Any]:
    summary = [{'type': 'summary_text', 'text': p.content} for p in thoughts if p.content and not _is_raw(p)]
    item: dict[str, Any] = {'type': 'reasoning', 'id': thoughts[0].id, 'summary': summary}
    if raw := [{'type': 'reasoning_text', 'text': part.content} for part in thoughts if _is_raw(part)]:
        item['content'] = raw
    if signature := next((part.signature for part in thoughts if part.signature), None):
        item['encrypted_content'] = signature
    return item
