"""Jobs that end without a result: their records, and the models whose jobs are no longer sent. Pure."""

from __future__ import annotations

import attrs
from msgspec import structs

from headrace.dialects import Dialect
from headrace.policy.refusals import noted
from headrace.policy.stop import StopReason
from headrace.policy.systemic import Finding, SystemicRules

from .messages import Failed, Finished, Pending

_ENDED_FOR = 60.0
"""Seconds after which a program may try an ended model again: it may keep its runner open for days."""
_ONLY_MODEL = 100_000
"""Jobs of ended models that are passed over, at most, in search of a job of another model."""


@attrs.define(kw_only=True)
class GivenUp:
    """Makes the records of failed jobs, and knows the models whose jobs are no longer sent."""

    dialect: Dialect
    recipe: str
    """The recipe's digest."""
    systemic: SystemicRules
    ended: dict[str, StopReason] = attrs.field(factory=dict[str, StopReason])
    """By model, why its jobs are no longer sent."""
    _endings: dict[str, tuple[Failed, Finding]] = attrs.field(factory=dict[str, tuple[Failed, Finding]])
    """By model, the failure that ended it."""
    _ended_at: dict[str, float] = attrs.field(factory=dict[str, float])
    _passed_over: int = 0

    def judge(self, pending: Pending, message: Failed) -> tuple[Finished, Finding]:
        """Return the record of a job that has failed for good, and what its failure shows."""
        finding = self.systemic.failed(message.failure, pending.job, message.results)
        return self._finished(pending, message, finding), finding

    def end(self, model: str, message: Failed, finding: Finding, now: float) -> bool:
        """Send no more jobs of a model; return whether that is new."""
        if model in self.ended or finding.reason is None:
            return False
        self.ended[model], self._ended_at[model] = finding.reason, now
        # What the server kept of the job that failed stays with that job.
        not_sent = structs.replace(message.failure, sent=False, request_id=None, body=None, answer=None)
        self._endings[model] = structs.replace(message, failure=not_sent), finding
        return True

    def is_ended(self, pending: Pending, now: float) -> bool:
        """Return whether a job is not sent because of its model."""
        model = pending.job.request.model
        if pending.job.recipient is not None and now >= self._ended_at.get(model, now) + _ENDED_FOR:
            self.ended.pop(model, None)
        return model in self.ended

    def pass_over(self, pending: Pending) -> Finished | None:
        """Return the error for the caller who waits for a job of an ended model; None: no caller does."""
        self._passed_over += 1
        if pending.job.recipient is None:
            return None
        message, finding = self._endings[pending.job.request.model]
        return self._finished(pending, structs.replace(message, started_at=pending.read_at), finding)

    def is_only(self, models: int) -> bool:
        """Whether all jobs seem to be of ended models. ``models``: how many the run has met."""
        return self._passed_over >= _ONLY_MODEL and models <= len(self.ended)

    def _finished(self, pending: Pending, message: Failed, finding: Finding) -> Finished:
        job, failure = pending.job, pending.recorded(message.failure)
        note = pending.note(
            self.recipe,
            attempts=pending.attempts,
            started_at=message.started_at,
            request_id=failure.request_id,
            streak=finding.streak,
        )
        note = noted(note, pending.refusals, message.started_at)
        return Finished(
            record=self.dialect.failure_record(job.id, failure, note),
            outcome=failure,
            note=note,
            request=job.request,
            recipient=job.recipient,
            started_at=message.started_at,
        )
