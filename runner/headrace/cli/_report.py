"""What the commands have in common: notices, errors, the summary and the exit code."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import click
import msgspec
import trio

from headrace._exceptions import HeadraceError, RunRefused, StorageFailed
from headrace.policy.options import RunOptions
from headrace.policy.prices import own_prices
from headrace.policy.stop import ExitCode, StopReason, most_severe
from headrace.policy.text import one_line, printed
from headrace.run.summary import Summary, as_builtins, as_text, final_message

from ._display import Style, display
from ._signals import stops_by_signal


def run_and_report(
    options: RunOptions, progress: Style, summary_json: Path | None = None, *, quiet: bool = False
) -> ExitCode:
    """Run the jobs, print the summary, and return the exit code."""
    from headrace.output.storage import DiskStorage
    from headrace.run.execution import execute
    from headrace.run.system import real_system

    if summary_json is not None:
        _refuse_summary_file(summary_json, options)
    notify = _discard_message if quiet else print_message
    with DiskStorage() as storage:
        summary = trio.run(
            partial(
                execute,
                options,
                system=real_system(storage),
                stops=stops_by_signal,
                display=partial(display, progress),
                notify=notify,
            )
        )
    problems = _report(summary, summary_json, quiet=quiet)
    for problem in problems:
        print_message(problem.message)
    reason = most_severe([*problems, *([summary.reason] if summary.reason else [])])
    return reason.exit_code if reason else summary.exit_code


def _refuse_summary_file(file: Path, options: RunOptions) -> None:
    """Raise `RunRefused` for a file of the run, and for one that could not be written at the end."""
    from headrace.output.paths import output_paths, refuse_overlap

    paths = output_paths(options.output_path)
    written = paths.written(ordered=options.output.ordered)
    refuse_overlap([*map(Path, options.input.files), *written], [file])
    if not file.parent.is_dir():
        raise RunRefused(f"--summary-json {file}: the directory does not exist: create it first")


def _report(summary: Summary, file: Path | None, *, quiet: bool) -> list[StopReason]:
    """Print the summary, and write it to a file as JSON; return what went wrong."""
    problems: list[StopReason] = []
    if file is not None:
        try:
            file.write_bytes(msgspec.json.format(msgspec.json.encode(as_builtins(summary))) + b"\n")
        except OSError as error:
            message = f"cannot write the summary to {file}: {error.strerror or error}"
            problems.append(StopReason(ExitCode.STORAGE, message))
    if quiet:
        if summary.reason is not None:
            print_message(final_message(summary.reason))
        return problems
    try:
        print_output(as_text(summary))
    except StorageFailed as error:
        problems.append(StopReason(ExitCode.STORAGE, str(error)))
    return problems


def report_dry_run(options: RunOptions) -> None:
    """Print what would be sent. Raises `RunRefused` for an input that cannot be read twice."""
    from headrace.input.files import open_inputs
    from headrace.run.dry_run import forecast, preview
    from headrace.run.preparation import prepare

    inputs = open_inputs(options.input.files, first=options.input.first, max_line=options.input.max_line)
    if not inputs.rereadable:
        raise RunRefused("--dry-run needs an input that can be read again: give it a regular file")
    prepared = trio.run(prepare, options, inputs)
    prices = options.stop.prices or own_prices()
    print_output(preview(prepared, forecast(inputs, prepared.dialect), prices))


@contextmanager
def clear_errors() -> Generator[None]:
    """Exit with the code of an error, and print one line that says what to do; add a traceback for a bug."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except HeadraceError as error:
        print_message(str(error))
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001  (any other exception is a bug, and is reported as one)
        with suppress(OSError):
            traceback.print_exc()
        print_message(
            "internal error (please report it); recorded results are safe:"
            " run the same command again to resume"
        )
        sys.exit(ExitCode.BUG)


def print_output(text: str) -> None:
    """Print a result of the command. Raises `StorageFailed` if standard output cannot be written."""
    try:
        click.echo(printed(text))
    except OSError as error:
        # Python would report the error once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = error.strerror or error
        raise StorageFailed(f"cannot write to standard output: {reason}") from error


def set_up_logging(verbose: int) -> None:
    """Log to standard error. ``verbose``: 0 warnings, 1 failed attempts, 2 every attempt."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )


def print_message(text: str) -> None:
    with suppress(OSError):  # standard error is closed: there is no reader
        click.echo(f"headrace: {one_line(text)}", err=True)


def _discard_message(text: str) -> None:
    del text
