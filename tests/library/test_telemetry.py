"""Spans and metrics of attempts, with the names of the semantic conventions."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from headrace import Job, fan_out
from headrace.telemetry import telemetry

from .conftest import Loop
from .jobs import params, simulator


def test_each_attempt_is_a_span_and_is_counted(loop: Loop) -> None:
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    on_attempt = telemetry(tracer_provider=tracing, meter_provider=MeterProvider([reader]))

    async def main() -> int:
        jobs = [Job(params(n), id=f"job-{n}") for n in range(8)]
        results = await fan_out(jobs, simulate=simulator(f500=0.4), max_attempts=2, on_attempt=on_attempt)
        return sum(result.attempts for result in results)

    sent = loop(main)

    finished = spans.get_finished_spans()
    assert len(finished) == sent
    assert {span.name for span in finished} == {"chat m"}
    failed = [span for span in finished if not span.status.is_ok]
    assert failed
    for span in failed:
        attributes: Any = span.attributes
        assert (attributes["error.type"], attributes["http.response.status_code"]) == ("server", 500)
    counts = {metric.name: _points(metric) for metric in _metrics(reader)}
    assert counts["gen_ai.client.operation.duration"] == sent
    assert counts["gen_ai.client.token.usage"] == 2 * (sent - len(failed))


def _metrics(reader: InMemoryMetricReader) -> list[Any]:
    data: Any = reader.get_metrics_data()
    return [
        metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def _points(metric: Any) -> int:
    return sum(point.count for point in metric.data.data_points)
