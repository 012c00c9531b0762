"""Answers of Gemini: a whole body is one chunk, a stream is several; both are decoded in the same way; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..._base.tool_arguments import args_text
from ..._base.values import now_utc
from ...exceptions import AgentRunError, ContentFilterError
from ...messages import FinishReason, ModelResponse, ModelResponseStreamEvent, PartStartEvent
from .._http.answers import FILLERS, FINISH_MESSAGE, StreamDecoder, nameless_call, text_of, unexpected_shape
from .._http.parts import PartsBuilder
from .._http.stated_errors import stated_error
from .continuation import CONTINUATION
from .errors import error_in_answer
from .messages import OWN_ID, PART, SIGNATURE, SIGNATURES
from .usage import METADATA, answer_details, google_usage

_FINISH_REASONS: Mapping[str, FinishReason] = {
    'STOP': 'stop',
    'MAX_TOKENS': 'length',
    'SAFETY': 'content_filter',
    'RECITATION': 'content_filter',
    'LANGUAGE': 'content_filter',
    'BLOCKLIST': 'content_filter',
    'PROHIBITED_CONTENT': 'content_filter',
    'SPII': 'content_filter',
    'MODEL_ARMOR': 'content_filter',
    'IMAGE_SAFETY': 'content_filter',
    'IMAGE_PROHIBITED_CONTENT': 'content_filter',
    'IMAGE_RECITATION': 'content_filter',
    'MALFORMED_FUNCTION_CALL': 'error',
    'UNEXPECTED_TOOL_CALL': 'error',
    'TOO_MANY_TOOL_CALLS': 'error',
    'MISSING_THOUGHT_SIGNATURE': 'error',
    'MALFORMED_RESPONSE': 'error',
    'IMAGE_OTHER': 'error',
    'NO_IMAGE': 'error',
    'OTHER': 'error',
}


def google_response(body: dict[str, Any], provider: str, model_name: str, **context: Any) -> ModelResponse:
    """The response in a decoded body.

    Args:
        body: The answer.
        provider: The provider that was asked.
        model_name: The model that was asked.
        context: Attributes for errors: `request_id`, `attempts`.

    Raises:
        ModelHTTPError: The body holds an error object.
        ContentFilterError: The prompt was blocked.
        UnexpectedModelBehavior: The body is no answer of Gemini.
    """
    body = without_envelope(body)
    if not body.get('candidates') and stated_error(body):
        raise error_in_answer(body, provider, model_name, **context)
    builder = PartsBuilder()
    decoder = GoogleStreamDecoder(builder, provider, model_name)
    try:
        decoder.take(body, [])
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise unexpected_shape(f'an answer of an unknown shape ({error})', body, provider, model_name) from None
    if not decoder.answered:
        raise unexpected_shape('an answer without candidates', body, provider, model_name)
    return ModelResponse(
        parts=builder.parts(),
        usage=decoder.usage,
        model_name=decoder.model_name,
        timestamp=decoder.timestamp or now_utc(),
        provider_name=provider,
        provider_response_id=decoder.response_id,
        finish_reason=decoder.finish_reason,
        provider_finish_reason=decoder.provider_finish_reason,
        provider_details=decoder.provider_details or None,
    )


def without_envelope(body: dict[str, Any]) -> dict[str, Any]:
    """The answer itself, which the API of Gemini Code Assist puts into `response`."""
    inner = body.get('response')
    return inner if isinstance(inner, dict) and not body.get('candidates') else body


class GoogleStreamDecoder(StreamDecoder):
    """Decodes the chunks of `streamGenerateContent`: each is an answer whose texts continue the earlier ones.

    Attributes:
        answered: Whether there was an answer, even an empty one.
    """

    def __init__(self, builder: PartsBuilder, provider: str, model_name: str) -> None:
        super().__init__(builder, provider, model_name)
        self.answered = False
        self._kind = ''  # the open part: a part of another kind ends it
        self._number = 0
        self._length = 0  # the length of the open text, in characters
        self._signed: list[list[Any]] = []
        self._called = False
        self._text_at: int | None = None  # the last text
        self._metadata: dict[str, Any] = {}
        self._counts: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        """Whether the end of the answer was seen: only the finish reason announces it."""
        return self.provider_finish_reason is not None

    def feed(self, payloads: Iterable[str], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of some payloads to `batch`."""
        for payload in payloads:
            if payload in FILLERS:  # no end without a finish reason
                continue
            self.take(self._read(payload), batch)

    def error_in(self, body: object) -> AgentRunError:
        """The error in an event with the type of an error."""
        return error_in_answer(body, self._provider, self._asked_for)

    def take(self, chunk: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of one chunk to `batch`.

        Raises:
            ModelHTTPError: The chunk holds an error object.
            ContentFilterError: The prompt was blocked.
        """
        if 'candidates' not in chunk:
            chunk = without_envelope(chunk)
        if chunk.get('error'):
            raise self.error_in(chunk)
        self._envelope(chunk)
        candidates = chunk.get('candidates')
        if not candidates:
            self._refuse_blocked(chunk.get('promptFeedback'))
            self._refuse_error(chunk)
            if 'usageMetadata' not in chunk:
                self._skip(chunk)
            return
        candidate = candidates[0]
        if candidate.get('index'):
            return  # extra_body requested several: the first candidate counts
        self.answered = True
        content = candidate.get('content')
        parts = content.get('parts') if isinstance(content, dict) else content
        for part in parts if isinstance(parts, list) else [parts]:  # some gateways send a single part
            if isinstance(part, dict):
                self._part(part, batch)
        self._besides(candidate, batch)

    def _besides(self, candidate: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        """The data of a candidate besides its parts: the reason for its end, and the sources of the answer."""
        for name in METADATA:  # each chunk with it holds all of it
            if candidate.get(name):
                self._metadata[name] = candidate[name]
        if token := text_of(candidate.get('continuationToken')):
            self.provider_details |= {CONTINUATION: token}
        reason = text_of(candidate.get('finishReason'))
        if reason and reason != 'FINISH_REASON_UNSPECIFIED':
            self.provider_finish_reason = reason
            if finish_message := text_of(candidate.get('finishMessage')):
                self.provider_details |= {FINISH_MESSAGE: finish_message}
            common = _FINISH_REASONS.get(reason)
            self.finish_reason = 'tool_call' if common == 'stop' and self._called else common
        if self._metadata and self.complete:
            self._keep_metadata(batch)
            self.usage = google_usage(self._counts, self._metadata)

    def _envelope(self, chunk: dict[str, Any]) -> None:
        self.model_name = text_of(chunk.get('modelVersion')) or self.model_name
        self.response_id = self.response_id or text_of(chunk.get('responseId'))
        self.timestamp = self.timestamp or _time_of(chunk.get('createTime'))
        if isinstance(chunk.get('usageMetadata'), dict):
            counts = chunk['usageMetadata']  # cumulative; some gateways end with zeros
            self._counts |= {name: value for name, value in counts.items() if value or name not in self._counts}
            self.provider_details |= answer_details(self._counts)
            self.usage = google_usage(self._counts, self._metadata)

    def _refuse_blocked(self, feedback: object) -> None:
        values = feedback if isinstance(feedback, dict) else {}
        if reason := text_of(values.get('blockReason')):
            message = text_of(values.get('blockReasonMessage'))
            raise ContentFilterError(
                f'Gemini blocked the prompt: {reason}{f" ({message})" if message else ""}; '
                'google_safety_settings sets what is blocked for safety',
                model_name=self._asked_for,
                provider=self._provider,
            )

    def _part(self, part: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        """Files, code that Google ran, its tools and unknown kinds are kept unchanged, to be sent back.

        Source: https://ai.google.dev/gemini-api/docs/code-execution
        """
        signature, text, call = text_of(part.get('thoughtSignature')), part.get('text'), part.get('functionCall')
        if isinstance(call, dict):
            self._begin('call')
            self._call(call, signature, batch)
        elif not isinstance(text, str):
            self._keep_part(part, batch)
        elif not (text or signature):
            return
        elif part.get('thought') is True:
            self._begin('thinking')
            batch.append(self._builder.thinking(text, self._number, signature=signature, provider_name=self._provider))
        else:
            self._begin('text')
            self._piece(text, signature, batch)

    def _keep_part(self, part: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        if part:
            self._begin('other')
            event = self._builder.thinking('', self._number, provider_name=self._provider)
            self._builder.set_details(event.index, {PART: part})
            batch.append(event)

    def _keep_metadata(self, batch: list[ModelResponseStreamEvent]) -> None:
        """The sources of the answer are kept with its last text."""
        if self._text_at is None:
            self._begin('other')
            event = self._builder.thinking('', self._number, provider_name=self._provider)
            self._text_at = event.index
            batch.append(event)
        self._builder.set_details(self._text_at, self._metadata)

    def _begin(self, kind: str) -> None:
        if kind != self._kind or kind in ('call', 'other'):
            self._kind = kind
            self._number += 1
            self._length, self._signed = 0, []

    def _call(self, call: dict[str, Any], signature: str | None, batch: list[ModelResponseStreamEvent]) -> None:
        self._called = True
        own_id = text_of(call.get('id'))
        args = args_text(call.get('args') or {})
        event = self._builder.new_tool_call(name=text_of(call.get('name')), args=args, call_id=own_id)
        if event is None:
            raise nameless_call(self._builder.nameless()[0], self._provider, self._asked_for)
        details: dict[str, Any] = {SIGNATURE: signature} if signature else {}
        if own_id is None:
            details[OWN_ID] = True
        if details:
            self._builder.set_details(event.index, details)
        batch.append(event)

    def _piece(self, text: str, signature: str | None, batch: list[ModelResponseStreamEvent]) -> None:
        """More text; Gemini signs single pieces of a text."""
        event = self._builder.text(text, self._number)
        self._text_at = event.index
        start, self._length = self._length, self._length + len(text)
        if signature:
            self._signed = [*self._signed, [start, self._length, signature]]
            self._builder.set_details(event.index, {SIGNATURES: self._signed})
        if text or isinstance(event, PartStartEvent):
            batch.append(event)


def _time_of(created: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(text_of(created) or '')
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
