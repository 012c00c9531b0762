"""Answers of OpenAI Chat Completions: a whole body becomes a response, the chunks of a stream become events; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..._base.values import now_utc
from ...exceptions import AgentRunError
from ...messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...usage import Usage
from .._http.answers import FILLERS, StreamDecoder, text_of, timestamp_of, unexpected_shape
from .._http.parts import PartsBuilder
from .._http.stated_errors import stated_error
from .additions import FIELDS, ReasoningDetails, failed_generation, thoughts_in
from .calls import add_calls, whole_calls
from .errors import error_in_answer
from .shapes import choice_in, content_text, finish_reason_of, is_unread, legacy_call, message_in, without_envelope
from .tags import TaggedText, ThinkingTags, split_thoughts
from .text_details import TextDetails
from .usage import answer_details, chat_usage, later_usage, usage_in


def chat_response(
    body: dict[str, Any], provider: str, model_name: str, *, tags: ThinkingTags | None = None, **context: Any
) -> ModelResponse:
    """The response in a decoded body.

    Args:
        body: The answer.
        provider: The provider that was asked.
        model_name: The model that was asked.
        tags: The tags around the thoughts of its models, or None.
        context: Attributes for errors: `request_id`, `attempts`.

    Raises:
        ModelHTTPError: The body holds an error object.
        UnexpectedModelBehavior: The body is not a chat completion.
    """
    body = without_envelope(body)
    choice = choice_in(body)
    if error := _error(body, choice):
        if generation := failed_generation(error):
            return _salvaged(generation, provider, model_name)
        raise error_in_answer(error, provider, model_name, **context)
    message = message_in(choice) if choice else None
    if choice is None or message is None:
        raise unexpected_shape('an answer without choices[0].message', body, provider, model_name)
    parts = _with_details(_parts(message, provider, model_name, tags), body, choice, message, provider)
    if not parts and is_unread(message.get('content')):
        raise unexpected_shape('content of an unknown kind', body, provider, model_name)
    raw_reason = text_of(choice.get('finish_reason')) or text_of(choice.get('done_reason'))
    usage = usage_in(body, choice)
    return ModelResponse(
        parts=parts,
        usage=chat_usage(usage),
        model_name=text_of(body.get('model')) or model_name,
        timestamp=timestamp_of(body.get('created')) or now_utc(),
        provider_name=provider,
        provider_response_id=text_of(body.get('id')),
        finish_reason='content_filter' if message.get('refusal') else finish_reason_of(raw_reason),
        provider_finish_reason=raw_reason,
        provider_details=answer_details(body, usage) or None,
    )


def _salvaged(calls_or_text: list[ToolCallPart] | str, provider: str, model_name: str) -> ModelResponse:
    return ModelResponse(
        [TextPart(calls_or_text)] if isinstance(calls_or_text, str) else calls_or_text,
        usage=Usage(requests=1),
        model_name=model_name,
        provider_name=provider,
        finish_reason='stop' if isinstance(calls_or_text, str) else 'tool_call',
        provider_finish_reason='tool_use_failed',
    )


def _error(body: dict[str, Any], choice: dict[str, Any] | None) -> dict[str, Any] | None:
    """The object with the error of an answer with status 200: the body, or for OpenRouter also its choice."""
    if choice is None:
        return body if stated_error(body) else None
    if isinstance(body.get('error'), dict) and body['error']:
        return body
    return choice if isinstance(choice.get('error'), dict) else None


def _parts(
    message: dict[str, Any], provider: str, model_name: str, tags: ThinkingTags | None
) -> list[ModelResponsePart]:
    parts: list[ModelResponsePart] = []
    thoughts = thoughts_in(message) or ''
    opaque: dict[str, Any] | None = None
    if not message.keys().isdisjoint(FIELDS):
        details = ReasoningDetails(message)
        thoughts, opaque = thoughts or details.text, details.for_part()
    text = content_text(message.get('content')) or text_of(message.get('refusal'))
    text = text or _transcript(message.get('audio'))
    if text and tags:
        tagged, text = split_thoughts(text, tags, late=not thoughts)
        thoughts = thoughts or tagged  # llama.cpp's `deepseek-legacy` sends them in both places
    if thoughts or opaque:
        parts.append(ThinkingPart(thoughts, provider_name=provider, provider_details=opaque))
    if text:
        parts.append(TextPart(text))
    return [*parts, *whole_calls(message.get('tool_calls') or legacy_call(message), provider, model_name)]


def _with_details(
    parts: list[ModelResponsePart],
    body: dict[str, Any],
    choice: dict[str, Any],
    message: dict[str, Any],
    provider: str,
) -> list[ModelResponsePart]:
    text_details = TextDetails()
    text_details.add_body(body)
    text_details.add_message(message)
    text_details.add_logprobs(choice.get('logprobs'))
    details = text_details.details()
    if not details:
        return parts
    at = next((number for number, part in enumerate(parts) if isinstance(part, TextPart)), None)
    if at is not None:
        parts[at] = replace(parts[at], provider_details=details)
    else:
        parts.append(ThinkingPart('', provider_name=provider, provider_details=details))
    return parts


def _transcript(audio: object) -> str | None:
    return text_of(audio.get('transcript')) if isinstance(audio, dict) else None


class ChatStreamDecoder(StreamDecoder):
    """The chunks of a stream of Chat Completions."""

    def __init__(self, builder: PartsBuilder, provider: str, model_name: str, tags: ThinkingTags | None = None) -> None:
        super().__init__(builder, provider, model_name)
        self._all_tags = tags  # until thoughts were found
        self._tags = TaggedText(tags, late=tags.late) if tags else None  # until no tag can count any more
        self._begun = False
        self._index = 0  # the index of the choice that is the answer
        self._refused = False
        self._called = False  # by `tool_calls`; then `function_call` repeats them
        self._details = ReasoningDetails()
        self._text_details = TextDetails()
        self._thinking_at: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the end of the answer was seen; some servers leave out `[DONE]`."""
        return self.done or self.provider_finish_reason is not None

    def feed(self, payloads: Iterable[str], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of some payloads to `batch`."""
        from_json = self._from_json
        for payload in payloads:
            if payload == '[DONE]':
                self._done(batch)
                return
            try:
                chunk = from_json(payload)
                choices = chunk.get('choices')
            except (ValueError, AttributeError):
                if payload.startswith('[DONE]'):  # like OpenAI's client
                    self._done(batch)
                    return
                if payload.strip() in FILLERS:
                    continue
                chunk = self._read_leniently(payload)
                from_json, choices = self._from_json, chunk.get('choices')
            if (
                not choices
                or not self._begun
                or chunk.get('usage') is not None
                or 'error' in chunk
                or 'x_groq' in chunk
            ):
                self._envelope(chunk, batch)
            if self.done:
                return
            if choices:
                choice: Any
                try:
                    choice = choices[0]
                except (KeyError, TypeError):
                    choice = choice_in(chunk)
                self._choice(choice, batch)

    def _done(self, batch: list[ModelResponseStreamEvent]) -> None:
        self.done = True
        self._end(batch)

    def _choice(self, choice: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        if choice.get('index') != self._index and not self._is_answer(choice):
            return
        delta = choice.get('delta')
        if delta is None:
            delta = self._odd_delta(choice)
        if delta:
            content = delta.get('content')
            if len(delta) > 1 or not isinstance(content, str):
                self._rich_delta(delta, batch)
            elif content and (self._tags is None or self._tags.passes(content)):
                batch.append(self._builder.text(content))
            elif content:
                self._tagged(content, batch)
        elif choice.get('error'):
            raise self.error_in(choice)
        if choice.get('finish_reason'):
            if error := choice.get('error') or (delta and delta.get('error')):
                raise self.error_in({'error': error})
            self._finish(choice, batch)

    def _is_answer(self, choice: dict[str, Any]) -> bool:
        """Whether a choice with another index is the answer: yes, while there is none."""
        index = choice.get('index') or 0
        if self._builder.is_empty:
            self._index = index
        return bool(index == self._index)

    def _odd_delta(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        """The delta of a choice without one: the `text` of the older Completions, or a whole message."""
        return message_in(choice) if 'text' in choice or self._builder.is_empty else None

    def _envelope(self, chunk: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        groq = chunk.get('x_groq')
        groq = groq if isinstance(groq, dict) else {}
        if chunk.get('error'):
            self._fail(chunk, batch)
            return
        if groq.get('error'):
            raise self.error_in(groq)
        if usage := usage_in(chunk):
            self.usage = later_usage(self.usage, usage)
        self.provider_details |= answer_details(chunk, usage)
        self._text_details.add_body(chunk)
        if not chunk.get('choices'):
            self._refuse_error(chunk)
            if not usage and chunk.get('choices') is None:
                self._skip(chunk)
        elif not self._begun:
            self._begun = True
            self.model_name = text_of(chunk.get('model')) or self.model_name
            self.response_id = text_of(chunk.get('id'))
            self.timestamp = timestamp_of(chunk.get('created'))

    def _fail(self, chunk: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        generation = failed_generation(chunk)
        if not generation:
            raise self.error_in(chunk)
        self.provider_finish_reason, self.done = 'tool_use_failed', True
        if isinstance(generation, str):
            self.finish_reason = 'stop'
            batch.append(self._builder.text(generation))
            return
        self.finish_reason = 'tool_call'
        for call in generation:
            event = self._builder.tool_call(
                call.tool_call_id, name=call.tool_name, args=call.args_as_json_str(), call_id=call.tool_call_id
            )
            if event is not None:
                batch.append(event)

    def error_in(self, body: object) -> AgentRunError:
        """The error in an event with the type of an error."""
        return error_in_answer(body, self._provider, self._asked_for)

    def _finish(self, choice: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        self._end(batch)
        if usage := choice.get('usage'):  # Moonshot counts here
            self.usage = later_usage(self.usage, usage)
        self.provider_finish_reason = str(choice['finish_reason'])
        self.finish_reason = 'content_filter' if self._refused else finish_reason_of(self.provider_finish_reason)

    def _rich_delta(self, delta: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        """Process a delta with more than a piece of text."""
        if len(delta) == 1 and 'tool_calls' in delta:  # the usual piece of a call
            self._called = self._called or bool(delta['tool_calls'])
            self._add_calls(delta['tool_calls'], batch)
            return
        content = delta.get('content')
        if len(delta) == 2 and 'role' in delta and type(content) is str:  # the usual piece of text of some servers
            if content:
                self._say(content, batch)
            return
        self._text_details.add_message(delta)
        thoughts = thoughts_in(delta)
        if thoughts or 'reasoning_details' in delta or 'thinking_blocks' in delta:
            self._think(thoughts, delta, batch)
        refusal = text_of(delta.get('refusal'))
        self._refused = self._refused or refusal is not None
        content = content_text(delta.get('content')) or refusal or _transcript(delta.get('audio'))
        if content:
            self._say(content, batch)
        elif is_unread(delta.get('content')) and not thoughts:
            self._skip(delta)
        calls = delta.get('tool_calls')
        self._called = self._called or bool(calls)
        self._add_calls(calls or (not self._called and legacy_call(delta)), batch)

    def _add_calls(self, calls: Any, batch: list[ModelResponseStreamEvent]) -> None:
        if calls:
            if self._tags is not None:
                self._tagged('', batch, last=True)
            add_calls(calls, self._builder, batch)

    def _say(self, content: str, batch: list[ModelResponseStreamEvent]) -> None:
        if self._tags is None:
            batch.append(self._builder.text(content))
        else:
            self._tagged(content, batch)

    def _tagged(self, content: str, batch: list[ModelResponseStreamEvent], *, last: bool = False) -> None:
        """Text with possible thoughts between tags; these are dropped if a field has sent them already."""
        tags, builder = self._tags, self._builder
        assert tags is not None
        for kind, piece in tags.feed(content, last=last):
            event: ModelResponseStreamEvent | None = None
            if kind == 'text':
                event = builder.text(piece)
            elif kind == 'were thoughts':
                event = builder.text_was_thoughts(piece, self._provider)
            elif self._thinking_at is None:
                event = builder.thinking(piece, provider_name=self._provider)
            if event is not None:
                batch.append(event)
        if tags.thought:
            self._all_tags = None
        if tags.plain:
            self._tags = None

    def _think(self, thoughts: str | None, delta: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        added = self._details.add(delta)
        if thoughts or added or (self._details and self._thinking_at is None):
            event = self._builder.thinking(thoughts or added, provider_name=self._provider)
            self._thinking_at = event.index
            batch.append(event)
            if self._tags is not None:
                self._tags.late = False  # the server has a parser, so a closing tag belongs to the answer

    def _split_late(self, tags: ThinkingTags, batch: list[ModelResponseStreamEvent]) -> None:
        """Search the whole text once for a closing tag without an opening one."""
        text = self._builder.text_so_far()
        thoughts, answer = split_thoughts(text, tags) if tags.closing in text else ('', text)
        if answer != text and (event := self._builder.text_was_thoughts(thoughts, self._provider, whole=True)):
            batch.append(event)
            if answer:
                batch.append(self._builder.text(answer))

    def _end(self, batch: list[ModelResponseStreamEvent]) -> None:
        if self._tags is not None:
            self._tagged('', batch, last=True)
        if self._all_tags is not None and self._thinking_at is None:
            self._split_late(self._all_tags, batch)
        # Now, since joining them takes time, and only a complete answer is continued.
        if self._thinking_at is not None and (details := self._details.for_part()):
            self._builder.set_details(self._thinking_at, details)
        if (details := self._text_details.details()) and (event := self._builder.keep(details, self._provider)):
            batch.append(event)


class LogprobsStreamDecoder(ChatStreamDecoder):
    """A decoder for requests with log probabilities; other streams need no check for them."""

    def _choice(self, choice: dict[str, Any], batch: list[ModelResponseStreamEvent]) -> None:
        if choice.get('index') == self._index or self._is_answer(choice):
            self._text_details.add_logprobs(choice.get('logprobs'))
        super()._choice(choice, batch)
