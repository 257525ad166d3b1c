"""What the actors say to each other. The channels and who reads them:

demand    dispatcher -> reader       an int: so many more items, please
inbox     everybody -> dispatcher    the union `Inbox`
jobs      dispatcher -> workers      `Pending`: admitted, to be sent this instant
results   workers, dispatcher -> writer  `Finished`
events    writer, dispatcher -> monitor  the union `Event`
"""

from __future__ import annotations

import msgspec

from headrace.job import Failure, FailureKind, JobRequest, Note, PreparedJob, Recipient, Success, Usage
from headrace.pacing import Bottleneck
from headrace.policy.stop import StopReason
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage
from headrace_client.lowlevel import RateLimits


class Pending(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A job that has no result yet, with its history. Times are the event loop's, in seconds."""

    job: PreparedJob
    read_at: float
    attempts: int = 0
    """Attempts sent so far."""
    failures: int = 0
    """Those that used up an attempt."""
    maybe_billed: UnconfirmedUsage = NO_UNCONFIRMED_USAGE
    """Those whose request was sent and whose answer never came."""
    warms_cache: bool = False
    """Others wait until its answer begins."""


class Finished(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A terminal record on its way to the disk, and what the statistics want to know of it."""

    record: bytes
    failure: Failure | None = None
    """None for a result."""
    started_at: float = 0.0
    attempts: int = 0
    maybe_billed: int = 0
    usage: Usage | None = None
    stop_reason: str | None = None
    latency: float | None = None
    ttft: float | None = None
    request: JobRequest | None = None
    """What was answered; None for a failure."""
    limits: RateLimits | None = None
    """What its headers say of the limits, if they were looked at."""
    recipient: Recipient | None = None
    """This and the next two are for whoever waits for the result."""
    success: Success | None = None
    note: Note | None = None


class Items(msgspec.Struct, frozen=True, gc=False):
    """From the reader: jobs to send, and records of lines that are no jobs, in the order of the input."""

    items: list[Pending | Finished]


class EndOfInput(msgspec.Struct, frozen=True, gc=False):
    """From the reader: nothing more comes."""


class Failed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """From a worker: an attempt that was no success. ``pending`` does not count it yet."""

    pending: Pending
    failure: Failure
    started_at: float
    retry_after: float | None = None
    should_retry: bool | None = None
    limits: RateLimits | None = None
    """What its headers say of the limits, if they were looked at."""


class Began(msgspec.Struct, frozen=True, gc=False):
    """From a worker: the first byte of the answer to a job that leads has come."""

    model: str


class Interrupted(msgspec.Struct, frozen=True, gc=False):
    """The job was cut off by the end of the run; ``sent``: its request may have been."""

    pending: Pending
    sent: bool


class Written(msgspec.Struct, frozen=True, gc=False):
    """From the writer: these records are in their files."""

    batch: list[Finished]


class Unsaved(msgspec.Struct, frozen=True, gc=False):
    """From the writer: these records could not be written; a `Stop` has come before."""

    batch: list[Finished]


class Stop(msgspec.Struct, frozen=True, gc=False):
    """Start nothing more; ``at_once``: cut off what is in flight, too."""

    reason: StopReason
    at_once: bool = False


Inbox = Items | EndOfInput | Failed | Began | Interrupted | Written | Unsaved | Stop


class AttemptFailed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """For the statistics: an attempt that brought no answer. ``kind`` None: cut off by the end of the run."""

    kind: FailureKind | None
    again: bool
    """The job is tried again."""
    maybe_billed: UnconfirmedUsage
    job_id: str = ""
    model: str = ""
    attempt: int = 0
    """Its number, from 1."""
    wait: float | None = None
    """Seconds until the next attempt at the earliest; None if there is none."""
    latency: float | None = None
    status: int | None = None
    request_id: str | None = None


class Load(msgspec.Struct, frozen=True, gc=False):
    """For the statistics: what the dispatcher holds at this moment."""

    in_flight: int
    waiting: int
    cap: int = 0
    """The most that may be in flight now."""
    bottleneck: Bottleneck = "source"
    bottleneck_s: dict[Bottleneck, float] = {}
    """For how many seconds each has been what binds."""
    cost: float | None = None
    """What was spent, where there is a budget."""


Event = list[Finished] | AttemptFailed | Load
