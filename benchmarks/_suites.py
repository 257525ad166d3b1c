"""Suites: candidates that are compared at several levels of concurrency, in interleaved rounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from ._candidates import CANDIDATES, Candidate, Task
from ._processes import Used, run_measured
from ._servers import Server, serve
from ._work import check_output, write_jobs

_SECONDS: Final = 420.0
"""Timeout of one run."""
_WRK_REQUESTS: Final = re.compile(r"(\d+) requests in")
_WRK_ERRORS: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: connect (\d+), read (\d+)")


@attrs.frozen(kw_only=True)
class Suite:
    """Candidates to compare. ``jobs``: the number of jobs of a run, of which slow candidates get a share."""

    title: str
    names: Sequence[str]
    in_flight: Sequence[int]
    jobs: int = 50_000
    latency: float = 0.0
    tls: bool = False
    stream: bool = False

    def count(self, candidate: Candidate, in_flight: int) -> int:
        """The number of jobs for a candidate: at least twice as many as are in flight."""
        return max(2 * in_flight, 1_000, int(self.jobs * candidate.share))


_FILE: Final = (
    "headrace run",
    "headrace.run_file",
    "aiohttp + uvloop",
    "AsyncAnthropic of anthropic 2.11 on aiohttp",
    "AsyncAnthropic of anthropic 2.11",
)
SUITES: Final[Mapping[str, Suite]] = {
    "file": Suite(title="Job file to records", names=_FILE, in_flight=(16, 128, 1000, 5000)),
    "peers": Suite(title="Other tools", names=("headrace run", "httpx 0.28", "flexllm"), in_flight=(64,)),
    "client": Suite(
        title="messages.create",
        names=(
            "AsyncAnthropic of headrace_client, trio",
            "the same with a user's http_client",
            "AsyncAnthropic of anthropic 2.11",
        ),
        in_flight=(16, 128),
    ),
    "alone": Suite(
        title="Requests alone",
        names=("wrk", "requests alone, headrace's sender"),
        in_flight=(16, 128, 1000, 5000),
        jobs=100_000,
    ),
    "latency": Suite(
        title="200 ms of latency", names=_FILE, in_flight=(1000, 5000), jobs=60_000, latency=0.2
    ),
    "tls": Suite(title="The same over TLS 1.3", names=_FILE, in_flight=(128, 1000), tls=True),
    "stream": Suite(
        title="Streamed answers",
        names=("headrace run", "AsyncAnthropic of anthropic 2.11"),
        in_flight=(128,),
        jobs=20_000,
        stream=True,
    ),
}


@attrs.frozen(kw_only=True)
class Measured:
    """One run of one candidate. ``cpu_us`` and ``rate`` do not include its start."""

    suite: str
    name: str
    in_flight: int
    round: int
    jobs: int
    cpu_us: float
    """CPU time of the client's process, in microseconds per job."""
    rate: float
    """Jobs per second."""
    start_cpu_s: float
    """CPU time of a run of one job, in seconds."""
    start_s: float
    rss_mb: float
    wrong: int
    missing: int
    problem: str | None = None
    """Why the run failed, if it did."""


def run_suite(key: str, suite: Suite, names: Sequence[str], rounds: int, folder: Path) -> Iterator[Measured]:
    """Measure all candidates of a suite in turn, ``rounds`` times at each level of concurrency."""
    with serve(folder / "server", latency=suite.latency, tls=suite.tls, stream=suite.stream) as server:
        for number in range(rounds):
            starts: dict[str, Used] = {}
            for in_flight in suite.in_flight:
                for name in names:
                    candidate = CANDIDATES[name]
                    if name not in starts and candidate.writes:
                        starts[name] = _run(candidate, server, suite, 1, in_flight, folder)[0]
                    yield _measure(key, suite, candidate, server, in_flight, number, starts.get(name), folder)


def _measure(
    key: str,
    suite: Suite,
    candidate: Candidate,
    server: Server,
    in_flight: int,
    number: int,
    start: Used | None,
    folder: Path,
) -> Measured:
    jobs = suite.count(candidate, in_flight)
    used, right, wrong = _run(candidate, server, suite, jobs, in_flight, folder)
    if not candidate.writes:
        jobs = max(1, right)
    start_cpu, start_wall = (start.cpu_s, start.wall_s) if start else (0.0, 0.0)
    return Measured(
        suite=key,
        name=candidate.name,
        in_flight=in_flight,
        round=number,
        jobs=jobs,
        cpu_us=1e6 * (used.cpu_s - start_cpu) / jobs,
        rate=jobs / max(1e-9, used.wall_s - start_wall),
        start_cpu_s=start_cpu,
        start_s=start_wall,
        rss_mb=used.rss_mb,
        wrong=wrong,
        missing=jobs - right - wrong,
        problem=None if used.status == 0 else f"status {used.status}: {used.output[-300:]}",
    )


def _run(
    candidate: Candidate, server: Server, suite: Suite, jobs: int, in_flight: int, folder: Path
) -> tuple[Used, int, int]:
    """Run a candidate. Return what it used, and the numbers of right and wrong answers."""
    source = folder / f"jobs-{jobs}{'-stream' if suite.stream else ''}.jsonl"
    if candidate.writes and not source.exists():
        write_jobs(source, jobs, stream=suite.stream)
    for old in folder.glob("out*"):
        old.unlink()
    target = folder / "out.jsonl"
    task = Task(server=server, source=source, target=target, count=jobs, in_flight=in_flight)
    environ = {**task.environ, **candidate.environ}
    used = run_measured(candidate.command(task), environ=environ, log=folder / "log", seconds=_SECONDS)
    if not candidate.writes:
        return used, *_printed(used.output)
    if not target.exists():
        return used, 0, 0
    checked = check_output(target, jobs, named=server.named)
    return used, checked.right, checked.wrong


def _printed(output: str) -> tuple[int, int]:
    """Return the numbers of right and wrong answers that a candidate without records printed."""
    if found := _WRK_REQUESTS.search(output):
        wrong = sum(int(number) for groups in _WRK_ERRORS.findall(output) for number in groups if number)
        return int(found[1]) - wrong, wrong
    words = output.split()
    return (int(words[-1]), 0) if words and words[-1].isdigit() else (0, 0)
