"""The pacing of a run: the cap on what is in flight, and a pool of limits for each model. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from headrace.job import FailureKind, JobRequest, Usage
from headrace_client.lowlevel import RateLimits

from ._concurrency import Concurrency
from ._estimates import Estimates
from ._model_limits import ModelLimits
from ._search import RateSearch
from ._values import RESOURCES, RateLimitReason, StatedLimits, rate_limit_reason


@attrs.define(kw_only=True)
class Pacing:
    """All that is known of the limits. ``reserves_output``: see `Estimates`; ``leader_first``: see `Pool`."""

    concurrency: Concurrency
    stated: StatedLimits = attrs.field(factory=StatedLimits)
    reserves_output: bool = False
    warm_cache_first: bool = False
    by_model: dict[str, ModelLimits] = attrs.field(factory=dict[str, ModelLimits])

    @classmethod
    def fixed(cls, concurrency: int) -> Pacing:
        """Pace by what the server says, with a fixed number of jobs in flight."""
        return cls(concurrency=Concurrency.fixed(concurrency))

    def for_model(self, model: str, now: float) -> ModelLimits:
        """Return the limits of a model."""
        pool = self.by_model.get(model)
        if pool is None:
            pool = self.by_model[model] = self._new_model(now)
        return pool

    def slot_at(self, in_flight: int, now: float) -> float:
        """Return the time from which one more may be in flight; infinity: not before one has come back."""
        concurrency = self.concurrency
        if in_flight < concurrency.cap:
            return now
        return concurrency.ready_at(in_flight, self._rate(), now)

    def began(self, model: str) -> None:
        """Note that the answer to a job that leads has begun: what it put into the cache can be read now."""
        self.by_model[model].warm_cache_first = False

    def succeeded(
        self,
        request: JobRequest,
        usage: Usage,
        limits: RateLimits | None,
        *,
        started_at: float,
        latency: float,
        now: float,
    ) -> None:
        """Note the answer to a job. ``limits``: what its headers say, if they were looked at."""
        self.concurrency.succeeded(latency)
        self.by_model[request.model].succeeded(request, usage, limits, started_at, now)

    def failed(
        self,
        request: JobRequest,
        kind: FailureKind,
        limits: RateLimits | None,
        *,
        started_at: float,
        now: float,
    ) -> None:
        """Note a failure that is no 429."""
        self.by_model[request.model].failed(request, kind, limits, started_at, now)

    def refused(
        self,
        request: JobRequest,
        code: str | None,
        limits: RateLimits | None,
        *,
        started_at: float,
        retry_after: float | None,
        others: int,
        now: float,
        jitter: float,
    ) -> None:
        """Note a 429.

        ``code``: the failure's; ``retry_after``: seconds, None if the server does not say; ``others``: jobs
        in flight beside this one; ``jitter``: in [0, 1).
        """
        refusal: RateLimitReason = rate_limit_reason(code)
        if refusal == "concurrency":
            self.concurrency.refused(others, now)
        self.by_model[request.model].refused(
            request,
            refusal,
            limits,
            started_at=started_at,
            retry_after=retry_after,
            now=now,
            jitter=jitter,
        )

    def interrupted(self, request: JobRequest) -> None:
        """Note that a job was cut off by us."""
        self.by_model[request.model].interrupted(request)

    def cooldown_until(self) -> float:
        """Return the time before which no model's jobs are sent; minus infinity if nothing is held."""
        return min((pool.cooldown.until for pool in self.by_model.values()), default=float("-inf"))

    def levels(self, now: float, wall: float) -> dict[str, object]:
        """What a later run should know: the server's buckets by model. ``wall``: seconds since the epoch."""
        return {"at": wall, "models": {model: pool.levels(now) for model, pool in self.by_model.items()}}

    def restore(self, levels: Mapping[str, object], now: float, wall: float) -> None:
        """Go on where an earlier run ended, so as not to start with full buckets."""
        at, models = levels.get("at"), levels.get("models")
        if not isinstance(at, int | float) or not isinstance(models, Mapping):
            return
        for model, kept in cast("Mapping[str, object]", models).items():
            if isinstance(kept, Mapping):
                self.for_model(model, now).restore(cast("Mapping[str, object]", kept), wall - at, now)

    def _new_model(self, now: float) -> ModelLimits:
        estimates = Estimates(reserves_output=self.reserves_output)
        stated = any(self.stated.per_minute(resource) is not None for resource in RESOURCES)
        pool = ModelLimits(
            stated=self.stated,
            estimates=estimates,
            warm_cache_first=self.warm_cache_first,
            search=None if stated else self._new_search(),
        )
        pool.arrange(now)
        return pool

    def _new_search(self) -> RateSearch:
        concurrency = self.concurrency
        return RateSearch(stated=None if concurrency.auto else concurrency.ceiling)

    def _rate(self) -> float | None:
        rates = [pool.rate() for pool in self.by_model.values()]
        known = [rate for rate in rates if rate is not None]
        return sum(known) if known and len(known) == len(rates) else None
