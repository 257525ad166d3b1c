"""Peak memory of a long run, and the time that it takes to start."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from ._candidates import CANDIDATES, OURS, Task
from ._processes import run_measured
from ._servers import serve
from ._work import check_output, write_jobs

FEW = 1_000


def memory(folder: Path, many: int, in_flight: int) -> dict[str, float]:
    """Run a few jobs, then many. Return peak memory (MB), CPU time (us per job), right and wrong answers."""
    peaks: dict[str, float] = {}
    candidate = CANDIDATES["headrace run"]
    with serve(folder / "server") as server:
        for count in (FEW, many):
            source, target = write_jobs(folder / "memory.jsonl", count), folder / "memory-out.jsonl"
            for old in folder.glob("memory-out*"):
                old.unlink()
            task = Task(server=server, source=source, target=target, count=count, in_flight=in_flight)
            environ = {**task.environ, **candidate.environ}
            used = run_measured(candidate.command(task), environ=environ, log=folder / "log", seconds=900)
            checked = check_output(target, count, named=server.named)
            peaks[f"rss_mb_{count}"] = used.rss_mb
            peaks[f"cpu_us_{count}"] = 1e6 * used.cpu_s / count
            peaks[f"right_{count}"] = checked.right
            peaks[f"wrong_{count}"] = checked.wrong
    source.unlink()
    target.unlink()
    return peaks


def start(folder: Path, rounds: int = 9) -> dict[str, float]:
    """Return the median seconds of a whole run of one job, and of the import of the client."""
    candidate = CANDIDATES["headrace run"]
    whole: list[float] = []
    with serve(folder / "server") as server:
        source, target = write_jobs(folder / "one.jsonl", 1), folder / "one-out.jsonl"
        task = Task(server=server, source=source, target=target, count=1, in_flight=64)
        for _ in range(rounds):
            for old in folder.glob("one-out*"):
                old.unlink()
            environ = {**task.environ, **candidate.environ}
            whole.append(
                run_measured(candidate.command(task), environ=environ, log=folder / "log", seconds=60).wall_s
            )
    bare = [_python("pass", folder) for _ in range(rounds)]
    imported = [_python("import headrace_client", folder) for _ in range(rounds)]
    return {
        "run_of_one_job_s": statistics.median(whole),
        "import_headrace_client_s": statistics.median(imported) - statistics.median(bare),
    }


def _python(code: str, folder: Path) -> float:
    began = time.monotonic()
    run_measured([sys.executable, "-c", code], environ=OURS, log=folder / "log", seconds=60)
    return time.monotonic() - began
