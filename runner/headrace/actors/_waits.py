"""What the dispatcher asks about waiting: has the run, or one job, been kept waiting for too long? Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from msgspec import structs

from headrace.policy.refusals import refused_again
from headrace.policy.retry import OUTAGE_KINDS, THROTTLING_KINDS
from headrace.policy.standstill import Standstill

from ._admission import Admission
from .messages import Failed, Finished


@attrs.define(kw_only=True)
class Waits:
    """Watches the standstill of a run, and the jobs that are refused again and again. Times in seconds."""

    admission: Admission
    max_wait: float
    ends_at: float = math.inf
    """When the run has to stop, unless something happens before. As of the last `problem`."""
    _standstill: Standstill = attrs.field(
        default=attrs.Factory(lambda self: Standstill(max_wait=self.max_wait), takes_self=True)
    )
    _results_at: dict[str, float] | None = None
    """When a job last succeeded, by model. None until a job is refused: until then nothing needs it."""

    def problem(self, now: float, *, expects_jobs: bool) -> str | None:
        """Say why the run has to stop, after a round of admission; None if it may go on until `ends_at`.

        ``expects_jobs``: the input may bring another job at any time.
        """
        hold = self.admission.hold(now)
        self.ends_at = self._standstill.ends_at(
            hold,
            now,
            in_flight=self.admission.outstanding,
            expects_jobs=expects_jobs,
            are_singled_out=self._are_singled_out,
        )
        return self._standstill.message(hold, now) if self.ends_at <= now else None

    def recorded(self, batch: Sequence[Finished], now: float) -> None:
        """Note records on disk, of which at least one is a result."""
        self._standstill.progressed()
        if self._results_at is not None:
            for finished in batch:
                if finished.success is not None and finished.request is not None:
                    self._results_at[finished.request.model] = now

    def failed(self, message: Failed, now: float, jitter: float) -> Failed:
        """Note a failed attempt, of which the admission knows. ``jitter``: in [0, 1).

        Returns it with the refusals of its job. If these have been too many, it is not retried.
        """
        if message.is_stale:
            return message
        failure, model = message.failure, message.pending.job.request.model
        self._standstill.failed(model, failure.message)
        is_refusal = failure.kind in THROTTLING_KINDS
        if is_refusal or failure.kind in OUTAGE_KINDS:
            self._standstill.refused(
                is_outage=not is_refusal and not self.admission.circuit_breaker.is_open,
                started_at=message.started_at,
                in_flight=self.admission.outstanding,
                now=now,
            )
        else:
            self._standstill.progressed()
        return self._refused(message, now, jitter) if is_refusal else message

    def _refused(self, message: Failed, now: float, jitter: float) -> Failed:
        if self._results_at is None:
            self._results_at = {}
        last_result = self._results_at.get(message.pending.job.request.model, -math.inf)
        refusals = refused_again(message.pending.refusals, now, last_result)
        message = structs.replace(message, pending=structs.replace(message.pending, refusals=refusals))
        if refusals.is_final(now, self.max_wait):
            return structs.replace(
                message, failure=refusals.explained(message.failure, now), should_retry=False
            )
        if refusals.others_succeeded:
            delay = max(message.retry_after or 0.0, refusals.delay(self.max_wait, jitter))
            return structs.replace(message, retry_after=delay)
        return message

    def _are_singled_out(self) -> bool:
        """Return whether all waiting jobs are refused while others of their model succeed."""
        histories = (pending.refusals for pending in self.admission.waiting)
        return all(refusals is not None and refusals.others_succeeded for refusals in histories)
