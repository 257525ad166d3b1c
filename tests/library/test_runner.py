"""The runner does the same on all three loops."""

from __future__ import annotations

import contextvars
import json
import math
import re
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from headrace import Attempt, Job, JobFailed, Result, open_runner
from headrace.actors.statistics import Snapshot
from headrace.library._settings import MIN_WINDOW, RunnerOptions
from headrace.simulator import BucketLimit, Profile, ProviderLimits, RequestLog, Simulator

from .conftest import Loop
from .jobs import params, received, settled, simulator

caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller")

JOBS = 3 * MIN_WINDOW
"""More than may be alive at any time."""


def test_each_of_thousands_of_jobs_has_one_result_and_memory_stays_flat(loop: Loop) -> None:
    alive = most_alive = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def jobs() -> Iterator[Job[int]]:
        nonlocal alive
        for n in range(JOBS):
            job = Job(params(n), context=n)
            weakref.finalize(job, gone)
            alive += 1
            yield job

    async def main() -> list[int]:
        nonlocal most_alive
        seen: list[int] = []
        async with open_runner(concurrency=64, simulate=simulator()) as runner, runner.map(jobs()) as results:
            async for result in results:
                assert result.error is None
                seen.append(result.job.context)
                most_alive = max(most_alive, alive)
        return seen

    assert sorted(loop(main)) == list(range(JOBS))
    assert most_alive <= 2 * MIN_WINDOW  # the window, and batches that are between the loops


def test_a_result_has_everything_about_its_job(loop: Loop) -> None:
    async def main() -> Any:
        async with open_runner(concurrency=1, simulate=simulator()) as runner:
            return await runner.call(params(7), id="seven")

    result = loop(main)

    assert result.job == Job(params(7), id="seven")
    assert result.unwrap()["type"] == "message"
    assert result.text == "".join(block["text"] for block in result.message["content"])
    assert (result.attempts, result.usage.output, result.error) == (1, 4, None)
    assert result.latency >= 0
    assert result.request_id.startswith("req_")


def test_a_result_has_the_unconfirmed_usage_of_its_job(loop: Loop) -> None:
    async def main() -> tuple[Result[Any], Snapshot]:
        async with open_runner(simulate=simulator(hang=1.0), timeout=0.05, max_attempts=2) as runner:
            return await runner.call(params(0)), runner.statistics()

    result, statistics = loop(main)
    one = math.ceil(len(json.dumps(params(0), separators=(",", ":"))) / 4) + 4

    assert (result.maybe_billed, result.maybe_billed_tokens) == (2, (0, 2 * one))
    assert (statistics.maybe_billed, statistics.maybe_billed_tokens) == (2, (0, 2 * one))


def test_leaving_a_map_early_stops_what_is_left_of_it(loop: Loop) -> None:
    """Break after 10 results: nothing of the map keeps running, and the runner stays usable."""
    api = simulator(ttft=0.2)  # much longer than the runner needs to learn of it, even on a busy machine
    taken: list[int] = []

    def jobs() -> Iterator[dict[str, Any]]:
        for n in range(10_000):
            taken.append(n)
            yield params(n)

    async def main() -> tuple[int, int]:
        async with open_runner(concurrency=8, simulate=api) as runner:
            read = 0
            async with runner.map(jobs()) as results:
                async for _ in results:
                    read += 1
                    if read == 10:
                        break
            sent = await settled(api)
            assert (await runner.call(params(0))).error is None
            return read, sent

    read, sent = loop(main)

    assert read == 10
    assert sent <= 10 + 3 * 8
    assert len(taken) <= 1024 + 10


def test_what_the_iterable_raises_is_raised_after_the_results_before_it(loop: Loop) -> None:
    def jobs() -> Iterator[dict[str, Any]]:
        yield from (params(n) for n in range(100))
        raise LookupError("no more rows")

    read: Counter[bool] = Counter()

    async def main() -> None:
        async with open_runner(simulate=simulator()) as runner, runner.map(jobs()) as results:
            async for result in results:
                read[result.error is None] += 1

    with pytest.raises(LookupError, match="no more rows"):
        loop(main)
    assert read == {True: 100}


