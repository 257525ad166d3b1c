"""The files of one output while a run writes them, and what earlier runs left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import attrs
import msgspec

from headrace._exceptions import BadLine, RunRefused
from headrace.input.files import InputLine
from headrace.input.identity import Identities, digest
from headrace.input.scan import ReadsJobs, require_job
from headrace.output.known_jobs import KnownJobs
from headrace.output.storage import LineFile
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage


@attrs.frozen(kw_only=True)
class OutputPaths:
    """The files of one output."""

    results: Path
    errors: Path
    sidecar: Path


def output_paths(output: Path) -> OutputPaths:
    """``out.jsonl`` has ``out.errors.jsonl`` and ``out.jsonl.headrace`` beside it. Raises `RunRefused`."""
    if output.name in ("", ".."):
        raise RunRefused(f"the output {output} is a directory: name a file in it")
    if str(output) == "-":
        raise RunRefused("results go to a file, where the next run finds them: name one by -o")
    return OutputPaths(
        results=output,
        errors=output.with_name(f"{output.stem}.errors{output.suffix}"),
        sidecar=output.with_name(f"{output.name}.headrace"),
    )


def refuse_overlap(taken: Iterable[Path], written: Iterable[Path]) -> None:
    """Raise `RunRefused` if one of the files to be ``written`` already serves the run for something else."""
    files = {path.resolve() for path in taken}
    for path in written:
        if path.resolve() in files:
            raise RunRefused(f"{path} already is an input or output of this run: name another file")


class Decision(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is to be done about one line of the input: nothing, an error record, or a job."""

    id: str | None
    """None for a line that is no job."""
    digest: str
    skip: bool = False
    """Nothing: done before, failed and not tried again, or left out as a duplicate."""
    problem: str | None = None
    """Why the line becomes an error record."""
    attempts: int = 0
    """Sent by earlier runs without success."""
    maybe_billed: UnconfirmedUsage = NO_UNCONFIRMED_USAGE


@attrs.frozen(kw_only=True)
class Counts:
    """What a run starts with. ``to_send`` is None when the input cannot be scanned."""

    done: int
    failed: int
    """Jobs that failed in earlier runs and are not tried again."""
    to_send: int | None
    bad_lines: int = 0
    """Lines of a scanned input that are no jobs, as far as their id shows; not in ``to_send``."""


@attrs.frozen(kw_only=True)
class OpenedOutput:
    """An output that this process holds. Closing the storage lets go of it."""

    results: LineFile
    errors: LineFile
    counts: Counts
    notices: Sequence[str]
    """What the user should know: what was cut, moved or counted as done, one sentence each."""
    pacing: Mapping[str, object]
    """The levels that the last run left."""
    spent: float
    """What the last run with a budget knew to be spent."""
    _dialect: ReadsJobs = attrs.field(alias="dialect")
    _identities: Identities = attrs.field(alias="identities")
    _known: KnownJobs = attrs.field(alias="known")
    _earlier: Mapping[str, tuple[int, UnconfirmedUsage]] = attrs.field(alias="earlier")
    """Attempts, and maybe billed ones, of jobs that failed in earlier runs."""
    _scanned: bool = attrs.field(alias="scanned")
    save: Callable[[Mapping[str, object], float], None]
    """Keeps the levels, and what is spent, for the next run. Raises `StorageFailed`."""

    def decide(self, line: InputLine) -> Decision:
        """What is to be done about a line. To be called for all lines, in the order of the input."""
        try:
            own_id = require_job(line, self._dialect)
        except BadLine as error:
            line_digest = line.oversized.digest if line.oversized else digest(line.text)
            return Decision(id=None, digest=line_digest, problem=str(error))
        line_digest = digest(line.text)
        job_id, is_new = self._identities.name(own_id, line_digest)
        if not is_new:
            problem = None if self._scanned else f"an earlier line has its id {job_id[:60]!a}"
            return Decision(id=None, digest=line_digest, skip=self._scanned, problem=problem)
        recalled = self._known.look_up(job_id, line_digest)
        if recalled == "changed":
            problem = "its id is that of a result for another line; --on-change skip counts it as done"
            return Decision(id=None, digest=line_digest, problem=problem)
        attempts, maybe_billed = self._earlier.get(job_id, (0, NO_UNCONFIRMED_USAGE))
        return Decision(
            id=job_id,
            digest=line_digest,
            skip=recalled != "new",
            attempts=attempts,
            maybe_billed=maybe_billed,
        )

    def append_results(self, data: bytes) -> None:
        """Append whole lines to OUTPUT. Raises `StorageFailed`, with nothing of them left there."""
        self.results.append(data)

    def append_errors(self, data: bytes) -> None:
        """Append whole lines to the error file. Raises `StorageFailed`, with nothing of them left there."""
        self.errors.append(data)

    def sync(self) -> None:
        """Return when all that was appended would survive a power failure. Raises `StorageFailed`."""
        self.results.sync()
        self.errors.sync()


class NoOutput:
    """Takes the place of an `OpenedOutput` where nothing is recorded: it drops what is appended."""

    def append_results(self, data: bytes) -> None:
        """Drop the lines."""

    def append_errors(self, data: bytes) -> None:
        """Drop the lines."""
