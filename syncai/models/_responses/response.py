"""Answers of OpenAI Responses: whole bodies to responses, wire events to events; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..._base.values import now_utc
from ...exceptions import AgentRunError, UnexpectedModelBehavior
from ...messages import FinishReason, ModelResponse, ModelResponseStreamEvent
from ...usage import Usage
from .._chat.errors import error_in_answer
from .._chat.usage import answer_details
from .._http.answers import FILLERS, StreamDecoder, text_of, timestamp_of, unexpected_shape
from .._http.parts import PartsBuilder
from .._http.stated_errors import stated_error
from .items import OutputItems, output_in
from .usage import responses_usage

_INCOMPLETE: Mapping[str | None, FinishReason] = {'max_output_tokens': 'length', 'content_filter': 'content_filter'}

_WITHOUT_NEWS = frozenset(
    {
        'keepalive',
        'response.content_part.added',
        'response.content_part.done',
        'response.output_text.annotation.added',
        'response.reasoning_summary_part.added',
        'response.reasoning_summary_part.done',
        'response.reasoning_summary_text.done',
        'response.reasoning_text.done',
        'response.refusal.done',
    }
)
"""Events that only repeat others."""


def responses_response(body: dict[str, Any], provider: str, model_name: str, **context: Any) -> ModelResponse:
    """The response in a decoded body.

    Args:
        body: The answer.
        provider: The provider that was asked.
        model_name: The model that was asked.
        context: Attributes for errors: `request_id`, `attempts`.

    Raises:
        ModelHTTPError: The answer has failed, or the body holds an error object.
        ContentFilterError: It has failed because the provider's filter withheld it.
        UnexpectedModelBehavior: The body is not an answer of this format, or is unfinished.
    """
    status = text_of(body.get('status')) or 'completed'
    output = _whole_output(body, status, provider, model_name, context)
    builder = PartsBuilder()
    items = OutputItems(builder, provider)
    for number, item in enumerate(output):
        items.done(number, item, [])
    if items.unread and not items.any:
        raise unexpected_shape('output of an unknown kind', body, provider, model_name)
    finish_reason, raw_reason = finish_reason_of(body, status, items)
    return ModelResponse(
        parts=builder.parts(),
        usage=responses_usage(body),
        model_name=text_of(body.get('model')) or model_name,
        timestamp=timestamp_of(body.get('created_at')) or now_utc(),
        provider_name=provider,
        provider_response_id=text_of(body.get('id')),
        finish_reason=finish_reason,
        provider_finish_reason=raw_reason,
        provider_details=answer_details(body, body.get('usage')) or None,
    )


def _whole_output(
    body: dict[str, Any], status: str, provider: str, model_name: str, context: Mapping[str, Any]
) -> list[Any]:
    """The items of an answer that has neither failed nor is unfinished; raises for any other."""
    output = output_in(body)
    if output is None and body.get('object') != 'response' and stated_error(body):
        raise error_in_answer(body, provider, model_name, **context)
    if status == 'failed' or (body.get('error') and not output):
        raise error_in_answer(_failure(body), provider, model_name, **context)
    if output is None:
        raise unexpected_shape('an answer without output', body, provider, model_name)
    if status in ('queued', 'in_progress'):
        message = f'{provider} answers later (status {status!r}): answers in the background are not waited for'
        raise UnexpectedModelBehavior(message, provider=provider, model_name=model_name)
    return output


def _failure(response: dict[str, Any]) -> dict[str, Any]:
    """The error in a failed response, without the repeated request."""
    return {'error': response.get('error') or {'message': f'The status of the response is {response.get("status")!r}.'}}


def finish_reason_of(response: dict[str, Any], status: str, items: OutputItems) -> tuple[FinishReason | None, str]:
    """Why the answer ended, in common words and in the provider's own."""
    if status == 'incomplete':
        details = response.get('incomplete_details')
        reason = text_of(details.get('reason')) if isinstance(details, dict) else None
        return _INCOMPLETE.get(reason), reason or status
    if status != 'completed':
        return ('error' if status == 'cancelled' else None), status
    return ('content_filter' if items.refused else 'tool_call' if items.called else 'stop'), status