def test_params_that_are_not_a_request_are_a_failure_of_that_job(loop: Loop) -> None:
    async def main() -> list[Any]:
        async with (
            open_runner(simulate=simulator()) as runner,
            runner.map([{"max_tokens": 1}, params(1)]) as results,
        ):
            return [result async for result in results]

    bad, good = sorted(loop(main), key=lambda result: result.position)

    assert bad.error.kind == "bad_line"
    assert bad.message is bad.text is None
    assert good.error is None
    with pytest.raises(JobFailed, match="does not name a model"):
        bad.unwrap()


def test_what_a_callback_raises_ends_the_runner(loop: Loop) -> None:
    def refuse(attempt: Attempt) -> None:
        raise LookupError(f"attempt {attempt.attempt}")

    async def main() -> None:
        async with open_runner(simulate=simulator(), on_attempt=refuse) as runner:
            async with runner.map(params(n) for n in range(1000)) as results:
                async for _ in results:
                    pass
            await anyio.sleep_forever()

    with pytest.raises(LookupError, match="attempt 1"):
        loop(main)


def test_an_error_in_the_block_is_raised_without_a_group(loop: Loop) -> None:
    async def main() -> None:
        async with open_runner(simulate=simulator()) as runner, runner.map([params(0)]) as results:
            async for _ in results:
                raise LookupError

    with pytest.raises(LookupError):
        loop(main)


def test_cancellation_from_outside_ends_at_once(loop: Loop) -> None:
    """A hanging server does not delay it."""
    hanging = Simulator(Profile(faults={"hang": 1.0}), log=RequestLog(keep=False))

    async def main() -> bool:
        with anyio.move_on_after(0.05) as scope:
            async with open_runner(simulate=hanging) as runner, runner.map([params(0)]) as results:
                await anext(results)
        return scope.cancelled_caught

    assert loop(main)


def test_cancellation_during_opening_ends_at_once(loop: Loop) -> None:
    """However far the opening is: the block is left, and the thread ends."""

    async def main() -> int:
        cancelled = 0
        for step in range(12):
            with anyio.move_on_after(step * 0.001) as scope:
                async with open_runner(simulate=True):
                    await anyio.sleep_forever()
            cancelled += scope.cancelled_caught
        return cancelled

    assert loop(main) == 12


def test_a_call_that_is_cancelled_leaves_nothing_behind(loop: Loop) -> None:
    hanging = Simulator(Profile(faults={"hang": 1.0}), log=RequestLog(keep=False))

    async def main() -> int:
        async with open_runner(concurrency=1, simulate=hanging) as runner:
            with anyio.move_on_after(0.05):
                await runner.call(params(0))
            return runner.statistics().results

    assert loop(main) == 0


def test_a_map_within_a_map_does_not_starve(loop: Loop) -> None:
    """Even with one request in flight at a time, the inner map makes progress."""

    async def main() -> int:
        inner = 0
        jobs = [params(n) for n in range(20)]
        async with open_runner(concurrency=1, simulate=simulator()) as runner, runner.map(jobs) as outer:
            async for result in outer:
                async with runner.map(params(100 + k) for k in range(3)) as nested:
                    inner += len([r async for r in nested])
                assert result.error is None
        return inner

    assert loop(main) == 60


def test_two_runners_can_be_open_at_once(loop: Loop) -> None:
    async def main() -> list[int]:
        async with open_runner(simulate=simulator()) as one, open_runner(simulate=simulator()) as two:
            async with one.map(params(n) for n in range(50)) as first, two.map([params(0)] * 70) as second:
                counts = [len([r async for r in first]), len([r async for r in second])]
            assert [one.statistics().results, two.statistics().results] == counts
            return counts

    assert loop(main) == [50, 70]


def test_calls_and_maps_share_one_limit(loop: Loop) -> None:
    """Together they never exceed the concurrency."""
    strict = Simulator(Profile(ttft=0.005, concurrency=4), log=RequestLog(keep=False))

    async def main() -> tuple[int, int]:
        async with open_runner(concurrency=4, simulate=strict) as runner:
            async with anyio.create_task_group() as tasks:
                for n in range(10):
                    tasks.start_soon(runner.call, params(n))
                async with runner.map(params(100 + n) for n in range(50)) as results:
                    assert len([result async for result in results]) == 50
            return runner.statistics().results, runner.statistics().rate_limited

    assert loop(main) == (60, 0)


