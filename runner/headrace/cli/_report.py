"""What commands that run jobs have in common: notices, errors, the summary and the exit code."""

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

from headrace._exceptions import HeadraceError, RunRefused, StorageFailed
from headrace.policy.stop import ExitCode, StopReason, most_severe
from headrace.run.options import RunOptions, default_output
from headrace.run.summary import Summary, as_builtins, as_text, final_message

from ._display import Style, display
from ._signals import stops_by_signal


def run_and_report(
    options: RunOptions, progress: Style, summary_json: Path | None = None, *, quiet: bool = False
) -> ExitCode:
    """Run the jobs, print the summary, and return the exit code."""
    import trio

    from headrace.output.storage import DiskStorage
    from headrace.run.execution import execute
    from headrace.run.system import real_system

    if summary_json is not None:
        _refuse_summary(summary_json, options)
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
    untold = _report(summary, summary_json, quiet=quiet)
    for problem in untold:
        print_message(problem.message)
    reason = most_severe([*untold, *([summary.reason] if summary.reason else [])])
    return reason.exit_code if reason else summary.exit_code


def _refuse_summary(file: Path, options: RunOptions) -> None:
    """Refuse what would overwrite a file of the run, and what is known to fail at its end."""
    from headrace.output.paths import output_paths, refuse_overlap

    paths = output_paths(options.output or default_output(options.inputs))
    refuse_overlap([*map(Path, options.inputs), *paths.written(ordered=options.ordered)], [file])
    if not file.parent.is_dir():
        raise RunRefused(f"the folder of --summary-json {file} does not exist: make it first")


def _report(summary: Summary, file: Path | None, *, quiet: bool) -> list[StopReason]:
    """Tell what the run came to, also as JSON in a file; return what could not be told."""
    untold: list[StopReason] = []
    if file is not None:
        try:
            file.write_bytes(msgspec.json.format(msgspec.json.encode(as_builtins(summary))) + b"\n")
        except OSError as error:
            message = f"cannot write the summary to {file}: {error.strerror or error}"
            untold.append(StopReason(ExitCode.STORAGE, message))
    if quiet:
        if summary.reason is not None:
            print_message(final_message(summary.reason))
        return untold
    try:
        print_output(as_text(summary))
    except StorageFailed as error:
        untold.append(StopReason(ExitCode.STORAGE, str(error)))
    return untold


def report_dry_run(options: RunOptions) -> None:
    """Print what would be sent. Raises `RunRefused` for an input that cannot be read twice."""
    import trio

    from headrace.input.files import open_inputs
    from headrace.run.dry_run import forecast, preview
    from headrace.run.preparation import prepare

    inputs = open_inputs(options.inputs, first=options.first, max_line=options.max_line)
    if not inputs.rereadable:
        raise RunRefused("--dry-run reads the input without using it up: give it a regular file")
    prepared = trio.run(prepare, options, inputs)
    print_output(preview(prepared, forecast(inputs, prepared.dialect)))


@contextmanager
def clear_errors() -> Generator[None]:
    """End with an exit code, and with one line about what a user can mend; a bug comes with its traceback."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except HeadraceError as error:
        print_message(str(error))
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001  (whatever nobody expected is a bug, and says so)
        with suppress(OSError):
            traceback.print_exc()
        print_message(
            "this is a bug of headrace; what is recorded is safe, and the same command goes on after it"
        )
        sys.exit(ExitCode.BUG)


def print_output(text: str) -> None:
    """Print a result of the command. Raises `StorageFailed` if nobody can read it."""
    try:
        click.echo(text)
    except OSError as error:
        # Python would complain once more when it flushes what is left at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = error.strerror or error
        raise StorageFailed(f"cannot write to standard output: {reason}") from error


def set_up_logging(verbose: int) -> None:
    """Log to standard error: warnings; with ``-v`` what happens; with ``-vv`` each attempt."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )


def print_message(text: str) -> None:
    with suppress(OSError):  # of a closed pipe: then nobody wants to know
        click.echo(f"headrace: {text}", err=True)


def _discard_message(text: str) -> None:
    del text
