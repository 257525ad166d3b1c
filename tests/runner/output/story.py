"""Runs of one output on a simulated disk; the story plays the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import msgspec

from headrace.dialects import Dialect, make_dialect
from headrace.input.files import InputFile, Inputs
from headrace.input.identity import recipe_digest
from headrace.input.lines import InputLine
from headrace.input.scan import scan_inputs
from headrace.job import Failure, FailureKind, Note, PreparedJob, Success, Usage
from headrace.output.decisions import Decision
from headrace.output.opened_output import OpenedOutput
from headrace.output.paths import output_paths
from headrace.output.resume import open_output
from headrace.policy.options import OnChange, RequestOptions, RetryFailed
from tests.runner.disk import SimulatedDisk

IN = Path("in.jsonl")
PATHS = output_paths(Path("out.jsonl"))
OUT, ERRORS, SIDECAR = PATHS.results, PATHS.errors, PATHS.sidecar
RECIPE: Mapping[str, object] = {"dialect": "rows", "prompt": "{q}", "model": "m"}

JSON = msgspec.json.Decoder(dict[str, object])


def job_line(job_id: object, text: str = "?") -> bytes:
    return msgspec.json.encode({"id": job_id, "q": text}) + b"\n"


@attrs.define
class Story:
    """One output through several runs, each with its own input, recipe and options."""

    disk: SimulatedDisk = attrs.field(factory=SimulatedDisk)
    dialect: Dialect = attrs.field(
        factory=lambda: make_dialect("rows", RequestOptions(prompt="{q}", model="m", id_field="id"))
    )
    recipe: Mapping[str, object] = RECIPE
    lines: Sequence[bytes] = ()
    piped: bool = False
    written: list[bytes] = attrs.field(factory=list[bytes])
    """All results whose append returned."""

    def open(
        self,
        *,
        on_change: OnChange = "refuse",
        retry_failed: RetryFailed = "transient",
        restart: str | None = None,
    ) -> OpenedOutput:
        return open_output(
            self.disk,
            PATHS,
            scan=None if self.piped else scan_inputs(self.inputs(), self.dialect.lines),
            line_format=self.dialect.lines,
            recipe=self.recipe,
            on_change=on_change,
            retry_failed=retry_failed,
            restart=restart,
        )

    def inputs(self) -> Inputs:
        content = b"".join(self.lines)
        self.disk.put(IN, content)
        return Inputs(files=[InputFile(path=IN, size=len(content))], disk=self.disk)

    def decide_all(self, output: OpenedOutput) -> list[tuple[InputLine, Decision]]:
        return [(line, output.decisions.decide(line)) for lines in self.inputs().scan() for line in lines]

    def send(
        self, output: OpenedOutput, *, failing: Mapping[str, FailureKind] | None = None, most: int = 100
    ) -> list[str]:
        """Answer at most ``most`` of the jobs that are left; return the ids that were sent."""
        sent: list[str] = []
        for line, found in self.decide_all(output):
            if found.skip or len(sent) == most:
                continue
            note = self.note(line, found)
            if found.id is None:
                failure = Failure(kind="bad_line", message=str(found.problem))
                output.append_errors(self.dialect.failure_record(None, failure, note))
                continue
            sent.append(found.id)
            if failing and found.id in failing:
                failure = Failure(kind=failing[found.id], message="no")
                output.append_errors(self.dialect.failure_record(found.id, failure, note))
            else:
                record = self.success(line, found, note)
                output.append_results(record)
                self.written.append(record)
        return sent

    def note(self, line: InputLine, found: Decision) -> Note:
        return Note(
            line=line.number,
            digest=found.digest,
            recipe=recipe_digest(self.recipe),
            attempts=found.attempts + 1,
            maybe_billed=found.maybe_billed.attempts,
            maybe_billed_tokens=found.maybe_billed.tokens,
        )

    def success(self, line: InputLine, found: Decision, note: Note) -> bytes:
        job = PreparedJob(
            id=found.id or "",
            line=line.number,
            source=None,
            digest=found.digest,
            request=self.dialect.lines.read(line.text),
        )
        answer = Success(message=b'{"type":"message"}', usage=Usage(), stop_reason="end_turn")
        return self.dialect.success_record(job, answer, note)

    def next_run(self) -> None:
        self.disk = self.disk.restarted()

    def ids(self, path: Path = OUT) -> list[object]:
        return [JSON.decode(line)["custom_id"] for line in self.disk.content(path).splitlines()]

    def snapshot(self) -> dict[Path, bytes]:
        files = self.disk.platters.files
        return {path: file.cached for path, file in files.items() if path not in (IN, SIDECAR)}


def story(*ids: object, piped: bool = False) -> Story:
    return Story(lines=[job_line(job_id) for job_id in ids], piped=piped)
