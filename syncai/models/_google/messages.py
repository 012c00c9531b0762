"""Messages as the contents of a Gemini request; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from ..._base.json_values import json_value, without_files
from ..._base.tool_arguments import args_to_send
from ...content import BinaryContent, MultiModalContent, UrlContent, UserContent
from ...exceptions import UserError
from ...messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from .._http.requests import NO_CONTENT, NO_MESSAGES, for_tool, is_text_document, latest_instructions, unknown_part

SIGNATURES = 'thought_signatures'
"""In `TextPart.provider_details`: a list of `[start, end, signature]`, one for each signed piece."""

SIGNATURE = 'thought_signature'
"""In `ToolCallPart.provider_details`: the signature of the call."""

PART = 'part'
"""In `ThinkingPart.provider_details`: an opaque part, unchanged, such as code that Google ran."""

OWN_ID = 'id_is_ours'
"""In `ToolCallPart.provider_details`: Gemini gave the call no id, so none may be sent back."""

UNSIGNED_CALL = 'c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I='
"""For calls that Gemini did not sign: base64 of `skip_thought_signature_validator`, which its documentation names.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures
"""

_YOUTUBE = re.compile(r'https?://(?:www\.|m\.)?(?:youtube\.com/|youtu\.be/)')
MultiModalContent_API = re.compile(r'https://generativelanguage\.googleapis\.com/')
_AFTER_ANSWERS = 1 << 30

_Placed: TypeAlias = tuple[int, dict[str, Any]]
"""A part with its place in the turn; parts with equal places keep their order."""


def system_parts(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """The instructions of the latest request and all system prompts, as the parts of `systemInstruction`."""
    parts = [part for message in messages if isinstance(message, ModelRequest) for part in message.parts]
    texts = [latest_instructions(messages), *(part.content for part in parts if isinstance(part, SystemPromptPart))]
    return [{'text': text} for text in texts if text]


def contents(messages: Sequence[ModelMessage], provider: str, *, gemini_3: bool) -> list[dict[str, Any]]:
    """The conversation as turns of user and model, without the system prompts.

    Args:
        messages: The conversation.
        provider: The name of the provider that is asked; only its own thoughts, signatures and ids are sent back.
        gemini_3: Whether the model is of Gemini 3 or later: it refuses calls without a signature, and takes files
            inside of the answers of tools.

    Raises:
        UserError: There is no message, or a part holds what Gemini cannot take; names it.
    """
    writer = _Writer(provider, gemini_3)
    turns: list[tuple[str, list[_Placed]]] = []
    for message in messages:
        asking = isinstance(message, ModelRequest)
        role, parts = 'user' if asking else 'model', list(writer.parts(message))
        if parts and turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        elif parts:
            turns.append((role, parts))
    if not any(message.parts for message in messages) and not system_parts(messages):
        raise UserError(NO_MESSAGES)
    if not turns or turns[0][0] == 'model':
        turns.insert(0, ('user', [(0, {'text': ''})]))  # Gemini takes this, but no conversation that the model begins
    turns_as_json = [{'role': role, 'parts': [part for _, part in sorted(parts, key=_place)]} for role, parts in turns]
    for turn in turns_as_json:
        if gemini_3 and turn['role'] == 'model':
            _sign_first_call(turn['parts'])
    return turns_as_json


def _place(placed: _Placed) -> int:
    return placed[0]


def _sign_first_call(parts: Any) -> None:
    """Gemini 3 signs the first of parallel calls, and refuses a turn whose first call is not signed."""
    call = next((part for part in parts if 'functionCall' in part), None)
    if call is not None:
        call.setdefault('thoughtSignature', UNSIGNED_CALL)


class _Writer:
    """Writes the parts of messages one after another, and keeps the calls for the following returns. Gemini matches
    returns to calls by id if it gave one, else by name and order. So the returns of a turn come first, in the order of
    the calls.
    """

    def __init__(self, provider: str, gemini_3: bool) -> None:
        self._provider = provider
        self._gemini_3 = gemini_3
        self._calls = 0
        self._places: dict[str, int] = {}
        self._ids: dict[str, str] = {}

    def parts(self, message: ModelMessage) -> Iterator[_Placed]:
        if isinstance(message, ModelResponse):
            for part in self._response_parts(message):
                yield 0, part
            return
        for request_part in message.parts:
            if isinstance(request_part, ToolReturnPart):
                yield from self._return(request_part)
            elif isinstance(request_part, RetryPromptPart) and request_part.tool_name:
                yield self._answer(request_part, request_part.tool_name, {'error': request_part.model_response()})
            elif isinstance(request_part, RetryPromptPart):
                yield _AFTER_ANSWERS, {'text': request_part.model_response()}
            elif isinstance(request_part, UserPromptPart):
                for user_part in _user_parts(request_part.content):
                    yield _AFTER_ANSWERS, user_part
            elif not isinstance(request_part, SystemPromptPart):
                raise unknown_part('ModelRequest', request_part)

    def _return(self, part: ToolReturnPart) -> Iterator[_Placed]:
        """The return of a tool, with its files inside if Gemini takes them there, else after all returns."""
        output, files = for_tool(part.tool_name, _without_files, part.content)
        place, answer = self._answer(part, part.tool_name, {'output': output})
        inside = [file for file in files if self._gemini_3 and _fits_inside(file)]
        if inside:
            answer['functionResponse']['parts'] = inside
        yield place, answer
        for file in files:
            if file not in inside:
                yield _AFTER_ANSWERS, file

    def _answer(self, part: ToolReturnPart | RetryPromptPart, name: str, response: dict[str, Any]) -> _Placed:
        own_id = self._ids.get(part.tool_call_id or '')
        form = {**({'id': own_id} if own_id else {}), 'name': name, 'response': response}
        return self._places.get(part.tool_call_id or '', self._calls), {'functionResponse': form}

    def _response_parts(self, response: ModelResponse) -> Iterator[dict[str, Any]]:
        own = response.provider_name == self._provider
        for part in response.parts:
            if isinstance(part, TextPart):
                yield from _text_parts(part.content, _signatures(part) if own else [])
            elif isinstance(part, ToolCallPart):
                yield self._call(part, (part.provider_details or {}) if own else {OWN_ID: True})
            elif not isinstance(part, ThinkingPart):
                raise unknown_part('ModelResponse', part)
            elif part.provider_name == self._provider and PART in (part.provider_details or {}):
                yield (part.provider_details or {})[PART]
            elif part.provider_name == self._provider and (part.content or part.signature):
                yield {'text': part.content, 'thought': True, **_signed(part.signature)}

    def _call(self, part: ToolCallPart, details: dict[str, Any]) -> dict[str, Any]:
        self._places[part.tool_call_id] = self._calls
        self._calls += 1
        self._ids.pop(part.tool_call_id, None)
        call: dict[str, Any] = {'name': part.tool_name, 'args': args_to_send(part.args)}
        if part.tool_call_id and not details.get(OWN_ID):
            self._ids[part.tool_call_id] = call['id'] = part.tool_call_id
        return {'functionCall': call, **_signed(details.get(SIGNATURE))}


def _without_files(content: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The return of a tool as JSON, and its files as parts."""
    if isinstance(content, str):
        return content, []
    if isinstance(content, MultiModalContent):
        return 'The file is attached.', list(_user_parts([content]))
    files: list[UserContent] = []
    if isinstance(content, list | tuple):
        files = [item for item in content if isinstance(item, MultiModalContent)]
        content = [item for item in content if not isinstance(item, MultiModalContent)]
    output, nested = without_files(json_value, content)
    return output, list(_user_parts([*files, *nested])) if files or nested else []


