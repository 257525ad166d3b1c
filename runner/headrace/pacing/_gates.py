"""The buckets that every job of one model has to pass: the server's limits, and what the user allows. Pure.

The server's limits are known from the headers of its responses. What the user allows is a stated limit, or a
share of a limit of the server, whichever is lower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import attrs

from headrace.policy.options import Limits
from headrace_client.lowlevel import Limit, RateLimits

from ._bucket import MAX_CATCH_UP, Bucket
from ._server import ServerBucket
from ._values import RESOURCES, Bottleneck, Cost, Resource, readings, stated_per_minute

T = TypeVar("T")

_ROUNDING: Mapping[Resource, float] = {"requests": 0.0, "input": 1_000.0, "output": 1_000.0}
"""The units to which Anthropic rounds what remains of a limit. OpenAI reports exact numbers."""
_STATED_DEPTH = 1.0
"""Seconds of a stated token limit that may be used at once. Requests are spaced evenly instead."""


@attrs.define(kw_only=True)
class Gates:
    """The buckets of one model. Times in seconds."""

    stated: Limits
    server: dict[Resource, ServerBucket] = attrs.field(factory=dict[Resource, ServerBucket])
    _allowances: dict[Resource, Bucket] = attrs.field(factory=dict[Resource, Bucket])
    # The values of both, each with the index of its resource. Stored for speed: every admission reads them.
    _server_gates: list[tuple[int, ServerBucket]] = attrs.field(factory=list[tuple[int, ServerBucket]])
    _allowance_gates: list[tuple[int, Bucket]] = attrs.field(factory=list[tuple[int, Bucket]])

    def ready_at(self, reserve: Cost, cost: Cost, now: float) -> tuple[float, Bottleneck]:
        """Return when all buckets hold what a job takes, and which of them is the last.

        ``reserve``: what the server sets aside for the job. Without any bucket that is the distant past.
        """
        ready, bottleneck = -math.inf, RESOURCES[0]
        for index, gate in self._server_gates:
            if (at := gate.ready_at(reserve[index], now)) > ready:
                ready, bottleneck = at, RESOURCES[index]
        for index, gate in self._allowance_gates:
            if (at := gate.ready_at(cost[index], now)) > ready:
                ready, bottleneck = at, RESOURCES[index]
        return ready, bottleneck

    def take(self, reserve: Cost, cost: Cost) -> None:
        """Take a job's ``reserve`` or ``cost`` from each bucket; give it back if it is negative."""
        for index, gate in self._server_gates:
            gate.take(reserve[index], cost[index])
        for index, gate in self._allowance_gates:
            gate.take(cost[index])

    def settle(self, reserve: Cost, cost: Cost, spent: Cost) -> None:
        """Replace what was taken for a job by what it actually cost."""
        for index, gate in self._server_gates:
            gate.settle(reserve[index], cost[index], spent[index])
        for index, gate in self._allowance_gates:
            gate.take(spent[index] - cost[index])

    def room(self, reserve: Cost) -> float:
        """Return how many such jobs may be sent at once.

        0 if each has to be checked, infinity if no limit is known.
        """
        if self._allowance_gates:
            return 0.0
        rooms = [gate.room / (reserve[index] or 1.0) for index, gate in self._server_gates]
        return min(rooms, default=math.inf)

    def rate(self, mean: Cost) -> float | None:
        """Return the jobs per second that the buckets allow; None if no limit is known.

        ``mean``: what a job costs on average.
        """
        rates = [
            gate.inflow / gate.sharers / mean[index] for index, gate in self._server_gates if mean[index]
        ]
        rates += [gate.rate / mean[index] for index, gate in self._allowance_gates if mean[index]]
        return min(rates, default=None)

    def first_seen(
        self, resource: Resource, reading: Limit, now: float, *, is_exact: bool, sent_since: float
    ) -> None:
        """Add a limit of the server that the headers report for the first time.

        ``is_exact``: what remains is not rounded. ``sent_since``: see `Traffic`.
        """
        self.server[resource] = ServerBucket.first_seen(
            reading,
            rounding=0.0 if is_exact else _ROUNDING[resource],
            now=now,
            sent_since=sent_since,
        )
        self.arrange(now)

    def arrange(self, now: float) -> None:
        """Bring the user's buckets in line with the server's limits. Needed after every change of those."""
        for resource in RESOURCES:
            rate = self._allowed(resource)
            if rate is not None:
                seconds = MAX_CATCH_UP if resource == "requests" else _STATED_DEPTH
                depth = max(1.0, rate * seconds)
                bucket = self._allowances.get(resource)
                if bucket is None:
                    self._allowances[resource] = Bucket(rate, depth, depth, now)
                else:
                    bucket.retune(rate, depth, now)
        self._server_gates = _by_index(self.server)
        self._allowance_gates = _by_index(self._allowances)

    def _allowed(self, resource: Resource) -> float | None:
        """Return the rate per second that the user allows; None if it is not limited."""
        stated, server = stated_per_minute(self.stated, resource), self.server.get(resource)
        rates = [stated] if stated is not None else []
        if server is not None and self.stated.share < 1:
            rates.append(server.limit * self.stated.share)
        return min(rates) / 60 if rates else None

    def share(self, resource: Resource, other: Gates, now: float) -> None:
        """Take from another model's bucket from now on: both are of the same limit."""
        self.server[resource] = other.server[resource]
        if stated_per_minute(self.stated, resource) is None and resource in other._allowances:
            self._allowances[resource] = other._allowances[resource]
        self.arrange(now)

    def part(self, resource: Resource, remaining: float, now: float) -> None:
        """Take from a bucket of its own again."""
        shared = self.server[resource]
        reading = Limit(round(shared.limit), round(remaining))
        self.server[resource] = ServerBucket.first_seen(reading, rounding=shared.rounding, now=now)
        if stated_per_minute(self.stated, resource) is None:
            self._allowances.pop(resource, None)
        self.arrange(now)

    def exhausted(self, reserve: Cost, limits: RateLimits | None) -> dict[Resource, Limit]:
        """Return the limits of which too little was left for a job that was refused.

        ``limits``: from the headers of the refusal.
        """
        if limits is None:
            return {}
        return {
            resource: reading
            for resource, reading in readings(limits).items()
            if resource in self.server
            and (reading.remaining or 0) - _ROUNDING[resource] / 2 < reserve[RESOURCES.index(resource)]
        }

    def refused(
        self, exhausted: Mapping[Resource, Limit], reserve: Cost, started_at: float, now: float
    ) -> float:
        """Note a refusal because of these limits; return when their buckets hold what the job takes."""
        for resource, reading in exhausted.items():
            self.server[resource].refused(reading, started_at, now)
        return max(
            self.server[resource].ready_at(reserve[RESOURCES.index(resource)], now) for resource in exhausted
        )

    def levels(self, now: float) -> dict[str, object]:
        """Return the limit, depth and level of the server's buckets, for a later run."""
        return {
            resource: [server.limit, server.bucket.depth, server.bucket.refill(now)]
            for resource, server in self.server.items()
        }

    def restore(self, levels: Mapping[str, object], elapsed: float, now: float, *, is_exact: bool) -> bool:
        """Restore what `levels` returned ``elapsed`` seconds ago; return whether any limit is known."""
        for resource in RESOURCES:
            match levels.get(resource):
                case [int() | float() as limit, int() | float() as depth, int() | float() as level]:
                    filled = min(depth, level + max(0.0, elapsed) * limit / 60)
                    reading = Limit(round(limit), round(max(0.0, filled)))
                    self.first_seen(resource, reading, now, is_exact=is_exact, sent_since=0.0)
                    self.server[resource].bucket.retune(limit / 60, depth, now)
                case _:
                    pass
        return bool(self.server)


def _by_index(buckets: Mapping[Resource, T]) -> list[tuple[int, T]]:
    return [(index, buckets[resource]) for index, resource in enumerate(RESOURCES) if resource in buckets]
