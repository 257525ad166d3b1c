"""How other programs deal with rate limits, as values that answer questions. Pure: time is an argument.

Each reproduces what a program does with its defaults, without that program's bugs. All of them retry what the
reference SDK retries: 408, 409, 429, 5xx and broken connections.

- `FixedConcurrency`: the reference SDK under a semaphore. A job that waits keeps its slot.
- `OneProbe`: Curator. One response reports the limits for the whole run; a 429 stops everything for 10 s.
- `AdditiveIncrease`: AIMD on the number in flight, as in congestion control.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from headrace_client.lowlevel import retry_after_seconds

SUCCESS: Final = 200
_TOO_MANY: Final = 429
_OVERLOADED: Final = 529
_ROUNDING: Final = 1e-6
"""Tolerance: a wait for exactly the time that a bucket returned must be long enough."""
_TRANSIENT: Final = frozenset({0, 408, 409, _TOO_MANY})


@attrs.frozen(kw_only=True)
class JobSize:
    """What a policy knows about a job before it is sent."""

    characters: int
    """Length of the request's body."""
    max_tokens: int


@attrs.frozen(kw_only=True)
class Reply:
    """The outcome of one attempt. ``status``: 0 if the connection broke. Tokens: those that limits count."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    sent_at: float
    job: JobSize
    reserved: float = 0.0
    """The output tokens that the policy reserved for the job."""
    input_tokens: int = 0
    output_tokens: int = 0


class Policy(Protocol):
    """Decides when the next job may be sent, and what to do with a job that failed."""

    @property
    def holds_slots(self) -> bool:
        """Whether a job that waits for its next attempt counts as busy. It is then sent without a `wait`.

        If not, the job goes to the end of the file.
        """
        ...

    def wait(self, job: JobSize, busy: int, now: float) -> float:
        """Return the seconds until a job may be sent: 0 for now, infinity for after the next response."""
        ...

    def sent(self, job: JobSize) -> float:
        """Note that a job was sent. Return the output tokens that are reserved for it."""
        ...

    def answered(self, reply: Reply, now: float) -> None:
        """Note the outcome of an attempt."""
        ...

    def retry_after(self, reply: Reply, taken: int, now: float, jitter: float) -> float | None:
        """Return the seconds until the next attempt of a failed job, or None to give up.

        ``taken``: its attempts so far. ``jitter``: from 0 to 1.
        """
        ...


def may_retry(status: int) -> bool:
    """Whether another attempt can have another outcome."""
    return status in _TRANSIENT or status >= 500


def backoff(reply: Reply, taken: int, jitter: float) -> float:
    """Return the reference SDK's delay: what the server asks for up to 60 s, else 0.5 to 8 s with jitter."""
    asked = retry_after_seconds(reply.headers, 0.0)
    if asked is not None and asked <= 60:
        return asked
    return min(8.0, 0.5 * 2.0 ** (taken - 1)) * (1 - 0.25 * jitter)


@attrs.frozen
class FixedConcurrency:
    """A semaphore around a client that retries ``retries`` times and keeps the slot meanwhile."""

    slots: int
    retries: int
    holds_slots: bool = attrs.field(default=True, init=False)

    def wait(self, job: JobSize, busy: int, now: float) -> float:
        """Wait for a free slot."""
        return 0.0 if busy < self.slots else math.inf

    def sent(self, job: JobSize) -> float:
        """Reserve nothing."""
        return 0.0

    def answered(self, reply: Reply, now: float) -> None:
        """Ignore the outcome."""

    def retry_after(self, reply: Reply, taken: int, now: float, jitter: float) -> float | None:
        """Back off, at most ``retries`` times."""
        if taken > self.retries or not may_retry(reply.status):
            return None
        return backoff(reply, taken, jitter)


