"""What a program can watch: each attempt, as it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from headrace.actors.messages import AttemptFailed, Event, Finished
from headrace.job import FailureKind, Usage


@attrs.frozen(kw_only=True)
class Attempt:
    """One request and what came of it. Times are seconds."""

    job_id: str
    """Empty for a job without an id."""
    model: str
    attempt: int
    """Its number among the job's, from 1."""
    failure: FailureKind | None
    """None for an answer."""
    status: int | None
    """The HTTP status; None without an answer."""
    wait: float | None
    """Until the next attempt at the earliest; None if this is the last."""
    latency: float | None
    request_id: str | None
    usage: Usage | None
    """Of an answer."""


def watcher(on_attempt: Callable[[Attempt], object]) -> Callable[[Event], None]:
    """Return what picks the attempts out of a run's events."""

    def watch(event: Event) -> None:
        for attempt in _attempts(event):
            on_attempt(attempt)

    return watch


def _attempts(event: Event) -> Iterator[Attempt]:
    if isinstance(event, AttemptFailed):
        if event.kind is not None:  # not cut off: then nobody knows what became of it
            yield _failed(event)
    elif isinstance(event, list):
        yield from (_succeeded(finished) for finished in event if finished.failure is None)


def _failed(event: AttemptFailed) -> Attempt:
    return Attempt(
        job_id=event.job_id,
        model=event.model,
        attempt=event.attempt,
        failure=event.kind,
        status=event.status,
        wait=event.wait,
        latency=event.latency,
        request_id=event.request_id,
        usage=None,
    )


def _succeeded(finished: Finished) -> Attempt:
    recipient, note = finished.recipient, finished.note
    return Attempt(
        job_id="" if recipient is None else recipient.job_id,
        model=finished.request.model if finished.request is not None else "",
        attempt=finished.attempts,
        failure=None,
        status=200,
        wait=None,
        latency=finished.latency,
        request_id=note and note.request_id,
        usage=finished.usage,
    )
