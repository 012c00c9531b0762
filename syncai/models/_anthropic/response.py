"""Answers of Anthropic Messages: whole bodies to responses, wire events to events; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from ..._base.tool_arguments import args_text
from ...exceptions import AgentRunError
from ...messages import (
    FinishReason,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from .._http.answers import FILLERS, StreamDecoder, parse_json, text_of, unexpected_shape, with_own_calls
from .._http.calls import new_tool_call_id
from .._http.parts import PartsBuilder
from .._http.stated_errors import stated_error
from .container import CONTAINER
from .errors import error_in_answer, refusal
from .usage import answer_details, anthropic_usage

_FINISH_REASONS: Mapping[str, FinishReason] = {
    'end_turn': 'stop',
    'stop_sequence': 'stop',
    'max_tokens': 'length',
    'model_context_window_exceeded': 'length',
    'tool_use': 'tool_call',
    'refusal': 'content_filter',
}
"""`pause_turn` has no common word: the provider continues once its answer is sent back."""

_OF_TOOL_USE = frozenset({'type', 'id', 'name', 'input'})


def anthropic_response(body: dict[str, Any], provider: str, model_name: str, **context: Any) -> ModelResponse:
    """The response in a decoded body.

    Args:
        body: The answer.
        provider: The provider that was asked.
        model_name: The model that was asked.
        context: Attributes for errors: `request_id`, `attempts`.

    Raises:
        ModelHTTPError: The body holds an error object.
        ContentFilterError: The prompt was refused without an answer.
        UnexpectedModelBehavior: The body is not a message.
    """
    content = body.get('content')
    if isinstance(content, str) and body.get('role') == 'assistant':
        content = [{'type': 'text', 'text': content}]
    if body.get('type') == 'error' or isinstance(body.get('error'), dict) or (content is None and stated_error(body)):
        raise error_in_answer(body, provider, model_name, **context)
    if not isinstance(content, list):
        raise unexpected_shape('an answer without a list of content', body, provider, model_name)
    reason = text_of(body.get('stop_reason'))
    if reason == 'refusal' and not content:
        raise refusal(body.get('stop_details'), provider, model_name)
    parts = [part for block in content if (part := _part(block, provider)) is not None]
    if not parts and any(not isinstance(block, dict) or 'type' not in block for block in content):
        raise unexpected_shape('content of an unknown kind', body, provider, model_name)
    return ModelResponse(
        parts=with_own_calls(parts, provider, model_name),
        usage=anthropic_usage(body.get('usage')),
        model_name=text_of(body.get('model')) or model_name,
        provider_name=provider,
        provider_response_id=text_of(body.get('id')),
        finish_reason=_FINISH_REASONS.get(reason or ''),
        provider_finish_reason=reason,
        provider_details={**answer_details(body.get('usage')), **container_in(body)} or None,
    )


def container_in(message: dict[str, Any]) -> dict[str, Any]:
    """The container in which code ran, for the `provider_details` of the answer; empty without one."""
    container = message.get('container')
    return {CONTAINER: container} if isinstance(container, dict) and text_of(container.get('id')) else {}


def _part(block: object, provider: str) -> ModelResponsePart | None:
    kind = block.get('type') if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(kind, str):
        return None
    if kind == 'text':
        citations = block.get('citations')
        text = text_of(block.get('text'))
        return TextPart(text, provider_details={'citations': citations} if citations else None) if text else None
    if kind == 'thinking':
        signature = text_of(block.get('signature'))
        return ThinkingPart(text_of(block.get('thinking')) or '', signature=signature, provider_name=provider)
    if kind == 'tool_use':
        call_id = text_of(block.get('id')) or new_tool_call_id()
        name, args = text_of(block.get('name')) or '', args_text(block.get('input') or None)
        return ToolCallPart(name, args, call_id, provider_details=_rest(block))
    return ThinkingPart('', provider_name=provider, provider_details=block)


def _rest(block: dict[str, Any]) -> dict[str, Any] | None:
    """The unknown fields of a call, which must go back to the provider."""
    return {key: value for key, value in block.items() if key not in _OF_TOOL_USE} or None


class AnthropicStreamDecoder(StreamDecoder):
    """Decodes the events of a stream of Messages; their type is in the JSON, too."""

    def __init__(self, builder: PartsBuilder, provider: str, model_name: str) -> None:
        super().__init__(builder, provider, model_name)
        self._raw_usage: dict[str, Any] = {}
        # By the provider's index of the block: the index of the part, the details that go back unchanged, the pieces of
        # the input of an opaque block, and the input at the beginning of a call (some servers repeat it in pieces,
        # others send it only there).
        self._part_of: dict[Any, int] = {}
        self._details: dict[Any, dict[str, Any]] = {}
        self._unread: dict[Any, list[str]] = {}
        self._begun_with: dict[Any, str] = {}

    def feed(self, payloads: Iterable[str], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of some payloads to `batch`."""
        for payload in payloads:
            try:
                event = self._from_json(payload)
                handler = self._HANDLERS.get(event.get('type'))
            except (ValueError, AttributeError):
                if payload in FILLERS:  # no end without the event that ends a message
                    continue
                event = self._read_leniently(payload)
                handler = self._HANDLERS.get(event.get('type', ''))
            if handler is not None:
                handler(self, event, batch)
            elif event.get('type') != 'ping':
                self._refuse_error(event)
                self._skip(event)
            if self.done:
                return

    def error_in(self, body: object) -> AgentRunError:
        """The error in an event with the type of an error."""
        return error_in_answer(body, self._provider, self._asked_for)

    def _delta(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        delta, index = event['delta'], event.get('index')
        kind = delta.get('type')
        piece: ModelResponseStreamEvent | None = None
        if kind == 'text_delta':
            text = text_of(delta.get('text'))
            piece = self._builder.text(text, index) if text else None
        elif kind == 'input_json_delta':
            piece = self._input(index, args_text(delta.get('partial_json') or None))
        elif kind in ('thinking_delta', 'signature_delta'):
            thoughts, signature = text_of(delta.get('thinking')), text_of(delta.get('signature'))
            if thoughts or signature:
                piece = self._builder.thinking(thoughts, index, signature=signature, provider_name=self._provider)
        elif kind == 'citations_delta' and delta.get('citation'):
            self._details.setdefault(index, {'citations': []})['citations'].append(delta['citation'])
        elif kind != 'citations_delta':
            self._skip(event)
        if piece is not None:
            self._part_of[index] = piece.index
            batch.append(piece)

    def _input(self, index: Any, piece: str | None) -> ModelResponseStreamEvent | None:
        if index in self._unread:
            self._unread[index].append(piece or '')
            return None
        if not piece:
            return None
        self._begun_with.pop(index, None)
        return self._builder.tool_call(index, args=piece)

    def _block(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        block, index = event['content_block'], event.get('index')
        part = _part(block, self._provider)
        if isinstance(part, ToolCallPart):
            call_id = text_of(block.get('id'))
            start = self._builder.new_tool_call(index, name=part.tool_name, call_id=call_id)
            if args := args_text(block.get('input') or None):
                self._begun_with[index] = args
        elif isinstance(part, TextPart):
            start = self._builder.text(part.content, index)
        elif isinstance(part, ThinkingPart) and (part.content or part.signature or part.provider_details):
            start = self._builder.thinking(part.content, index, signature=part.signature, provider_name=self._provider)
        else:  # a part begins with its first fragment
            return
        if start is None:
            return
        batch.append(start)
        self._part_of[index] = start.index
        if part.provider_details:
            self._details[index] = part.provider_details
            self._builder.set_details(start.index, part.provider_details)
        if isinstance(part, ThinkingPart) and part.provider_details:
            self._unread[index] = []

    def _block_end(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        index = event.get('index')
        self._give_input(index, batch)
        arguments = ''.join(self._unread.pop(index, ()))
        if arguments.strip():
            args = parse_json(arguments, self._provider, self._asked_for)
            self._details[index] = {**self._details[index], 'input': args}
        if index in self._details and index in self._part_of:
            self._builder.set_details(self._part_of[index], self._details[index])

    def _give_input(self, index: Any, batch: list[ModelResponseStreamEvent]) -> None:
        """The input of a call that came only with its beginning."""
        if args := self._begun_with.pop(index, None):
            event = self._builder.tool_call(index, args=args)
            if event is not None:
                batch.append(event)

    def _start(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        message = event['message']
        self.model_name = text_of(message.get('model')) or self.model_name
        self.response_id = text_of(message.get('id'))
        self._count(message.get('usage'))
        self.provider_details |= container_in(message)

    def _message_delta(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        delta = event.get('delta') or {}
        self._count(event.get('usage'))
        self.provider_details |= container_in(delta)
        reason = text_of(delta.get('stop_reason'))
        if reason is not None:
            self.provider_finish_reason = reason
            self.finish_reason = _FINISH_REASONS.get(reason)
        if reason == 'refusal' and not self._builder.parts():
            raise refusal(delta.get('stop_details'), self._provider, self._asked_for)

    def _count(self, usage: object) -> None:
        """Counts cover the whole answer so far: a later one replaces an earlier one, unless it is missing or zero."""
        if isinstance(usage, dict):
            self._raw_usage.update(
                {name: value for name, value in usage.items() if value or name not in self._raw_usage}
            )
            self.usage = anthropic_usage(self._raw_usage)
            self.provider_details |= answer_details(self._raw_usage)

    def _stop(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del event
        for index in [*self._begun_with]:  # blocks that were not closed
            self._give_input(index, batch)
        self.done = True

    def _whole(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        """A whole message as one event, from gateways that do not stream."""
        content = event.get('content')
        self._start({'message': event}, batch)
        for index, block in enumerate(content if isinstance(content, list) else []):
            self._block({'content_block': block, 'index': index}, batch)
            self._block_end({'index': index}, batch)
        self._message_delta({'delta': event}, batch)
        self._stop({}, batch)

    def _error(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        raise self.error_in(event)

    _HANDLERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        'content_block_delta': _delta,
        'content_block_start': _block,
        'content_block_stop': _block_end,
        'message': _whole,
        'message_start': _start,
        'message_delta': _message_delta,
        'message_stop': _stop,
        'error': _error,
    }
