"""P20: the wall clock may jump in the middle of a run; all that waits, waits by the event loop's clock."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from headrace.actors.messages import Stop
from headrace.policy.stop import ExitCode
from headrace.simulator import BucketLimit, ProviderLimits, Simulator
from tests.runner.program import (
    ERRORS,
    INTERRUPT,
    OUTPUT,
    ids,
    jobs,
    new_disk,
    records,
    requests,
    run,
    simulator,
)

pytestmark = pytest.mark.trio
HOUR, YEAR = 3_600.0, 3.2e7

STEPS = pytest.mark.parametrize(
    "steps",
    [
        [(2.0, HOUR)],
        [(2.0, -HOUR)],
        [(1.0, YEAR), (4.0, -2 * YEAR)],
        [(tenth / 5, (-1) ** tenth * 90.0) for tenth in range(60)],
    ],
    ids=["forwards", "backwards", "a year to and fro", "all the time"],
)
Steps = list[tuple[float, float]]


def limited() -> Simulator:
    """600 requests a minute, of which 20 may come at once; its headers name dates."""
    return simulator(limits=ProviderLimits(requests=BucketLimit(per_minute=600, burst=20)), ttft=0.05)


@STEPS
async def test_pacing_goes_on_as_if_nothing_had_happened(steps: Steps, autojump_clock: MockClock) -> None:
    undisturbed = await run(new_disk(jobs(150)), limited())
    disk = new_disk(jobs(150))

    summary = await run(disk, limited(), clock_steps=steps)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 150)
    assert sorted(ids(disk)) == sorted(f"job-{number}" for number in range(150))
    assert summary.run.elapsed_s == pytest.approx(undisturbed.run.elapsed_s, rel=0.1)
    assert summary.run.rate_limited <= undisturbed.run.rate_limited + 3


@STEPS
async def test_deadlines_and_the_times_in_records_are_not_touched(
    steps: Steps, autojump_clock: MockClock
) -> None:
    disk = new_disk(jobs(30))

    summary = await run(
        disk, simulator(faults={"hang": 0.3}), clock_steps=steps, timeout=5.0, max_attempts=2, seed=3
    )

    assert summary.results + summary.failed == 30
    assert summary.run.elapsed_s < 40
    for record in [*records(disk), *records(disk, ERRORS)]:
        note = record["headrace"]
        assert 0 <= note["queued_s"] < 40
        assert 0 <= note.get("latency_s", 0) <= 5
    assert records(disk)


@STEPS
async def test_the_grace_after_a_signal_is_as_long_as_it_was(steps: Steps, autojump_clock: MockClock) -> None:
    began = trio.current_time()

    summary = await run(
        new_disk(jobs(30)),
        simulator(faults={"hang": 1.0}),
        clock_steps=steps,
        stops=[(1.5, Stop(INTERRUPT))],
        grace=2.0,
    )

    assert summary.exit_code == ExitCode.INTERRUPTED
    assert trio.current_time() - began == pytest.approx(3.5, abs=0.1)


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR])
async def test_a_run_that_was_cut_off_is_taken_up_by_another_clock(
    step: float, autojump_clock: MockClock
) -> None:
    """The pacing levels in the sidecar carry a date of the clock that was."""
    disk, server = new_disk(jobs(120)), limited()
    first = await run(disk, server, stops=[(3.0, Stop(INTERRUPT))])
    disk.close()

    second = await run(disk, server, clock_steps=[(0.0, step)])

    assert 0 < first.results < 120
    assert (second.exit_code, second.results, second.done_before) == (0, 120, first.results)
    assert len(set(ids(disk, OUTPUT))) == 120
    assert requests(server) == 120 + first.run.rate_limited + second.run.rate_limited
    assert second.run.elapsed_s < 15
