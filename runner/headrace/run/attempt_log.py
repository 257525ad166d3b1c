"""The log of a run's attempts: what ``-v`` and ``-vv`` show."""

from __future__ import annotations

import logging
from collections.abc import Callable

from headrace.actors.messages import AttemptFailed, Event, Finished

_log = logging.getLogger("headrace")


def attempt_log() -> Callable[[Event], None] | None:
    """Return a ``watch`` that logs attempts; None, which costs nothing per job, if the log is off.

    Failed attempts are logged at INFO, the others at DEBUG.
    """
    return _log_event if _log.isEnabledFor(logging.INFO) else None


def _log_event(event: Event) -> None:
    if isinstance(event, AttemptFailed):
        _log_failure(event)
    elif isinstance(event, list):
        for finished in event:
            if finished.success is not None:
                _log_success(finished)


def _log_failure(event: AttemptFailed) -> None:
    attempt = event.attempt
    if attempt is None:
        _log.info("cut off a request in flight")
        return
    if attempt.wait is None:
        verdict = "giving up"
    else:
        verdict = f"retrying after {attempt.wait:.1f} s" if attempt.wait else "retrying"
    _log.info("job %s: attempt %d failed: %s; %s", attempt.job_id, attempt.attempt, event.message, verdict)


def _log_success(finished: Finished) -> None:
    note = finished.note
    _log.debug(
        "line %d: attempt %d succeeded after %.3f s (%s)",
        note.line,
        note.attempts,
        note.latency_s or 0.0,
        note.request_id,
    )
