"""OpenTelemetry for a runner: a span and two metrics for each attempt.

Names and units follow the OpenTelemetry semantic conventions for generative AI clients: spans named
``chat {model}``, ``gen_ai.client.operation.duration`` in seconds, ``gen_ai.client.token.usage`` in tokens.
It needs the package opentelemetry-api. The program's OpenTelemetry SDK decides where the data goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider

from headrace.job import Attempt
from headrace_client import __version__

_NAME: Final = "headrace"
_NS_PER_SECOND: Final = 1_000_000_000

Attributes = dict[str, str | int]


def telemetry(
    *,
    provider_name: str = "anthropic",
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    clock_ns: Callable[[], int] = time.time_ns,
) -> Callable[[Attempt], None]:
    """Return a callback for the argument ``on_attempt`` of `open_runner`.

    ``provider_name``: the value of ``gen_ai.provider.name``, such as ``openai``. ``tracer_provider``,
    ``meter_provider``: by default the global ones. ``clock_ns``: returns nanoseconds since the epoch.
    """
    tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
    meter = metrics.get_meter(_NAME, __version__, meter_provider)
    duration = meter.create_histogram("gen_ai.client.operation.duration", "s", "Duration of an attempt")
    tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of an attempt")

    def record(attempt: Attempt) -> None:
        common = _common(attempt, provider_name)
        end = clock_ns()
        span = tracer.start_span(
            f"chat {attempt.model}",
            kind=SpanKind.CLIENT,
            attributes={**common, **_details(attempt)},
            start_time=end - int((attempt.latency or 0.0) * _NS_PER_SECOND),
        )
        if attempt.failure is not None:
            span.set_status(Status(StatusCode.ERROR, attempt.failure))
        span.end(end)
        if attempt.latency is not None:
            duration.record(attempt.latency, common)
        if attempt.usage is not None:
            if attempt.usage.input is not None:
                tokens.record(attempt.usage.input, {**common, "gen_ai.token.type": "input"})
            if attempt.usage.output is not None:
                tokens.record(attempt.usage.output, {**common, "gen_ai.token.type": "output"})

    return record


def _common(attempt: Attempt, provider_name: str) -> Attributes:
    """Return the attributes of spans and metrics alike. They have few distinct values, as metrics require."""
    common: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider_name,
        "gen_ai.request.model": attempt.model,
    }
    if attempt.failure is not None:
        common["error.type"] = attempt.failure
    return common


def _details(attempt: Attempt) -> Attributes:
    """Return the attributes of spans only."""
    details: Attributes = {"headrace.job.id": attempt.job_id, "headrace.attempt": attempt.attempt}
    if attempt.status is not None:
        details["http.response.status_code"] = attempt.status
    if attempt.request_id is not None:
        details["headrace.request_id"] = attempt.request_id
    if attempt.usage is not None and attempt.usage.input is not None:
        details["gen_ai.usage.input_tokens"] = attempt.usage.input
    if attempt.usage is not None and attempt.usage.output is not None:
        details["gen_ai.usage.output_tokens"] = attempt.usage.output
    return details
