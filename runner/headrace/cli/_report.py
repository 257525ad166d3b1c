"""What commands that run jobs have in common: notices, errors, the summary and the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import msgspec

from headrace._exceptions import HeadraceError, RunRefused
from headrace.options import RunOptions
from headrace.stopping import ExitCode
from headrace.summary import as_builtins, as_text

from ._display import Style, display
from ._signals import stops_by_signal


def run_and_report(
    options: RunOptions, progress: Style, summary_json: Path | None = None, *, quiet: bool = False
) -> ExitCode:
    """Run the jobs, print the summary, and return the exit code."""
    import trio

    from headrace._run_file import run_file
    from headrace.files.storage import DiskStorage
    from headrace.world import real_world

    notify = _say_nothing if quiet else _say
    with DiskStorage() as storage:
        summary = trio.run(
            partial(
                run_file,
                options,
                world=real_world(storage),
                stops=stops_by_signal,
                display=partial(display, progress),
                notify=notify,
            )
        )
    if summary_json is not None:
        summary_json.write_bytes(msgspec.json.format(msgspec.json.encode(as_builtins(summary))) + b"\n")
    if not quiet:
        click.echo(as_text(summary))
    elif summary.reason is not None:
        _say(summary.reason.message)
    return summary.exit_code


def report_dry_run(options: RunOptions) -> None:
    """Print what would be sent. Raises `RunRefused` for an input that cannot be read twice."""
    import trio

    from headrace.dry_run import forecast, preview
    from headrace.files.inputs import open_inputs
    from headrace.preparing import prepare

    inputs = open_inputs(options.inputs, first=options.first)
    if not inputs.rereadable:
        raise RunRefused("--dry-run reads the input without using it up: give it a regular file")
    prepared = trio.run(prepare, options, inputs)
    click.echo(preview(prepared, forecast(inputs, prepared.dialect)))


@contextmanager
def clear_errors() -> Generator[None]:
    """Turn the errors that a user can do something about into one line and an exit code."""
    try:
        yield
    except HeadraceError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.STORAGE)


def set_up_logging(verbose: int) -> None:
    """Log to standard error: warnings; with ``-v`` what happens; with ``-vv`` each attempt."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )


def _say(text: str) -> None:
    click.echo(f"headrace: {text}", err=True)


def _say_nothing(text: str) -> None:
    del text
