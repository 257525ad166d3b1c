"""The messages between the actors. The channels, and who reads them:

demand    dispatcher -> reader           int: how many more items to read
inbox     all other actors -> dispatcher the union `Inbox`
jobs      dispatcher -> workers          `Pending`: admitted, to be sent at once
results   workers, dispatcher -> writer  `Finished`
events    writer, dispatcher -> monitor  the union `Event`

They are msgspec Structs without garbage-collector tracking because several exist per job in flight.
"""

from __future__ import annotations

import msgspec
from msgspec import structs

from headrace.job import Attempt, Failure, JobRequest, Note, PreparedJob, Recipient, Success
from headrace.pacing import Bottleneck
from headrace.policy.refusals import Refusals
from headrace.policy.stop import StopReason
from headrace.policy.systemic import ResultCount
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage
from headrace_client.lowlevel import RateLimits


class Pending(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A job without a result so far, and its history. Times are those of the event loop, in seconds."""

    job: PreparedJob
    read_at: float
    attempts: int = 0
    """Attempts sent so far."""
    failures: int = 0
    """Those that count towards the maximum number of attempts."""
    maybe_billed: UnconfirmedUsage = NO_UNCONFIRMED_USAGE
    """Those whose request was sent and whose response never arrived."""
    refused: bytes | None = None
    """The last answer that was refused: it has been paid for, so the record keeps it."""
    refusals: Refusals | None = None
    """How often the server said "not now"; None: never."""
    warms_cache: bool = False
    """Other jobs of the model wait until its response begins."""
    resent: bool = False
    """An attempt met a stale connection: it was free, and no later one is. New connections are used now."""

    def counted(self, failure: Failure, maybe_billed: UnconfirmedUsage, *, resent: bool = False) -> Pending:
        """Return the same job after one more attempt, which has failed. ``resent``: by a stale connection."""
        return structs.replace(
            self,
            attempts=self.attempts + 1,
            maybe_billed=self.maybe_billed.plus(maybe_billed),
            refused=failure.answer or self.refused,
            resent=self.resent or resent,
        )

    def recorded(self, failure: Failure) -> Failure:
        """Return the job's last failure as its record keeps it: with the last answer that was refused."""
        if failure.answer is not None or self.refused is None:
            return failure
        return structs.replace(failure, answer=self.refused)

    def note(
        self,
        recipe: str,
        *,
        attempts: int,
        started_at: float,
        request_id: str | None,
        latency: float | None = None,
        ttft: float | None = None,
        streak: tuple[str, int] | None = None,
    ) -> Note:
        """Return what the record says about the job besides its outcome.

        ``recipe``: the recipe's digest. ``attempts``: including the last one, which began at ``started_at``.
        Times are rounded to microseconds: more digits would be noise.
        """
        job = self.job
        kept = job.request.kept
        return Note(
            line=job.line,
            source=job.source,
            digest=job.digest,
            recipe=recipe,
            attempts=attempts,
            maybe_billed=self.maybe_billed.attempts,
            maybe_billed_tokens=self.maybe_billed.tokens,
            queued_s=round(started_at - self.read_at, 6),
            latency_s=None if latency is None else round(latency, 6),
            ttft_s=None if ttft is None else round(ttft, 6),
            request_id=request_id,
            streak=streak,
            input=None if kept is None else msgspec.Raw(kept),
        )


class Finished(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A job with its outcome, and its record to be written."""

    record: bytes
    """One line of OUTPUT or of the error file; empty if an earlier run has recorded it."""
    outcome: Success | Failure
    note: Note
    request: JobRequest | None = None
    """None if this run sent none: the line could not be parsed, or an earlier run has done the job."""
    recipient: Recipient | None = None
    started_at: float = 0.0
    """When the last attempt began, on the event loop's clock in seconds."""
    limits: RateLimits | None = None
    """The rate limits in the response's headers, if they were read."""

    @property
    def success(self) -> Success | None:
        return self.outcome if isinstance(self.outcome, Success) else None

    @property
    def failure(self) -> Failure | None:
        return self.outcome if isinstance(self.outcome, Failure) else None


class Items(msgspec.Struct, frozen=True, gc=False):
    """From the reader: jobs to send, and records of lines that cannot be parsed, in input order."""

    items: list[Pending | Finished]


class EndOfInput(msgspec.Struct, frozen=True, gc=False):
    """From the reader: there are no more items."""


class Failed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """From a worker: a failed attempt, which ``pending`` does not count yet."""

    pending: Pending
    failure: Failure
    started_at: float
    retry_after: float | None = None
    """Seconds to wait, if the server says so."""
    should_retry: bool | None = None
    """The response's ``x-should-retry``, if it has one."""
    limits: RateLimits | None = None
    """The rate limits in the response's headers, if they were read."""
    is_stale: bool = False
    """The server had closed the idle connection: nothing is wrong with the job or the server."""
    results: ResultCount = ResultCount()
    """The results of the run so far."""

    def attempt(self, ended_at: float, *, wait: float | None) -> Attempt:
        """Return it as ``on_attempt`` gets it. ``wait``: seconds until the next one; None for the last."""
        job, failure = self.pending.job, self.failure
        return Attempt(
            job_id=job.id if job.recipient is None else job.recipient.job_id,
            model=job.request.model,
            attempt=self.pending.attempts + 1,
            failure=failure.kind,
            status=failure.status,
            wait=wait,
            latency=ended_at - self.started_at,
            request_id=failure.request_id,
            usage=None,
        )


class Began(msgspec.Struct, frozen=True, gc=False):
    """From a worker: the first byte of the response to a job that warms the cache has arrived."""

    model: str


class Interrupted(msgspec.Struct, frozen=True, gc=False):
    """From a worker: the job was cancelled; ``sent``: its request may have been sent.

    The supervisor says so for jobs that no worker has received.
    """

    pending: Pending
    sent: bool


class Written(msgspec.Struct, frozen=True, gc=False):
    """From the writer: these records are in their files."""

    batch: list[Finished]


class Unsaved(msgspec.Struct, frozen=True, gc=False):
    """From the writer, after a `Stop`: these records could not be written."""

    batch: list[Finished]


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Send nothing more; ``at_once``: cancel what is in flight, too."""

    reason: StopReason
    at_once: bool = False


Inbox = Items | EndOfInput | Failed | Began | Interrupted | Written | Unsaved | Stop


class AttemptFailed(msgspec.Struct, frozen=True, gc=False):
    """For the monitor: an attempt without a success."""

    attempt: Attempt | None
    """None if it was cancelled: its outcome is unknown."""
    maybe_billed: UnconfirmedUsage
    message: str | None = None
    """Why it failed; None if it was cancelled."""


class Load(msgspec.Struct, frozen=True, gc=False):
    """For the monitor: the dispatcher's state at this moment."""

    in_flight: int
    waiting: int
    cap: int = 0
    """The maximum number of jobs in flight at this moment."""
    bottleneck: Bottleneck = "source"
    bottleneck_s: dict[Bottleneck, float] = {}
    """For how many seconds each has been the bottleneck."""
    cost: float | None = None
    """The amount spent; None without a budget."""


Event = list[Finished] | AttemptFailed | Load
