"""What a user may do to a run from outside: files named twice, readers that have gone, keys pressed early."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result
from trio.testing import MockClock

from headrace.cli import main
from headrace.cli._report import clear_errors
from headrace.policy.stop import ExitCode
from headrace.run.summary import as_text
from tests.runner.disk import SimulatedDisk, io_error
from tests.runner.program import INPUT, BreakingView, Shown, ids, jobs, new_disk, requests, run, simulator

JOBS = jobs(3)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a job file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs.jsonl").write_bytes(JOBS)
    return tmp_path


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "--simulate", "--progress", "none", *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs.jsonl", "-o", "jobs.jsonl"),
        ("jobs.jsonl", "-o", "./folder/../jobs.jsonl"),
        ("jobs.jsonl", "-o", "jobs.jsonl", "--restart"),
        ("jobs.errors.jsonl", "-o", "jobs.jsonl"),
        ("jobs.ordered.jsonl", "-o", "jobs.jsonl", "--ordered"),
        ("jobs.jsonl", "--summary-json", "jobs.jsonl"),
        ("jobs.jsonl", "-o", "out.jsonl", "--summary-json", "out.jsonl"),
        ("jobs.jsonl", "-o", "out.jsonl", "--summary-json", "out.errors.jsonl"),
    ],
)
def test_no_file_serves_one_run_twice(workplace: Path, arguments: tuple[str, ...]) -> None:
    """P9: neither an input nor a result is ever overwritten."""
    (workplace / "folder").mkdir()
    for name in ("jobs.errors.jsonl", "jobs.ordered.jsonl"):
        (workplace / name).write_bytes(JOBS)
    before = {path: path.read_bytes() for path in workplace.glob("*.jsonl")}

    result = simulate(*arguments)

    assert result.exit_code == ExitCode.REFUSED
    assert "name another file" in result.stderr
    assert {path: path.read_bytes() for path in workplace.glob("*.jsonl")} == before


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("-", "results are written to a file, where the next run finds them: name one with -o"),
        ("folder", "folder is a directory: name a file with -o"),
        ("none/out.jsonl", "the directory of none/out.jsonl does not exist: create it first"),
        ("link.jsonl", "link.jsonl is a symbolic link, which headrace does not follow: name the file itself"),
        ("pipe", "pipe is not a regular file: name one with -o"),
        ("/dev/null", "/dev/null is not a regular file: name one with -o"),
    ],
)
def test_an_output_that_is_no_file_is_refused(workplace: Path, output: str, says: str) -> None:
    (workplace / "folder").mkdir()
    (workplace / "link.jsonl").symlink_to("elsewhere.jsonl")
    os.mkfifo(workplace / "pipe")

    result = simulate("jobs.jsonl", "-o", output)

    assert (result.exit_code, result.stderr) == (ExitCode.REFUSED, f"headrace: {says}\n")


def test_a_summary_without_a_folder_is_refused_before_anything_is_sent(workplace: Path) -> None:
    result = simulate("jobs.jsonl", "-o", "out.jsonl", "--summary-json", "none/summary.json")

    assert result.exit_code == ExitCode.REFUSED
    assert "the directory does not exist: create it first" in result.stderr
    assert not (workplace / "out.jsonl").exists()


def test_a_summary_that_cannot_be_written_loses_nothing_else(workplace: Path) -> None:
    result = simulate("jobs.jsonl", "-o", "out.jsonl", "--summary-json", "/dev/full")

    assert result.exit_code == ExitCode.STORAGE
    assert "cannot write the summary to /dev/full" in result.stderr
    assert "results                 3" in result.stdout
    assert len((workplace / "out.jsonl").read_bytes().splitlines()) == 3


def test_a_standard_output_that_is_full_leaves_no_traceback(workplace: Path) -> None:
    """P11."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "headrace", "run", "--simulate", "--progress", "none", "jobs.jsonl"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == ExitCode.STORAGE
    assert done.stderr == "headrace: cannot write to standard output: No space left on device\n"
    assert len((workplace / "jobs.results.jsonl").read_bytes().splitlines()) == 3


@pytest.mark.trio
async def test_a_view_that_breaks_ends_the_run_gently(autojump_clock: MockClock) -> None:
    """P9: what is paid for is kept, nothing new is started, and the same command completes it."""
    disk, server = new_disk(jobs(100)), simulator(ttft=0.2)

    first = await run(disk, server, shown=Shown(snapshots=BreakingView(1)))
    sent = requests(server)
    disk.close()
    second = await run(disk, server)

    assert first.exit_code == ExitCode.STORAGE
    assert first.reason is not None
    assert first.reason.message == "the progress cannot be shown: Broken pipe"
    assert "run the same command again" in as_text(first)
    assert (first.results, first.not_started) == (sent, 100 - sent)
    assert 0 < sent < 100
    assert (second.exit_code, requests(server)) == (ExitCode.ALL_RESULTS, 100)
    assert sorted(ids(disk)) == sorted(f"job-{number}" for number in range(100))


