"""What to do about each line of the input, given what earlier runs have recorded."""

from __future__ import annotations

import attrs
import msgspec

from headrace._exceptions import BadLine
from headrace.dialects import LineFormat
from headrace.input.identity import Identities, digest
from headrace.input.lines import InputLine
from headrace.input.scan import identify
from headrace.output.earlier_runs import EarlierAttempts
from headrace.output.known_jobs import KnownJobs
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage


class Decision(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What to do about one line: skip it, write an error record, or send a job."""

    id: str | None
    """None for a line that does not become a job."""
    digest: str
    skip: bool = False
    """The job is done, has failed and is not tried again, or is left out as a duplicate."""
    problem: str | None = None
    """Why the line gets an error record."""
    attempts: int = 0
    """Sent by earlier runs without success."""
    maybe_billed: UnconfirmedUsage = NO_UNCONFIRMED_USAGE


_NOT_SENT = (0, NO_UNCONFIRMED_USAGE)


@attrs.frozen(kw_only=True)
class Decisions:
    """Decides about the lines of one input, each once and in the order of the input."""

    line_format: LineFormat
    identities: Identities
    known: KnownJobs
    earlier: EarlierAttempts
    scanned: bool
    """Duplicates were counted by a scan, and are skipped. Without a scan, they get error records."""

    def decide(self, line: InputLine) -> Decision:
        """Return what to do about the next line."""
        try:
            own_id = identify(line, self.line_format)
        except BadLine as error:
            line_digest = line.oversized.digest if line.oversized else digest(line.text)
            return Decision(id=None, digest=line_digest, problem=str(error))
        line_digest = digest(line.text)
        job_id, is_new = self.identities.name(own_id, line_digest)
        if not is_new:
            problem = None if self.scanned else f"an earlier one has the same id {job_id[:60]!a}"
            return Decision(id=None, digest=line_digest, skip=self.scanned, problem=problem)
        found = self.known.look_up(job_id, line_digest)
        if found == "changed":
            problem = "its id has a result that was made from another line; --on-change skip keeps that"
            return Decision(id=None, digest=line_digest, problem=problem)
        attempts, maybe_billed = self.earlier.get(job_id, _NOT_SENT)
        return Decision(
            id=job_id,
            digest=line_digest,
            skip=found != "new",
            attempts=attempts,
            maybe_billed=maybe_billed,
        )
