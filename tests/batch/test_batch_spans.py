"""Spans and metrics of rows that were answered in batches, by the exporters of OpenTelemetry's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batch_servers import weather
from batch_wires import anthropic, chat
from telemetry import Telemetry, telemetry

from syncai import Agent, ModelRetry
from syncai.testing import BatchPlan, ModelServer, Reply

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ['telemetry']


def attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


def test_each_answer_has_its_spans_which_began_with_the_job(journal: str, telemetry: Telemetry) -> None:
    """gpt-5.4-mini is at half the price in batches: https://openai.com/api/pricing."""
    with ModelServer(weather) as server:

        def look(city: str) -> str:
            """Look."""
            return 'sunny'

        agent = Agent(chat(server), name='seer', tools=[look], instrument=telemetry.settings(include_content=True))
        job = agent.batch(['Rome'], journal=journal, rounds=2)
        assert telemetry.exporter.get_finished_spans() == ()  # nothing has been answered
        sent = job.parts[0]
        with telemetry.tracers.get_tracer('app').start_as_current_span('view') as view:
            assert [row.data for row in job.results(interval=0.01)] == ['It is sunny.']
        turns, chats, (tool,) = (
            telemetry.named(name) for name in ('invoke_agent seer', 'chat gpt-5.4-mini', 'execute_tool look')
        )
        assert [len(turns), len(chats)] == [2, 2]
        assert {turn.parent.span_id for turn in turns if turn.parent} == {view.get_span_context().span_id}
        assert [chat.parent.span_id for chat in chats if chat.parent] == [turn.context.span_id for turn in turns]
        assert tool.parent is not None
        assert tool.parent.span_id == turns[0].context.span_id
        assert turns[0].start_time == chats[0].start_time == int(sent.begun * 1e9)
        assert attribute(chats[0], 'syncai.batch.job_id') == sent.job_id
        assert 'Rome' in attribute(chats[0], 'gen_ai.input.messages')
        assert attribute(chats[0], 'gen_ai.usage.input_tokens') == attribute(turns[0], 'gen_ai.usage.input_tokens') == 3
        tokens = telemetry.metrics()['gen_ai.client.token.usage']
        assert sum(point.sum for point in tokens) == 10
        # A day in a queue is not the duration of a request.
        assert 'gen_ai.client.operation.duration' not in telemetry.metrics()


def test_the_price_is_that_of_batches(journal: str, telemetry: Telemetry) -> None:
    """https://claude.com/pricing: Haiku 4.5 1 and 5 dollars a million tokens, a half of it in batches."""
    pytest.importorskip('genai_prices')
    with ModelServer(lambda _: Reply('yes', usage=(1000, 100))) as server:
        agent = Agent(anthropic(server), name='seer', instrument=telemetry.settings())
        assert len(list(agent.batch(['a'], journal=journal).results(interval=0.01))) == 1
        (asked,) = telemetry.named('chat claude-haiku-4-5')
        assert attribute(asked, 'gen_ai.usage.cost.amount') == pytest.approx(0.00075)
        (turn,) = telemetry.named('invoke_agent seer')
        assert attribute(turn, 'syncai.run.price') == pytest.approx(0.00075)


def test_rows_that_failed_or_were_not_reached_are_errors(journal: str, telemetry: Telemetry) -> None:
    plan = BatchPlan(ending='expired', reached=1, missing=(2,))
    with ModelServer(lambda _: Reply(status=400), batches=plan) as server:
        agent = Agent(chat(server), name='seer', instrument=telemetry.settings())
        rows = list(agent.batch(['a', 'b', 'c'], journal=journal).results(interval=0.01))
        assert all(row.error is not None for row in rows)
        errors = [attribute(span, 'error.type') for span in telemetry.named('chat gpt-5.4-mini')]
        assert sorted(errors) == ['400', 'BatchError', 'BatchError']
        assert [span.status.is_ok for span in telemetry.named('invoke_agent seer')] == [False] * 3


def test_a_result_that_is_repaired_live_has_a_span_of_its_own(journal: str, telemetry: Telemetry) -> None:
    with ModelServer(lambda _: Reply('yes', usage=(3, 2))) as server:
        agent = Agent(chat(server), instrument=telemetry.settings())
        seen: list[str] = []

        @agent.result_validator
        def check(value: str) -> str:
            seen.append(value)
            if len(seen) == 1:
                raise ModelRetry('again')
            return value

        (row,) = agent.batch(['a'], journal=journal, repair='live').results(interval=0.01)
        assert row.usage().requests == 2
        first, second = telemetry.named('chat gpt-5.4-mini')
        assert attribute(first, 'syncai.batch.job_id') is not None
        assert attribute(second, 'syncai.batch.job_id') is None