@attrs.define
class AdditiveIncrease:
    """A window that grows by one after a windowful of successes, and is halved at a 429 or 529.

    Refusals of requests that were sent before the last cut do not cut again. A job that waits keeps its slot,
    and 429s never make it give up.
    """

    window: float = 8.0
    retries: int = 10
    holds_slots: bool = attrs.field(default=True, init=False)
    _cut_at: float = attrs.field(default=-math.inf, init=False)

    def wait(self, job: JobSize, busy: int, now: float) -> float:
        """Wait for room in the window."""
        return 0.0 if busy < int(self.window) else math.inf

    def sent(self, job: JobSize) -> float:
        """Reserve nothing."""
        return 0.0

    def answered(self, reply: Reply, now: float) -> None:
        """Grow or cut the window."""
        if reply.status == SUCCESS:
            self.window += 1 / self.window
        elif reply.status in (_TOO_MANY, _OVERLOADED) and reply.sent_at > self._cut_at:
            self.window = max(1.0, self.window / 2)
            self._cut_at = now

    def retry_after(self, reply: Reply, taken: int, now: float, jitter: float) -> float | None:
        """Back off. A 429 uses up no retry."""
        if not may_retry(reply.status) or (reply.status != _TOO_MANY and taken > self.retries):
            return None
        return backoff(reply, taken, jitter)


@attrs.define
class _Capacity:
    """A bucket for one limit: starts empty, fills evenly, and holds a minute's worth."""

    per_minute: float
    level: float = 0.0
    at: float = 0.0

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until ``amount`` is there; for a larger one, until the bucket is full."""
        rate = self.per_minute / 60
        self.level = min(self.per_minute, self.level + rate * max(0.0, now - self.at))
        self.at = max(self.at, now)
        missing = min(amount, self.per_minute) - self.level
        return self.at - now + (missing / rate if missing > _ROUNDING else 0.0)

    def pause(self, now: float, until: float) -> None:
        """Stop filling until then."""
        self.wait(0, now)
        self.at = until


@attrs.define
class OneProbe:
    """Sends one job, reads the limits from its response, and paces by them to the end of the run.

    For each job it reserves the mean output of the last 50 answers, or a quarter of ``max_tokens`` before the
    first answer. Without headers it assumes the limits that Curator takes as the provider's defaults.
    """

    retries: int = 10
    holds_slots: bool = attrs.field(default=False, init=False)
    _limits: dict[str, _Capacity] | None = attrs.field(default=None, init=False)
    _probing: bool = attrs.field(default=False, init=False)
    _outputs: list[int] = attrs.field(factory=list[int], init=False)

    def wait(self, job: JobSize, busy: int, now: float) -> float:
        """Wait for every bucket, and before that for the response to the probe."""
        if self._limits is None:
            return math.inf if self._probing else 0.0
        return max(self._limits[kind].wait(amount, now) for kind, amount in self._demand(job).items())

    def sent(self, job: JobSize) -> float:
        """Debit what the job is expected to use."""
        demand = self._demand(job)
        for kind, capacity in (self._limits or {}).items():
            capacity.level -= demand[kind]
        self._probing = True
        return demand["output"]

    def answered(self, reply: Reply, now: float) -> None:
        """Read the limits once, correct what was debited, and stop at a 429."""
        if self._limits is None:
            self._limits = _limits_of(reply.headers, now)
        elif reply.status == SUCCESS:
            self._limits["input"].level += reply.job.characters / 4 - reply.input_tokens
            self._limits["output"].level += reply.reserved - reply.output_tokens
        if reply.status == SUCCESS:
            self._outputs = [*self._outputs[-49:], reply.output_tokens]
        if reply.status == _TOO_MANY:
            for capacity in self._limits.values():
                capacity.pause(now, now + 10.0)

    def retry_after(self, reply: Reply, taken: int, now: float, jitter: float) -> float | None:
        """Queue the job again, behind all others: the pause after a 429 is for all."""
        return None if taken > self.retries or not may_retry(reply.status) else 0.0

    def _demand(self, job: JobSize) -> Mapping[str, float]:
        output = sum(self._outputs) / len(self._outputs) if self._outputs else job.max_tokens / 4
        return {"requests": 1.0, "input": job.characters / 4, "output": output}


_USUAL: Final = {"requests": 4_000.0, "input": 400_000.0, "output": 80_000.0}
_HEADERS: Final = {"requests": "requests", "input": "input-tokens", "output": "output-tokens"}


def _limits_of(headers: Mapping[str, str], now: float) -> dict[str, _Capacity]:
    reported = {kind: headers.get(f"anthropic-ratelimit-{name}-limit") for kind, name in _HEADERS.items()}
    return {kind: _Capacity(float(value or _USUAL[kind]), at=now) for kind, value in reported.items()}
