"""One attempt, as a program sees it through ``on_attempt``."""

from __future__ import annotations

import attrs

from headrace.job import FailureKind, Usage


@attrs.frozen(kw_only=True)
class Attempt:
    """One request and its outcome. Times in seconds."""

    job_id: str
    """Empty for a job without an id."""
    model: str
    attempt: int
    """Its number among the job's attempts, from 1."""
    failure: FailureKind | None
    """None if it succeeded."""
    status: int | None
    """The HTTP status; None without a response."""
    wait: float | None
    """The minimum time until the next attempt; None if this is the last one."""
    latency: float | None
    request_id: str | None
    usage: Usage | None
    """None if it failed."""
