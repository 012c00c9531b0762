"""The common part of all wire formats' answers: parsing JSON, and the decoder of a stream; pure."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..._base.json import read_json
from ..._base.system import warn_in_log
from ..._base.values import to_json_str
from ...exceptions import AgentRunError, UnexpectedModelBehavior
from ...messages import (
    FinishReason,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    ThinkingPart,
    ToolCallPart,
)
from ...parameters import ToolDefinition
from ...usage import Usage
from .._catalog.providers import Provider
from .calls import own_id
from .half_pairs import HalfPairs, lenient_json
from .parts import PartsBuilder
from .stated_errors import stated_error

_EXCERPT = 1000  # the most characters of an answer in an error
_MOST_UNREAD = 5
# Tools of providers, and thoughts, in the words of Anthropic, Responses and Gemini.
_ENDS_OF_KINDS = ('tool_use', 'tool_result', 'call', 'output', 'approval_request', 'list_tools')
_KINDS = frozenset(
    {'compaction', 'container_upload', 'fallback', 'program', 'reasoning', 'reasoning_text', 'redacted_thinking'}
)
_GEMINI_KINDS = frozenset(
    {
        'codeExecutionResult',
        'executableCode',
        'fileData',
        'functionResponse',
        'inlineData',
        'toolCall',
        'toolResponse',
    }
)
_ENDS_OF_NOTHING = ('stop', 'length', 'content_filter')
_LONGEST_COUNT = 19  # digits: a longer number is no count

FILLERS = frozenset({'', 'null', '[DONE]'})
"""Payloads that keep a connection open, or end markers that gateways add to formats without one."""

FINISH_MESSAGE = 'finish_message'
"""In `ModelResponse.provider_details`: the provider's explanation of the end."""

# Any thread adds to it, without a lock; at worst, a warning is logged twice.
_warned: set[tuple[str, str, str]] = set()


class StreamDecoder(ABC):
    """Decodes the payloads of a stream into events and the facts of the answer.

    Args:
        builder: Joins the parts.
        provider: The provider that was asked.
        model_name: The model that was asked, until the answer names itself.

    Attributes:
        provider_details: Further facts from the provider; it only grows.
        done: Whether the provider announced the end.
        skipped: The number of payloads without any known content.
        unread: The first of them, for an error that shows it.
    """

    def __init__(self, builder: PartsBuilder, provider: str, model_name: str) -> None:
        from pydantic_core import from_json

        self._builder = builder
        self._provider = provider
        self._asked_for = model_name
        self._from_json: Callable[[str], Any] = from_json
        self._halves: HalfPairs | None = None
        self.model_name = model_name
        self.response_id: str | None = None
        self.timestamp: datetime | None = None
        self.usage = Usage(requests=1)
        self.provider_details: dict[str, Any] = {}
        self.finish_reason: FinishReason | None = None
        self.provider_finish_reason: str | None = None
        self.done = False
        self.skipped = 0
        self.unread: list[object] = []

    @property
    def complete(self) -> bool:
        """Whether the end of the answer was seen."""
        return self.done

    @abstractmethod
    def feed(self, payloads: Iterable[str], batch: list[ModelResponseStreamEvent]) -> None:
        """Append the events of some payloads to `batch`; when it raises, the events before the faulty payload are
        there.

        Raises:
            ModelHTTPError: A payload holds an error object.
            UnexpectedModelBehavior: A payload is not a JSON object.
        """

    @abstractmethod
    def error_in(self, body: object) -> AgentRunError:
        """The error in an event with the type of an error."""

    def _refuse_error(self, payload: object) -> None:
        """Raise the error in an object that is no part of an answer."""
        if stated_error(payload):
            raise self.error_in(payload)

    def _skip(self, payload: object) -> None:
        """Record an object that is no part of an answer."""
        self.skipped += 1
        if len(self.unread) < _MOST_UNREAD:
            self.unread.append(payload)

    def _read(self, payload: str) -> dict[str, Any]:
        """The JSON object in a payload; raises as `feed` does."""
        try:
            value = self._from_json(payload)
        except ValueError:
            return self._read_leniently(payload)
        return value if isinstance(value, dict) else self._read_leniently(payload)

    def _read_leniently(self, payload: str) -> dict[str, Any]:
        """The object in a payload that a strict parser refuses; from now on, joins halves of surrogate pairs."""
        if self._halves is None:
            self._halves = HalfPairs()
            self._from_json = self._halves.parse
        try:
            value = self._halves.parse(payload)
        except ValueError:
            value = None
        return value if isinstance(value, dict) else parse_json(payload, self._provider, self._asked_for)


def check_said_something(response: ModelResponse, came: object, model_name: str, *, unread: bool = False) -> None:
    """Raise UnexpectedModelBehavior for an empty answer, unless its finish reason explains that.

    Args:
        response: The answer, whole.
        came: The raw answer, to be shown.
        model_name: The model that was asked.
        unread: Whether it holds unknown content.
    """
    understood = not all(map(_is_of_unknown_kind, response.parts))
    if understood or (not response.parts and response.finish_reason in _ENDS_OF_NOTHING and not unread):
        return
    reason, provider = response.provider_finish_reason, response.provider_name
    without = 'of which nothing is understood' if response.parts else 'without content'
    finish_message = (response.provider_details or {}).get(FINISH_MESSAGE)
    reason = f'{reason} ({finish_message})' if finish_message else reason
    raise UnexpectedModelBehavior(
        f'{provider} sent an answer {without}, and {f"ended it with {reason!r}" if reason else "gave no reason"}',
        excerpt(came if isinstance(came, str) else to_json_str(came)) if came else None,
        provider=provider,
        model_name=model_name,
        partial=response,
    )


