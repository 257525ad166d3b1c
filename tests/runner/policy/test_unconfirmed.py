"""Unconfirmed usage: the range of tokens that attempts without a response may have used (P3)."""

from __future__ import annotations

import attrs
import pytest

from headrace.actors.statistics import Histogram, Latency, Snapshot
from headrace.job import JobRequest, TokenRange, Usage
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage, attempt_usage, recorded_usage
from headrace.run.summary import as_builtins, as_text, summarize
from tests.runner.program import ERRORS, OUTPUT


def request(size: int, max_tokens: int | None) -> JobRequest:
    body = b"x" * size
    return JobRequest(path="/", body=body, model="m", max_tokens=max_tokens, stream=False)


def test_an_attempt_uses_at_most_its_input_and_all_the_output_that_it_allows() -> None:
    assert attempt_usage(request(401, 50)) == UnconfirmedUsage(1, 101 + 50)


def test_without_a_limit_on_the_output_the_range_has_no_end() -> None:
    unbounded = attempt_usage(request(400, None))

    assert unbounded.tokens == (0, None)
    assert attempt_usage(request(400, 50)).plus(unbounded) == UnconfirmedUsage(2, None)
    assert unbounded.plus(NO_UNCONFIRMED_USAGE).tokens == (0, None)


def test_without_such_attempts_there_is_no_range() -> None:
    assert NO_UNCONFIRMED_USAGE.tokens is None
    assert NO_UNCONFIRMED_USAGE.plus(UnconfirmedUsage(1, 7)) == UnconfirmedUsage(1, 7)


@pytest.mark.parametrize(
    ("attempts", "tokens", "expected"),
    [
        (0, None, NO_UNCONFIRMED_USAGE),
        (2, (0, 30), UnconfirmedUsage(2, 30)),
        (2, (0, None), UnconfirmedUsage(2, None)),
    ],
)
def test_a_record_is_read_back_as_it_was_written(
    attempts: int, tokens: TokenRange | None, expected: UnconfirmedUsage
) -> None:
    assert recorded_usage(attempts, tokens) == expected


def test_a_record_without_a_range_leaves_its_end_open() -> None:
    assert recorded_usage(2, None) == UnconfirmedUsage(2, None)


@pytest.mark.parametrize(
    ("attempts", "tokens", "line"),
    [
        (0, (0, 0), "maybe billed 0\n"),
        (3, (0, 12_345), "maybe billed 3 (0 to 12,345 tokens)\n"),
        (3, (0, None), "maybe billed 3 (0 tokens or more)\n"),
    ],
)
def test_the_summary_shows_the_range(attempts: int, tokens: TokenRange, line: str) -> None:
    text = as_text(
        summarize(
            input=0,
            done_before=0,
            failed_before=0,
            run=attrs.evolve(SNAPSHOT, maybe_billed=attempts, maybe_billed_tokens=tokens),
            reasons=[],
            output=OUTPUT,
            errors=ERRORS,
        )
    )

    assert line in text


def test_the_summary_in_json_has_the_range() -> None:
    run = attrs.evolve(SNAPSHOT, maybe_billed=1, maybe_billed_tokens=(0, None))
    summary = summarize(
        input=0, done_before=0, failed_before=0, run=run, reasons=[], output=OUTPUT, errors=ERRORS
    )

    counts = as_builtins(summary)["run"]

    assert isinstance(counts, dict)
    assert (counts["maybe_billed"], counts["maybe_billed_tokens"]) == (1, (0, None))


SNAPSHOT = Snapshot(
    elapsed_s=1.0,
    results=0,
    failed=0,
    in_flight=0,
    waiting=0,
    attempts=0,
    rate_limited=0,
    maybe_billed=0,
    usage=Usage(),
    truncated=0,
    refusals=0,
    latency=Latency.of(Histogram()),
    ttft=Latency.of(Histogram()),
    failures={},
    retries={},
)
