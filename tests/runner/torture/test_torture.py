"""Real processes, a real disk, real signals. ``python -m tests.runner.torture 1000`` kills for longer."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest

from .workshop import CONCURRENCY, Job, Server, Tally, kill_until_done, simulator


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    with simulator(tmp_path, "--ttft", "0.02") as running:
        yield running


@pytest.mark.long
def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path, server: Server) -> None:
    """P1, P3: at most what was in flight at the kill is paid for again."""
    rng, counts = Random(1), Tally()
    for number in range(2):
        kill_until_done(Job(tmp_path, f"job{number}", server, 300), rng, counts, 5)

    assert counts.kills >= 4
    assert max(counts.paid_again) <= CONCURRENCY


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal_finishes_what_is_in_flight(
    number: signal.Signals, code: int, tmp_path: Path, server: Server
) -> None:
    """P11: no paid answer is missing."""
    job = Job(tmp_path, "job", server, 2_000)
    with job.start() as process:
        assert job.wait_for_more(process, 0)
        process.send_signal(number)
        process.communicate(timeout=30)

    server.settle()
    assert process.returncode == code
    assert len(job.records()) == len(server.new_answers())
    assert 0 < len(job.records()) < 2_000


def test_a_second_signal_ends_at_once_with_all_lines_whole(tmp_path: Path) -> None:
    """P11: the server needs 20 s for an answer; the run does not wait for it."""
    with simulator(tmp_path, "--ttft", "20") as server:
        job = Job(tmp_path, "job", server, 100)
        with job.start() as process:
            while not server.log.exists() or not (tmp_path / "job.out.jsonl.headrace").exists():
                time.sleep(0.01)
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert job.records() == {}


def test_a_full_disk_ends_with_74_and_whole_lines_and_the_rest_is_done_later(
    tmp_path: Path, server: Server
) -> None:
    """P9, with a limit on the size of files."""
    job = Job(tmp_path, "job", server, 200)
    code, said = job.finish(preexec_fn=_small_files)

    assert code == 74, said
    assert "Traceback" not in said
    assert 0 < len(job.records()) < 200
    for rescued in tmp_path.glob("headrace-*.jsonl"):
        with job.output.open("ab") as output:
            output.write(rescued.read_bytes())
    assert job.finish()[0] == 0
    assert job.records().keys() == job.asked.keys()
    server.settle()
    assert len(server.new_answers()) == 200


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_123, 50_123))


def test_a_second_process_names_the_first_and_writes_nothing(tmp_path: Path, server: Server) -> None:
    """P8."""
    job = Job(tmp_path, "job", server, 2_000)
    with job.start() as process:
        assert job.wait_for_more(process, 0)
        code, said = job.finish()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert code == 2
    assert f"process {process.pid}" in said
    server.settle()
    assert len(job.records()) == len(server.new_answers())


def test_a_closed_standard_output_leaves_no_traceback(tmp_path: Path, server: Server) -> None:
    """P11: nothing reads the summary, yet the results are there."""
    reading, writing = os.pipe()
    os.close(reading)
    job = Job(tmp_path, "job", server, 50)
    code, said = job.finish(stdout=writing)
    os.close(writing)

    assert code == 74
    assert "Traceback" not in said
    assert "Exception" not in said
    assert len(job.records()) == 50


_STRACE = shutil.which("strace")


def _can_trace() -> bool:
    if _STRACE is None:
        return False
    return (
        subprocess.run([_STRACE, "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.long
@pytest.mark.skipif(not _can_trace(), reason="needs strace, and permission to trace")
@pytest.mark.parametrize(("fault", "code"), [("signal=KILL", None), ("error=ENOSPC", 74), ("error=EIO", 74)])
@pytest.mark.parametrize("when", [1, 2, 7])
def test_a_fault_at_the_kth_write(
    fault: str, code: int | None, when: int, tmp_path: Path, server: Server
) -> None:
    """P1, P9: the k-th write to the output kills the process, or fails."""
    job = Job(tmp_path, "job", server, 60)
    job.output.touch()  # strace finds files by their path
    strace = [str(_STRACE), "-f", "-qq", "-o", os.devnull, "-P", str(job.output)]
    with job.start(under=[*strace, "-e", f"inject=write:{fault}:when={when}"]) as process:
        _, err = process.communicate(timeout=60)

    assert "Traceback" not in err
    assert process.returncode == code if code is not None else process.returncode not in (0, 74)
    assert len(job.records()) < 60
    server.settle()
    assert len(server.new_answers()) - len(job.records()) <= CONCURRENCY
    assert job.finish()[0] == 0
    assert job.records().keys() == job.asked.keys()
