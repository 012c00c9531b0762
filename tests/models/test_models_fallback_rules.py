"""The errors that end a `FallbackModel` at once, its rules, and its place in a call."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from fallbacks import HELLO, Ask, failing_first, streamed_sync, streams, two, ways, whole_sync, wholes
from plain_http import wait_for_the_log

from syncai.agent import Agent
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AllModelsFailed,
    AuthenticationError,
    CallCancelled,
    DeadlineExceeded,
    IncompleteStreamError,
    ModelConnectionError,
    ModelTimeoutError,
    RateLimitError,
    ServerError,
    UnexpectedModelBehavior,
    UserError,
)
from syncai.instrumentation import InstrumentationSettings
from syncai.messages import ModelResponse, TextPart
from syncai.models.fallback import FallbackModel
from syncai.models.function import FunctionModel
from syncai.settings import ModelSettings
from syncai.testing import Reply, ToolCall
from syncai.usage import Usage

# --- what is never fallen back on -------------------------------------------------------------------------------------


@streams
def test_a_stream_that_fails_later_raises_as_it_is(ask: Ask) -> None:
    with two(Reply('half ', 'an answer', usage=(1, 1), ending='eof', cut_after_events=2)) as pair:
        with pytest.raises(IncompleteStreamError) as caught:
            ask(pair.model())
        assert pair.asked == (1, 0)
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'half '


@streams
def test_a_later_failure_of_the_second_tells_the_usage_of_both(ask: Ask) -> None:
    second = Reply('half ', 'an answer', usage=(5, 7), ending='eof')
    with two(Reply(status=500), second=second) as pair, pytest.raises(IncompleteStreamError) as caught:
        ask(pair.model())
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.usage.requests) == ('half an answer', 2)


@ways
def test_misuse_is_raised_at_once(ask: Ask) -> None:
    with two() as pair:
        settings = ModelSettings(tool_choice='required')  # without any tool
        with pytest.raises(UserError):
            ask(pair.model(settings=settings, fallback_on=Exception))
        assert pair.asked == (0, 0)


@ways
def test_the_deadline_of_the_call_is_raised_at_once(ask: Ask) -> None:
    late = Reply('late', delay_first_event=20)
    with two(late, second=late) as pair:
        model = pair.model(fallback_on=Exception)
        model.settings = {'timeout': 0.3}
        with pytest.raises(DeadlineExceeded):
            ask(model)
        assert pair.asked == (1, 0)
        pair.first.wait_for_connections(0)


@ways
def test_the_timeout_of_one_model_leads_to_the_next(ask: Ask) -> None:
    failing_first(ask, Reply('late', delay_first_event=20), settings={'timeout': 0.2})


@streams
def test_the_timeout_of_one_model_holds_to_the_end_of_its_stream(ask: Ask) -> None:
    with two(Reply('half ', 'late', delay_between_events=20, events_per_write=2)) as pair:
        with pytest.raises(ModelTimeoutError, match='in its own settings') as caught:
            ask(pair.model(settings={'timeout': 0.4}))
        assert pair.asked == (1, 0)
    assert not isinstance(caught.value, DeadlineExceeded)


def test_a_stopped_call_asks_no_other_model() -> None:
    with two(Reply('late', delay_first_event=20)) as pair:
        with model_request_stream_sync(pair.model(fallback_on=Exception), HELLO):
            pair.first.wait_for_requests(1)
        pair.first.wait_for_disconnect()
        assert pair.asked == (1, 0)


def test_an_error_that_was_not_chosen_is_raised_as_it_is() -> None:
    with two(Reply(status=401)) as pair:
        with pytest.raises(AuthenticationError):
            whole_sync(pair.model(fallback_on=(ServerError, ModelConnectionError)))
        assert pair.asked == (1, 0)


# --- functions that choose --------------------------------------------------------------------------------------------


@ways
def test_a_function_chooses_errors_in_the_thread_of_the_caller(ask: Ask) -> None:
    seen: list[Any] = []

    async def is_quota(error: Exception) -> bool:
        return isinstance(error, RateLimitError)

    def note(error: Exception) -> bool:
        seen.append((type(error), threading.current_thread().name))
        return False

    failing_first(ask, Reply(status=429), fallback_on=[note, is_quota])
    where = threading.current_thread().name if ask in (whole_sync, streamed_sync) else seen[0][1]
    assert seen == [(RateLimitError, where)]
    assert 'syncai-loop' not in where


@wholes
def test_a_function_judges_answers_by_its_annotation_or_by_its_name(ask: Ask) -> None:
    def annotated(answer: ModelResponse) -> bool:
        return answer.text == 'bad'

    for judge in (annotated, lambda response: response.text == 'bad'):
        failing_first(ask, Reply('bad'), fallback_on=judge)


@wholes
def test_all_answers_given_up(ask: Ask) -> None:
    with two(Reply('bad', usage=(1, 2))) as pair, pytest.raises(AllModelsFailed) as caught:
        ask(pair.model(fallback_on=lambda response: True))
    texts = [
        one.partial.text for one in caught.value.errors if isinstance(one, UnexpectedModelBehavior) and one.partial
    ]
    assert texts == ['bad', 'from two']
    assert caught.value.partial is not None
    assert caught.value.partial.text == 'from two'


def test_what_fails_in_the_function_is_raised() -> None:
    with two(Reply(status=500)) as pair, pytest.raises(ZeroDivisionError):
        whole_sync(pair.model(fallback_on=lambda error: 1 / 0))


def test_wrong_arguments() -> None:
    for wrong, words in ((KeyboardInterrupt, 'no class'), (3, 'takes classes'), (CallCancelled, 'never leads')):
        with pytest.raises(UserError, match=words):
            FallbackModel('test', fallback_on=wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match='Unknown'):
        FallbackModel('test', 'nobody:nothing')


def test_models_by_name_and_their_names() -> None:
    model = FallbackModel('test', 'test')
    assert (model.model_name, model.system) == ('fallback:test,test', 'fallback')
    assert repr(model) == "FallbackModel(TestModel('test'), TestModel('test'))"
    assert whole_sync(model).text == 'success (no tool calls)'


# --- within ----------------------------------------------------------------------------------------------------------


def test_fallbacks_among_fallbacks() -> None:
    def fail(messages: Any, info: Any) -> ModelResponse:
        raise ServerError(500, 'f')

    inner = FallbackModel(FunctionModel(fail), FunctionModel(fail))
    answer = FunctionModel(lambda messages, info: ModelResponse([TextPart('third')], usage=Usage(1, 1, 1, 2)))
    response = whole_sync(FallbackModel(inner, answer))
    assert (response.text, response.usage.requests) == ('third', 3)


def test_no_log_holds_what_the_provider_wrote(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, 'syncai'):
        failing_first(whole_sync, Reply(status=500, body={'error': {'message': 'the-secret-prompt'}}))
    wait_for_the_log()
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == 'openai:one failed (ServerError): asking anthropic:claude-two'


def test_an_agent_and_its_usage() -> None:
    tool_call = Reply(tool_calls=[ToolCall('double', {'x': 4})], usage=(10, 2))
    with two(tool_call, Reply(status=503)) as pair:
        agent = Agent(pair.model())

        @agent.tool_plain
        def double(x: int) -> int:
            return 2 * x

        result = agent.run_sync('Twice four?')
        assert pair.asked == (2, 1)
        blocks = [b for m in pair.second.requests[0].json['messages'] for b in m['content']]
    assert (result.data, result.usage()) == ('from two', Usage(3, 15, 9, 24))
    assert [block['type'] for block in blocks] == ['text', 'tool_use', 'tool_result']
    assert [m.provider_name for m in result.all_messages() if isinstance(m, ModelResponse)] == ['openai', 'anthropic']


def test_an_agent_that_streams() -> None:
    with two(Reply(ending='eof', cut_after_events=0)) as pair:
        with Agent(pair.model()).run_stream_sync('hello') as stream:
            assert list(stream.stream_text(delta=True, debounce_by=None)) == ['from ', 'two']
        assert (stream.usage().requests, stream.model_name) == (2, 'claude-two')


def test_a_trace_names_the_model_that_answered() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    with two(Reply(status=503)) as pair:
        model_request_sync(pair.model(), HELLO, instrument=InstrumentationSettings(tracer_provider=tracers))
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.name == 'chat fallback:one,claude-two'
    assert span.attributes['gen_ai.provider.name'] == 'anthropic'
    assert span.attributes['gen_ai.response.model'] == 'claude-two'
