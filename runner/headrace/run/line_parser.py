"""From a line of the input to what the dispatcher gets: a job to send, an error record, or nothing."""

from __future__ import annotations

from typing import Protocol

import attrs

from headrace._exceptions import BadLine
from headrace.actors.messages import Finished, Pending
from headrace.dialects import Dialect
from headrace.input.files import InputLine
from headrace.job import Failure, Note, PreparedJob
from headrace.output.output import Decision


class DecidesLines(Protocol):
    """What knows which lines are done."""

    def decide(self, line: InputLine) -> Decision:
        """What is to be done about a line."""
        ...


@attrs.define(kw_only=True)
class LineParser:
    """Makes items of lines, and counts them."""

    dialect: Dialect
    recipe: str
    """The recipe's digest."""
    output: DecidesLines
    lines: int = 0
    skipped: int = 0
    """Lines about which nothing is to be done: earlier runs have done it."""

    def item_of(self, line: InputLine, now: float) -> Pending | Finished | None:
        """Return what a line becomes; None for one that is done. ``now``: on the event loop's clock."""
        self.lines += 1
        decision = self.output.decide(line)
        if decision.skip:
            self.skipped += 1
            return None
        if decision.id is None:
            return self._bad_line(line, decision, decision.problem or "the line is no job")
        try:
            request = self.dialect.read(line.text)
        except BadLine as error:
            return self._bad_line(line, decision, str(error))
        job = PreparedJob(
            id=decision.id, line=line.number, source=line.source, digest=decision.digest, request=request
        )
        return Pending(job=job, read_at=now, attempts=decision.attempts, maybe_billed=decision.maybe_billed)

    def _bad_line(self, line: InputLine, decision: Decision, problem: str) -> Finished:
        note = Note(line=line.number, source=line.source, digest=decision.digest, recipe=self.recipe)
        failure = Failure(kind="bad_line", message=f"line {line.number}: {problem}", sent=False)
        return Finished(record=self.dialect.failure_record(decision.id, failure, note), failure=failure)
