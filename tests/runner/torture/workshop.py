"""Real processes: ``headrace run`` against ``headrace simulate`` on loopback, killed and inspected.

The simulator's log says what was paid for, and each answer begins with the digest of its request. So lost,
duplicated and swapped answers show.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

import attrs

from headrace.simulator import messages_digest

CONCURRENCY = 16
_HEADRACE = (sys.executable, "-m", "headrace")
_TIMEOUT = 30.0


def command(*arguments: str) -> tuple[str, ...]:
    """A command line of headrace."""
    return (*_HEADRACE, *arguments)


@contextmanager
def simulator(folder: Path, *options: str) -> Generator[Server]:
    """Serve the simulated API on a free port."""
    log = folder / "server.log"
    arguments = command("simulate", "--port", "0", "--log", str(log), "--output-tokens", "8", *options)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            yield Server(said.split()[2], log)
        finally:
            process.send_signal(signal.SIGINT)


@attrs.define
class Server:
    """A running simulator: its URL, and what it has logged."""

    url: str
    log: Path
    _read: int = 0

    def settle(self) -> None:
        """Return when it has read all requests in flight: it reads later requests later."""
        for _ in range(2):
            connection = HTTPConnection(self.url.removeprefix("http://"))
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.close()

    def new_answers(self) -> list[float]:
        """The arrival times of the requests that were answered in full, logged since the last call."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        logged: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
        return sorted(each["time"] for each in logged if each.get("finished") and each["status"] == 200)


@attrs.define
class Job:
    """One input and its output."""

    folder: Path
    name: str
    server: Server
    count: int
    asked: dict[str, str] = attrs.field(factory=dict[str, str])
    """By id, the text with which the answer begins."""

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        with self.input.open("w") as file:
            for number in range(self.count):
                messages = [{"role": "user", "content": f"question {number} of {self.name}"}]
                self.asked[f"j{number}"] = messages_digest(messages)
                body = {"model": "m", "max_tokens": 8, "messages": messages}
                file.write(json.dumps({"custom_id": f"j{number}", "params": body}) + "\n")

    @property
    def input(self) -> Path:
        return self.folder / f"{self.name}.jsonl"

    @property
    def output(self) -> Path:
        return self.folder / f"{self.name}.out.jsonl"

    def command(self, *options: str) -> tuple[str, ...]:
        return command(
            *("run", str(self.input), "-o", str(self.output), "--base-url", self.server.url, "--no-auth"),
            *("-c", str(CONCURRENCY), "--progress", "none", *options),
        )

    def start(self, *options: str, under: Sequence[str] = (), **popen: Any) -> subprocess.Popen[str]:
        popen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | popen
        environ = {**os.environ, "TMPDIR": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen([*under, *self.command(*options)], env=environ, **popen)

    def finish(self, *options: str, **popen: Any) -> tuple[int, str]:
        """Run to the end; return the exit code and all that was printed."""
        with self.start(*options, **popen) as process:
            out, err = process.communicate(timeout=_TIMEOUT)
        return process.returncode, (out or "") + (err or "")

    def size(self) -> int:
        return self.output.stat().st_size if self.output.exists() else 0

    def wait_for_more(self, process: subprocess.Popen[str], than: int) -> bool:
        """Wait until the output is larger. Return False if the process ends first."""
        deadline = time.monotonic() + _TIMEOUT
        while process.poll() is None and time.monotonic() < deadline:
            if self.size() > than:
                return True
            time.sleep(0.002)
        return False

    def records(self, *, torn: bool = False) -> dict[str, dict[str, Any]]:
        """The records by id, each whole, unique and of its job. ``torn``: the end need not be whole."""
        if not self.output.exists():
            return {}
        content = self.output.read_bytes()
        if torn:
            content = content[: content.rfind(b"\n") + 1]
        elif content and not content.endswith(b"\n"):
            raise AssertionError(f"{self.output} ends in the middle of a line")
        found: dict[str, dict[str, Any]] = {}
        for line in content.splitlines():
            record = json.loads(line)
            job_id = record["custom_id"]
            text = record["result"]["message"]["content"][0]["text"]
            if job_id in found:
                raise AssertionError(f"{job_id} is recorded twice")
            if text.split()[0] != self.asked[job_id]:
                raise AssertionError(f"{job_id} has another job's answer")
            found[job_id] = record
        return found


@attrs.define
class Tally:
    """The outcome of many kills."""

    kills: int = 0
    outputs: int = 0
    torn: int = 0
    paid_again: list[int] = attrs.field(factory=list[int])
    """For each kill, the number of paid answers that were not recorded."""


def kill_until_done(job: Job, rng: Random, counts: Tally, max_kills: int) -> None:
    """Kill runs of a job at random moments after their first new record, then run it to its end."""
    job.server.new_answers()
    runs: list[tuple[float, int]] = []
    while len(runs) < max_kills:
        job.server.settle()
        began = time.time()
        with job.start() as process:
            if not job.wait_for_more(process, job.size()):
                process.communicate()
                break
            time.sleep(rng.random() ** 2 * 0.15)
            process.kill()
            process.communicate()
        found = len(job.records(torn=True))
        if process.returncode != -signal.SIGKILL or found == job.count:
            break
        runs.append((began, found))
        counts.torn += not job.output.read_bytes().endswith(b"\n")
    job.server.settle()
    last = time.time()
    code, said = job.finish()
    if code != 0 or job.records().keys() != job.asked.keys():
        raise AssertionError(f"{job.output} is not complete: {code}\n{said}")
    counts.kills += len(runs)
    counts.outputs += 1
    counts.paid_again += _paid_again(job, runs, last)


def _paid_again(job: Job, runs: list[tuple[float, int]], last: float) -> list[int]:
    """For each run, the number of its answers that were paid for and not recorded."""
    arrivals = job.server.new_answers()
    starts = [began for began, _ in runs] + [last]
    counts = [0] + [found for _, found in runs]
    wasted: list[int] = []
    for number in range(len(runs)):
        paid = bisect_left(arrivals, starts[number + 1]) - bisect_left(arrivals, starts[number])
        wasted.append(paid - (counts[number + 1] - counts[number]))
    if not all(0 <= each <= CONCURRENCY for each in wasted):
        raise AssertionError(f"{job.output}: paid again, by kill: {wasted}")
    return wasted
