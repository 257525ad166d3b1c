"""The files of an output: where they are, and that they are not needed for anything else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs

from headrace._exceptions import RunRefused


@attrs.frozen(kw_only=True)
class OutputPaths:
    """The files of one output."""

    results: Path
    errors: Path
    sidecar: Path

    @property
    def ordered(self) -> Path:
        """The ordered copy of the results, for ``out.jsonl`` it is ``out.ordered.jsonl``."""
        return self.results.with_name(f"{self.results.stem}.ordered{self.results.suffix}")

    def written(self, *, ordered: bool) -> list[Path]:
        """Return the files that a run writes. ``ordered``: an ordered copy is one of them."""
        copy = [self.ordered] if ordered else []
        return [self.results, self.errors, self.sidecar, *copy]


def output_paths(output: Path) -> OutputPaths:
    """Return the files of an output: next to ``out.jsonl``, ``out.errors.jsonl`` and ``out.jsonl.headrace``.

    Raises `RunRefused` if the output cannot be a file.
    """
    if "\0" in str(output):
        raise RunRefused("the name of the output contains a NUL character: use another name")
    if output.name in ("", ".."):
        raise RunRefused(f"the output {output} is a directory: name a file in it")
    if str(output) == "-":
        raise RunRefused("results are written to a file, where the next run finds them: name one with -o")
    return OutputPaths(
        results=output,
        errors=output.with_name(f"{output.stem}.errors{output.suffix}"),
        sidecar=output.with_name(f"{output.name}.headrace"),
    )


def refuse_overlap(taken: Iterable[Path], written: Iterable[Path]) -> None:
    """Raise `RunRefused` if a file to be ``written`` is already ``taken`` by another purpose of the run."""
    files = {path.resolve() for path in taken}
    for path in written:
        if path.resolve() in files:
            raise RunRefused(f"{path} is already an input or output of this run: name another file")
