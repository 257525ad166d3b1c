"""Six scenarios on real sockets, for programs with their own client: one process serves, another sends.

The time of a run is from the first request that the server sees to the last one that it answers, plus a mean
latency. So a program's start and shutdown do not count, but a probe does.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import msgspec

from benchmarks._candidates import OURS, Candidate, Task, program
from benchmarks._processes import Used, run_measured
from benchmarks._servers import Server, free_port, running
from benchmarks._work import Checked, read_records
from headrace.simulator import LogRecord, messages_digest
from tests.scenarios.catalogue import LATENCY, input_bound, requests_bound, steps
from tests.scenarios.scenario import Scenario, per_second

from .measured import Paced

SCENARIOS: Final[Mapping[str, Callable[[], Scenario]]] = {
    "20/s": lambda: requests_bound(per_second(20), 320),
    "20, then 5, then 40/s": lambda: steps(420, {0: 20, 5: 5, 11: 40}),
    "another client eats half": lambda: requests_bound(per_second(20, others=0.5), 170),
    "input tokens bind, max_tokens 64,000 for 40": lambda: input_bound(per_second(1_000, burst=5_000), 200),
    "no headers": lambda: requests_bound(per_second(20), 320, rate_limit_headers=False),
    "529 for one in ten": lambda: requests_bound(per_second(20), 320, faults={"529": 0.1}),
}
_IN_FLIGHT: Final = 64
_PATIENCE: Final = 6
"""A program is ended after this many times the ideal time."""
_START: Final = 40.0
"""Seconds that a program may need in addition, for imports, files and shutdown."""


def _headrace(task: Task) -> Sequence[str]:
    options = ["--base-url", task.server.base_url, "--quiet"]
    return [sys.executable, "-m", "headrace", "run", str(task.source), "-o", str(task.target), *options]


_CANDIDATES: Final = (
    Candidate(name="headrace run", command=_headrace, environ=OURS),
    Candidate(
        name="anthropic 2.11, 64 tasks, 10 retries",
        command=program("paced_sdk.py", "anthropic", "10"),
        peer="anthropic",
    ),
    Candidate(name="Curator", command=program("paced_curator.py", "curator"), peer="curator"),
    Candidate(name="inspect_ai", command=program("paced_inspect.py", "inspect_ai"), peer="inspect_ai"),
    Candidate(
        name="flexllm, 64 tasks, 10 attempts",
        command=program("paced_flexllm.py", "flexllm", "10"),
        peer="flexllm",
    ),
)
CANDIDATES: Final[Mapping[str, Candidate]] = {candidate.name: candidate for candidate in _CANDIDATES}


def compare(scenarios: Sequence[str], names: Sequence[str], seed: int, folder: Path) -> Iterator[Paced]:
    """Run each program in each scenario, one after another, each against its own server."""
    for scenario in scenarios:
        for name in names:
            own = folder / f"{len(list(folder.iterdir()))}"
            own.mkdir()
            yield _measure(scenario, CANDIDATES[name], seed, own)


def _measure(name: str, candidate: Candidate, seed: int, folder: Path) -> Paced:
    scenario = attrs.evolve(SCENARIOS[name](), seed=seed)
    source, target, log = folder / "jobs.jsonl", folder / "out.jsonl", folder / "requests.jsonl"
    expected = _write_jobs(source, scenario)
    used = _run(name, scenario, candidate, folder, log)
    requests = [msgspec.json.decode(line, type=LogRecord) for line in log.read_bytes().splitlines()]
    checked = check_answers(target, expected)
    return Paced(
        scenario=name,
        name=candidate.name,
        seed=seed,
        jobs=scenario.jobs,
        possible=scenario.jobs,
        finished=checked.right,
        wrong=checked.wrong,
        seconds=duration(requests),
        ideal=scenario.ideal,
        refused=sum(request.status == 429 for request in requests),
        sent=len(requests),
        stopped=used.status == -signal.SIGKILL,
        problem=None if used.status == 0 else f"status {used.status}: {used.output[-300:]}",
    )


def _write_jobs(path: Path, scenario: Scenario) -> Mapping[str, str]:
    """Write the job file. Return, by job id, the text with which the answer must begin."""
    expected: dict[str, str] = {}
    with path.open("wb") as file:
        for number in range(scenario.jobs):
            params = msgspec.json.decode(scenario.request(number).body) | {"model": "claude-sonnet-5-5"}
            expected[f"job-{number}"] = messages_digest(params["messages"])
            file.write(msgspec.json.encode({"custom_id": f"job-{number}", "params": params}) + b"\n")
    return expected


def _run(name: str, scenario: Scenario, candidate: Candidate, folder: Path, log: Path) -> Used:
    port = free_port()
    serving = [
        sys.executable,
        "-m",
        "benchmarks.pacing.serving",
        name,
        str(scenario.seed),
        str(port),
        str(log),
    ]
    with running(serving, port) as pid:
        task = Task(
            server=Server(name=name, base_url=f"http://127.0.0.1:{port}", named=True, pid=pid),
            source=folder / "jobs.jsonl",
            target=folder / "out.jsonl",
            count=scenario.jobs,
            in_flight=_IN_FLIGHT,
        )
        return run_measured(
            candidate.command(task),
            environ={**task.environ, **candidate.environ},
            log=folder / "log",
            seconds=_PATIENCE * scenario.ideal + _START,
        )


def check_answers(path: Path, expected: Mapping[str, str]) -> Checked:
    """Check that each job has at most one answer, and that it answers this job's messages."""
    seen: set[str] = set()
    wrong = 0
    for record in read_records(path) if path.exists() else ():
        digest = expected.get(record.custom_id) if record else None
        if record is None or digest is None or record.custom_id in seen or not record.text.startswith(digest):
            wrong += 1
        else:
            seen.add(record.custom_id)
    return Checked(right=len(seen), wrong=wrong)


def duration(requests: Sequence[LogRecord]) -> float:
    """Return the seconds from the first request to the end of the last successful one, 0 if there is none."""
    answered = [request.time for request in requests if request.finished and request.status == 200]
    return max(answered) - requests[0].time + LATENCY if answered else 0.0
