"""What ``-v`` and ``-vv`` log about attempts, and what a standstill says about its cause."""

from __future__ import annotations

import logging

import pytest
from trio.testing import MockClock

from headrace.policy.stop import ExitCode
from tests.runner.program import jobs, new_disk, run, simulator

pytestmark = pytest.mark.trio


async def test_failed_attempts_are_logged_with_their_cause(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "headrace")
    disk, server = new_disk(jobs(40)), simulator(faults={"500": 0.3})

    summary = await run(disk, server)

    failed = [message for message in caplog.messages if message.startswith("job job-")]
    assert summary.run.attempts > summary.results
    assert len(failed) == summary.run.attempts - summary.results
    assert all("failed: 500 api_error: Internal server error; " in message for message in failed)
    assert len(caplog.messages) == len(failed)


async def test_successful_attempts_are_logged_for_debugging(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "headrace")
    disk, server = new_disk(jobs(12)), simulator()

    await run(disk, server)

    lines = sorted(message.partition(":")[0] for message in caplog.messages)
    assert lines == sorted(f"line {number}" for number in range(1, 13))
    assert all("attempt 1 succeeded after" in message for message in caplog.messages)


async def test_nothing_is_logged_by_default(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "headrace")
    disk, server = new_disk(jobs(12)), simulator(faults={"500": 0.3})

    await run(disk, server)

    assert caplog.messages == []


async def test_a_standstill_says_what_the_server_said_last(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(10)), simulator(faults={"529": 1.0})

    summary = await run(disk, server, max_wait=60.0)

    assert summary.reason is not None
    assert summary.exit_code == ExitCode.STOPPED
    assert summary.reason.message.startswith("529 overloaded_error: Overloaded: no result for ")
