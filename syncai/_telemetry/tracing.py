"""Spans and metrics of runs, requests and tools. It is imported only by programs that turn tracing on."""

from __future__ import annotations

import time
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from .._base.json_values import whole_json_text, without_files
from ..exceptions import AgentRunError, ModelHTTPError, UserError
from ..instrumentation import InstrumentationSettings
from ..messages import ModelMessage, ModelResponse, ToolCallPart
from ..models import Model
from ..result import RunPaused
from ..usage import Usage
from . import names
from .content import input_messages, output_messages, system_instructions
from .money import cost_of, price_of_usage, ready

if TYPE_CHECKING:
    from .._engine.model_call import ModelCall

Attributes = dict[str, Any]


class Conversation(Protocol):
    """The data of an ended run for its span."""

    def messages_so_far(self) -> list[ModelMessage]: ...

    def usage_so_far(self) -> Usage: ...


class Tracing:
    """The spans and metrics of the calls under one `InstrumentationSettings`; used by the loop thread.

    The current span of the caller's thread is the parent of the spans of its call, since the call has the caller's
    context variables.
    """

    def __init__(self, settings: InstrumentationSettings) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError:
            raise UserError("instrument needs OpenTelemetry: pip install 'syncai-client[otel]'") from None
        self._settings = settings
        self._trace: Any = trace
        self._tracer = trace.get_tracer(names.SCOPE, tracer_provider=settings.tracer_provider)
        meter = metrics.get_meter(names.SCOPE, meter_provider=settings.meter_provider)
        durations = (names.CHAT_DURATION, names.FIRST_CHUNK, names.RUN_DURATION, names.TOOL_DURATION)
        self._metrics: dict[Any, Any] = {kind: _histogram(meter, kind, names.DURATION_BUCKETS) for kind in durations}
        self._metrics[names.TOKEN_USAGE] = _histogram(meter, names.TOKEN_USAGE, names.TOKEN_BUCKETS)
        self._metrics[names.COST] = _histogram(meter, names.COST, names.COST_BUCKETS)
        ready()

    @contextmanager
    def run(self, name: str | None, model: Model, run: Conversation, *, start: float | None = None) -> Iterator[None]:
        """The span of a run: `invoke_agent {agent}`; `start` is as in `_span`."""
        attributes = {**_of_model(model), **({names.AGENT_NAME: name} if name else {})}
        opened = self._span(names.INVOKE_AGENT, name, attributes, names.RUN_DURATION, kind='INTERNAL', start=start)
        with opened as (span, _):
            try:
                yield
            finally:
                usage = run.usage_so_far()
                span.set_attributes({**_of_usage(usage), **price_of_usage(usage)})
                if self._settings.include_content:
                    self._add_conversation(span, run)

    @contextmanager
    def tool(self, call: ToolCallPart, description: str) -> Iterator[Any]:
        """The span of a tool: `execute_tool {tool}`; what is yielded takes the tool's return, for content."""
        attributes = {
            names.TOOL_NAME: call.tool_name,
            names.TOOL_CALL_ID: call.tool_call_id,
            names.TOOL_TYPE: 'function',
            names.TOOL_DESCRIPTION: description,
        }
        if self._settings.include_content:
            attributes[names.TOOL_CALL_ARGUMENTS] = call.args_as_json_str()
        with self._span(names.EXECUTE_TOOL, call.tool_name, attributes, names.TOOL_DURATION, kind='INTERNAL') as (
            span,
            labels,
        ):

            def returned(value: Any, failed: bool) -> None:
                if failed:
                    labels[names.ERROR_TYPE] = 'ModelRetry'
                    span.set_attribute(names.ERROR_TYPE, 'ModelRetry')
                if self._settings.include_content:
                    span.set_attribute(names.TOOL_CALL_RESULT, without_files(whole_json_text, value)[0])

            yield returned

    def batched(self, call: ModelCall, answer: ModelResponse | AgentRunError, *, start: float, job_id: str) -> None:
        """The span of a model request that was answered within a batch, which began at `start`."""
        with suppress(AgentRunError), self.chat(call, stream=False, start=start) as chat:
            chat.note(names.BATCH_JOB, job_id)
            if isinstance(answer, AgentRunError):
                chat.response = answer.partial
                raise answer
            chat.response = answer

    @contextmanager
    def chat(self, call: ModelCall, *, stream: bool, start: float | None = None) -> Iterator[ChatSpan]:
        """The span of a model request: `chat {model}`; `start` is as in `_span`."""
        attributes = {**_of_model(call.model), **_of_settings(call.model.settings), **_of_settings(call.settings)}
        attributes[names.REQUEST_STREAM] = stream
        attributes[names.OUTPUT_TYPE] = 'json' if call.parameters.result_schema else 'text'
        if self._settings.include_content:
            binary = self._settings.include_binary_content
            attributes[names.INPUT_MESSAGES] = input_messages(call.messages, binary=binary)
            if instructions := system_instructions(call.messages):
                attributes[names.SYSTEM_INSTRUCTIONS] = instructions
        model = call.model.model_name
        opened = self._span(names.CHAT, model, attributes, names.CHAT_DURATION, kind='CLIENT', start=start)
        with opened as (span, labels):
            chat = ChatSpan(span, time.perf_counter())
            try:
                yield chat
            finally:
                if chat.response is not None:
                    self._describe_answer(span, chat.response, labels)
                if chat.first_chunk_after is not None:
                    span.set_attribute(names.TIME_TO_FIRST_CHUNK, chat.first_chunk_after)
                    self._metrics[names.FIRST_CHUNK].record(chat.first_chunk_after, labels)

    def _describe_answer(self, span: Any, response: ModelResponse, labels: Attributes) -> None:
        cost = cost_of(response)
        span.set_attributes({**_of_response(response), **cost})
        if response.model_name:
            labels[names.RESPONSE_MODEL] = response.model_name
        if response.provider_name:  # of several models, the one that answered
            labels[names.PROVIDER_NAME] = names.PROVIDER_NAMES.get(response.provider_name, response.provider_name)
            span.set_attribute(names.PROVIDER_NAME, labels[names.PROVIDER_NAME])
        if self._settings.include_content:
            span.set_attribute(names.OUTPUT_MESSAGES, output_messages(response))
        counts = {'input': response.usage.request_tokens, 'output': response.usage.response_tokens}
        for kind, count in counts.items():
            if count is not None:
                self._metrics[names.TOKEN_USAGE].record(count, {**labels, names.TOKEN_TYPE: kind})
        if cost:
            of_cost = {name: cost[name] for name in (names.COST_CURRENCY, names.COST_SOURCE)}
            self._metrics[names.COST].record(cost[names.COST_AMOUNT], {**labels, **of_cost})

    def _add_conversation(self, span: Any, run: Conversation) -> None:
        messages = run.messages_so_far()
        binary = self._settings.include_binary_content
        span.set_attribute(names.INPUT_MESSAGES, input_messages(messages, binary=binary))
        if messages and isinstance(last := messages[-1], ModelResponse):
            span.set_attribute(names.OUTPUT_MESSAGES, output_messages(last))

    @contextmanager
    def _span(
        self,
        operation: str,
        target: str | None,
        attributes: Attributes,
        duration: tuple[str, str, str],
        *,
        kind: str,
        start: float | None = None,
    ) -> Iterator[tuple[Any, Attributes]]:
        """A current span, and the attributes of its metrics; the end of the block ends the span.

        With `start`, in seconds since 1970, it began before, and its duration, which is that of a batch, is no metric.
        """
        attributes = {names.OPERATION_NAME: operation, **attributes}
        labels = {key: value for key, value in attributes.items() if key in _OF_METRICS}
        name = f'{operation} {target}' if target else operation
        began = time.perf_counter()
        with self._tracer.start_as_current_span(
            name,
            kind=getattr(self._trace.SpanKind, kind),
            attributes=attributes,
            start_time=None if start is None else int(start * 1e9),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span, labels
            except (CancelledError, RunPaused):  # left early, or waits for a person, which is no error
                raise
            except BaseException as error:
                labels[names.ERROR_TYPE] = error_type = _error_type(error)
                span.set_attribute(names.ERROR_TYPE, error_type)
                span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, error_type))
                raise
            finally:
                if start is None:
                    self._metrics[duration].record(time.perf_counter() - began, labels)


