"""The places of the answer in bodies of Chat Completions servers, older and odd forms included; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._base.values import to_json_str
from ...messages import FinishReason
from .._http.answers import text_of

_ENVELOPES = ('data', 'result', 'response')  # gateways put the whole answer into one of these
_TEXTS = ('text', 'refusal', 'content', 'value')
_READ = frozenset({*_TEXTS, 'thinking', 'reasoning', 'reference_ids', 'audio'})
_WORDS: Mapping[FinishReason, tuple[str, ...]] = {
    # The words of OpenAI come first; then those of TGI, of Cohere, and of Gemini and Claude behind a gateway.
    'stop': ('stop', 'eos', 'eos_token', 'stop_sequence', 'end_turn', 'complete', 'completed', 'end'),
    'length': ('length', 'max_tokens', 'model_length', 'max_output_tokens', 'model_context_window_exceeded'),
    'tool_call': ('tool_calls', 'function_call', 'tool_call', 'tool_use'),
    # `sensitive` is Zhipu's: https://docs.z.ai/api-reference/llm/chat-completion
    'content_filter': ('content_filter', 'sensitive', 'safety', 'recitation', 'prohibited_content', 'refusal'),
    # `insufficient_system_resource` is DeepSeek's (https://api-docs.deepseek.com/api/create-chat-completion),
    # `network_error` Zhipu's, `abort` that of vLLM and SGLang.
    'error': ('error', 'insufficient_system_resource', 'network_error', 'abort', 'aborted', 'cancelled', 'failed'),
}
_FINISH_REASONS: dict[str, FinishReason] = {word: reason for reason, words in _WORDS.items() for word in words}


def finish_reason_of(raw: str | None) -> FinishReason | None:
    """The provider's finish reason in common words, or None."""
    return _FINISH_REASONS.get(raw.lower()) if raw else None


def without_envelope(body: dict[str, Any]) -> dict[str, Any]:
    """The answer itself, unwrapped from the object of a gateway."""
    if body.get('choices'):
        return body
    inner = (body.get(name) for name in _ENVELOPES)
    return next((answer for answer in inner if isinstance(answer, dict) and answer.get('choices')), body)


def choice_in(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first choice: from a list, from an object instead of one, or the body itself if it holds a message."""
    choices = body.get('choices')
    if isinstance(choices, dict):
        choices = [choices] if message_in(choices) else list(choices.values())
    if not choices:
        choices = [body] if isinstance(body.get('message'), dict) else []
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else None


def message_in(choice: Mapping[str, Any]) -> dict[str, Any] | None:
    """The message of a choice: as an object or text, as the only delta, or as the `text` of the older Completions."""
    for name in ('message', 'delta', 'text'):
        message = choice.get(name)
        if isinstance(message, dict):
            return message
        if isinstance(message, str):
            return {'content': message}
    return dict(choice) if choice.get('content') or choice.get('tool_calls') else None


def content_text(content: object) -> str | None:
    """The text of a `content` field: text, a list of parts, one part, or JSON that the server has already parsed."""
    if content is None or isinstance(content, str):
        return content or None
    if isinstance(content, list):
        return _piece(content)
    if isinstance(content, dict) and ('type' in content or not content.keys().isdisjoint(_TEXTS)):
        return _piece(content)
    return to_json_str(content)


def _piece(part: object) -> str | None:
    if isinstance(part, list):
        return ''.join(piece for one in part if (piece := _piece(one))) or None
    if isinstance(part, dict):
        return next((text for name in _TEXTS if (text := _piece(part.get(name)))), None)
    return text_of(part)


def is_unread(content: object) -> bool:
    """Whether a `content` field holds parts of unknown kinds."""
    parts = content if isinstance(content, list) else [content]
    return any(isinstance(part, dict) and part and part.keys().isdisjoint(_READ) for part in parts)


def legacy_call(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call in `function_call`, the predecessor of `tool_calls`, in a list; empty if there is none."""
    call = message.get('function_call')
    return [{'index': 'function_call', 'function': call}] if isinstance(call, dict) and call else []
