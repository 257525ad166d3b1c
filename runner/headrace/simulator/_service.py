"""What the provider decides about each request: admission, faults, length, accounting. Pure.

A request passes these checks in order, as the profile configures them: key, model, random fault, spend limit,
concurrency, ramp, buckets. A rejected request takes nothing from the buckets, unless failed requests count in
its API.
"""

from __future__ import annotations

import math
from collections import Counter

from ._api import Api, ApiRequest, Rejection
from ._buckets import AccelerationLimit, Quota, Shortage
from ._cache import PromptCache
from ._draw import Draw, draw, draw_length
from ._generation import Generation
from ._models import CATALOGUE
from ._profile import FaultKind, Profile, Schedule

_MAX_RETRY_AFTER = 86_400.0
"""Seconds."""

_STATUS_FAULTS: dict[FaultKind, Rejection] = {
    "429": Rejection(status=429, message="This request would exceed your rate limit.", retry_after=1),
    "529": Rejection(status=529, message="Overloaded"),
    "500": Rejection(status=500, message="Internal server error"),
}


class Service:
    """The state of the provider: the requests in flight, and what is left of each limit."""

    def __init__(self, profile: Profile, schedule: Schedule, seed: int) -> None:
        self._schedule: Schedule = ((-math.inf, profile), *schedule)
        self._seed = seed
        self._started: float | None = None
        self._quotas: dict[str | None, Quota] = {}
        self._acceleration = AccelerationLimit(0.0)
        self._cache = PromptCache()
        self._arrivals: Counter[str] = Counter()
        self._accepted = 0
        self.in_flight = 0

    def profile_at(self, now: float) -> Profile:
        """Return the current profile. The schedule starts with the first call."""
        if self._started is None:
            self._started = now
        elapsed = now - self._started
        return next(profile for since, profile in reversed(self._schedule) if since <= elapsed)

    def models(self, profile: Profile) -> tuple[str, ...]:
        """Return the names of the models to list."""
        return CATALOGUE if profile.known_models is None else profile.known_models

    def check_key(self, profile: Profile, key: str | None) -> None:
        """Raise `Rejection` 401 unless the key is valid."""
        if profile.reject_keys or (profile.required_key is not None and key != profile.required_key):
            raise Rejection(status=401, message="invalid x-api-key" if key else "no API key was presented")

    def check_model(self, profile: Profile, model: str) -> None:
        """Raise `Rejection` 404 unless the model exists."""
        if profile.known_models is not None and model not in profile.known_models:
            raise Rejection(status=404, message=f"model: {model}")

    def quota(self, profile: Profile, model: str, now: float) -> Quota:
        """Return the buckets of a model, with the limits of the profile."""
        limits = profile.limits_for(model)
        key = model if model in profile.model_limits else None
        quota = self._quotas.get(key)
        if quota is None:
            quota = self._quotas[key] = Quota(limits, now)
        elif quota.limits is not limits:
            quota.change_limits(limits, now)
        return quota

    def draw(self, body: str) -> Draw:
        """Draw for the next arrival of a body with this digest."""
        self._arrivals[body] += 1
        return draw(self._seed, body, self._arrivals[body])

    def draw_fault(self, profile: Profile, draw: Draw) -> FaultKind | None:
        """Return the fault to inject, if any. Raises `Rejection` for a fault that is a status."""
        cumulative = 0.0
        for kind, share in profile.faults.items():
            cumulative += share
            if draw.fault < cumulative:
                if rejection := _STATUS_FAULTS.get(kind):
                    raise rejection
                return kind
        return None

    def admit(
        self, api: Api, request: ApiRequest, profile: Profile, quota: Quota, draw: Draw, now: float
    ) -> Generation:
        """Admit a request and debit its reserved tokens. Raises `Rejection`.

        Call `release` when the generation has ended.
        """
        fault = self.draw_fault(profile, draw)
        self._check_account_limits(profile, now)
        if shortage := quota.admit(request.reserved_tokens, now):
            if api.RESERVES_OUTPUT:
                quota.requests.drain(1, now)
            raise _exceeded(shortage)
        self._accepted += 1
        self.in_flight += 1
        length = draw_length(self._seed, request.digest, *profile.output_tokens)
        output = length if request.max_tokens is None else min(length, request.max_tokens)
        return Generation(
            request=request,
            profile=profile,
            quota=quota,
            draw=draw,
            fault=fault,
            output_tokens=output,
            truncated=output < length,
            usage=self._cache.account(request, output, profile.cache_minimum, now),
        )

    def _check_account_limits(self, profile: Profile, now: float) -> None:
        if profile.spend_cap is not None and self._accepted >= profile.spend_cap:
            message = "You have reached your specified API usage limits."
            raise Rejection(status=429, message=message, code="enforced_spend_limit_reached")
        if profile.concurrency is not None and self.in_flight >= profile.concurrency:
            message = "Number of concurrent connections has exceeded your rate limit."
            raise Rejection(status=429, message=message)
        if profile.ramp is not None and not self._acceleration.admit(profile.ramp, now):
            message = "Your traffic rises too steeply; raise it more gradually."
            raise Rejection(status=429, message=message, code="ramp_limit_exceeded", retry_after=1)

    def start_output(self, api: Api, generation: Generation, now: float) -> None:
        """Account for the first token: debit the true input instead of the reserved, cache the prefixes."""
        self._cache.store(
            generation.request, generation.profile.cache_minimum, generation.profile.cache_ttl, now
        )
        if not api.RESERVES_OUTPUT:
            correction = generation.usage.charged_input - generation.request.reserved_tokens
            generation.quota.input.take(correction, now)

    def add_output(self, api: Api, generation: Generation, tokens: int, now: float) -> None:
        """Account for output that has been generated."""
        if not api.RESERVES_OUTPUT:
            generation.quota.output.take(tokens, now)

    def release(self) -> None:
        """Account for the end of an admitted request, whatever its outcome."""
        self.in_flight -= 1


def _exceeded(shortage: Shortage) -> Rejection:
    unit = "requests" if shortage.resource == "requests" else f"{shortage.resource} tokens"
    message = f"This request would exceed your rate limit of {shortage.limit:,} {unit} per minute."
    return Rejection(status=429, message=message, retry_after=min(shortage.wait, _MAX_RETRY_AFTER))
