"""Answers of Converse: whole bodies to responses, wire events to events; pure."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from ..._base.tool_arguments import args_text
from ...exceptions import AgentRunError, ContentFilterError
from ...messages import (
    FinishReason,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...usage import Usage
from .._http.answers import StreamDecoder, count_of, parse_json, text_of, unexpected_shape, with_own_calls
from .._http.calls import new_tool_call_id
from .._http.parts import PartsBuilder
from .._http.stated_errors import stated_error
from .errors import error_in_stream

_FINISH_REASONS: Mapping[str, FinishReason] = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'tool_use': 'tool_call',
    'content_filtered': 'content_filter',
    'guardrail_intervened': 'content_filter',
    'refusal': 'content_filter',
    'malformed_model_output': 'error',
    'malformed_tool_use': 'error',
}
_KINDS = frozenset({'text', 'toolUse', 'toolResult', 'reasoningContent', 'citationsContent'})
_PROMPT_COUNTS = ('inputTokens', 'cacheReadInputTokens', 'cacheWriteInputTokens')


def converse_response(
    body: dict[str, Any], provider: str, model_name: str, *, request_id: str | None = None
) -> ModelResponse:
    """The response in a decoded body.

    Converse gives answers no id: AWS support asks for the id of the request (`x-amzn-requestid`).

    Raises:
        ModelHTTPError: The body holds an error.
        ContentFilterError: The whole answer was withheld.
        UnexpectedModelBehavior: The body is not an answer.
    """
    output = body.get('output')
    message = output.get('message') if isinstance(output, dict) else None
    content = message.get('content') if isinstance(message, dict) else None
    if isinstance(content, str):
        content = [{'text': content}]
    if output is None and (stated_error(body) or text_of(body.get('message'))):
        raise error_in_stream(text_of(body.get('__type')) or 'error', body, provider, model_name)
    if not isinstance(content, list):
        raise unexpected_shape('an answer without a list of content', body, provider, model_name)
    reason = text_of(body.get('stopReason'))
    parts = [part for block in content if (part := _part(block, provider)) is not None]
    if not parts:
        _refuse_nothing(reason, provider, model_name)
        if any(isinstance(block, dict) and block and _KINDS.isdisjoint(block) for block in content):
            raise unexpected_shape('content of an unknown kind', body, provider, model_name)
    return ModelResponse(
        parts=with_own_calls(parts, provider, model_name),
        usage=converse_usage(body.get('usage')),
        model_name=model_name,
        provider_name=provider,
        provider_response_id=request_id,
        finish_reason=_FINISH_REASONS.get(reason or ''),
        provider_finish_reason=reason,
        provider_details=answer_details(body) or None,
    )


def _refuse_nothing(reason: str | None, provider: str, model_name: str) -> None:
    if _FINISH_REASONS.get(reason or '') == 'content_filter':
        message = f'{provider} withheld the answer ({reason}): asking again unchanged does not help'
        raise ContentFilterError(message, provider=provider, model_name=model_name)


def _part(block: object, provider: str) -> ModelResponsePart | None:
    if not isinstance(block, dict):
        return None
    if text := text_of(block.get('text')):
        return TextPart(text)
    call, thoughts, cited = (block.get(name) for name in ('toolUse', 'reasoningContent', 'citationsContent'))
    if isinstance(call, dict) and call.get('type') != 'server_tool_use':
        args, call_id = args_text(call.get('input') or None), text_of(call.get('toolUseId')) or new_tool_call_id()
        return ToolCallPart(text_of(call.get('name')) or '', args, call_id)
    if isinstance(thoughts, dict) and isinstance(reasoning := thoughts.get('reasoningText'), dict):
        signature = text_of(reasoning.get('signature'))
        return ThinkingPart(text_of(reasoning.get('text')) or '', signature=signature, provider_name=provider)
    if isinstance(cited, dict):
        return _cited(cited)
    if thoughts or call or block.get('toolResult'):  # redacted thoughts, or blocks of the service's tools
        return ThinkingPart('', provider_name=provider, provider_details=block)
    return None


def _cited(block: dict[str, Any]) -> TextPart | None:
    pieces = [piece.get('text') for piece in block.get('content') or () if isinstance(piece, dict)]
    text = ''.join(piece for piece in pieces if isinstance(piece, str))
    citations = block.get('citations')
    return TextPart(text, provider_details={'citations': citations} if citations else None) if text else None


def converse_usage(usage: object) -> Usage:
    """The counts in a `usage` field, as one request. `inputTokens` excludes tokens from a cache."""
    if not isinstance(usage, dict):
        return Usage(requests=1)
    counts = [count for name in _PROMPT_COUNTS if (count := count_of(usage.get(name))) is not None]
    request = sum(counts) if counts else None
    response = count_of(usage.get('outputTokens'))
    total = request + response if request is not None and response is not None else None
    counts_by_name = {
        'cached_tokens': usage.get('cacheReadInputTokens'),
        'cache_write_tokens': usage.get('cacheWriteInputTokens'),
    }
    details = {name: count for name, value in counts_by_name.items() if (count := count_of(value))}
    if lasting := sum(count_of(detail.get('inputTokens')) or 0 for detail in _cached_for_an_hour(usage)):
        details['cache_write_1h_tokens'] = lasting
    return Usage(1, request, response, total, details or None)


def answer_details(body: dict[str, Any]) -> dict[str, Any]:
    """The service tier and the latency in an answer, or in the last event of a stream."""
    fields = (('service_tier', 'serviceTier', 'type'), ('latency', 'performanceConfig', 'latency'))
    values = {name: value.get(key) for name, field, key in fields if isinstance(value := body.get(field), dict)}
    return {name: value for name, value in values.items() if text_of(value)}


def _cached_for_an_hour(usage: dict[str, Any]) -> list[dict[str, Any]]:
    details = usage.get('cacheDetails')
    return [detail for detail in details if isinstance(detail, dict) and detail.get('ttl') == '1h'] if details else []


class ConverseStreamDecoder(StreamDecoder):
    """Decodes the events of ConverseStream: each is an object with the event's name as its only key."""

    def __init__(self, builder: PartsBuilder, provider: str, model_name: str) -> None:
        super().__init__(builder, provider, model_name)
        self._counted = False
        # By the provider's index of the block: the details that go back unchanged, and the pieces of the input of an
        # opaque block.
        self._details: dict[Any, dict[str, Any]] = {}
        self._unread: dict[Any, list[str]] = {}
        self._part_of: dict[Any, int] = {}

    @property
    def complete(self) -> bool:
        """Whether the end of the answer was seen, even without its usage."""
        return self.done or self.provider_finish_reason is not None

    def feed(self, payloads: Iterable[str], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of some payloads to `batch`."""
        for payload in payloads:
            try:
                events = self._from_json(payload)
                items = events.items()
            except (ValueError, AttributeError):
                events = self._read_leniently(payload)
                items = events.items()
            for name, event in items:
                handler = self._HANDLERS.get(name)
                if handler is not None:
                    handler(self, event, batch)
                elif name == 'error' or name.endswith('Exception'):
                    raise error_in_stream(name, event, self._provider, self._asked_for)
                elif name != 'messageStart':
                    self._refuse_error(events)
                    self._skip({name: event})
            self.done = self._counted and self.provider_finish_reason is not None

    def error_in(self, body: object) -> AgentRunError:
        """The error in an event with the name of an error."""
        return error_in_stream('error', body, self._provider, self._asked_for)

    def _delta(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        delta, index = event['delta'], event.get('contentBlockIndex')
        new_event: ModelResponseStreamEvent | None = None
        if text := text_of(delta.get('text')):
            new_event = self._builder.text(text, index)
        elif isinstance(call := delta.get('toolUse'), dict):
            new_event = self._input(index, args_text(call.get('input') or None))
        elif isinstance(thoughts := delta.get('reasoningContent'), dict):
            new_event = self._thoughts(index, thoughts)
        elif isinstance(citation := delta.get('citation'), dict):
            self._details.setdefault(index, {}).setdefault('citations', []).append(citation)
        elif isinstance(results := delta.get('toolResult'), list) and 'toolResult' in self._details.get(index, {}):
            self._details[index]['toolResult']['content'] += results
        elif _KINDS.isdisjoint(delta):
            self._skip(event)
        if new_event is not None:
            self._part_of[index] = new_event.index
            batch.append(new_event)

    def _input(self, index: Any, piece: str | None) -> ModelResponseStreamEvent | None:
        if index in self._unread:
            self._unread[index].append(piece or '')
            return None
        return self._builder.tool_call(index, args=piece) if piece else None

    def _thoughts(self, index: Any, thoughts: dict[str, Any]) -> ModelResponseStreamEvent | None:
        text, signature = text_of(thoughts.get('text')), text_of(thoughts.get('signature'))
        redacted = text_of(thoughts.get('redactedContent'))
        if redacted:
            earlier = self._details.get(index, {}).get('reasoningContent', {}).get('redactedContent', '')
            self._details[index] = {'reasoningContent': {'redactedContent': _joined(earlier, redacted)}}
        if not (text or signature or redacted):
            return None
        return self._builder.thinking(text, index, signature=signature, provider_name=self._provider)

    def _block(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        start, index = event['start'], event.get('contentBlockIndex')
        call, result = start.get('toolUse'), start.get('toolResult')
        new_event: ModelResponseStreamEvent | None = None
        if isinstance(call, dict) and call.get('type') != 'server_tool_use':
            name, call_id = text_of(call.get('name')), text_of(call.get('toolUseId'))
            new_event = self._builder.new_tool_call(index, name=name, call_id=call_id)
        elif isinstance(call, dict):
            self._unread[index], self._details[index] = [], {'toolUse': {'input': {}, **call}}
            new_event = self._builder.thinking(None, index, provider_name=self._provider)
        elif isinstance(result, dict):
            self._details[index] = {'toolResult': {**result, 'content': []}}
            new_event = self._builder.thinking(None, index, provider_name=self._provider)
        if new_event is not None:
            self._part_of[index] = new_event.index
            batch.append(new_event)

    def _block_end(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        index = event.get('contentBlockIndex')
        if (arguments := ''.join(self._unread.pop(index, ()))).strip():
            self._details[index]['toolUse']['input'] = parse_json(arguments, self._provider, self._asked_for)
        if index in self._details and index in self._part_of:
            self._builder.set_details(self._part_of[index], self._details[index])

    def _stop(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        self.provider_finish_reason = text_of(event.get('stopReason')) or 'unknown'
        self.finish_reason = _FINISH_REASONS.get(self.provider_finish_reason)
        if not self._builder.parts():
            _refuse_nothing(self.provider_finish_reason, self._provider, self._asked_for)

    def _metadata(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        self._counted = True
        self.usage = converse_usage(event.get('usage'))
        self.provider_details = answer_details(event)

    _HANDLERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        'contentBlockDelta': _delta,
        'contentBlockStart': _block,
        'contentBlockStop': _block_end,
        'messageStop': _stop,
        'metadata': _metadata,
    }


def _joined(text: str, more: str) -> str:
    """Two pieces of base64, each complete by itself, as one."""
    if not text:
        return more
    try:
        return base64.b64encode(base64.b64decode(text) + base64.b64decode(more)).decode()
    except ValueError:
        return text + more
