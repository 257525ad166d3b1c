"""The monitor: adds up what happens and shows it, at most a few times a second.

A view that cannot be written (a closed pipe) ends the run gently: whoever was to see it has gone (P9).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import attrs
import trio

from headrace.actors.statistics import Histogram, Latency, Snapshot
from headrace.job import Usage
from headrace.policy.stop import ExitCode, StopReason
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage

from .channels import queued, until
from .messages import AttemptFailed, Event, Finished, Inbox, Load, Stop

TRUNCATED = frozenset({"max_tokens", "length"})
REFUSED = frozenset({"refusal", "content_filter"})


async def monitor(
    events: trio.MemoryReceiveChannel[Event],
    inbox: trio.MemorySendChannel[Inbox],
    counts: RunCounts,
    watch: Callable[[Event], None] | None,
    show: Callable[[Snapshot], None] | None,
    interval: float = 0.25,
) -> Snapshot:
    """Add up until the events channel is closed; return the last state.

    ``watch`` sees each event when it has been counted. ``interval``: seconds between two calls of ``show``.
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
    try:
        show(snapshot)
    except OSError as error:
        message = f"the progress cannot be shown: {error.strerror or error}"
        with suppress(trio.BrokenResourceError):  # all is sent, and the dispatcher has gone
            inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, message)))
        return False
    return True


@attrs.define(kw_only=True)
class RunCounts:
    """The counts of a run. The monitor adds to them; others may ask for a snapshot."""

    started_at: float
    results: int = 0
    failed: int = 0
    attempts: int = 0
    maybe_billed: UnconfirmedUsage = NO_UNCONFIRMED_USAGE
    truncated: int = 0
    refusals: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read: int = 0
    cache_creation: int = 0
    load: Load = attrs.field(factory=lambda: Load(0, 0))
    latency: Histogram = attrs.field(factory=Histogram)
    ttft: Histogram = attrs.field(factory=Histogram)
    failures: Counter[str] = attrs.field(factory=Counter[str])
    retries: Counter[str] = attrs.field(factory=Counter[str])
    rate_limited: int = 0

    def take(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, list):
            for finished in event:
                self._finished(finished)
        elif isinstance(event, Load):
            self.load = event
        else:
            self._attempt_failed(event)

    def _finished(self, finished: Finished) -> None:
        if finished.failure is not None:
            self.failed += 1
            self.failures[finished.failure.kind] += 1
            return
        self.results += 1
        self.attempts += 1
        if finished.stop_reason in TRUNCATED:
            self.truncated += 1
        elif finished.stop_reason in REFUSED:
            self.refusals += 1
        if finished.latency is not None:
            self.latency.add(finished.latency)
        if finished.ttft is not None:
            self.ttft.add(finished.ttft)
        if finished.usage is not None:
            self._spent(finished.usage)

    def _spent(self, usage: Usage) -> None:
        self.input_tokens += usage.input
        self.output_tokens += usage.output
        self.cache_read += usage.cache_read
        self.cache_creation += usage.cache_creation

    def _attempt_failed(self, event: AttemptFailed) -> None:
        self.attempts += 1
        self.maybe_billed = self.maybe_billed.plus(event.maybe_billed)
        self.rate_limited += event.kind == "rate_limit"
        if event.again and event.kind is not None:
            self.retries[event.kind] += 1

    def snapshot(self, now: float) -> Snapshot:
        """Return the state at this moment."""
        return Snapshot(
            elapsed_s=now - self.started_at,
            results=self.results,
            failed=self.failed,
            in_flight=self.load.in_flight,
            waiting=self.load.waiting,
            attempts=self.attempts,
            cap=self.load.cap,
            bottleneck=self.load.bottleneck,
            bottleneck_s=self.load.bottleneck_s,
            cost=self.load.cost,
            rate_limited=self.rate_limited,
            maybe_billed=self.maybe_billed.attempts,
            maybe_billed_tokens=self.maybe_billed.tokens or (0, 0),
            usage=Usage(
                input=self.input_tokens,
                output=self.output_tokens,
                cache_read=self.cache_read,
                cache_creation=self.cache_creation,
            ),
            truncated=self.truncated,
            refusals=self.refusals,
            latency=Latency.of(self.latency),
            ttft=Latency.of(self.ttft),
            failures=dict(self.failures),
            retries=dict(self.retries),
        )