def _is_of_unknown_kind(part: ModelResponsePart) -> bool:
    """Whether a part is only kept for the provider, and is of an unknown kind."""
    if not isinstance(part, ThinkingPart) or part.content or part.signature or not part.provider_details:
        return False
    details = part.provider_details
    block = details.get('item', details)  # the form in which adapters keep opaque parts
    if isinstance(gemini := details.get('part'), dict):
        return _GEMINI_KINDS.isdisjoint(gemini)
    kind = block.get('type') if isinstance(block, dict) else None
    return isinstance(kind, str) and kind not in _KINDS and not kind.endswith(_ENDS_OF_KINDS)


def excerpt(text: str | bytes) -> str:
    """The beginning of an answer, short enough for an error message."""
    if isinstance(text, bytes):
        text = text[: 4 * _EXCERPT].decode('utf-8', errors='replace')
    return text if len(text) <= _EXCERPT else f'{text[:_EXCERPT]}...'


def parse_json(data: str | bytes, provider: str, model_name: str) -> dict[str, Any]:
    """The JSON object in an answer or event.

    Raises:
        UnexpectedModelBehavior: It is no JSON object; shows an excerpt.
    """
    try:
        value = read_json(data)
    except ValueError as error:
        try:
            value = lenient_json(data)
        except ValueError:
            raise UnexpectedModelBehavior(
                f'{provider} sent what is not JSON ({error})', excerpt(data), provider=provider, model_name=model_name
            ) from None
    if not isinstance(value, dict):
        raise unexpected_shape('something other than a JSON object', value, provider, model_name)
    return value


def unexpected_shape(what: str, value: object, provider: str, model_name: str) -> UnexpectedModelBehavior:
    """The error for JSON that is no answer of the wire format; names the problem and shows an excerpt."""
    message = f"{provider} sent {what}: is base_url the address of an API that speaks this provider's format?"
    return UnexpectedModelBehavior(message, excerpt(to_json_str(value)), provider=provider, model_name=model_name)


def with_own_calls(parts: Iterable[ModelResponsePart], provider: str, model_name: str) -> list[ModelResponsePart]:
    """The parts of a whole answer; of tool calls with one id, all but the first get new ids.

    Raises:
        UnexpectedModelBehavior: A tool call names no tool.
    """
    checked: list[ModelResponsePart] = []
    ids: set[str] = set()
    for part in parts:
        if isinstance(part, ToolCallPart):
            if not part.tool_name:
                raise nameless_call(part, provider, model_name)
            if (call_id := own_id(part.tool_call_id, ids)) != part.tool_call_id:
                part = replace(part, tool_call_id=call_id)
        checked.append(part)
    return checked


def nameless_call(call: ToolCallPart, provider: str, model_name: str) -> UnexpectedModelBehavior:
    """The error for a tool call that names no tool; shows its arguments."""
    message = f'{provider} sent a tool call without the name of a tool'
    arguments = excerpt(call.args_as_json_str())
    return UnexpectedModelBehavior(message, arguments, provider=provider, model_name=model_name)


def text_of(value: object) -> str | None:
    """A string that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def count_of(value: object) -> int | None:
    """A number of tokens, or None. Some servers write floats, or digits as text; fractions are rounded up."""
    if value is None or type(value) is int:  # the usual case
        return value if value is None or value > 0 else 0
    if isinstance(value, float) and math.isfinite(value):
        return max(math.ceil(value), 0)
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < _LONGEST_COUNT else None


def timestamp_of(created: object) -> datetime | None:
    """The time in a field that counts seconds since 1970."""
    if isinstance(created, int | float) and created > 0:
        try:
            return datetime.fromtimestamp(created, tz=UTC)
        except (OverflowError, ValueError, OSError):
            return None
    return None


def warn_dropped(setting: str, model_name: str, provider: Provider, when: str = '') -> None:
    """Log, once for a setting and model, that the model never takes the setting, or not `when`."""
    key = (provider.name, model_name, setting + when)
    if key not in _warned:
        _warned.add(key)
        warn_in_log(
            '%s model %r does not take the setting %r%s: it is dropped', provider.title, model_name, setting, when
        )


def warn_strict(tools: Iterable[ToolDefinition], model_name: str, provider: Provider) -> None:
    """Log, once for a model, that it does not enforce the `strict` of tools."""
    if any(tool.strict for tool in tools):
        warn_dropped('strict', model_name, provider)


def warn_unknown(
    settings: Mapping[str, Any], prefix: str, names: Container[str], model_name: str, provider: Provider
) -> None:
    """Log, once each, unknown settings with the prefix of the provider's own settings."""
    for name, value in settings.items():
        if value is not None and name.startswith(prefix) and name not in names:
            warn_dropped(name, model_name, provider)
