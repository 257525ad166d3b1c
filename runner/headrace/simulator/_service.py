"""What the provider decides about each request: admission, faults, length, accounting. Pure.

A request is checked in this order, as far as the profile asks for it: key, model, drawn fault,
spend limit, requests at a time, slope, buckets. What is refused takes nothing from the buckets,
but for the dialect whose failed requests count.
"""

from __future__ import annotations

import math
from collections import Counter

import attrs

from ._api import Api, ApiRequest, Rejection, TokenCounts
from ._buckets import AccelerationLimit, Quota, Shortage
from ._cache import PromptCache
from ._models import CATALOGUE
from ._profile import FaultKind, Profile, Schedule
from ._text import Draw, answer_text, draw, natural_length

_MAX_RETRY_AFTER = 86_400.0

_STATUS_FAULTS: dict[FaultKind, Rejection] = {
    "429": Rejection(status=429, message="This request would exceed your rate limit.", retry_after=1),
    "529": Rejection(status=529, message="Overloaded"),
    "500": Rejection(status=500, message="Internal server error"),
}


@attrs.define(kw_only=True)
class Generation:
    """One admitted request on its way. ``text``: the whole answer; ``cut``: ``max_tokens`` ended it."""

    request: ApiRequest
    profile: Profile
    quota: Quota
    draw: Draw
    fault: FaultKind | None
    output_tokens: int
    cut: bool
    usage: TokenCounts

    @property
    def text(self) -> str:
        """The answer's text."""
        return answer_text(self.request.digest, self.output_tokens)

    @property
    def ttft(self) -> float:
        """The seconds until the first token."""
        return self.profile.ttft * (1 + self.profile.ttft_jitter * self.draw.delay)


class Service:
    """The provider's whole state: who is being served, and what is left of which limit."""

    def __init__(self, profile: Profile, schedule: Schedule, seed: int) -> None:
        self._schedule: Schedule = ((-math.inf, profile), *schedule)
        self._seed = seed
        self._started: float | None = None
        self._quotas: dict[str | None, Quota] = {}
        self._slope = AccelerationLimit(0.0)
        self._cache = PromptCache()
        self._arrivals: Counter[str] = Counter()
        self._accepted = 0
        self.in_flight = 0

    def profile_at(self, now: float) -> Profile:
        """Return the profile that holds; the schedule's time runs from the first call."""
        if self._started is None:
            self._started = now
        elapsed = now - self._started
        return next(profile for since, profile in reversed(self._schedule) if since <= elapsed)

    def models(self, profile: Profile) -> tuple[str, ...]:
        """Return the models to list."""
        return CATALOGUE if profile.known_models is None else profile.known_models

    def check_key(self, profile: Profile, key: str | None) -> None:
        """Raise `Refusal` 401 unless the key is good."""
        if profile.reject_keys or (profile.required_key is not None and key != profile.required_key):
            raise Rejection(status=401, message="invalid x-api-key" if key else "no API key was presented")

    def check_model(self, profile: Profile, model: str) -> None:
        """Raise `Refusal` 404 unless the model exists."""
        if profile.known_models is not None and model not in profile.known_models:
            raise Rejection(status=404, message=f"model: {model}")

    def quota(self, profile: Profile, model: str, now: float) -> Quota:
        """Return the buckets that a model draws from, under the limits that hold."""
        limits = profile.limits_for(model)
        pool = model if model in profile.model_limits else None
        quota = self._quotas.get(pool)
        if quota is None:
            quota = self._quotas[pool] = Quota(limits, now)
        elif quota.limits is not limits:
            quota.retune(limits, now)
        return quota

    def draw(self, body: str) -> Draw:
        """Draw for one more arrival of a body."""
        self._arrivals[body] += 1
        return draw(self._seed, body, self._arrivals[body])

    def draw_fault(self, profile: Profile, draw: Draw) -> FaultKind | None:
        """Return what is to go wrong. Raises `Refusal` for a fault that is a status."""
        passed = 0.0
        for kind, share in profile.faults.items():
            passed += share
            if draw.fault < passed:
                if rejection := _STATUS_FAULTS.get(kind):
                    raise rejection
                return kind
        return None

    def admit(
        self, api: Api, request: ApiRequest, profile: Profile, quota: Quota, draw: Draw, now: float
    ) -> Generation:
        """Let a request in and debit its reserve. Raises `Refusal`. Every generation must be `release`d."""
        fault = self.draw_fault(profile, draw)
        self._check_account(profile, now)
        if shortage := quota.admit(request.reserve, now):
            if api.RESERVES_OUTPUT:
                quota.requests.drain(1, now)
            raise _exceeded(shortage)
        self._accepted += 1
        self.in_flight += 1
        natural = natural_length(self._seed, request.digest, *profile.output_tokens)
        output = natural if request.max_tokens is None else min(natural, request.max_tokens)
        return Generation(
            request=request,
            profile=profile,
            quota=quota,
            draw=draw,
            fault=fault,
            output_tokens=output,
            cut=output < natural,
            usage=self._cache.account(request, output, profile.cache_minimum, now),
        )

    def _check_account(self, profile: Profile, now: float) -> None:
        if profile.spend_cap is not None and self._accepted >= profile.spend_cap:
            message = "You have reached your specified API usage limits."
            raise Rejection(status=429, message=message, code="enforced_spend_limit_reached")
        if profile.concurrency is not None and self.in_flight >= profile.concurrency:
            message = "Number of concurrent connections has exceeded your rate limit."
            raise Rejection(status=429, message=message)
        if profile.ramp is not None and not self._slope.admit(profile.ramp, now):
            message = "Your traffic rises too steeply; raise it more gradually."
            raise Rejection(status=429, message=message, code="ramp_limit_exceeded", retry_after=1)

    def begin(self, api: Api, generation: Generation, now: float) -> None:
        """Account for the first token: the true input replaces the reserve, prefixes are cached."""
        self._cache.store(
            generation.request, generation.profile.cache_minimum, generation.profile.cache_ttl, now
        )
        if not api.RESERVES_OUTPUT:
            generation.quota.input.take(generation.usage.charged_input - generation.request.reserve, now)

    def produce(self, api: Api, generation: Generation, tokens: int, now: float) -> None:
        """Account for output that has come out."""
        if not api.RESERVES_OUTPUT:
            generation.quota.output.take(tokens, now)

    def release(self) -> None:
        """End one admitted request, however it ended."""
        self.in_flight -= 1


def _exceeded(shortage: Shortage) -> Rejection:
    unit = "requests" if shortage.resource == "requests" else f"{shortage.resource} tokens"
    message = f"This request would exceed your rate limit of {shortage.limit:,} {unit} per minute."
    return Rejection(status=429, message=message, retry_after=min(shortage.wait, _MAX_RETRY_AFTER))
