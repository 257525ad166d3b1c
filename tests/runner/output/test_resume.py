"""Opening an output on a simulated disk: what is done, repaired and refused (P1, P3, P4, P6, P7, P8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from headrace._exceptions import RunRefused, StorageFailed
from headrace.dialects import make_dialect
from headrace.output.opened_output import Counts
from headrace.output.paths import output_paths
from headrace.policy.options import RequestOptions
from tests.runner.disk import SimulatedDisk, disk_full
from tests.runner.output.story import ERRORS, OUT, RECIPE, SIDECAR, Story, job_line, story


def test_the_files_of_an_output_are_next_to_it() -> None:
    paths = output_paths(Path("there/out.jsonl"))

    assert (paths.errors, paths.sidecar) == (Path("there/out.errors.jsonl"), Path("there/out.jsonl.headrace"))
    assert output_paths(Path("results")).errors == Path("results.errors")


@pytest.mark.parametrize("piped", [False, True])
def test_a_second_run_sends_what_the_first_did_not(piped: bool) -> None:
    run = story("a", "b", "c", piped=piped)
    assert run.send(run.open(), most=2) == ["a", "b"]
    run.next_run()
    output = run.open()

    assert output.counts == Counts(done=2, failed=0, to_send=None if piped else 1)
    assert run.send(output) == ["c"]
    assert output.notices == []


@pytest.mark.parametrize("piped", [False, True])
def test_an_input_may_grow_shrink_and_change_its_order(piped: bool) -> None:
    run = story("a", "b", "c", piped=piped)
    run.send(run.open())
    run.next_run()
    run.lines = [job_line(job_id) for job_id in ("d", "c", "a")]
    output = run.open()

    assert run.send(output) == ["d"]
    assert list(output.notices) == (
        [] if piped else ["1 records in out.jsonl belong to no line of this input"]
    )


@pytest.mark.parametrize("piped", [False, True])
def test_lines_without_ids_are_recognized_by_content(piped: bool) -> None:
    run = Story(lines=[b'{"q":"x"}\n', b'{"q":"y"}\n', b'{"q":"x"}\n'], piped=piped)
    run.dialect = make_dialect("rows", RequestOptions(prompt="{q}", model="m"))
    first = run.send(run.open(), most=2)
    run.next_run()
    run.lines = [b'{"q":"x"}\n', b'{"q":"z"}\n', b'{"q":"x"}\n', b'{"q":"y"}\n']
    second = run.send(run.open())

    assert [job_id[-2:] for job_id in first] == ["-0", "-0"]
    assert [job_id[-2:] for job_id in second] == ["-0", "-1"]
    assert len(set(run.ids())) == 4


def changed_line(run: Story) -> None:
    run.lines = [job_line("a"), job_line("b", "other"), *run.lines[2:]]


def changed_prompt(run: Story) -> None:
    run.recipe = {**RECIPE, "prompt": "Q: {q}"}


def no_longer_simulated(run: Story) -> None:
    run.recipe = {**RECIPE, "simulated": True}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed_line, r"the lines of 1 finished jobs changed \('b'\)"),
        (changed_prompt, r'--prompt changed: was "{q}", now "Q: {q}" \(2 finished jobs\)'),
        (no_longer_simulated, "its answers were real, this run's are simulated"),
    ],
)
def test_a_change_is_refused_and_named(change: Callable[[Story], None], message: str) -> None:
    """P7: nothing is touched."""
    run = story("a", "b", "c")
    run.send(run.open(), most=2)
    run.disk.put(OUT, run.disk.content(OUT) + b'{"torn')
    run.next_run()
    change(run)
    before = run.snapshot()
    with pytest.raises(RunRefused, match=message):
        run.open()

    assert run.snapshot() == before


@pytest.mark.parametrize("change", [changed_line, changed_prompt])
def test_changed_jobs_can_be_sent_again(change: Callable[[Story], None]) -> None:
    """P7: the old records are moved aside; never two records of one id."""
    run = story("a", "b", "c")
    run.send(run.open(), most=2)
    old = run.disk.content(OUT)
    run.next_run()
    change(run)
    output = run.open(on_change="rerun")
    superseded = run.disk.content(Path("out.jsonl.superseded"))

    assert "b" in run.send(output)
    assert sorted(map(str, run.ids())) == ["a", "b", "c"]
    assert superseded
    assert set(superseded.splitlines()) <= set(old.splitlines())
    assert "sent again" in output.notices[0]
    run.next_run()
    assert run.open().counts == Counts(done=3, failed=0, to_send=0)


@pytest.mark.parametrize("change", [changed_line, changed_prompt])
def test_changed_jobs_can_count_as_done(change: Callable[[Story], None]) -> None:
    run = story("a", "b", "c")
    run.send(run.open(), most=2)
    run.next_run()
    change(run)
    output = run.open(on_change="skip")

    assert run.send(output) == ["c"]
    assert "count as done" in output.notices[0]


def test_the_recipes_that_made_records_stay_known() -> None:
    """A change can still be named when the records were made with two recipes."""
    run = story("a", "b")
    run.send(run.open(), most=1)
    run.next_run()
    changed_prompt(run)
    run.send(run.open(on_change="skip"))
    run.next_run()
    with pytest.raises(RunRefused, match=r'--prompt changed: was "{q}", now "Q: {q}" \(1 finished'):
        run.open()


def test_records_of_another_input_are_refused() -> None:
    run = story("a", "b")
    run.send(run.open())
    run.next_run()
    run.lines = [job_line("x")]
    with pytest.raises(RunRefused, match=r"none of the 2 records in out\.jsonl belongs to this input"):
        run.open()


@pytest.mark.parametrize(
    "content", [b"# Notes\n", b"hello", b'{"not":"a record"}\n', b"[1]\n", b"\0ftyp\nmp4\0"]
)
def test_any_other_file_is_refused_untouched(content: bytes) -> None:
    run = story("a")
    run.disk.put(OUT, content)
    with pytest.raises(
        RunRefused, match=r"out\.jsonl is not an output of headrace|none of the 1 records in out\.jsonl"
    ):
        run.open()

    assert run.disk.content(OUT) == content


@pytest.mark.parametrize("piped", [False, True])
def test_records_of_other_programs_count_by_id(piped: bool) -> None:
    run = story("a", "b", piped=piped)
    run.disk.put(OUT, b'{"custom_id":"a","result":{"type":"succeeded"}}\n')

    assert run.send(run.open()) == ["b"]


def test_a_torn_tail_is_cut_and_kept() -> None:
    """P4."""
    run = story("a", "b")
    run.send(run.open(), most=1)
    whole = run.disk.content(OUT)
    run.disk.put(OUT, whole + b'{"custom_id":"b","res')
    run.next_run()
    output = run.open()
    kept = Path(f"out.jsonl.torn-{len(whole)}")

    assert run.disk.content(kept) == b'{"custom_id":"b","res'
    assert list(output.notices) == [f"cut a torn end of 21 bytes off out.jsonl; a copy is in {kept}"]
    assert run.send(output) == ["b"]
    assert run.ids() == ["a", "b"]


def test_a_record_that_lacks_only_its_line_feed_is_kept() -> None:
    """It was paid for."""
    run = story("a", "b", "c")
    run.send(run.open(), most=2)
    run.disk.put(OUT, run.disk.content(OUT)[:-1])
    run.next_run()

    assert run.send(run.open()) == ["c"]
    assert run.ids() == ["a", "b", "c"]


def test_a_record_that_lacks_only_its_line_feed_can_be_superseded() -> None:
    run = story("a", "b")
    run.send(run.open())
    run.disk.put(OUT, run.disk.content(OUT)[:-1])
    run.next_run()
    changed_line(run)

    assert run.send(run.open(on_change="rerun")) == ["b"]
    assert run.ids() == ["a", "b"]


def test_a_write_that_fails_after_a_missing_line_feed_leaves_it_there() -> None:
    run = story("a", "b")
    run.send(run.open(), most=1)
    whole = run.disk.content(OUT)
    run.disk.put(OUT, whole[:-1])
    run.next_run()
    output = run.open()
    run.disk.faults.update({run.disk.calls: 5, run.disk.calls + 1: disk_full()})
    with pytest.raises(StorageFailed):
        run.send(output)

    assert run.disk.content(OUT) == whole


def test_a_gap_is_removed_while_records_are_superseded() -> None:
    run = story("a", "b", "c")
    run.send(run.open())
    first, second, third = run.disk.content(OUT).splitlines(keepends=True)
    run.disk.put(OUT, first + second + bytes(3) + b"\n" + third)
    run.next_run()
    changed_line(run)
    run.open(on_change="rerun")

    assert run.disk.content(OUT) == first + third
    assert run.disk.content(Path("out.jsonl.superseded")) == second


def test_a_gap_is_removed_and_what_follows_it_kept() -> None:
    run = story("a", "b", "c")
    run.send(run.open())
    first, second, third = run.disk.content(OUT).splitlines(keepends=True)
    gap = second[:20] + bytes(len(second) - 30) + second[-10:]
    run.disk.put(OUT, first + gap + third)
    run.next_run()
    output = run.open()

    assert run.disk.content(OUT) == first + third
    assert run.disk.content(Path(f"out.jsonl.torn-{len(first)}")) == gap
    assert f"removed a gap that a crash left in out.jsonl at byte {len(first)}" in output.notices[0]
    assert run.send(output) == ["b"]


def test_damage_before_the_tail_stops_the_run() -> None:
    """P4: with the byte offset, and nothing is overwritten."""
    run = story("a", "b", "c")
    run.send(run.open())
    first, second, third = run.disk.content(OUT).splitlines(keepends=True)
    run.disk.put(OUT, first + b"x" + second + third + b'{"torn')
    run.next_run()
    before = run.snapshot()
    with pytest.raises(StorageFailed, match=rf"out\.jsonl is damaged at byte {len(first)}"):
        run.open()

    assert run.snapshot() == before


def test_a_second_process_is_refused_and_writes_nothing() -> None:
    """P8."""
    run = story("a", "b")
    output = run.open()
    run.send(output, most=1)
    everything = {path: file.cached for path, file in run.disk.platters.files.items()}
    other = attrs.evolve(run, disk=SimulatedDisk(run.disk.platters))
    with pytest.raises(RunRefused, match=r"out\.jsonl is in use by process \d+ on "):
        other.open()

    assert {path: file.cached for path, file in run.disk.platters.files.items()} == everything
    assert other.disk.calls == 0


def test_a_duplicate_from_a_pipe_becomes_an_error_record() -> None:
    """P6: never two records of one id."""
    run = story("a", "b", "a", piped=True)
    output = run.open()
    found = [decision for _, decision in run.decide_all(output)]

    assert [decision.id for decision in found] == ["a", "b", None]
    assert found[2].problem == "an earlier one has the same id 'a'"


def test_a_line_that_changed_in_a_pipe_becomes_an_error_record() -> None:
    run = story("a", "b", piped=True)
    run.send(run.open())
    run.next_run()
    run.lines = [job_line("a", "other"), job_line("b")]
    found = [decision for _, decision in run.decide_all(run.open())]

    assert (found[0].id, found[0].skip, found[1].skip) == (None, False, True)
    assert "another line" in str(found[0].problem)
    run.next_run()
    assert [decision.skip for _, decision in run.decide_all(run.open(on_change="skip"))] == [
        True,
        True,
    ]


def test_a_changed_prompt_is_refused_for_a_pipe_too() -> None:
    run = story("a", piped=True)
    run.send(run.open())
    run.next_run()
    changed_prompt(run)
    with pytest.raises(RunRefused, match="--prompt changed"):
        run.open()
    run.next_run()

    assert run.send(run.open(on_change="rerun")) == ["a"]
    assert run.ids() == ["a"]


def test_a_restart_moves_the_old_output_aside() -> None:
    run = story("a", "b")
    run.send(run.open(), failing={"b": "rejected"})
    old, old_errors = run.disk.content(OUT), run.disk.content(ERRORS)
    run.next_run()
    changed_prompt(run)
    output = run.open(restart="old")

    assert (run.disk.content(Path("out.jsonl.old")), run.disk.content(Path("out.errors.jsonl.old"))) == (
        old,
        old_errors,
    )
    assert output.counts == Counts(done=0, failed=0, to_send=2)
    run.next_run()
    with pytest.raises(RunRefused, match=r"out\.jsonl\.old already exists"):
        run.open(restart="old")


def test_pacing_levels_are_kept_for_the_next_run() -> None:
    run = story("a")
    run.open().save({"requests": 12.5}, 0.0)
    run.next_run()

    assert run.open().pacing == {"requests": 12.5}


def test_a_folder_is_not_an_output() -> None:
    run = story("a")
    run.disk.platters.directories.add(OUT)
    with pytest.raises(RunRefused, match=r"out\.jsonl is a directory: name a file"):
        run.open()


@pytest.mark.parametrize("path", [OUT, ERRORS, SIDECAR])
def test_nothing_is_written_through_a_symbolic_link(path: Path) -> None:
    """P25."""
    run = story("a")
    run.disk.platters.links.add(path)
    with pytest.raises(RunRefused, match=rf"{path} is a symbolic link"):
        run.open()


def test_a_disk_that_cannot_be_written_to_is_reported_before_anything_is_sent() -> None:
    """Wherever it fails first; the last call of opening is the empty append to the output."""
    calls = 0
    whole = story("a")
    whole.open()
    for calls in range(whole.disk.calls):
        run = story("a")
        run.disk.faults[calls] = disk_full()
        with pytest.raises(StorageFailed, match=r"cannot \w+ out\.jsonl(\.headrace)?: No space left"):
            run.open()

    assert calls > 2