def test_an_async_iterable_is_read_on_the_callers_loop_in_the_callers_context(loop: Loop) -> None:
    seen: set[tuple[str, str, str]] = set()

    async def jobs() -> AsyncIterator[Job[int]]:
        for n in range(5):
            await anyio.lowlevel.checkpoint()
            seen.add(("iterable", caller.get(), threading.current_thread().name))
            yield Job(params(n), context=n)

    def watch(attempt: Attempt) -> None:
        seen.add(("callback", caller.get(), threading.current_thread().name))

    async def main() -> list[int]:
        caller.set("me")
        async with (
            open_runner(simulate=simulator(), on_attempt=watch) as runner,
            runner.map(jobs()) as results,
        ):
            return [result.job.context async for result in results]

    assert sorted(loop(main)) == [0, 1, 2, 3, 4]
    assert seen == {("iterable", "me", "MainThread"), ("callback", "me", "MainThread")}


def test_attempts_are_reported_with_the_wait_before_the_next(loop: Loop) -> None:
    attempts: list[Attempt] = []

    async def main() -> int:
        jobs = [Job(params(n), id=str(n)) for n in range(20)]
        settings = RunnerOptions(simulate=simulator(f500=0.5), on_attempt=attempts.append, max_attempts=2)
        async with open_runner(**settings) as runner, runner.map(jobs) as results:
            return sum([result.attempts async for result in results])

    sent = loop(main)

    assert len(attempts) == sent
    failed = [attempt for attempt in attempts if attempt.failure == "server"]
    assert failed
    assert all(attempt.status == 500 for attempt in failed)
    assert all((attempt.wait is None) == (attempt.attempt == 2) for attempt in failed)
    assert all(attempt.usage is not None for attempt in attempts if attempt.failure is None)


def test_a_refused_key_gives_every_job_an_error_and_the_next_map_tries_again(loop: Loop) -> None:
    schedule = ((0.1, Profile(ttft=0.0)),)
    api = Simulator(Profile(reject_keys=True), schedule=schedule, log=RequestLog(keep=False))

    async def main() -> tuple[set[str], bool]:
        async with open_runner(simulate=api) as runner:
            async with runner.map(params(n) for n in range(3000)) as results:
                kinds = [result.error.kind async for result in results if result.error is not None]
            assert len(kinds) == 3000
            await anyio.sleep(0.15)
            return set(kinds), (await runner.call(params(0))).error is None

    assert loop(main) == ({"stopped"}, True)
    assert received(api) < 1000


def test_a_caller_whose_job_would_wait_for_too_long_gets_an_error_at_once(loop: Loop) -> None:
    """P18: it names the model and the wait, and comes long before ``max_wait``. Later calls try again."""
    slow = ProviderLimits(requests=BucketLimit(per_minute=0.01, burst=1))
    api = Simulator(Profile(limits=slow, ttft=0.0), log=RequestLog(keep=False))

    async def main() -> list[str]:
        async with open_runner(simulate=api) as runner:
            results = [await runner.call(params(number)) for number in range(3)]
        return [str(result.error) for result in results]

    first, *others = loop(main)

    assert first == "None"
    for error in others:
        assert re.search(r"has to wait another \d,\d{3} s, longer than --max-wait allows \(600 s\)", error)


def test_tasks_that_wait_when_the_runner_closes_get_an_error(loop: Loop) -> None:
    hanging = Simulator(Profile(faults={"hang": 1.0}), log=RequestLog(keep=False))
    errors: list[str] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            async with open_runner(simulate=hanging) as runner:

                async def wait() -> None:
                    result = await runner.call(params(0))
                    errors.append(str(result.error))

                tasks.start_soon(wait)
                await anyio.sleep(0.05)
            late = await runner.call(params(1))
            errors.append(str(late.error))

    loop(main)

    assert errors == ["the runner was closed before this job had a result"] * 2


def test_a_slow_reader_slows_the_iterable(loop: Loop) -> None:
    taken = 0

    def jobs() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for n in range(5000):
            taken += 1
            yield params(n)

    async def main() -> int:
        async with open_runner(concurrency=8, simulate=simulator()) as runner, runner.map(jobs()) as results:
            await anext(results)
            await anyio.sleep(0.3)
            return taken

    assert loop(main) <= 1024 + 1