class ChatSpan:
    """The span of one model request, while it is open."""

    def __init__(self, span: Any, began: float) -> None:
        self._span = span
        self._began = began
        self.response: ModelResponse | None = None
        self.first_chunk_after: float | None = None

    def note(self, name: str, value: str) -> None:
        """One more attribute of the span."""
        self._span.set_attribute(name, value)

    def chunk(self) -> None:
        """Record that a part of the answer has arrived."""
        if self.first_chunk_after is None:
            self.first_chunk_after = time.perf_counter() - self._began


_OF_METRICS = frozenset(
    {
        names.OPERATION_NAME,
        names.PROVIDER_NAME,
        names.REQUEST_MODEL,
        names.AGENT_NAME,
        names.TOOL_NAME,
        names.SERVER_ADDRESS,
        names.SERVER_PORT,
    }
)


def _histogram(meter: Any, kind: tuple[str, str, str], buckets: tuple[float, ...]) -> Any:
    name, unit, description = kind
    return meter.create_histogram(
        name, unit=unit, description=description, explicit_bucket_boundaries_advisory=list(buckets)
    )


def _of_model(model: Model) -> Attributes:
    provider = model.system
    attributes: Attributes = {
        names.PROVIDER_NAME: names.PROVIDER_NAMES.get(provider, provider),
        names.REQUEST_MODEL: model.model_name,
    }
    url = urlsplit(getattr(model, 'base_url', None) or '')
    if url.hostname:
        attributes[names.SERVER_ADDRESS] = url.hostname
        attributes[names.SERVER_PORT] = url.port or (80 if url.scheme == 'http' else 443)
    return attributes


def _of_settings(settings: Mapping[str, Any] | None) -> Attributes:
    values = settings or {}
    return {key: values[name] for name, key in names.SETTINGS.items() if values.get(name) is not None}


def _of_response(response: ModelResponse) -> Attributes:
    attributes = _of_usage(response.usage)
    values = {names.RESPONSE_MODEL: response.model_name, names.RESPONSE_ID: response.provider_response_id}
    attributes |= {key: value for key, value in values.items() if value}
    if response.finish_reason:
        attributes[names.FINISH_REASONS] = [response.finish_reason]
    return attributes


def _of_usage(usage: Usage) -> Attributes:
    counts = {names.INPUT_TOKENS: usage.request_tokens, names.OUTPUT_TOKENS: usage.response_tokens}
    details = usage.details or {}
    counts |= {key: details[name] for name, key in names.USAGE_DETAILS.items() if name in details}
    return {key: count for key, count in counts.items() if count is not None}


def _error_type(error: BaseException) -> str:
    return str(error.status_code) if isinstance(error, ModelHTTPError) else type(error).__qualname__
