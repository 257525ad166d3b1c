"""With ``output=``, a program gets the promises of a run: recorded first, never sent twice, resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace import Attempt, Job, Result, RunRefused, StorageFailed, fan_out, open_runner
from headrace.simulator import Profile, RequestLog, Simulator

from .conftest import Loop
from .jobs import params, received, simulator


def lines(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def ids_so_far(path: Path) -> set[str]:
    """The ids of the complete lines, while another thread may be in the middle of a write."""
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return {msgspec.json.decode(line)["custom_id"] for line in whole.splitlines()}


def test_a_result_that_is_handed_out_is_in_the_file(loop: Loop, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    async def main() -> None:
        jobs = [Job(params(n), id=f"job-{n}") for n in range(50)]
        async with open_runner(output=output, simulate=simulator()) as runner, runner.map(jobs) as results:
            async for result in results:
                assert result.job.id in ids_so_far(output)

    loop(main)

    assert len(lines(output)) == 50


def test_attempts_at_a_job_without_an_id_say_so_whether_they_fail_or_succeed(
    loop: Loop, tmp_path: Path
) -> None:
    """Its record has an id derived from its content, which the caller never gave."""
    attempts: list[Attempt] = []

    async def main() -> None:
        await fan_out(
            [params(n) for n in range(20)],
            output=tmp_path / "out.jsonl",
            simulate=simulator(f500=0.4),
            on_attempt=attempts.append,
        )

    loop(main)

    assert {attempt.failure for attempt in attempts} == {None, "server"}
    assert {attempt.job_id for attempt in attempts} == {""}


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_what_is_recorded_comes_from_the_file_and_is_not_sent_again(
    loop: Loop, tmp_path: Path, dialect: Any
) -> None:
    """Break in the middle, run again: every job has its result, and none is in the file twice."""
    output = tmp_path / "out.jsonl"
    jobs = [Job(params(n), id=f"job-{n}", context=n) for n in range(60)]

    async def first() -> None:
        settings: Any = {"output": output, "dialect": dialect, "simulate": simulator(), "concurrency": 2}
        async with open_runner(**settings) as runner, runner.map(jobs) as results:
            async for result in results:
                if result.position >= 30:
                    break

    loop(first)
    before = lines(output)
    again = simulator()

    async def second() -> list[Result[int]]:
        return await fan_out(jobs, output=output, dialect=dialect, simulate=again)

    results = loop(second)

    assert [result.job.context for result in results] == list(range(60))
    assert all(result.error is None and result.text and result.usage.output == 4 for result in results)
    assert {result.job.id for result in results if result.recorded} == {r["custom_id"] for r in before}
    assert received(again) == 60 - len(before)
    assert len({record["custom_id"] for record in lines(output)}) == len(lines(output)) == 60


def test_jobs_without_ids_are_recognized_by_their_content(loop: Loop, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    jobs = [params(0), params(0), params(1)]

    async def run() -> list[bool]:
        return [result.recorded for result in await fan_out(jobs, output=output, simulate=simulator())]

    assert loop(run) == [False] * 3
    assert loop(run) == [True] * 3


def test_a_permanent_failure_comes_from_the_error_file(loop: Loop, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    api = Simulator(Profile(known_models=("other",), ttft=0), log=RequestLog(keep=False))

    async def run() -> list[Any]:
        results = await fan_out([params(0), params(1)], output=output, simulate=api)
        return [
            (r.recorded, r.error.kind, r.error.status, "model" in str(r.error)) for r in results if r.error
        ]

    assert loop(run) == [(False, "rejected", 404, True)] * 2
    assert [(kind, model) for _, kind, _, model in loop(run)] == [("rejected", True)] * 2
    assert api.log.statuses[404] == 2


def test_another_recipe_is_refused_before_anything_is_sent(loop: Loop, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    async def run(model: str) -> None:
        await fan_out([params(0)], output=output, model=model, simulate=simulator())

    loop(run, "one")

    with pytest.raises(RunRefused, match="model"):
        loop(run, "two")


def test_an_output_that_is_in_use_is_refused(loop: Loop, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    async def main() -> None:
        holder = open_runner(output=output, simulate=simulator())
        async with holder, open_runner(output=output, simulate=simulator()):
            pass

    with pytest.raises(RunRefused, match="in use by process"):
        loop(main)


def test_a_full_disk_is_an_exception(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, data: bytes) -> None:
        raise StorageFailed("No space left on device")

    async def main() -> None:
        await fan_out([params(0)], output=tmp_path / "out.jsonl", simulate=simulator())

    monkeypatch.setattr("headrace.output.opened_output.OpenedOutput.append_results", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(StorageFailed, match="No space left"):
        loop(main)


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[set[str]]]:
    """The ids that were in the output at the start of each of its syncs."""
    output, found, fsync = tmp_path / "out.jsonl", list[set[str]](), os.fsync

    def watched(descriptor: int) -> None:
        if output.exists() and os.path.sameopenfile(descriptor, opened.fileno()):
            found.append(ids_so_far(output))
        fsync(descriptor)

    with output.open("ab") as opened:
        monkeypatch.setattr(os, "fsync", watched)
        yield found


def test_with_fsync_a_result_that_is_handed_out_survives_a_power_failure(
    loop: Loop, tmp_path: Path, synced: list[set[str]]
) -> None:
    async def main() -> None:
        settings: Any = {"output": tmp_path / "out.jsonl", "simulate": simulator(), "durability": "fsync"}
        jobs = [Job(params(n), id=f"job-{n}") for n in range(50)]
        async with open_runner(**settings) as runner, runner.map(jobs) as results:
            async for result in results:
                assert result.job.id in synced[-1]

    loop(main)


@pytest.mark.parametrize(("durability", "times"), [("none", 0), ("flush", 1)])
def test_flush_syncs_when_the_runner_closes_and_none_never(
    loop: Loop, tmp_path: Path, synced: list[set[str]], durability: Any, times: int
) -> None:
    async def main() -> None:
        jobs = [Job(params(n), id=f"job-{n}") for n in range(50)]
        await fan_out(jobs, output=tmp_path / "out.jsonl", simulate=simulator(), durability=durability)

    loop(main)

    assert [len(ids) for ids in synced] == [50] * times


def test_a_sync_that_fails_hands_out_nothing_and_is_an_exception(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P10."""

    def failing(self: object) -> None:
        raise StorageFailed("Input/output error")

    async def main() -> None:
        settings: Any = {"output": tmp_path / "out.jsonl", "simulate": simulator(), "durability": "fsync"}
        async with open_runner(**settings) as runner:
            await runner.call(params(0))
            pytest.fail("a result was handed out")

    monkeypatch.setattr("headrace.output.opened_output.OpenedOutput.sync", failing)
    with pytest.raises(StorageFailed, match="Input/output error"):
        loop(main)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"durability": "always", "output": "out.jsonl"}, "one of none, flush, fsync"),
        ({"durability": "fsync"}, "name one with output"),
    ],
)
def test_an_invalid_durability_is_refused(settings: Any, problem: str) -> None:
    with pytest.raises(RunRefused, match=problem):
        open_runner(simulate=True, **settings)
