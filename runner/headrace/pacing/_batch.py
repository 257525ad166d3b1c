"""Jobs that are booked together, while every limit is far away. Pure.

Asking six buckets and correcting them afterwards costs several microseconds a job: nothing beside a limit
of a thousand a second, too much where twenty thousand go through. So while there is room for many more, a
number of jobs is granted at once, and what they cost is booked when the levels are next looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from headrace.job import JobRequest, Usage

MAX_BATCH = 512
"""Jobs that are granted at once."""
MIN_BATCH = 64
"""There must be room for so many, four times over."""
ROOM = 4.0


@attrs.define
class Batch:
    """What was granted, and what has been sent and answered since the last booking."""

    granted: int = 0
    sent: int = 0
    sent_bytes: int = 0
    succeeded: int = 0
    succeeded_bytes: int = 0
    input: int = 0
    output: int = 0

    def grant(self, room: float) -> None:
        """Grant jobs, if there is ``room`` for many times as many."""
        self.granted = min(MAX_BATCH, int(room / ROOM)) if room >= ROOM * MIN_BATCH else 0

    def send(self, requests: Sequence[JobRequest]) -> None:
        """Use some of the jobs that were granted."""
        self.granted -= len(requests)
        self.sent += len(requests)
        self.sent_bytes += sum([len(request.body) for request in requests])

    def succeed(self, request: JobRequest, usage: Usage) -> None:
        """Note an answer, to be booked later."""
        self.succeeded += 1
        self.succeeded_bytes += len(request.body)
        self.input += usage.input + usage.cache_creation
        self.output += usage.output