def is_cut(finish_reason: FinishReason | None, usage: Usage, max_tokens: int | None) -> bool:
    """Whether a `completed` answer has the most tokens allowed, as after a cut by llama.cpp."""
    complete = finish_reason in ('stop', 'tool_call')
    return complete and max_tokens is not None and (usage.response_tokens or 0) >= max_tokens


class ResponsesStreamDecoder(StreamDecoder):
    """The events of a stream of Responses.

    Args:
        builder: Where the parts are put together.
        provider: The provider that was asked.
        model_name: The model that was asked.
        max_tokens: The token limit of the request, for servers that may report a cut answer as complete.
    """

    def __init__(self, builder: PartsBuilder, provider: str, model_name: str, max_tokens: int | None = None) -> None:
        super().__init__(builder, provider, model_name)
        self._max_tokens = max_tokens
        self._items = OutputItems(builder, provider)
        self._handlers: dict[object, Callable[[dict[str, Any], list[ModelResponseStreamEvent]], None]] = {
            'response.created': self._begin,
            'response.in_progress': self._begin,
            'response.queued': self._begin,
            'response.output_item.added': self._items.added,
            'response.output_item.done': self._items.item_done,
            'response.output_text.delta': self._items.text_delta,
            'response.output_text.done': self._items.text_done,
            'response.refusal.delta': self._items.refusal_delta,
            'response.function_call_arguments.delta': self._items.arguments_delta,
            'response.function_call_arguments.done': self._items.arguments_done,
            'response.reasoning_summary_text.delta': self._items.summary_delta,
            'response.reasoning_text.delta': self._items.reasoning_delta,
            'response.completed': self._end,
            'response.incomplete': self._end,
            'response.failed': self._fail,
            'error': self._fail,
        }

    def feed(self, payloads: Iterable[str], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of some payloads to `batch`."""
        for payload in payloads:
            if payload in FILLERS:  # no end without the event that says how it ended
                continue
            event = self._read(payload)
            kind = event.get('type')
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(event, batch)
            elif event.get('object') == 'response' and kind is None:
                self._whole(event, batch)
            elif kind not in _WITHOUT_NEWS:
                self._refuse_error(event)
                self._skip(event)
            if self.done:
                return

    def error_in(self, body: object) -> AgentRunError:
        """The error in an event of the type `error`."""
        return error_in_answer(body, self._provider, self._asked_for)

    def _begin(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        del batch
        response = event.get('response')
        if isinstance(response, dict):
            self.model_name = text_of(response.get('model')) or self.model_name
            self.response_id = text_of(response.get('id')) or self.response_id
            self.timestamp = timestamp_of(response.get('created_at')) or self.timestamp

    def _end(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        self._begin(event, batch)
        body = event.get('response')
        response = body if isinstance(body, dict) else {}
        self.usage = responses_usage(response)
        self.provider_details |= answer_details(response, response.get('usage'))
        output = output_in(response)
        if not self._items.any and output:  # a server that sends no events of items
            for number, item in enumerate(output):
                self._items.done(number, item, batch)
        self._items.end(batch)
        if self._items.unread:
            self._skip(event)
        status = str(event['type']).removeprefix('response.')
        self.finish_reason, self.provider_finish_reason = finish_reason_of(response, status, self._items)
        if is_cut(self.finish_reason, self.usage, self._max_tokens):
            self.finish_reason = 'length'
        self.done = True

    def _whole(self, response: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        """A whole answer as one event, from gateways that do not stream."""
        status = text_of(response.get('status')) or 'completed'
        event = {'type': f'response.{status}', 'response': response}
        (self._fail if status == 'failed' else self._end)(event, batch)

    def _fail(self, event: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        self._begin(event, batch)
        response = event.get('response')
        if isinstance(response, dict):
            self.usage = responses_usage(response)
        failure = _failure(response) if isinstance(response, dict) else event
        raise self.error_in(failure)
