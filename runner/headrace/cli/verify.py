"""`headrace verify`: checks an output against its input, and says what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cloup

from headrace.policy.options import InputOptions
from headrace.policy.stop import ExitCode

from ._command import command
from ._options import input_argument, output_option, reading_options

if TYPE_CHECKING:
    from headrace.output.verification import Verification


@command(
    "headrace verify jobs.jsonl -o results.jsonl",
)
@input_argument
@cloup.option_group("Input", *reading_options, help="Give the values that you gave to the run.")
@cloup.option_group("Output", output_option)
def verify(
    *,
    inputs: tuple[str, ...],
    output: Path | None,
    input_format: str,
    id_field: str | None,
    first: int | None,
    max_line: int,
) -> None:
    """Check that each line of the files INPUT has exactly one record, complete and made from that line.

    Nothing is sent or changed. Exits with 0 if all is well, and with 1 and a list of the problems if not.
    """
    from headrace.input.files import open_inputs
    from headrace.output.paths import output_paths
    from headrace.output.storage import DiskStorage
    from headrace.output.verification import identifying_format, verify_output

    from ._report import clear_errors, print_output

    with clear_errors():
        opened = open_inputs(inputs, first=first, max_line=max_line)
        line_format = identifying_format(opened, input_format, id_field)
        paths = output_paths(output or InputOptions(files=inputs).default_output())
        with DiskStorage() as storage:
            verification = verify_output(storage, paths, opened, line_format)
        for line in _report(verification):
            print_output(line)
        sys.exit(ExitCode.SOME_FAILED if verification.problem_count else ExitCode.ALL_RESULTS)


def _report(verification: Verification) -> list[str]:
    lines = list(verification.problems)
    if more := verification.problem_count - len(lines):
        lines.append(f"... and {more:,} more")
    if verification.duplicates:
        lines.append(
            f"{verification.duplicates:,} lines have the id of an earlier line, and therefore no record"
        )
    if verification.recipes > 1:
        lines.append(
            f"the records were made with {verification.recipes} different recipes (prompt, model, parameters)"
        )
    counts = f"{verification.jobs:,} jobs: {verification.results:,} results, {verification.failures:,} failed"
    good = "each has exactly one record, complete and made from its line"
    lines.append(
        f"{counts}; {f'{verification.problem_count:,} problems' if verification.problem_count else good}"
    )
    return lines
