"""From a line of the input to what the dispatcher gets: a job to send, an error record, or nothing."""

from __future__ import annotations

import attrs

from headrace._exceptions import BadLine
from headrace.actors.messages import Finished, Pending
from headrace.dialects import Dialect, LineFormat
from headrace.input.lines import InputLine
from headrace.job import Failure, Note, PreparedJob, Recipient
from headrace.output.decisions import Decision, Decisions
from headrace.policy.prices import PriceList
from headrace.run.maximum_cost import require_maximum_cost


@attrs.define(kw_only=True)
class LineParser:
    """Turns lines into items for the dispatcher, and counts them."""

    dialect: Dialect
    recipe: str
    """The recipe's digest."""
    decisions: Decisions
    prices: PriceList | None = None
    """Under a budget: jobs without a maximum cost get error records."""
    lines: int = 0
    skipped: int = 0
    """Lines that earlier runs have dealt with."""

    def item_of(self, line: InputLine, now: float) -> Pending | Finished | None:
        """Return what a line becomes; None if it is skipped. ``now``: on the event loop's clock."""
        self.lines += 1
        decision = self.decisions.decide(line)
        if decision.skip:
            self.skipped += 1
            return None
        try:
            pending = pending_job(self.dialect.lines, line, decision, now)
            if self.prices is not None:
                require_maximum_cost(pending.job.request, self.prices)
        except BadLine as error:
            message = f"line {line.number}: {error}"
            return bad_line(self.dialect, line, decision, self.recipe, message)
        return pending


def pending_job(
    line_format: LineFormat,
    line: InputLine,
    decision: Decision,
    now: float,
    recipient: Recipient | None = None,
) -> Pending:
    """Return the job of a line, ready to be sent. Raises `BadLine` if the line does not become a job."""
    if decision.id is None:
        raise BadLine(decision.problem or "the line cannot be parsed")
    job = PreparedJob(
        id=decision.id,
        line=line.number,
        source=line.source,
        digest=decision.digest,
        request=line_format.read(line.text),
        recipient=recipient,
    )
    return Pending(job=job, read_at=now, attempts=decision.attempts, maybe_billed=decision.maybe_billed)


def bad_line(
    dialect: Dialect,
    line: InputLine,
    decision: Decision,
    recipe: str,
    message: str,
    recipient: Recipient | None = None,
) -> Finished:
    """Return the error record of a line that does not become a job."""
    note = Note(line=line.number, source=line.source, digest=decision.digest, recipe=recipe)
    failure = Failure(kind="bad_line", message=message, sent=False)
    record = dialect.failure_record(decision.id, failure, note)
    return Finished(record=record, outcome=failure, note=note, recipient=recipient)
