"""The approximate highest cost of a request before it is sent; pure. Tokens of a text are overestimated: a token is
three letters or spaces, one and a half digits or signs, or two bytes of other UTF-8. In English prose a token has four
to five letters, in code about three.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never

from .._base.json_values import whole_json_text
from .._prices.table import price_of_tokens
from ..content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from ..messages import (
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
    UserPromptPart,
)
from ..parameters import ModelRequestParameters
from ._server_tools import server_tools

__all__ = [
    'estimated_output',
    'estimated_price',
    'output_limit',
    'tokens_of_answer',
    'tokens_of_request',
    'tokens_of_sounds',
]

_LETTERS = bytes(range(ord('a'), ord('z') + 1)) + bytes(range(ord('A'), ord('Z') + 1)) + b' '
_ASCII = bytes(range(128))
_OF_REQUEST, _OF_MESSAGE, _OF_TOOL = 200, 10, 30  # tokens that providers add to each message
_IMAGE, _DOCUMENT, _SOUND, _VIDEO = 6_000, 10_000, 10_000, 50_000  # tokens of a file, at least
_BYTES = {'image': 2_000, 'audio': 200, 'video': 200}  # of a file, for one token; other documents:
_BYTES_OF_DOCUMENT = 10
_LIMITS = ('max_tokens', 'max_completion_tokens', 'max_output_tokens', 'maxOutputTokens', 'maxTokens')


def tokens_of_text(text: str) -> int:
    """The tokens of a text, overestimated."""
    data = text.encode('utf-8', 'replace')
    without_letters = data.translate(None, _LETTERS)
    beyond_ascii = len(without_letters.translate(None, _ASCII))
    signs = len(without_letters) - beyond_ascii
    return (len(data) - len(without_letters)) // 3 + signs * 2 // 3 + beyond_ascii // 2 + 1


def tokens_of_request(messages: Iterable[ModelMessage], parameters: ModelRequestParameters) -> int:
    """The tokens of a conversation, its files, its tools and the form of its answer."""
    tokens = _OF_REQUEST
    for message in messages:
        tokens += _OF_MESSAGE
        if isinstance(message, ModelRequest):
            tokens += tokens_of_text(message.instructions or '') + sum(map(_of_request_part, message.parts))
        else:
            tokens += sum(map(_of_response_part, message.parts))
    for tool in (*parameters.function_tools, *parameters.result_tools):
        schema = whole_json_text(tool.parameters_json_schema)
        tokens += _OF_TOOL + tokens_of_text(tool.name + (tool.description or '') + schema)
    if parameters.result_schema is not None:
        tokens += tokens_of_text(whole_json_text(parameters.result_schema.schema))
    return tokens


def tokens_of_sounds(messages: Iterable[ModelMessage]) -> int:
    """The tokens of the sounds in prompts, which may cost more than text; part of the request's tokens."""
    contents = (
        part.content
        for message in messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, UserPromptPart) and not isinstance(part.content, str)
    )
    return sum(_of_content([item]) for content in contents for item in content if _is_sound(item))


def tokens_of_answer(response: ModelResponse) -> int:
    """The tokens of the arrived part of an answer."""
    return sum(map(_of_response_part, response.parts))


def output_limit(settings: Mapping[str, Any]) -> int | None:
    """The most tokens that an answer may have, thoughts included, or None if the program does not say."""
    body = settings.get('extra_body')
    places = [settings, *([body, *body.values()] if isinstance(body, Mapping) else [])]
    limits = [place.get(name) for place in places if isinstance(place, Mapping) for name in _LIMITS]
    return max((limit for limit in limits if isinstance(limit, int)), default=None)


def estimated_output(settings: Mapping[str, Any], default: int) -> int:
    """The tokens that are assumed for an answer."""
    limit = output_limit(settings)
    return default if limit is None else limit


def estimated_price(
    system: str, model_name: str, tokens: int, output: int, settings: Mapping[str, Any], sounds: int = 0
) -> Decimal | None:
    """The highest cost of a prompt and an answer of these sizes, with the provider's tools.

    Args:
        system: The provider.
        model_name: The model.
        tokens: The tokens of the prompt.
        output: The tokens of the answer.
        settings: The settings of the request.
        sounds: How many of the tokens of the prompt are sounds.

    Returns:
        None if the model, or the use of such a tool, has no known price.
    """
    caches = any(name.endswith('_cache') and value for name, value in settings.items())
    tools = server_tools(system, settings)
    return price_of_tokens(
        system,
        model_name,
        tokens + tools.tokens,
        output,
        tier=_tier(settings),
        caches=caches,
        fees=tools.fees,
        sounds=sounds,
    )


def _tier(settings: Mapping[str, Any]) -> str | None:
    """The requested service tier, if it costs more than the standard one."""
    body = settings.get('extra_body')
    tiers = [value for name, value in settings.items() if name.endswith('service_tier')]
    tiers += [body.get('service_tier')] if isinstance(body, Mapping) else []
    return next((tier for tier in tiers if tier in ('priority', 'fast')), None)


def _of_request_part(part: ModelRequestPart) -> int:
    if isinstance(part, UserPromptPart):
        return _of_content(part.content)
    if isinstance(part, ToolReturnPart):
        return tokens_of_text(part.model_response_str())
    if isinstance(part, RetryPromptPart):
        return tokens_of_text(part.model_response())
    if isinstance(part, SystemPromptPart):
        return tokens_of_text(part.content)
    assert_never(part)


def _of_response_part(part: ModelResponsePart) -> int:
    if isinstance(part, TextPart):
        return tokens_of_text(part.content)
    if isinstance(part, ThinkingPart):
        return tokens_of_text(part.content + (part.signature or ''))
    if isinstance(part, ToolCallPart):
        return _OF_MESSAGE + tokens_of_text(part.tool_name + part.args_as_json_str())
    assert_never(part)


def _of_content(content: str | Sequence[UserContent]) -> int:
    if isinstance(content, str):
        return tokens_of_text(content)
    return sum(tokens_of_text(item) if isinstance(item, str) else _of_file(item) for item in content)


def _is_sound(item: UserContent) -> bool:
    return isinstance(item, AudioUrl) or (isinstance(item, BinaryContent) and item.media_type.startswith('audio/'))


def _of_file(item: ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent) -> int:
    if isinstance(item, ImageUrl):
        return _IMAGE
    if isinstance(item, AudioUrl):
        return _SOUND
    if isinstance(item, VideoUrl):
        return _VIDEO
    if isinstance(item, DocumentUrl):
        return _DOCUMENT
    kind = item.media_type.partition('/')[0]
    if kind == 'image':
        return _IMAGE
    return max(_DOCUMENT if kind not in _BYTES else 0, len(item.data) // _BYTES.get(kind, _BYTES_OF_DOCUMENT))
