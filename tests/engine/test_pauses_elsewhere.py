"""Pauses in worker processes, in journals, and in traces."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pooled_agent import paying

from syncai import Agent, Approve, Deny, Pause, RunPaused
from syncai.instrumentation import InstrumentationSettings
from syncai.models.test import TestModel


def resumed(paused: RunPaused) -> Any:
    return paying.resume_sync(paused.messages_json(), {call: Approve() for call in paused.pending}).data


@pytest.mark.slow
def test_the_row_of_a_worker_process_can_be_resumed_here() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:
        (row,) = paying.map_sync(['Refund'], executor=pool, return_exceptions=True)
    error = row.error
    assert isinstance(error, RunPaused)
    assert [call.tool_name for call in error.pending] == ['refund']
    assert row.all_messages() == error.messages
    assert row.usage() == error.usage
    assert row.usage().requests == 1
    assert resumed(error) == 'done'


def test_the_row_of_a_journal_can_be_resumed_another_day(tmp_path: Path) -> None:
    def rows() -> list[Any]:
        return list(paying.map_sync(['Refund'], journal=tmp_path / 'j.sqlite', retry_failed=False))

    (first,), (again,) = rows(), rows()
    assert again.stored
    assert isinstance(again.error, RunPaused)
    assert again.error.pending == first.error.pending
    assert again.all_messages() == again.error.messages == first.error.messages
    assert again.usage() == again.error.usage
    assert resumed(again.error) == 'done'


def test_a_pause_is_no_error_in_traces() -> None:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    settings = InstrumentationSettings(tracer_provider=tracers, meter_provider=meters)
    agent = Agent(TestModel(custom_result_text='done'), instrument=settings)

    @agent.tool_plain(approve=True)
    def refund() -> str:
        return 'refunded'

    @agent.tool_plain
    def look() -> str:
        raise Pause('not at night')

    with pytest.raises(RunPaused) as paused:
        agent.run_sync('Refund')
    spans: dict[str, ReadableSpan] = {span.name: span for span in exporter.get_finished_spans()}
    assert {'invoke_agent agent', 'execute_tool look', 'chat test'} <= spans.keys()
    assert 'execute_tool refund' not in spans
    for span in spans.values():
        assert span.status.status_code is StatusCode.UNSET
        assert 'error.type' not in (span.attributes or {})
    exporter.clear()
    calls = {call.tool_name: call.id for call in paused.value.pending}
    answers: dict[str, Approve | Deny] = {calls['refund']: Approve(), calls['look']: Deny()}
    agent.resume_sync(paused.value.messages, answers)
    names = [span.name for span in exporter.get_finished_spans()]
    assert names.count('execute_tool refund') == 1
    assert names.count('execute_tool look') == 0
    meters.shutdown()
    tracers.shutdown()
