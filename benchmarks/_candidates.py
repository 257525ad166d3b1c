"""The programs that are measured, and how to run each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from ._peers import is_installed, python_of
from ._servers import Server

_ROOT: Final = Path(__file__).parent.parent
_PROGRAMS: Final = Path(__file__).parent / "programs"
OURS: Final = {"PYTHONPATH": f"{_ROOT / 'client'}:{_ROOT / 'runner'}"}


@attrs.frozen(kw_only=True)
class Task:
    """The work of a candidate: a server, a job file, an output, the number of jobs and how many in flight."""

    server: Server
    source: Path
    target: Path
    count: int
    in_flight: int

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment variables for every candidate."""
        trust = {"SSL_CERT_FILE": str(self.server.trust)} if self.server.trust else {}
        return {"ANTHROPIC_API_KEY": "k", "HEADRACE_BENCHMARK": "1", **trust}


@attrs.frozen(kw_only=True)
class Candidate:
    """A program that is measured. ``share``: its part of the jobs, so that slow programs end in time."""

    name: str
    command: Callable[[Task], Sequence[str]]
    peer: str | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str])
    share: float = 1.0
    writes: bool = True
    """Whether it writes records. If not, it prints how many correct answers it got."""

    @property
    def is_there(self) -> bool:
        """Whether it is installed."""
        return self.peer is None or is_installed(self.peer)


def program(name: str, peer: str | None, *arguments: str) -> Callable[[Task], Sequence[str]]:
    """The command of a program in `programs/`: the four usual arguments, then the given ones."""

    def command(task: Task) -> Sequence[str]:
        python = sys.executable if peer is None else str(python_of(peer))
        usual = (task.server.base_url, str(task.source), str(task.target), str(task.in_flight))
        return [python, str(_PROGRAMS / name), *usual, *arguments]

    return command


def _headrace(task: Task) -> Sequence[str]:
    options = ["--base-url", task.server.base_url, "--concurrency", str(task.in_flight), "--quiet"]
    return [sys.executable, "-m", "headrace", "run", str(task.source), "-o", str(task.target), *options]


def _sender(task: Task) -> Sequence[str]:
    program = str(_PROGRAMS / "sender_alone.py")
    return [sys.executable, program, task.server.base_url, str(task.count), str(task.in_flight)]


def _wrk(task: Task) -> Sequence[str]:
    url = task.server.base_url + "/v1/messages"
    connections = str(task.in_flight)
    return [
        "wrk",
        "-t1",
        "-c",
        connections,
        "-d4s",
        "--timeout",
        "30s",
        "-s",
        str(_PROGRAMS / "post.lua"),
        url,
    ]


_CANDIDATES: Final = (
    Candidate(name="headrace run", command=_headrace, environ=OURS),
    Candidate(name="headrace.run_file", command=program("library_pipeline.py", None), environ=OURS),
    Candidate(
        name="aiohttp + uvloop", command=program("aiohttp_pipeline.py", "aiohttp"), peer="aiohttp", share=0.4
    ),
    Candidate(
        name="AsyncAnthropic of headrace_client, trio",
        command=program("sdk_pipeline.py", None, "headrace_client", "trio", "default"),
        environ=OURS,
        share=0.2,
    ),
    Candidate(
        name="the same with a user's http_client",
        command=program("sdk_pipeline.py", None, "headrace_client", "trio", "httpx"),
        environ=OURS,
        share=0.2,
    ),
    Candidate(
        name="AsyncAnthropic of anthropic 2.11 on aiohttp",
        command=program("sdk_pipeline.py", "anthropic", "anthropic", "asyncio", "aiohttp"),
        peer="anthropic",
        share=0.1,
    ),
    Candidate(
        name="AsyncAnthropic of anthropic 2.11",
        command=program("sdk_pipeline.py", "anthropic", "anthropic", "asyncio", "default"),
        peer="anthropic",
        share=0.1,
    ),
    Candidate(name="httpx 0.28", command=program("httpx_pipeline.py", "httpx"), peer="httpx", share=0.02),
    Candidate(name="flexllm", command=program("flexllm_pipeline.py", "flexllm"), peer="flexllm", share=0.02),
    Candidate(name="requests alone, headrace's sender", command=_sender, environ=OURS, writes=False),
    Candidate(name="wrk", command=_wrk, writes=False),
)
CANDIDATES: Final[Mapping[str, Candidate]] = {candidate.name: candidate for candidate in _CANDIDATES}
