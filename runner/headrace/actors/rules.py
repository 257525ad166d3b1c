"""The rules of one run, all in one value. Pure."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from headrace.pacing import Pacing
from headrace.policy.budget import Budget
from headrace.policy.circuit_breaker import CircuitBreaker
from headrace.policy.options import StopOptions
from headrace.policy.retry import RetryQuota, RunRetryPolicy
from headrace.policy.stop import StopRules
from headrace.policy.systemic import SystemicRules


@attrs.frozen(kw_only=True)
class Rules:
    """What the dispatcher decides by, and its random source. Times in seconds."""

    pacing: Pacing
    retry: RunRetryPolicy
    stop: StopRules
    systemic: SystemicRules = attrs.field(factory=SystemicRules)
    random: Callable[[], float]
    """Returns a number in [0, 1), for jitter."""
    stop_options: StopOptions = attrs.field(factory=StopOptions)
    """How long a standstill may last, and how long jobs in flight may take after a stop."""
    circuit_breaker: CircuitBreaker = attrs.field(factory=CircuitBreaker)
    budget: Budget | None = None
    """None: no limit."""
    quota: RetryQuota = attrs.field(factory=RetryQuota)
