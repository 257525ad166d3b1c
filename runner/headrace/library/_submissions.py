"""The jobs of one `Runner.map` or `Runner.call`, and where their results go.

When the caller stops waiting, its group is withdrawn: jobs that have not been sent never are, and jobs that a
worker has are cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from headrace.actors.messages import Finished
from headrace.job import Cancellable, Recipient
from headrace.library.values import Job
from headrace.policy.stop import StopReason
from headrace_client.lowlevel import EncodingError, encode_json

NO_ID: Final = b"{}"
"""The line of a job that cannot be encoded and has no id."""


@attrs.define(eq=False, kw_only=True)
class JobGroup:
    """Jobs that are withdrawn together. The callbacks run on the runner's event loop."""

    deliver: Callable[[Finished], None]
    """Takes each result, once its record is written."""
    stopped: Callable[[StopReason], None]
    """Called when the jobs without a result will not get one."""
    idle: Callable[[], None]
    """Called once, when the group is withdrawn and none of its jobs is in flight."""
    withdrawn: bool = False
    _in_flight: set[Cancellable] = attrs.field(factory=set[Cancellable])

    def take_up(self, work: Cancellable) -> None:
        """Record that a worker has one of the jobs."""
        self._in_flight.add(work)

    def put_down(self, work: Cancellable) -> None:
        """Record that the worker has finished with it."""
        self._in_flight.discard(work)
        if self.withdrawn and not self._in_flight:
            self.idle()

    def stop(self, reason: StopReason) -> None:
        """Send no more of the jobs, not even those that are on their way here. None is in flight."""
        self.withdrawn = True
        self.stopped(reason)

    def withdraw(self) -> None:
        """Send no more of the jobs, and cut off those in flight."""
        self.withdrawn = True
        for work in self._in_flight:
            work.cancel()
        if not self._in_flight:
            self.idle()


@attrs.frozen(eq=False)
class Submission(Recipient):
    """One job of a group."""

    group: JobGroup
    position: int
    """Its position among the jobs of the group, from 0."""
    job: Job[Any]
    """The job as the caller passed it."""
    line: bytes
    """The equivalent line of a job file. Only its id if there is a problem."""
    problem: str | None = None
    """Why the job has no line: what in it cannot be encoded."""

    @classmethod
    def of(cls, group: JobGroup, position: int, job: Job[Any], dialect: str) -> Submission:
        """Encode a job. What cannot be encoded is the problem of this job alone: nothing is raised."""
        try:
            return cls(group, position, job, _line_of(job, dialect))
        except EncodingError as error:
            return cls(group, position, job, _line_without_body(job), problem=str(error))

    @property
    def job_id(self) -> str:
        """The id that the caller gave the job; empty if there is none."""
        return self.job.id if isinstance(self.job.id, str) else ""  # pyright: ignore[reportUnnecessaryIsInstance]  # callers err

    @property
    def withdrawn(self) -> bool:
        """Whether the group is withdrawn."""
        return self.group.withdrawn

    def take_up(self, work: Cancellable) -> None:
        """Record that a worker has the job."""
        self.group.take_up(work)

    def put_down(self, work: Cancellable) -> None:
        """Record that the worker has finished with it."""
        self.group.put_down(work)


def _line_of(job: Job[Any], dialect: str) -> bytes:
    """Return a job as a line of a job file. Raises `EncodingError`."""
    own_id = b"" if job.id is None else b'"custom_id":%b,' % _encoded_id(job.id)
    body = encode_json(job.params)
    if dialect == "anthropic":
        return b'{%b"params":%b}' % (own_id, body)
    return b'{%b"method":"POST","url":"/v1/chat/completions","body":%b}' % (own_id, body)


def _line_without_body(job: Job[Any]) -> bytes:
    try:
        return NO_ID if job.id is None else b'{"custom_id":%b}' % _encoded_id(job.id)
    except EncodingError:
        return NO_ID


def _encoded_id(job_id: object) -> bytes:
    """Return an id as JSON text. Raises `EncodingError` if it is not text."""
    if not isinstance(job_id, str):
        raise EncodingError((), f"the id must be a str, not {type(job_id).__name__}: use str(...)")
    try:
        return encode_json(job_id)
    except EncodingError as error:
        raise EncodingError((), f"the id: {error}") from error
