"""`headrace run`: from the command line to `RunOptions`, and from the summary to the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
import msgspec

from headrace._exceptions import RunRefused
from headrace.dialects import RequestOptions
from headrace.input.files import DEFAULT_MAX_LINE
from headrace.pacing import StatedLimits
from headrace.policy.prices import PriceList, read_prices
from headrace.run.options import Concurrency, RunOptions, max_failures

from ._display import Style
from ._numbers import NOT_NEGATIVE, POSITIVE, SHARE
from ._report import clear_errors, report_dry_run, run_and_report, set_up_logging

F = TypeVar("F", bound=Callable[..., Any])

_TEXT_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_CONCURRENCY = 100_000


def _concurrency(_context: click.Context, _parameter: click.Parameter, text: str) -> Concurrency:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_CONCURRENCY:
        raise click.BadParameter(f"{text!r} is neither 'auto' nor a number from 1 to {_MAX_CONCURRENCY:,}")
    return int(text)


def _group(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


max_line_option = click.option(
    "--max-line",
    type=click.IntRange(min=1),
    default=DEFAULT_MAX_LINE,
    metavar="BYTES",
    help="A longer line is no job.",
)
input_options = _group(
    click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
    click.option(
        "--input-format",
        type=click.Choice(["auto", "anthropic", "openai", "raw", "rows"]),
        default="auto",
        help="What a line is; told by the first one unless given.",
    ),
    click.option("--id-field", metavar="F", help="The field of a row that holds its id."),
    click.option("-n", "--first", type=click.IntRange(min=1), metavar="N", help="Only the first N lines."),
    max_line_option,
    click.option(
        "--on-bad-line",
        type=click.Choice(["record", "refuse"]),
        default="record",
        help="A line that is no job becomes an error record, or nothing is sent.",
    ),
    click.option(
        "--on-duplicate",
        type=click.Choice(["refuse", "first"]),
        default="refuse",
        help="Two lines of one id: send nothing, or take the first.",
    ),
)
request_options = _group(
    click.option("--model", metavar="M", help="The model, for every line."),
    click.option("--prompt", metavar="T", help="A template that makes a message of a row: 'Q: {question}'."),
    click.option("--prompt-file", type=_TEXT_FILE, metavar="F", help="The same from a file."),
    click.option("--system", metavar="T", help="A template for the system prompt of rows."),
    click.option("--system-file", type=_TEXT_FILE, metavar="F", help="The same from a file."),
    click.option(
        "--max-tokens", type=click.IntRange(min=1), metavar="N", help="Tokens of an answer at most."
    ),
    click.option("--set", "sets", multiple=True, metavar="KEY=JSON", help="Set a key of every body."),
    click.option("--stream", is_flag=True, help="Ask for streamed answers; records them whole."),
)
_output = _group(
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Where results go [default: INPUT's name + .results.jsonl].",
    ),
    click.option("--keep", metavar="FIELDS", help="Input fields to copy into the records: a,b.c"),
    click.option("--ordered", is_flag=True, help="At the end, write a copy in the order of the input, too."),
    click.option(
        "--durability",
        type=click.Choice(["none", "flush", "fsync"]),
        default="flush",
        help="When a job counts as done: handed to the system, or (fsync) on the disk.",
    ),
)
_resume = _group(
    click.option(
        "--on-change",
        type=click.Choice(["refuse", "rerun", "skip"]),
        default="refuse",
        help="What to do about finished jobs whose line, prompt or parameters have changed since.",
    ),
    click.option(
        "--retry-failed",
        type=click.Choice(["all", "transient", "none"]),
        default="transient",
        help="Which of the jobs that failed in earlier runs to send again.",
    ),
    click.option("--restart", is_flag=True, help="Move the old output aside and begin anew."),
)
_api = _group(
    click.option("--base-url", metavar="URL", help="The server [default: the dialect's own]."),
    click.option("--api-key-file", type=_TEXT_FILE, metavar="F", help="Read the key from a file."),
    click.option("--no-auth", is_flag=True, help="Send no key."),
    click.option("-H", "--header", "headers", multiple=True, metavar="'N: V'", help="A header of your own."),
    click.option("--insecure-http", is_flag=True, help="Allow a key over plain http to another machine."),
    click.option("--simulate", is_flag=True, help="Use the built-in simulator: no key, no cost, no network."),
)
pacing_options = _group(
    click.option(
        "-c",
        "--concurrency",
        callback=_concurrency,
        default="auto",
        metavar="auto|N",
        help="Jobs in flight at most; auto: as many as the limits need.",
    ),
    click.option("--rpm", type=POSITIVE, metavar="N", help="Requests a minute at most, for each model."),
    click.option("--itpm", type=POSITIVE, metavar="N", help="Input tokens a minute at most, likewise."),
    click.option("--otpm", type=POSITIVE, metavar="N", help="Output tokens a minute at most, likewise."),
    click.option(
        "--share",
        type=SHARE,
        default=1.0,
        metavar="FRACTION",
        help="Use only this part of the server's limits: 0.5 leaves half to others.",
    ),
    click.option(
        "--cache-prefix",
        is_flag=True,
        help="Mark the system prompt for the prompt cache, and send the first job ahead to fill it.",
    ),
)
price_option = click.option(
    "--prices", "price_file", type=_TEXT_FILE, metavar="F", help="A price list (TOML) instead of our own."
)
_stop = _group(
    click.option(
        "--max-failures", metavar="N|P%", help="Stop when more jobs than that have failed for good."
    ),
    click.option(
        "--max-cost",
        type=POSITIVE,
        metavar="USD",
        help="Stop before the output can have cost more than this, all runs with it together.",
    ),
    click.option(
        "--grace",
        type=NOT_NEGATIVE,
        default=60.0,
        metavar="S",
        help="How long to wait for what is in flight when stopping.",
    ),
)
_retry = _group(
    click.option(
        "--max-attempts",
        type=click.IntRange(min=1),
        default=5,
        metavar="N",
        help="Attempts a job; 429 and 529 are not counted.",
    ),
    click.option("--timeout", type=POSITIVE, default=600.0, metavar="S", help="Of one attempt."),
    click.option(
        "--idle-timeout",
        type=POSITIVE,
        default=120.0,
        metavar="S",
        help="Of silence inside an answer.",
    ),
    click.option(
        "--max-wait",
        type=NOT_NEGATIVE,
        default=600.0,
        metavar="S",
        help="Of standstill (nothing but 429 and 529) until the run stops.",
    ),
)
_show = _group(
    click.option("--dry-run", is_flag=True, help="Show the first request and the counts; send nothing."),
    click.option(
        "--progress",
        type=click.Choice(["auto", "rich", "plain", "json", "none"]),
        default="auto",
        help="How progress is shown (on stderr).",
    ),
    click.option(
        "--summary-json",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the summary as JSON, too.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Neither progress nor summary."),
    click.option(
        "-v", "--verbose", count=True, show_default=False, help="Log more: -v what happens, -vv each attempt."
    ),
)


@click.command()
@input_options
@request_options
@_output
@_resume
@_api
@pacing_options
@_stop
@price_option
@_retry
@_show
def run(
    *,
    dry_run: bool,
    progress: Style,
    summary_json: Path | None,
    quiet: bool,
    verbose: int,
    **given: Any,
) -> None:
    """Run the calls of the job files INPUT ("-" is standard input) and write one record a job.

    The same command again goes on where the last run ended: nothing that has a result is sent twice.
    """
    set_up_logging(verbose)
    with clear_errors():
        options = options_from(given, os.environ)
        if dry_run:
            return report_dry_run(options)
        sys.exit(run_and_report(options, "none" if quiet else progress, summary_json, quiet=quiet))


def options_from(given: Mapping[str, Any], environ: Mapping[str, str]) -> RunOptions:
    """Make one value of what Click has parsed. Raises `RunRefused`."""
    request = RequestOptions(
        model=given["model"],
        prompt=_text(given["prompt"], given["prompt_file"], "prompt"),
        system=_text(given["system"], given["system_file"], "system"),
        max_tokens=given["max_tokens"],
        set=dict(_setting(text) for text in given["sets"]),
        id_field=given["id_field"],
        stream=given["stream"],
        cache_prefix=given["cache_prefix"],
        keep=_fields(given["keep"]),
    )
    max_failures(given["max_failures"], jobs=1)  # refused before any file is touched
    named = {field.name for field in attrs.fields(RunOptions)}
    plain = {name: value for name, value in given.items() if name in named}
    limits = StatedLimits(rpm=given["rpm"], itpm=given["itpm"], otpm=given["otpm"], share=given["share"])
    prices = _prices(given["price_file"])
    return RunOptions(**plain, request=request, environ=environ, limits=limits, prices=prices)


def _prices(file: Path | None) -> PriceList | None:
    return None if file is None else read_prices(_read_text(file, "prices"), str(file))


def _text(inline: str | None, file: Path | None, name: str) -> str | None:
    if file is None:
        return inline
    if inline is not None:
        raise RunRefused(f"--{name} and --{name}-file say the same thing: give one of them")
    return _read_text(file, f"{name}-file")


def _read_text(file: Path, option: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunRefused(f"--{option} {file}: {error}") from error


def _setting(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    if not key:
        raise RunRefused(f"--set {text[:60]}: the key is missing; write KEY=JSON, such as temperature=0")
    try:
        return key, msgspec.json.decode(value)
    except ValueError as error:
        raise RunRefused(
            f"--set {text[:60]}: write KEY=JSON, such as temperature=0 or stop='[\"END\"]' ({error})"
        ) from error


def _fields(text: str | None) -> tuple[str, ...]:
    return tuple(field.strip() for field in (text or "").split(",") if field.strip())
