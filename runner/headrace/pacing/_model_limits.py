"""One model's limits, and when its next job may be sent. Pure.

An example, with a limit of 60,000 input tokens per minute, of which 1,000 flow in per second:

1. Two jobs of 4,000 bytes are sent, one after the other. Each is expected to cost 1,000 tokens, since nothing
   better is known than four bytes per token.
2. The response to the first one says that 9,000 tokens remain. That may or may not include the second job:
   the bucket starts at 8,000.
3. The first job used 800 tokens, so a job of this size is now expected to cost 800. But the server sets 1,000
   aside until it has counted, so 1,000 are taken when a third job is sent: 7,000 are left.
4. The third job used 800 tokens, too: 200 are given back, in addition to what has flowed in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import attrs

from headrace.job import FailureKind, JobRequest, Usage
from headrace_client.lowlevel import Limit, RateLimits

from ._batch import Batch
from ._cooldown import STRAY_SHARE, Cooldown, jittered
from ._estimates import Estimates
from ._gates import Gates
from ._history import Spending
from ._search import RateSearch
from ._server import Traffic
from ._values import NOTHING, RESOURCES, Bottleneck, Cost, RateLimitReason, Resource, minus, readings


@attrs.define(kw_only=True)
class ModelLimits:
    """The known limits of one model.

    A job is admitted when every bucket holds what it is expected to cost: those of the server, reconciled
    with its headers, and those of the user. While no limit is known, the rate is found by trial.
    """

    gates: Gates
    estimates: Estimates
    warm_cache_first: bool = False
    """The first job goes alone until its response begins: it writes the prompt cache for the others."""
    bottleneck: Bottleneck = "source"
    """What the last job that `ready_at` was asked about waits for."""
    cooldown: Cooldown = attrs.field(factory=Cooldown)
    search: RateSearch | None = attrs.field(factory=RateSearch)
    peers: dict[Resource, list[ModelLimits]] = attrs.field(
        factory=dict[Resource, "list[ModelLimits]"], repr=False, eq=False
    )
    """The models that share a limit of the server with this one."""
    _spending: Spending = attrs.field(factory=Spending)
    _batch: Batch = attrs.field(factory=Batch)
    _in_flight: int = 0
    _bytes_in_flight: int = 0
    _warming: JobRequest | None = None
    """The job that writes the cache: it costs more than the others, so nothing is learned from it."""
    _costed: tuple[JobRequest, Cost, Cost] | None = None
    """The last result of `_costs`. Stored for speed: a job is asked about several times."""

    def ready_at(self, request: JobRequest, now: float) -> float:
        """Return when a job may be sent; `bottleneck` then says what it waits for."""
        if self._batch.granted:
            return now
        self.book(now)
        if self.warm_cache_first and self._in_flight:
            self.bottleneck = "server"
            return math.inf
        ready, self.bottleneck = self.cooldown.ready_at(now), "server"
        if self.search is not None and (at := self.search.ready_at(now)) > ready:
            ready = at
        cost, reserve = self._costs(request)
        at, bottleneck = self.gates.ready_at(reserve, cost, now)
        if at > ready:
            ready, self.bottleneck = at, bottleneck
        if ready <= now:
            self._batch.grant(self._room(reserve))
        return ready

    @property
    def granted(self) -> int:
        """How many jobs may be sent without a check of each: 0 while a limit is near."""
        return self._batch.granted

    def _room(self, reserve: Cost) -> float:
        """Return how many such jobs may be sent at once; 0 if each has to be checked."""
        if self.warm_cache_first or self.estimates.reserves_output or not self.cooldown.is_over:
            return 0.0
        room = self.gates.room(reserve)
        if self.search is not None:
            room = min(room, self.search.room)
        return room if room < math.inf else 0.0

    def admitted(self, requests: Sequence[JobRequest], now: float) -> None:
        """Note that jobs are sent: one, or as many as were `granted`."""
        self._in_flight += len(requests)
        if self._batch.granted:
            self._batch.send(requests)
        else:
            for request in requests:
                self._charge(request, now)

    def _charge(self, request: JobRequest, now: float) -> None:
        cost, reserve = self._costs(request)
        self.gates.take(reserve, cost)
        self._spending.add(cost, reserve, now)
        self._bytes_in_flight += len(request.body)
        if self.warm_cache_first:
            self._warming = request
        self.cooldown.admitted(now)
        if self.search is not None:
            self.search.admitted(now)

    def succeeded(
        self, request: JobRequest, usage: Usage, limits: RateLimits | None, started_at: float, now: float
    ) -> None:
        """Note the result of a job that was sent at ``started_at``. ``limits``: from its headers, if read."""
        charged, output = self.estimates.counted(request, usage)
        if self._batch.granted and limits is None:
            self._in_flight -= 1
            self._batch.succeed(request, charged, output)
            return
        self._returned(request)
        self.book(now)
        self.warm_cache_first = False
        self.cooldown.passed(started_at)
        if self.search is not None:
            self.search.succeeded(now)
        if not self.estimates.reserves_output:
            cost, reserve = self._costs(request)
            self.gates.settle(reserve, cost, (1.0, float(charged), float(output)))
            learned: float = charged
        else:
            learned = self.estimates.cost(request)[1]
        if request is not self._warming:
            self.estimates.learn(1, len(request.body), learned, output)
        self._observe(limits, started_at, now)

    def failed(
        self,
        request: JobRequest,
        kind: FailureKind,
        limits: RateLimits | None,
        started_at: float,
        now: float,
    ) -> None:
        """Note a failure other than a 429. A server without capacity has not used the quota."""
        self._returned(request)
        self.book(now)
        if kind == "overloaded" and not self.estimates.reserves_output:
            self._refund(request)
        self._observe(limits, started_at, now)

    def refused(
        self,
        request: JobRequest,
        reason: RateLimitReason,
        limits: RateLimits | None,
        *,
        started_at: float,
        retry_after: float | None,
        now: float,
        jitter: float,
    ) -> None:
        """Note a 429. ``retry_after``: seconds, None if the server does not say; ``jitter``: in [0, 1)."""
        self._returned(request)
        self.book(now)
        self._batch.granted = 0
        cost, reserve = self._costs(request)
        self._spending.add(cost, reserve, now, times=-1)
        if not self.estimates.reserves_output:
            self._refund(request)
        self._observe(limits, started_at, now)
        if reason == "concurrency":
            return
        until = None if retry_after is None else now + retry_after
        may_be_stray, exhausted = False, dict[Resource, Limit]()
        if reason == "ramp":
            self.search = self.search or RateSearch()
            self.search.too_steep(max(1.0, self._spending.cost.since(now - 1.0)[0]), started_at, now)
        elif exhausted := self.gates.exhausted(reserve, limits):
            filled_at = self.gates.refused(exhausted, reserve, started_at, now)
            until = filled_at if until is None else until
        else:
            may_be_stray = self._unexplained(started_at, now)
        # The rate of a search that has just begun is known to be accepted: no job has to go first.
        is_known = may_be_stray and self.search is not None and self.search.is_provisional
        share = STRAY_SHARE if may_be_stray else 1.0
        self.cooldown.begin(until, started_at, now, share * jittered(jitter), probe=not is_known)
        self._hold_peers(exhausted or self.peers)

    def _hold_peers(self, resources: Iterable[Resource]) -> None:
        for peer in [peer for resource in resources for peer in self.peers.get(resource, ())]:
            peer.hold(self.cooldown.until)

    def hold(self, until: float) -> None:
        """Wait as long as a model that was refused because of a limit that both share."""
        self._batch.granted = 0
        self.cooldown.hold(until, refusals=0, probe=False)

    def _unexplained(self, started_at: float, now: float) -> bool:
        """Note a refusal that no known limit explains; return whether it may be a stray one."""
        sent = self._spending.cost.rate(now)
        if self.search is None:
            self.search = RateSearch.after_refusal(sent, now)
        else:
            self.search.refused(started_at, self._spending.cost.since(started_at)[0] + 1, sent, now)
        return self.search.doubts

    def interrupted(self, request: JobRequest) -> None:
        """Note that this process cancelled a job. Its cost is unknown until the next headers."""
        self._returned(request)

    def rate(self) -> float | None:
        """Return the jobs per second that the known limits allow; None if none is known."""
        return self.gates.rate((1.0, self.estimates.input, self.estimates.output))

    def book(self, now: float) -> None:
        """Account for the batch: what was sent counts as sent at ``now``."""
        batch = self._batch
        if not batch.sent and not batch.succeeded:
            return
        if batch.sent:
            cost, reserve = self.estimates.total(batch.sent, batch.sent_bytes)
            self.gates.take(reserve, cost)
            self._spending.add(cost, reserve, now)
            if self.search is not None:
                self.search.admitted(now, batch.sent)
        if batch.succeeded:
            cost, reserve = self.estimates.total(batch.succeeded, batch.succeeded_bytes)
            spent = float(batch.succeeded), float(batch.input), float(batch.output)
            self.gates.settle(reserve, cost, spent)
            self.estimates.learn(batch.succeeded, batch.succeeded_bytes, batch.input, batch.output)
            if self.search is not None:
                self.search.succeeded(now, batch.succeeded)
        self._bytes_in_flight += batch.sent_bytes - batch.succeeded_bytes
        self._batch = Batch(granted=batch.granted)

    def _returned(self, request: JobRequest) -> None:
        self._in_flight -= 1
        self._bytes_in_flight -= len(request.body)

    def _costs(self, request: JobRequest) -> tuple[Cost, Cost]:
        """Return what a job is expected to cost, and what the server sets aside for it at first."""
        if self._costed is None or self._costed[0] is not request:
            cost = self.estimates.cost(request)
            self._costed = request, cost, self.estimates.reserve(request, cost)
        return self._costed[1], self._costed[2]

    def _refund(self, request: JobRequest) -> None:
        cost, reserve = self._costs(request)
        self.gates.take(minus(NOTHING, reserve), minus(NOTHING, cost))

    def end_search(self) -> None:
        """Stop finding a rate by trial once a limit is known, unless a rate was refused."""
        if self.search is not None and self.search.plateau is None:
            self.search = None

    def _observe(self, limits: RateLimits | None, started_at: float, now: float) -> None:
        if limits is None:
            return
        if self.search is not None and self.search.is_over(now):
            self.search = None
        for resource, reading in readings(limits).items():
            server = self.gates.server.get(resource)
            traffic = self.traffic(resource, started_at, now)
            for peer in self.peers.get(resource, ()):
                traffic += peer.traffic(resource, started_at, now)
            if server is None:
                is_exact, sent_since = self.estimates.reserves_output, traffic.sent_since
                self.gates.first_seen(resource, reading, now, is_exact=is_exact, sent_since=sent_since)
                self.end_search()
                continue
            if server.observe(reading, traffic, waited=now - started_at, now=now):
                self.gates.arrange(now)

    def spent(self, resource: Resource, now: float) -> float:
        """Return what all jobs so far have been expected to cost."""
        self.book(now)
        return self._spending.cost.total[RESOURCES.index(resource)]

    def in_flight(self, resource: Resource) -> float:
        """Return what was set aside for the jobs in flight."""
        reserved = self.estimates.total(self._in_flight, self._bytes_in_flight)[1]
        return reserved[RESOURCES.index(resource)]

    def traffic(self, resource: Resource, started_at: float, now: float) -> Traffic:
        """Return what a reading of a job sent at ``started_at`` may not show of this model's jobs."""
        self.book(now)
        index = RESOURCES.index(resource)
        expected, reserved = self.estimates.total(self._in_flight, self._bytes_in_flight)
        return Traffic(
            sent_since=self._spending.cost.since(started_at)[index],
            pending=self._in_flight * self.estimates.output if resource == "output" else 0.0,
            withheld=self._spending.withheld_recently(now)[index],
            in_flight=reserved[index] - expected[index],
        )
