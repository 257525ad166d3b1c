"""Jobs that are admitted and accounted for together, while every limit is far away. Pure.

Six buckets to check before and to correct after each job cost several microseconds: negligible at a limit of
a thousand jobs per second, too much at twenty thousand. So while there is room for many more jobs, a number
of them is granted at once, and their cost is booked when the levels are next checked.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from headrace.job import JobRequest

MAX_BATCH = 512
"""Jobs granted at once, at most: they are sent without checking the levels."""
MIN_BATCH = 64
"""Jobs granted at once, at least: for fewer the bookkeeping of a batch does not pay off."""
ROOM_PER_JOB = 4.0
"""The ratio of the room to the jobs granted, so that a wrong estimate does not exceed a limit."""


@attrs.define
class Batch:
    """How many jobs are granted, and what has been sent and answered since the last booking."""

    granted: int = 0
    sent: int = 0
    sent_bytes: int = 0
    succeeded: int = 0
    succeeded_bytes: int = 0
    """The size of their requests."""
    input: int = 0
    output: int = 0
    """The tokens that the successes used."""

    def grant(self, room: float) -> None:
        """Grant jobs if there is ``room`` for many times their number."""
        self.granted = min(MAX_BATCH, int(room / ROOM_PER_JOB)) if room >= ROOM_PER_JOB * MIN_BATCH else 0

    def send(self, requests: Sequence[JobRequest]) -> None:
        """Use up some of the jobs that were granted."""
        self.granted -= len(requests)
        self.sent += len(requests)
        self.sent_bytes += sum([len(request.body) for request in requests])

    def succeed(self, request: JobRequest, charged: int, output: int) -> None:
        """Note a success, to be booked later. ``charged``: the input tokens that count towards the limit."""
        self.succeeded += 1
        self.succeeded_bytes += len(request.body)
        self.input += charged
        self.output += output
