"""`headrace run`: from the command line to `RunOptions`, and from the summary to the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace._exceptions import RunRefused
from headrace.policy.options import Limits, RunOptions
from headrace.policy.prices import PriceList, read_prices
from headrace.policy.text import decode_file

from ._command import command
from ._options import (
    display_options,
    input_argument,
    input_options,
    output_options,
    pacing_options,
    request_options,
    resume_options,
    retry_options,
    server_options,
    stop_options,
)

if TYPE_CHECKING:
    from ._display import Style


@command(
    "headrace run jobs.jsonl -o results.jsonl",
    "headrace run rows.jsonl --prompt 'Answer briefly: {question}' --model NAME --max-tokens 100",
    "headrace run jobs.jsonl --share 0.5 --max-cost 25 --max-failures 5%",
)
@input_argument
@input_options
@request_options
@output_options
@resume_options
@server_options
@pacing_options
@stop_options
@retry_options
@display_options
def run(
    *,
    dry_run: bool,
    progress: Style,
    summary_json: Path | None,
    quiet: bool,
    verbose: int,
    **given: Any,
) -> None:
    """Run the jobs of the files INPUT ("-" is standard input) and write one record per job.

    Run the same command again to resume: no job that has a result is sent twice.
    """
    # Imported here because it takes a quarter of a second: --help and completion do without.
    from ._report import clear_errors, report_dry_run, run_and_report, set_up_logging

    set_up_logging(verbose)
    with clear_errors():
        options = options_from(given, os.environ)
        if dry_run:
            return report_dry_run(options)
        sys.exit(run_and_report(options, "none" if quiet else progress, summary_json, quiet=quiet))


def options_from(given: Mapping[str, Any], environ: Mapping[str, str]) -> RunOptions:
    """Return the options that the command line gives. Raises `RunRefused`.

    ``given``: the parameters of a command; all that it does not have are at their defaults.
    """
    options = dict(given)
    files = options.pop("inputs")
    for name in ("prompt", "system"):
        options[name] = _inline_or_file(name, options.pop(name), options.pop(f"{name}_file"))
    options["set"] = _read_settings(options["set"])
    options["keep"] = _split_fields(options.get("keep"))
    options["limits"] = Limits(**{name: options.pop(name) for name in ("rpm", "itpm", "otpm", "share")})
    options["prices"] = _load_prices(options["prices"])
    return RunOptions.of(*files, environ=environ, **options)


def _read_settings(texts: tuple[str, ...]) -> dict[str, object]:
    if not texts:
        return {}
    from headrace.dialects import read_settings  # it imports a client

    return read_settings(texts)


def _load_prices(file: Path | None) -> PriceList | None:
    return None if file is None else read_prices(_read_text("prices", file), str(file))


def _inline_or_file(name: str, text: str | None, file: Path | None) -> str | None:
    if file is None:
        return text
    if text is not None:
        raise RunRefused(f"--{name} and --{name}-file exclude each other: give only one of them")
    return _read_text(f"{name}-file", file)


def _read_text(option: str, file: Path) -> str:
    try:
        return decode_file(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RunRefused(f"--{option}: cannot read {file}: {error}") from error


def _split_fields(text: str | None) -> tuple[str, ...]:
    return tuple(field.strip() for field in (text or "").split(",") if field.strip())
