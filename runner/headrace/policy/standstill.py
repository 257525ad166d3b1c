"""How long a run stands still before it stops: every wait is bounded, and named. Pure. Times in seconds.

1. A run stands still while jobs wait, none is in flight, and the server (or the way to it) is what keeps all
   of them waiting. A result, or a response that is final for its job, ends the standstill. Waiting for input
   is not a standstill, nor is waiting for what the user's own limits allow.
2. It stops at once if nothing can be sent before the standstill has lasted for ``max_wait``: there is nothing
   to be gained by waiting until then.
3. It stops if the server has refused jobs for ``max_wait`` and has given no result. Jobs in flight that were
   sent before the first refusal may still bring one: they are waited for, at most for their timeout.
4. Limits are per minute. A wait of up to a minute for room in a limit is the ordinary course of a run, as
   long as the server refuses nothing.
5. Jobs that are refused while others of their model succeed do not stop the run: see `refusals`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import attrs

Cause = Literal["cooldown", "limit", "own limit", "circuit breaker", "retry"]

MINUTE = 60.0
"""Seconds: a job waits this long for room in a limit in the ordinary course. Our own delays are no longer."""
PATIENCE = 1.0
"""Seconds that the input gets to bring a job of another model, one that may be sent."""


@attrs.frozen(kw_only=True)
class Hold:
    """Why no waiting job may be sent before ``until``, with none in flight.

    ``model``: of the job that may be sent first. ``limit``: the resource that is limited, such as "input".
    """

    until: float
    cause: Cause
    model: str
    limit: str = ""

    def describe(self, now: float) -> str:
        """Say what is waited for, and for how long."""
        seconds = self.until - now
        wait = f"another {math.ceil(seconds):,} s" if seconds < math.inf else "for good"
        match self.cause:
            case "circuit breaker":
                return f"the server counts as down, and the next probe has to wait {wait}"
            case "retry":
                return f"the next job (model {self.model}) has to wait {wait}"
            case "limit":
                return f"the {self.limit} limit has no room, and model {self.model} has to wait {wait}"
            case "cooldown" | "own limit":
                return f"model {self.model} has to wait {wait}"


@attrs.define(kw_only=True)
class Standstill:
    """Watches how long a run stands still. ``max_wait``: how long it may."""

    max_wait: float
    _refused_since: float | None = None
    """The first refusal since the last result."""
    _refused_at: float = -math.inf
    """The last refusal."""
    _sent_before: int = 0
    """Jobs in flight that were sent before the first refusal."""
    _idle_since: float | None = None
    _idled: float = 0.0
    """How long the run has stood still since the last result, before the current wait."""
    _hopeless_since: float | None = None
    _said: dict[str, str] = attrs.field(factory=dict[str, str])
    """The message of the last failure, by model."""
    _last_said: str = ""

    def progressed(self) -> None:
        """Note a result, or a response that is final for its job."""
        self._refused_since = self._idle_since = None
        self._idled = 0.0

    def failed(self, model: str, message: str) -> None:
        """Note what the server, or the transport, said about a failed attempt."""
        self._said[model] = self._last_said = message.removesuffix(".")

    def refused(self, *, is_single: bool = False, started_at: float, in_flight: int, now: float) -> None:
        """Note a refusal of a job sent at ``started_at``.

        ``is_single``: it is a failure that may be the job's own. It begins no standstill, but continues one.
        """
        if is_single and self._refused_since is None:
            return
        self._refused_at = now
        if self._refused_since is None:
            self._refused_since, self._sent_before = now, in_flight
        elif started_at <= self._refused_since:
            self._sent_before -= 1

    def ends_at(
        self,
        hold: Hold | None,
        now: float,
        *,
        in_flight: int,
        expects_jobs: bool,
        are_singled_out: Callable[[], bool],
    ) -> float:
        """Return when the run has to stop; infinity: not as things are.

        ``hold``: None unless jobs wait and none is in flight. ``expects_jobs``: the input may bring another
        one at any time. ``are_singled_out``: returns whether all jobs that wait are refused while others
        of their model succeed.
        """
        self._note_idle(hold, now)
        if hold is None and not in_flight:
            self.progressed()
        self._sent_before = min(self._sent_before, in_flight)
        if self._is_refused_for_too_long() and not are_singled_out():
            return now
        if hold is None or not self._is_hopeless(hold, now, are_singled_out):
            self._hopeless_since = None
            return math.inf
        if not expects_jobs:
            return now
        if self._hopeless_since is None:
            self._hopeless_since = now
        return self._hopeless_since + PATIENCE

    def message(self, hold: Hold | None, now: float) -> str:
        """Say why the run stops: what the server said, what is waited for, and what to do."""
        said = self._last_said if hold is None else self._said.get(hold.model, self._last_said)
        if hold is not None and hold.until - now > self.max_wait:
            quoted = f'the server said "{said}": ' if said else ""
            return (
                f"{quoted}{hold.describe(now)}, longer than --max-wait allows ({self.max_wait:g} s)."
                " Run the same command again after that, or wait longer with --max-wait (max_wait)."
            )
        quoted = f"{said}: " if said else ""
        held = "" if hold is None else f", and {hold.describe(now)}"
        return (
            f"{quoted}no result for {self._lasted(now):.3g} s{held}: the server keeps refusing or failing."
            " Try again later, or wait longer with --max-wait (max_wait)."
        )

    def _note_idle(self, hold: Hold | None, now: float) -> None:
        is_idle = hold is not None and hold.cause not in ("limit", "own limit")
        if is_idle and self._idle_since is None:
            self._idle_since = now
        elif not is_idle and self._idle_since is not None:
            self._idled += now - self._idle_since
            self._idle_since = None

    def _lasted(self, now: float) -> float:
        idle = 0.0 if self._idle_since is None else now - self._idle_since
        refused = 0.0 if self._refused_since is None else now - self._refused_since
        return max(self._idled + idle, refused)

    def _is_refused_for_too_long(self) -> bool:
        since = self._refused_since
        return since is not None and self._refused_at - since >= self.max_wait and self._sent_before <= 0

    def _is_hopeless(self, hold: Hold, now: float, are_singled_out: Callable[[], bool]) -> bool:
        """Return whether nothing can be sent before the standstill has lasted for too long."""
        wait = hold.until - now
        if hold.cause == "own limit" or self._lasted(now) + wait <= self.max_wait:
            return False
        if wait > MINUTE:
            return True
        is_ordinary = hold.cause == "limit" and self._refused_since is None
        return not is_ordinary and not are_singled_out()
