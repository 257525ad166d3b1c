"""The monitor: counts what happens and shows it, a few times per second at most.

A view that cannot be written, such as a closed pipe, ends the run gently: its reader has gone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import attrs
import trio

from headrace.actors.statistics import Histogram, Latency, Snapshot
from headrace.job import Attempt, Success, Usage
from headrace.policy.stop import ExitCode, StopReason
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage

from .channels import queued, until
from .messages import AttemptFailed, Event, Finished, Inbox, Load, Stop


async def monitor(
    events: trio.MemoryReceiveChannel[Event],
    inbox: trio.MemorySendChannel[Inbox],
    counts: RunCounts,
    watch: Callable[[Event], None] | None,
    show: Callable[[Snapshot], None] | None,
    interval: float = 0.25,
) -> Snapshot:
    """Count events until their channel is closed; return the final counts.

    ``watch`` is called with each event after it has been counted, ``show`` every ``interval`` seconds.
    """
    due = trio.current_time() + interval if show is not None else math.inf

    def take(event: Event) -> None:
        counts.take(event)
        if watch is not None:
            watch(event)

    with events, inbox:
        try:
            while True:
                with until(due):
                    take(await events.receive())
                for event in queued(events):
                    take(event)
                now = trio.current_time()
                if show is not None and now >= due:
                    due = now + interval if _shown(show, counts.snapshot(now), inbox) else math.inf
        except trio.EndOfChannel:
            return counts.snapshot(trio.current_time())


def _shown(
    show: Callable[[Snapshot], None], snapshot: Snapshot, inbox: trio.MemorySendChannel[Inbox]
) -> bool:
    """Show a snapshot; if that fails, stop the run and return False."""
    try:
        show(snapshot)
    except OSError as error:
        message = f"the progress cannot be shown: {error.strerror or error}"
        with suppress(trio.BrokenResourceError):  # every job is done and the dispatcher has ended
            inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, message)))
        return False
    return True


def watch_attempts(on_attempt: Callable[[Attempt], object]) -> Callable[[Event], None]:
    """Return a ``watch`` that calls ``on_attempt`` with each attempt whose outcome is known."""

    def watch(event: Event) -> None:
        if isinstance(event, AttemptFailed):
            if event.attempt is not None:
                on_attempt(event.attempt)
        elif isinstance(event, list):
            for finished in event:
                if finished.success is not None:
                    on_attempt(_last_attempt(finished, finished.success.usage))

    return watch


def _last_attempt(finished: Finished, usage: Usage) -> Attempt:
    return Attempt(
        job_id="" if finished.recipient is None else finished.recipient.job_id,
        model="" if finished.request is None else finished.request.model,
        attempt=finished.note.attempts,
        failure=None,
        status=200,
        wait=None,
        latency=finished.note.latency_s,
        request_id=finished.note.request_id,
        usage=usage,
    )


@attrs.define(kw_only=True)
class RunCounts:
    """The counts of a run. Only the monitor adds to them; other code may take a snapshot at any time."""

    started_at: float
    results: int = 0
    attempts: int = 0
    maybe_billed: UnconfirmedUsage = NO_UNCONFIRMED_USAGE
    truncated: int = 0
    refusals: int = 0
    refused_answers: int = 0
    usage: Usage = attrs.field(factory=Usage)
    usage_unknown: int = 0
    load: Load = attrs.field(factory=lambda: Load(0, 0))
    latency: Histogram = attrs.field(factory=Histogram)
    ttft: Histogram = attrs.field(factory=Histogram)
    failures: Counter[str] = attrs.field(factory=Counter[str])
    """Jobs that failed for good, by kind of failure."""
    retries: Counter[str] = attrs.field(factory=Counter[str])
    """Failed attempts that were followed by another one, by kind of failure."""
    rate_limited: int = 0

    def take(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, list):
            self._finished(event)
        elif isinstance(event, Load):
            self.load = event
        else:
            self._attempt_failed(event)

    def _finished(self, batch: list[Finished]) -> None:
        usages: list[Usage] = []
        for finished in batch:
            outcome, note = finished.outcome, finished.note
            if not isinstance(outcome, Success):
                self.failures[outcome.kind] += 1
                continue
            usages.append(outcome.usage)
            if note.unreported_tokens is not None:
                self.usage_unknown += 1
            self.truncated += outcome.truncated
            self.refusals += outcome.filtered
            if note.latency_s is not None:
                self.latency.add(note.latency_s)
            if note.ttft_s is not None:
                self.ttft.add(note.ttft_s)
        self.results += len(usages)
        self.attempts += len(usages)
        self.usage = self.usage.plus(*usages)

    def _attempt_failed(self, event: AttemptFailed) -> None:
        self.attempts += 1
        self.maybe_billed = self.maybe_billed.plus(event.maybe_billed)
        attempt = event.attempt
        if attempt is None or attempt.failure is None:
            return
        self.rate_limited += attempt.failure == "rate_limit"
        self.refused_answers += attempt.status is not None and 200 <= attempt.status < 300
        if attempt.wait is not None:
            self.retries[attempt.failure] += 1

    def snapshot(self, now: float) -> Snapshot:
        """Return the counts at time ``now``, in seconds on the event loop's clock."""
        load = self.load
        return Snapshot(
            elapsed_s=now - self.started_at,
            results=self.results,
            failed=self.failures.total(),
            in_flight=load.in_flight,
            waiting=load.waiting,
            attempts=self.attempts,
            cap=load.cap,
            bottleneck=load.bottleneck,
            bottleneck_s=load.bottleneck_s,
            cost=load.cost,
            rate_limited=self.rate_limited,
            maybe_billed=self.maybe_billed.attempts,
            maybe_billed_tokens=self.maybe_billed.tokens or (0, 0),
            usage=self.usage,
            usage_unknown=self.usage_unknown,
            truncated=self.truncated,
            refusals=self.refusals,
            refused_answers=self.refused_answers,
            latency=Latency.of(self.latency),
            ttft=Latency.of(self.ttft),
            failures=dict(self.failures),
            retries=dict(self.retries),
        )
