"""`headrace verify`: from the command line to a verification, and from its found to the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.policy.stop import ExitCode
from headrace.run.options import default_output

from ._report import clear_errors, print_output
from .run import max_line_option

if TYPE_CHECKING:
    from headrace.output.verification import Verification


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The results of the run."
)
@click.option(
    "--input-format",
    type=click.Choice(["auto", "anthropic", "openai", "raw", "rows"]),
    default="auto",
    help="What a line is, as the run was told.",
)
@click.option("--id-field", metavar="F", help="The field of a row that holds its id, as the run was told.")
@click.option("-n", "--first", type=click.IntRange(min=1), metavar="N", help="Only the first N lines.")
@max_line_option
def verify(
    *,
    inputs: tuple[str, ...],
    output: Path | None,
    input_format: str,
    id_field: str | None,
    first: int | None,
    max_line: int,
) -> None:
    """Prove that each line of INPUT has exactly one record, whole and of that very line.

    Nothing is sent or changed. Ends with 0 if so, with 1 and the places of what is wrong if not.
    """
    from headrace.input.files import open_inputs
    from headrace.output.paths import output_paths
    from headrace.output.storage import DiskStorage
    from headrace.output.verification import identifying_format, verify_output

    with clear_errors():
        opened = open_inputs(inputs, first=first, max_line=max_line)
        line_format = identifying_format(opened, input_format, id_field)
        with DiskStorage() as storage:
            paths = output_paths(output or default_output(inputs))
            found = verify_output(storage, paths, opened, line_format)
        for line in _report(found):
            print_output(line)
        sys.exit(ExitCode.SOME_FAILED if found.problem_count else ExitCode.ALL_RESULTS)


def _report(found: Verification) -> list[str]:
    lines = list(found.problems)
    if more := found.problem_count - len(lines):
        lines.append(f"... and {more:,} more")
    if found.duplicates:
        lines.append(f"{found.duplicates:,} lines have the id of an earlier one, and so no record")
    if found.recipes > 1:
        lines.append(
            f"the records were made by {found.recipes} different recipes (prompt, model, parameters)"
        )
    counts = f"{found.jobs:,} jobs: {found.results:,} results, {found.failures:,} failed"
    good = "each has exactly one record, whole and of its line"
    lines.append(f"{counts}; {f'{found.problem_count:,} problems' if found.problem_count else good}")
    return lines
