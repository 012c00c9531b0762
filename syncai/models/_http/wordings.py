"""Error texts of servers that mean: conversation too long, unknown model, or unknown key; pure. Servers of one wire
format word these errors differently, and gateways pass on the provider's text in any format. So one list serves all
formats. `tests/models/test_models_wordings.py` has a source for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_CONTEXT_CODES = frozenset(
    {
        'context_length_exceeded',  # OpenAI, Azure, Groq, Cerebras
        'context_window_exceeded',
        'exceed_context_size_error',  # llama.cpp
        'model_context_window_exceeded',  # Z.ai
        'model_max_prompt_tokens_exceeded',  # GitHub Copilot
        'tokens_limit_reached',  # GitHub Models
    }
)
_MODEL_CODES = frozenset(
    {
        'invalid_model',  # Mistral
        'model_not_available',  # Together
        'model_not_found',  # OpenAI Responses
        'model_not_supported',  # the router of Hugging Face
        'unknown_model',  # GitHub Models
    }
)
_KEY_CODES = frozenset({'no_db_connection'})  # LiteLLM without a database, which only knows its master key
_RATE_CODES = frozenset({'rate_limit_exceeded', 'rate_limit_error', 'tokens', 'insufficient_quota'})
_CONTEXT = r'context (?:length|window|size|limit)'
_TOO_LONG = '|'.join(
    (
        # "exceeds the context window", "longer than the model's context length", "exceed context limit"
        rf'(?:exceed\w*|(?:long|larg|great)er than|too (?:long|large|big) for|fits? in)\b.{{0,60}}\b{_CONTEXT}',
        # "context length exceeded", "context window exceeds limit", "configured context size is 4096 tokens"
        rf'{_CONTEXT}(?: (?:has been|was|is|of))? (?:exceed|only \d|\d)',
        r'maximum context (?:length|limit|window)',  # OpenAI, vLLM, Mistral, OpenRouter, DeepSeek
        r'context the overflows|context overflow',  # LM Studio
        r'maximum (?:allowed )?(?:input|prompt|model) length',  # vLLM, xAI, Databricks
        # Anthropic, Bedrock, Ollama, Perplexity ("The total length of all messages is too long."), Baidu
        r'(?:prompt|input|messages|conversation)(?: length| tokens)?(?: is| are| has)? too (?:long|many tokens)',
        r'too many (?:input|prompt) tokens|too many tokens: (?:total|the total|size)',  # Bedrock, Cohere
        r'input tokens exceed(?!.{0,30}per min)',  # Azure, Bedrock's Nova
        r'input token count.{0,60}(?:exceeds|only supports)|maximum number of (?:input )?tokens allowed',  # Gemini
        r'tokens in the prompt (?:cannot exceed|exceeds)',  # Cohere
        r'prompt token count.{0,40}(?:exceeds the limit|cannot exceed)',  # GitHub Copilot, Databricks
        r'context shift is disabled',  # llama.cpp until 2025, with status 500
        r'exceeded model token limit',  # Moonshot
        r'`inputs` tokens \+ `max_new_tokens`|`inputs` must have less than',  # Together, Hugging Face TGI
        r'reduce the (?:length|number of tokens) (?:of|in) the (?:input )?(?:messages|prompt)',  # Groq, sglang
        r'range of input length should be|input length.{0,40}exceed',  # Alibaba
        r'prompt exceeds (?:the )?max|prompt 超长',  # Z.ai
        r'exceed max message tokens',  # Volcengine
        r'must be less than max_seq_len',  # SiliconFlow
        r'current length is \d+ while limit is',  # Cerebras
        r'request body too large for .{0,60} model',  # GitHub Models
        r'contextwindowexceedederror',  # LiteLLM
    )
)
_UNKNOWN_MODEL = '|'.join(
    (
        r'invalid model name passed in model=',  # LiteLLM
        r'there are no healthy deployments for this model',  # LiteLLM
        r'llm provider not provided',  # LiteLLM
        r'is not a valid model',  # OpenRouter
        r'model not exist',  # DeepSeek
        r'^invalid model: ',  # Mistral
        r'model identifier is invalid',  # Bedrock
        r'\bmodel\b.{0,120}\b(?:does not exist|is not supported by any provider)',  # OpenAI, Hugging Face
    )
)


def is_too_long(details: Mapping[str, Any]) -> bool:
    """Whether an error object says that the conversation is too long for the model. A limit of tokens per minute or of
    generated tokens, or a field that is too long, does not count.
    """
    codes, message = set(_codes(details)), _message(details)
    if codes & _RATE_CODES or 'per min' in message:
        return False
    if 'string_above_max_length' in codes:
        return _field(details).startswith(('input', 'instructions', 'messages', 'prompt'))
    return not codes.isdisjoint(_CONTEXT_CODES) or _says(_TOO_LONG, message)


def is_unknown_model(details: Mapping[str, Any]) -> bool:
    """Whether an error object of a status other than 404 says that the server has no such model."""
    return not _MODEL_CODES.isdisjoint(_codes(details)) or _says(_UNKNOWN_MODEL, _message(details))


def _says(pattern: str, message: str) -> bool:
    """Whether the text matches. The pattern is compiled at the first error, not at import."""
    return re.search(pattern, message, re.DOTALL) is not None


def is_unknown_key(details: Mapping[str, Any]) -> bool:
    """Whether an error object of a status other than 401 says that the server does not know the key."""
    return not _KEY_CODES.isdisjoint(_codes(details))


def _codes(details: Mapping[str, Any]) -> Iterator[str]:
    return (value for name in ('code', 'type') if isinstance(value := details.get(name), str))


def _message(details: Mapping[str, Any]) -> str:
    names = 'message', 'Message', 'originalMessage'  # the last two are Bedrock's
    return next((str(words) for name in names if (words := details.get(name))), '').lower()


def _field(details: Mapping[str, Any]) -> str:
    """The field that an error is about: `param`, else the first quoted name in the message."""
    match = re.search(r"'([\w.\[\]]+)'", str(details.get('message') or ''))
    return str(details.get('param') or (match[1] if match else ''))
