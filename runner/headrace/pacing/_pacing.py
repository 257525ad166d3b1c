"""The pacing of a run: how many jobs may be in flight, and the limits of each model. Pure. In seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import cast

import attrs

from headrace.job import FailureKind, JobRequest, Usage
from headrace.policy.options import Limits
from headrace_client.lowlevel import RateLimits

from ._concurrency import Concurrency
from ._estimates import Estimates
from ._gates import Gates
from ._model_limits import ModelLimits
from ._search import RateSearch
from ._sharing import Sharing
from ._values import RESOURCES, rate_limit_reason, stated_per_minute


@attrs.define(kw_only=True)
class Pacing:
    """Everything known about the limits.

    ``reserves_output``: see `Estimates`. ``warm_cache_first``: see `ModelLimits`.
    """

    concurrency: Concurrency
    stated: Limits = attrs.field(factory=Limits)
    reserves_output: bool = False
    warm_cache_first: bool = False
    by_model: dict[str, ModelLimits] = attrs.field(factory=dict[str, ModelLimits])
    _sharing: Sharing = attrs.field(factory=Sharing)

    @classmethod
    def fixed(cls, concurrency: int) -> Pacing:
        """Return pacing by the server's limits, with a fixed maximum number of jobs in flight."""
        return cls(concurrency=Concurrency.fixed(concurrency))

    def for_model(self, model: str, now: float) -> ModelLimits:
        """Return the limits of a model."""
        limits = self.by_model.get(model)
        if limits is None:
            limits = self.by_model[model] = self._new_model(now)
        return limits

    def slot_at(self, in_flight: int, now: float) -> float:
        """Return when one more job may be in flight; infinity: not before another has come back."""
        concurrency = self.concurrency
        if in_flight < concurrency.cap:
            return now
        return concurrency.ready_at(in_flight, self._rate(), now)

    def began(self, model: str) -> None:
        """Note that the response to the job that warms the cache has begun: other jobs can read the cache."""
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
        """Note the result of a job that was sent at ``started_at``. ``limits``: from its headers, if read."""
        self.concurrency.succeeded(latency)
        self.by_model[request.model].succeeded(request, usage, limits, started_at, now)
        if limits is not None:
            self._compare(request.model, limits, now)

    def failed(
        self,
        request: JobRequest,
        kind: FailureKind,
        limits: RateLimits | None,
        *,
        started_at: float,
        now: float,
    ) -> None:
        """Note a failure other than a 429."""
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

        ``code``: of the failure. ``retry_after``: None if the server does not say. ``others``: jobs in flight
        besides this one. ``jitter``: in [0, 1).
        """
        reason = rate_limit_reason(code)
        if reason == "concurrency":
            self.concurrency.refused(others, now)
        self.by_model[request.model].refused(
            request,
            reason,
            limits,
            started_at=started_at,
            retry_after=retry_after,
            now=now,
            jitter=jitter,
        )
        if limits is not None:
            self._compare(request.model, limits, now)

    def interrupted(self, request: JobRequest) -> None:
        """Note that this process cancelled a job."""
        self.by_model[request.model].interrupted(request)

    def cooldown_until(self) -> float:
        """Return the time before which no job of any model is sent; the distant past if there is none."""
        return min((limits.cooldown.until for limits in self.by_model.values()), default=-math.inf)

    def levels(self, now: float, wall: float) -> dict[str, object]:
        """Return the server's buckets by model, for a later run. ``wall``: seconds since the epoch."""
        models: dict[str, object] = {}
        for model, limits in self.by_model.items():
            limits.book(now)
            models[model] = limits.gates.levels(now)
        return {"at": wall, "models": models}

    def restore(self, levels: Mapping[str, object], now: float, wall: float) -> None:
        """Start with the buckets that an earlier run left instead of full ones; malformed ones are ignored.

        ``wall``: seconds since the epoch.
        """
        at, models = levels.get("at"), levels.get("models")
        if not isinstance(at, int | float) or not isinstance(models, Mapping):
            return
        for model, saved in cast("Mapping[str, object]", models).items():
            if isinstance(saved, Mapping):
                limits, levels = self.for_model(model, now), cast("Mapping[str, object]", saved)
                if limits.gates.restore(levels, wall - at, now, is_exact=self.reserves_output):
                    limits.end_search()

    def _compare(self, model: str, limits: RateLimits, now: float) -> None:
        if len(self.by_model) > 1:
            self._sharing.observe(model, limits, self.by_model, now)

    def _new_model(self, now: float) -> ModelLimits:
        is_stated = any(stated_per_minute(self.stated, resource) is not None for resource in RESOURCES)
        gates = Gates(stated=self.stated)
        gates.arrange(now)
        return ModelLimits(
            gates=gates,
            estimates=Estimates(reserves_output=self.reserves_output),
            warm_cache_first=self.warm_cache_first,
            search=None if is_stated else self._new_search(),
        )

    def _new_search(self) -> RateSearch:
        concurrency = self.concurrency
        return RateSearch(stated=None if concurrency.auto else concurrency.ceiling)

    def _rate(self) -> float | None:
        """Return the jobs per second that all models together are allowed; None if one of them is unknown."""
        rates = [limits.rate() for limits in self.by_model.values()]
        known = [rate for rate in rates if rate is not None]
        return sum(known) if known and len(known) == len(rates) else None
