"""``--durability`` and ``--ordered``: what counts as done when, and the copy in the order of the input."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from headrace.output.paths import output_paths
from headrace.policy.options import Durability
from headrace.policy.stop import ExitCode
from tests.runner.disk import SimulatedDisk, io_error
from tests.runner.program import INPUT, OUTPUT, Shown, ids, jobs, new_disk, run, simulator

pytestmark = pytest.mark.trio
ORDERED = output_paths(OUTPUT).ordered


@attrs.define
class WatchedDisk(SimulatedDisk):
    """Remembers how many records were synced, and when."""

    syncs: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    failing_from: int = 10_000
    """The sync of OUTPUT that fails first, from 0."""

    def sync(self, path: Path) -> None:
        if path == OUTPUT:
            if len(self.syncs) >= self.failing_from:
                raise io_error()
            self.syncs.append((trio.current_time(), self.content(OUTPUT).count(b"\n")))
        super().sync(path)


def watched(count: int, failing_from: int = 10_000) -> WatchedDisk:
    disk = WatchedDisk(failing_from=failing_from)
    disk.put(INPUT, jobs(count))
    return disk


async def test_with_fsync_nothing_counts_as_done_that_was_not_synced(autojump_clock: MockClock) -> None:
    disk, shown = watched(300), Shown()
    began = trio.current_time()
    summary = await run(disk, simulator(), durability="fsync", shown=shown)

    assert (summary.exit_code, summary.results) == (0, 300)
    assert len(disk.syncs) > 10
    assert shown.snapshots
    for snapshot in shown.snapshots:
        now = began + snapshot.elapsed_s
        assert snapshot.results <= max((count for at, count in disk.syncs if at <= now), default=0)


async def test_with_fsync_what_was_counted_survives_a_power_failure_at_any_time(
    autojump_clock: MockClock,
) -> None:
    """P2."""
    for tenth in range(2, 20):
        disk, shown = watched(200), Shown()
        with trio.move_on_after(tenth / 10):
            await run(disk, simulator(), durability="fsync", shown=shown)
        synced = disk.platters.files[OUTPUT].synced or b""

        assert synced.count(b"\n") >= (shown.snapshots[-1].results if shown.snapshots else 0)


@pytest.mark.parametrize(("durability", "syncs"), [("none", 0), ("flush", 1)])
async def test_flush_syncs_once_at_the_end_and_none_never(
    durability: Durability, syncs: int, autojump_clock: MockClock
) -> None:
    disk = watched(50)
    await run(disk, simulator(), durability=durability)

    assert [count for _, count in disk.syncs] == [50] * syncs


@pytest.mark.parametrize("durability", ["flush", "fsync"])
@pytest.mark.parametrize("failing_from", [0, 3])
async def test_a_failed_sync_ends_the_run_and_the_same_command_completes_it(
    durability: Durability, failing_from: int, autojump_clock: MockClock
) -> None:
    """P10."""
    disk = watched(100, 0 if durability == "flush" else failing_from)
    summary = await run(disk, simulator(), durability=durability)

    assert summary.exit_code == ExitCode.STORAGE
    assert "cannot flush" in (summary.reason.message if summary.reason else "")
    assert summary.results + summary.failed + summary.not_started == summary.input == 100
    if durability == "fsync":
        assert summary.results == (disk.syncs[-1][1] if disk.syncs else 0)

    rest = SimulatedDisk(disk.platters)
    disk.close()
    assert (await run(rest, simulator(), durability=durability)).exit_code == 0
    assert len(ids(rest)) == len(set(ids(rest))) == 100


async def test_the_ordered_copy_holds_the_records_in_the_order_of_the_input(
    autojump_clock: MockClock,
) -> None:
    """P5: also when the input was reordered between two runs."""
    disk = new_disk(jobs(60))
    first = await run(disk, simulator(), ordered=True)
    assert ids(disk, ORDERED) == [f"job-{n}" for n in range(60)] != ids(disk)
    assert str(ORDERED) in " ".join(first.notices)

    disk.close()
    journal = disk.content(OUTPUT)
    disk.put(INPUT, b"".join(reversed(jobs(60).splitlines(keepends=True))))
    await run(disk, simulator(), ordered=True)

    assert ids(disk, ORDERED) == [f"job-{n}" for n in reversed(range(60))]
    assert disk.content(OUTPUT) == journal
    assert sorted(disk.content(ORDERED).splitlines()) == sorted(journal.splitlines())


async def test_no_ordered_copy_is_made_of_an_output_that_is_not_complete(autojump_clock: MockClock) -> None:
    disk = new_disk(jobs(60))
    await run(disk, simulator(spend_cap=10), ordered=True)

    assert ORDERED not in disk.platters.files