LONG = jobs(200, system="?" * 2_000)
"""Two pieces: the run reads the first, the scan both, the run the second."""


@attrs.define(kw_only=True)
class OddInput(SimulatedDisk):
    """What happens at the fourth read of the input."""

    fourth: Callable[[bytes], bytes]
    reads: int = 0

    def read(self, path: Path, offset: int, size: int) -> bytes:
        piece = super().read(path, offset, size)
        if path != INPUT:
            return piece
        self.reads += 1
        return self.fourth(piece) if self.reads == 4 else piece


def fail(_: bytes) -> bytes:
    raise io_error()


def vanish(_: bytes) -> bytes:
    return b""


def joined(piece: bytes) -> bytes:
    """Fewer lines of the same length in all."""
    return piece.replace(b"}\n{", b"} {")


def divided(piece: bytes) -> bytes:
    """More lines of the same length in all."""
    return piece.replace(b'???????"', b'",    \n{}\n')


@pytest.mark.trio
@pytest.mark.parametrize(
    ("fourth", "says"),
    [
        (fail, "cannot read /in/jobs.jsonl: Input/output error"),
        (vanish, "/in/jobs.jsonl became shorter while it was being read"),
    ],
)
async def test_an_input_that_cannot_be_read_any_more_ends_the_run_gently(
    fourth: Callable[[bytes], bytes], says: str, autojump_clock: MockClock
) -> None:
    """P9: what is in flight is paid for, and is kept."""
    disk, server = OddInput(fourth=fourth), simulator(ttft=0.2)
    disk.put(INPUT, LONG)

    first = await run(disk, server, concurrency=32)
    sent = requests(server)
    disk.close()
    second = await run(SimulatedDisk(disk.platters), server)

    assert first.exit_code == ExitCode.STORAGE
    assert first.reason is not None
    assert first.reason.message == says
    assert (first.results, first.not_started) == (sent, 200 - sent)
    assert 0 < sent < 200
    assert (second.exit_code, requests(server)) == (ExitCode.ALL_RESULTS, 200)


@pytest.mark.trio
@pytest.mark.parametrize("fourth", [joined, divided])
async def test_counts_add_up_when_the_input_changes_under_way(
    fourth: Callable[[bytes], bytes], autojump_clock: MockClock
) -> None:
    """P13: no count is below 0, and the user is told."""
    disk = OddInput(fourth=fourth)
    disk.put(INPUT, LONG)

    summary = await run(disk, simulator(), concurrency=32)

    assert summary.exit_code == ExitCode.SOME_FAILED
    assert summary.notices == ("the input changed while it was read: run the same command again",)
    assert summary.results + summary.failed + summary.not_started == summary.input
    assert min(summary.results, summary.failed, summary.not_started) >= 0


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))
from headrace.cli import main
main(["run", "jobs.jsonl", "-o", "out.jsonl", "--progress", "none", {1}])
"""


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ('"--simulate"', ExitCode.ALL_RESULTS, "done"),
        (
            '"--no-auth", "--base-url", "http://127.0.0.1:9", "-c", "100"',
            ExitCode.REFUSED,
            "needs as many connections, but the system allows only 10: lower it",
        ),
    ],
)
def test_few_file_descriptors_mean_few_connections(
    workplace: Path, options: str, code: ExitCode, says: str
) -> None:
    """Neither a run that sends nothing for ever, nor one that fails jobs for want of a socket."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(40, options)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == code
    assert says in done.stdout + done.stderr


@pytest.mark.parametrize("error", [ZeroDivisionError("planted"), ExceptionGroup("in actors", [KeyError()])])
def test_a_bug_does_not_pass_for_jobs_that_failed(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """P13."""
    with pytest.raises(SystemExit) as ended, clear_errors():
        raise error

    shown = capsys.readouterr().err
    assert ended.value.code == ExitCode.BUG
    assert str(error) in shown
    assert "internal error (please report it)" in shown


def test_wrong_options_are_still_told_by_click() -> None:
    result = simulate("jobs.jsonl", "--concurrency", "none")

    assert result.exit_code == ExitCode.REFUSED
    assert "Usage:" in result.stderr


INTERRUPTED_SCAN = """
import signal
import headrace.run.execution
from headrace.cli import main

def interrupted(*arguments, **options):
    signal.raise_signal(signal.SIGINT)
    raise AssertionError("Python has not noticed the signal")

headrace.run.execution.scan_inputs = interrupted
main(["run", "--simulate", "jobs.jsonl", "-o", "out.jsonl"])
"""


def test_an_interrupted_look_at_the_input_sends_nothing(workplace: Path) -> None:
    """P11: Ctrl-C before the first request ends with 130 as later ones do."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_SCAN], capture_output=True, text=True, check=False
    )

    assert done.returncode == ExitCode.INTERRUPTED
    assert done.stderr == "headrace: stopped by SIGINT; run the same command again to resume\n"
    assert not (workplace / "out.jsonl").exists()