def _fits_inside(file: dict[str, Any]) -> bool:
    """Whether `functionResponse` takes the file: https://ai.google.dev/gemini-api/docs/function-calling#multimodal."""
    kind = file.get('inlineData', {}).get('mimeType', '')
    return kind.startswith('image/') or kind in ('application/pdf', 'text/plain')


def _signed(signature: object) -> dict[str, Any]:
    return {'thoughtSignature': signature} if signature else {}


def _signatures(part: TextPart) -> list[list[Any]]:
    return list((part.provider_details or {}).get(SIGNATURES) or ())


def _text_parts(text: str, signatures: list[list[Any]]) -> Iterator[dict[str, Any]]:
    """The text, split into the parts that Gemini sent, each with its signature."""
    position = 0
    for start, end, signature in signatures:
        if start > position:
            yield {'text': text[position:start]}
        yield {'text': text[start:end], 'thoughtSignature': signature}
        position = end
    if text[position:]:
        yield {'text': text[position:]}


# --- what the user says -----------------------------------------------------------------------------------------------


def _user_parts(content: str | Sequence[UserContent]) -> Iterator[dict[str, Any]]:
    if not isinstance(content, str) and not content:
        raise UserError(NO_CONTENT)
    for item in [content] if isinstance(content, str) else content:
        if isinstance(item, BinaryContent):
            yield _inline(item.media_type, item.base64)
        elif not isinstance(item, str):
            yield _file(item)
        elif item:
            yield {'text': item}


def _inline(media_type: str, data: str) -> dict[str, Any]:
    return {'inlineData': {'mimeType': _taken(media_type), 'data': data}}


def _taken(media_type: str) -> str:
    """The media type of a file in the form that Gemini takes."""
    kind = media_type.partition(';')[0].strip().lower()
    if is_text_document(kind) and not kind.startswith('text/'):
        kind = 'text/plain'  # Gemini refuses application/json and similar types
    if kind != 'application/pdf' and kind.partition('/')[0] not in ('image', 'audio', 'video', 'text'):
        raise UserError(f'Gemini takes no {media_type!r}; it takes images, audio, video, PDF and text')
    return kind


def _file(item: UrlContent) -> dict[str, Any]:
    if not isinstance(item, UrlContent):
        raise UserError(f'A UserPromptPart cannot hold {item!r:.200}')
    if item.media_type_ is None and _YOUTUBE.match(item.url):
        return {'fileData': {'mimeType': 'video/mp4', 'fileUri': item.url}}
    if item.media_type_ is None and MultiModalContent_API.match(item.url):
        return {'fileData': {'fileUri': item.url}}  # uploaded with its type, which is not in the address
    return {'fileData': {'mimeType': _taken(item.media_type), 'fileUri': item.url}}
