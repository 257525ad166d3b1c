"""A job that the server refuses with "not now" while others of its model succeed. Pure. Times in seconds.

Such a refusal may be about the job: some servers answer 429 to a request that is larger than a limit, for as
long as it is sent. So the job neither holds up the others nor waits for good:

1. It waits longer from refusal to refusal, and others take its turn: more of them each time, so that one
   succeeds if any can. Otherwise the same few jobs would be the only ones that are sent.
2. From the third refusal on, what the server says about it slows no other job.
3. After `MAX_REFUSALS`, and at least ``max_wait`` after the first one, it ends with an error record. A rerun
   tries it again.
"""

from __future__ import annotations

from msgspec import Struct, structs

from headrace.job import Failure, Note

MAX_REFUSALS = 20
_ABOUT_THE_JOB = 3
"""Refusals from which on they say something about the job and nothing about the server."""
_MAX_PLACE = 1_023
_MIN_DELAY = 0.5
_MAX_DELAY = 60.0


class Refusals(Struct, frozen=True, gc=False, kw_only=True):
    """How often one job was refused since ``first_at``."""

    count: int
    first_at: float
    others_succeeded: bool = False
    """Other jobs of its model have succeeded since then."""

    @property
    def is_about_the_job(self) -> bool:
        """Whether a further refusal says nothing about the server."""
        return self.others_succeeded and self.count >= _ABOUT_THE_JOB

    @property
    def place(self) -> int:
        """How many jobs are to be sent before it. The first refusal shows nothing, so at first that is 0."""
        return min(_MAX_PLACE, 2 ** min(self.count - 1, 10) - 1)

    def is_final(self, now: float, max_wait: float) -> bool:
        """Return whether the job has been refused often enough, for long enough."""
        return self.others_succeeded and self.count >= MAX_REFUSALS and now - self.first_at >= max_wait

    def delay(self, max_wait: float, jitter: float) -> float:
        """Return how long the job lets others go first. ``jitter``: in [0, 1)."""
        if not self.others_succeeded:
            return 0.0
        longest = min(_MAX_DELAY, max(_MIN_DELAY, max_wait / MAX_REFUSALS))
        return min(longest, _MIN_DELAY * 2.0 ** min(self.count - 2, 10)) * (0.5 + jitter / 2)

    def explained(self, failure: Failure, now: float) -> Failure:
        """Return the last refusal, with how often and for how long there were others."""
        how_long = f"refused {self.count} times in {now - self.first_at:,.0f} s"
        why = f"{how_long}, while other jobs of its model succeeded"
        return structs.replace(failure, message=f"{failure.message} ({why})")


def noted(note: Note, refusals: Refusals | None, last_at: float) -> Note:
    """Return what the record of a failed job says, with its refusals. ``last_at``: its last attempt."""
    if refusals is None:
        return note
    seconds = max(0.0, last_at - refusals.first_at)
    return structs.replace(note, refusals=refusals.count, refusals_s=round(seconds, 6))


def refused_again(refusals: Refusals | None, now: float, last_result: float) -> Refusals:
    """Return a job's refusals with one more. ``last_result``: when a job of its model last succeeded."""
    if refusals is None:
        return Refusals(count=1, first_at=now)
    return structs.replace(
        refusals,
        count=refusals.count + 1,
        others_succeeded=refusals.others_succeeded or last_result > refusals.first_at,
    )
