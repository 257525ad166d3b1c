"""Run a candidate in its own process and measure what it uses."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from ._servers import CLIENT_CORE, pinned

FILES: Final = 65_536
"""The limit on open files for a candidate, where the system allows it."""


@attrs.frozen(kw_only=True)
class Used:
    """What a process used, including children that it waited for."""

    status: int
    """Its exit status, or minus the number of the signal that ended it."""
    cpu_s: float
    """User and system time, in seconds."""
    wall_s: float
    rss_mb: float
    """Peak resident memory, in MB of 1,000,000 bytes."""
    output: str
    """Standard output and standard error."""


def run_measured(command: Sequence[str], *, environ: Mapping[str, str], log: Path, seconds: float) -> Used:
    """Run a command on the client's core. Kill it after ``seconds``."""
    with log.open("wb") as file:
        started_at = time.monotonic()
        process = subprocess.Popen(
            pinned(command, CLIENT_CORE),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ},
            preexec_fn=_raise_limits,
        )
        usage = _wait(process, started_at + seconds)
    wall = time.monotonic() - started_at
    return Used(
        status=process.returncode,
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=wall,
        rss_mb=usage.ru_maxrss * _RSS_UNIT / 1e6,
        output=log.read_text(encoding="utf-8", errors="replace"),
    )


_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def _wait(process: subprocess.Popen[bytes], until: float) -> resource.struct_rusage:
    """Wait like `Popen.wait`, but return the usage of this one process."""
    killed = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if not killed and time.monotonic() > until:
            process.kill()
            killed = True
        time.sleep(0.02)


def _raise_limits() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
