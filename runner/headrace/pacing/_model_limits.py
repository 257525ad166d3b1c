"""One model's limits, and everything that decides when its next job may be sent. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import attrs

from headrace.job import FailureKind, JobRequest, Usage
from headrace_client.lowlevel import Limit, RateLimits

from ._batch import Batch
from ._bucket import Bucket
from ._cooldown import Cooldown
from ._estimates import Estimates
from ._history import History
from ._search import RateSearch
from ._server import ServerBucket
from ._values import RESOURCES, Bottleneck, Cost, RateLimitReason, Resource, StatedLimits, readings

T = TypeVar("T")

_NOTHING: Cost = (0.0, 0.0, 0.0)
_LATE = 0.05
"""Seconds: so much of a late wake-up is caught up with."""
_COUNTED_AFTER = 0.2
"""Seconds: of younger jobs the server may still hold more than they cost, without having told so."""
_ROUNDING: Mapping[Resource, float] = {"requests": 0.0, "input": 1_000.0, "output": 1_000.0}
"""How coarse Anthropic tells what remains."""
_STATED_SECONDS = 1.0
"""Seconds of a stated token limit that may be used at once. Requests are spaced evenly."""


@attrs.define(kw_only=True)
class ModelLimits:
    """The limits of one model, as far as they are known.

    A job is admitted when every bucket holds what it is expected to cost: the server's, reconciled with
    its headers, and the user's allowances. While no limit is known the rate is found by trial.
    """

    stated: StatedLimits
    estimates: Estimates
    warm_cache_first: bool = False
    """The first job goes alone until its answer begins: it writes the prompt cache for the others."""
    bottleneck: Bottleneck = "source"
    cooldown: Cooldown = attrs.field(factory=Cooldown)
    search: RateSearch | None = attrs.field(factory=RateSearch)
    server: dict[Resource, ServerBucket] = attrs.field(factory=dict[Resource, ServerBucket])
    _allowances: dict[Resource, Bucket] = attrs.field(factory=dict[Resource, Bucket])
    _server_gates: list[tuple[int, ServerBucket]] = attrs.field(factory=list[tuple[int, ServerBucket]])
    _allowance_gates: list[tuple[int, Bucket]] = attrs.field(factory=list[tuple[int, Bucket]])
    _history: History = attrs.field(factory=History)
    _withheld: History = attrs.field(factory=History)
    """By how much what the server sets aside is more than what jobs cost."""
    _batch: Batch = attrs.field(factory=Batch)
    _in_flight: int = 0
    _bytes_in_flight: int = 0
    _leader: JobRequest | None = None
    _costed: tuple[JobRequest, Cost, Cost] | None = None

    def ready_at(self, request: JobRequest, now: float) -> float:
        """Return the time from which a job may be sent, as far as limits go; `binds` says what decides."""
        if self._batch.granted:
            return now
        self._book(now)
        if self.warm_cache_first and self._in_flight:
            self.bottleneck = "server"
            return math.inf
        ready, self.bottleneck = self.cooldown.ready_at(now), "server"
        if self.search is not None and (at := self.search.ready_at(now)) > ready:
            ready = at
        cost, reserve = self._costs(request)
        for index, gate in self._server_gates:
            if (at := gate.ready_at(reserve[index], now)) > ready:
                ready, self.bottleneck = at, RESOURCES[index]
        for index, gate in self._allowance_gates:
            if (at := gate.ready_at(cost[index], now)) > ready:
                ready, self.bottleneck = at, RESOURCES[index]
        if ready <= now:
            self._batch.grant(self._room(reserve))
        return ready

    @property
    def granted(self) -> int:
        """How many jobs may be sent without asking for each: 0 while a limit is near."""
        return self._batch.granted

    def admitted(self, requests: Sequence[JobRequest], now: float) -> None:
        """Note that jobs are sent at ``now``: one, or as many as were `granted`."""
        self._in_flight += len(requests)
        if self._batch.granted:
            self._batch.send(requests)
        else:
            for request in requests:
                self._charge(request, now)

    def _charge(self, request: JobRequest, now: float) -> None:
        cost, reserve = self._costs(request)
        self._take(reserve, cost)
        self._history.add(cost, now)
        self._withheld.add(_minus(reserve, cost), now)
        self._bytes_in_flight += len(request.body)
        if self.warm_cache_first:
            self._leader = request
        self.cooldown.admitted(now)
        if self.search is not None:
            self.search.admitted(now)

    def succeeded(
        self, request: JobRequest, usage: Usage, limits: RateLimits | None, started_at: float, now: float
    ) -> None:
        """Note the answer to a job that was sent at ``started_at``. ``limits``: its headers, if looked at."""
        if self._batch.granted and limits is None:
            self._in_flight -= 1
            self._batch.succeed(request, usage)
            return
        self._returned(request)
        self._book(now)
        self.warm_cache_first = False
        self.cooldown.passed(started_at)
        if self.search is not None:
            self.search.succeeded()
        if not self.estimates.reserves_output:
            cost, reserve = self._costs(request)
            spent = 1.0, float(usage.input + usage.cache_creation), float(usage.output)
            self._settle(reserve, cost, spent)
            charged = usage.input + usage.cache_creation
        else:
            charged = self.estimates.cost(request)[1]
        if request is not self._leader:
            self.estimates.learn(1, len(request.body), charged, usage.output)
        self._observe(limits, started_at, now)

    def failed(
        self,
        request: JobRequest,
        kind: FailureKind,
        limits: RateLimits | None,
        started_at: float,
        now: float,
    ) -> None:
        """Note a failure that is no 429. A server without capacity has not touched the quota."""
        self._returned(request)
        self._book(now)
        if kind == "overloaded" and not self.estimates.reserves_output:
            self._give_back(request)
        self._observe(limits, started_at, now)

    def refused(
        self,
        request: JobRequest,
        refusal: RateLimitReason,
        limits: RateLimits | None,
        *,
        started_at: float,
        retry_after: float | None,
        now: float,
        jitter: float,
    ) -> None:
        """Note a 429. ``retry_after``: seconds, None if the server does not say; ``jitter``: in [0, 1)."""
        self._returned(request)
        self._book(now)
        self._batch.granted = 0
        cost, reserve = self._costs(request)
        self._history.add(cost, now, times=-1)
        self._withheld.add(_minus(reserve, cost), now, times=-1)
        if not self.estimates.reserves_output:
            self._give_back(request)
        self._observe(limits, started_at, now)
        if refusal == "concurrency":
            return
        if refusal == "ramp":
            self._searching().too_steep(max(1.0, self._history.since(now - 1.0)[0]), started_at, now)
            self.cooldown.refused(
                now + (self.cooldown.backoff(jitter) if retry_after is None else retry_after)
            )
            return
        short = self._short(reserve, limits)
        for resource, reading in short.items():
            self.server[resource].refused(reading, started_at, now)
        if not short:
            self._searching().refused(started_at, self._history.since(started_at)[0] + 1, now)
        if retry_after is not None:
            self.cooldown.refused(now + retry_after)
        elif short:
            self.cooldown.refused(self._filled_at(short, reserve, now))
        else:
            self.cooldown.refused(now + self.cooldown.backoff(jitter))

    def interrupted(self, request: JobRequest) -> None:
        """Note that a job was cut off by us. What it cost is not known: the headers will tell."""
        self._returned(request)

    def rate(self) -> float | None:
        """Jobs a second that the known limits allow; None if none is known."""
        mean = (1.0, self.estimates.input, self.estimates.output)
        rates = [gate.inflow / mean[index] for index, gate in self._server_gates if mean[index]]
        rates += [gate.rate / mean[index] for index, gate in self._allowance_gates if mean[index]]
        return min(rates, default=None)

    def levels(self, now: float) -> dict[str, object]:
        """The server's buckets, for a later run."""
        self._book(now)
        return {
            resource: [own.limit, own.bucket.depth, own.bucket.refill(now)]
            for resource, own in self.server.items()
        }

    def restore(self, levels: Mapping[str, object], elapsed: float, now: float) -> None:
        """Go on with the buckets that a run left ``elapsed`` seconds ago; what makes no sense is left out."""
        for resource in RESOURCES:
            match levels.get(resource):
                case [int() | float() as limit, int() | float() as depth, int() | float() as level]:
                    filled = min(depth, level + max(0.0, elapsed) * limit / 60)
                    self._first_seen(resource, Limit(round(limit), round(max(0.0, filled))), now)
                    self.server[resource].bucket.retune(limit / 60, depth, now)
                case _:
                    pass

    def _room(self, reserve: Cost) -> float:
        """For how many such jobs there is room; 0 where each must be looked at."""
        watched = self.warm_cache_first or self._allowance_gates or self.estimates.reserves_output
        if watched or not self.cooldown.is_over:
            return 0.0
        rooms = [gate.room / (reserve[index] or 1.0) for index, gate in self._server_gates]
        if self.search is not None:
            rooms.append(self.search.room)
        return min(rooms, default=0.0)

    def _book(self, now: float) -> None:
        """Book what was granted at once: what was sent as if at ``now``."""
        batch = self._batch
        if not batch.sent and not batch.succeeded:
            return
        if batch.sent:
            cost, reserve = self.estimates.together(batch.sent, batch.sent_bytes)
            self._take(reserve, cost)
            self._history.add(cost, now)
            self._withheld.add(_minus(reserve, cost), now)
            if self.search is not None:
                self.search.admitted(now, batch.sent)
        if batch.succeeded:
            cost, reserve = self.estimates.together(batch.succeeded, batch.succeeded_bytes)
            spent = float(batch.succeeded), float(batch.input), float(batch.output)
            self._settle(reserve, cost, spent)
            self.estimates.learn(batch.succeeded, batch.succeeded_bytes, batch.input, batch.output)
            if self.search is not None:
                self.search.succeeded(batch.succeeded)
        self._bytes_in_flight += batch.sent_bytes - batch.succeeded_bytes
        self._batch = Batch(granted=batch.granted)

    def _returned(self, request: JobRequest) -> None:
        self._in_flight -= 1
        self._bytes_in_flight -= len(request.body)

    def _costs(self, request: JobRequest) -> tuple[Cost, Cost]:
        """What a job is expected to cost, and what the server sets aside for it at first."""
        if self._costed is None or self._costed[0] is not request:
            cost = self.estimates.cost(request)
            self._costed = request, cost, self.estimates.reserve(request, cost)
        return self._costed[1], self._costed[2]

    def _take(self, reserve: Cost, cost: Cost) -> None:
        for index, gate in self._server_gates:
            gate.take(reserve[index], cost[index])
        for index, gate in self._allowance_gates:
            gate.take(cost[index])

    def _settle(self, reserve: Cost, cost: Cost, spent: Cost) -> None:
        for index, gate in self._server_gates:
            gate.settle(reserve[index], cost[index], spent[index])
        for index, gate in self._allowance_gates:
            gate.take(spent[index] - cost[index])

    def _give_back(self, request: JobRequest) -> None:
        cost, reserve = self._costs(request)
        self._take(_minus(_NOTHING, reserve), _minus(_NOTHING, cost))

    def _searching(self) -> RateSearch:
        if self.search is None:
            self.search = RateSearch()
        return self.search

    def _observe(self, limits: RateLimits | None, started_at: float, now: float) -> None:
        if limits is None:
            return
        since = self._history.since(started_at)
        withheld = self._withheld.since(now - _COUNTED_AFTER)
        expected, reserved = self.estimates.together(self._in_flight, self._bytes_in_flight)
        for resource, reading in readings(limits).items():
            own = self.server.get(resource)
            index = RESOURCES.index(resource)
            if own is None:
                self._first_seen(resource, reading, now, sent_since=since[index])
            else:
                pending = self._in_flight * self.estimates.output if resource == "output" else 0.0
                limit = own.limit
                own.observe(
                    reading,
                    sent_since=since[index],
                    waited=now - started_at,
                    pending=pending,
                    withheld=withheld[index],
                    in_flight=reserved[index] - expected[index],
                    now=now,
                )
                if own.limit != limit:
                    self.arrange(now)

    def _first_seen(self, resource: Resource, reading: Limit, now: float, *, sent_since: float = 0.0) -> None:
        rounding = 0.0 if self.estimates.reserves_output else _ROUNDING[resource]
        self.server[resource] = ServerBucket.first_seen(
            reading, rounding=rounding, now=now, sent_since=sent_since
        )
        if self.search is not None and self.search.plateau is None:
            self.search = None
        self.arrange(now)

    def arrange(self, now: float) -> None:
        """Line up all that a job has to pass: the server's buckets and what the user allows."""
        for resource in RESOURCES:
            rate = self._allowed(resource)
            if rate is not None:
                depth = max(1.0, rate * (_LATE if resource == "requests" else _STATED_SECONDS))
                own = self._allowances.get(resource)
                if own is None:
                    self._allowances[resource] = Bucket(rate, depth, depth, now)
                else:
                    own.retune(rate, depth, now)
        self._server_gates = _lined_up(self.server)
        self._allowance_gates = _lined_up(self._allowances)

    def _allowed(self, resource: Resource) -> float | None:
        """The rate a second that the user allows; None for all that there is."""
        stated, own = self.stated.per_minute(resource), self.server.get(resource)
        rates = [stated] if stated is not None else []
        if own is not None and self.stated.share < 1:
            rates.append(own.limit * self.stated.share)
        return min(rates) / 60 if rates else None

    def _short(self, cost: Cost, limits: RateLimits | None) -> dict[Resource, Limit]:
        """The limits of which too little was left for a job that was refused."""
        if limits is None:
            return {}
        return {
            resource: reading
            for resource, reading in readings(limits).items()
            if resource in self.server
            and (reading.remaining or 0) - _ROUNDING[resource] / 2 < cost[RESOURCES.index(resource)]
        }

    def _filled_at(self, short: Mapping[Resource, Limit], cost: Cost, now: float) -> float:
        return max(self.server[resource].ready_at(cost[RESOURCES.index(resource)], now) for resource in short)


def _lined_up(gates: Mapping[Resource, T]) -> list[tuple[int, T]]:
    return [(index, gates[resource]) for index, resource in enumerate(RESOURCES) if resource in gates]


def _minus(cost: Cost, other: Cost) -> Cost:
    return cost[0] - other[0], cost[1] - other[1], cost[2] - other[2]
