"""A cooldown: after a refusal nothing is sent for a while, and then a probe goes first. Pure."""

from __future__ import annotations

import math

import attrs

PROBE_TIMEOUT = 1.0
"""Seconds without a refusal after which a probe counts as accepted: a 429 comes at once, a result may not."""
MIN_COOLDOWN = 1.0
"""Seconds of the first cooldown after a 429 that does not say how long to wait."""
STRAY_SHARE = 0.5
"""The share of such a cooldown after a refusal that may be a stray one."""
MAX_COOLDOWN = 60.0
"""Seconds: such cooldowns double up to this one. Limits are per minute: a bucket fills in that time."""


@attrs.define(kw_only=True)
class Cooldown:
    """Until when nothing is sent.

    After a cooldown a single job goes first, as a probe. The others follow when a response to a job sent
    after the cooldown has arrived, or when the probe has not been refused for `PROBE_TIMEOUT` seconds.
    """

    until: float = -math.inf
    _probe_due: bool = False
    _probe_sent_at: float | None = None
    _refusals: int = 0
    """In a row."""
    _refused_at: float = -math.inf
    """When the last of them arrived."""

    @property
    def is_over(self) -> bool:
        """Whether there is neither a cooldown nor a probe to come."""
        return self._refusals == 0

    def ready_at(self, now: float) -> float:
        """Return when one more job may be sent."""
        if self._probe_sent_at is not None:
            return max(now, self._probe_sent_at + PROBE_TIMEOUT)
        return max(now, self.until)

    def admitted(self, now: float) -> None:
        """Note that a job is sent."""
        self._probe_sent_at = now if self._probe_due else None
        self._probe_due = False

    def passed(self, started_at: float) -> None:
        """Note that the server accepted a job that was sent at ``started_at``."""
        if started_at >= self.until:
            self._probe_due = False
            self._probe_sent_at = None
            self._refusals = 0

    def begin(
        self, until: float | None, started_at: float, now: float, share: float, *, probe: bool = True
    ) -> None:
        """Note a refusal of a job that was sent at ``started_at``.

        ``until``: when the server, or what is known of its levels, allows the next one; None if neither does.
        ``share``: see `backoff`. ``probe``: whether a job goes first afterwards. Jobs that had been sent when
        the last refusal arrived are refused by the same event, which makes no cooldown longer.
        """
        is_new = started_at > self._refused_at
        if until is None:
            until = now + self.backoff(share) if is_new else self.until
        if is_new:
            self._refused_at = now
        self.hold(until, refusals=int(is_new), probe=probe)

    def hold(self, until: float, *, refusals: int = 1, probe: bool = True) -> None:
        """Send nothing before ``until``."""
        self.until = max(self.until, until)
        self._refusals = max(1, self._refusals + refusals)
        self._probe_due = self._probe_due or probe
        self._probe_sent_at = None

    def backoff(self, share: float) -> float:
        """Return the length of a cooldown for which the server names none, as a share of the longest one."""
        return share * min(MAX_COOLDOWN, MIN_COOLDOWN * 2.0 ** min(self._refusals, 10))


def jittered(jitter: float) -> float:
    """Return a share of a cooldown between a half and all of it. ``jitter``: in [0, 1)."""
    return 0.5 + jitter / 2
