"""The options of the command line, in the sections of ``--help``.

An option is made from its field in `headrace.policy.options`, which gives the type, the choices, the check
and the default. Here stand its flag and one line of help.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import attrs
import click
import cloup

from headrace.policy.options import (
    Concurrency,
    InputOptions,
    Limits,
    OutputOptions,
    PacingOptions,
    RequestOptions,
    ResumeOptions,
    RetryOptions,
    ServerOptions,
    StopOptions,
    concurrency_problem,
)

from ._types import INPUT_FILE, OUTPUT_FILE, Integer, Number

F = TypeVar("F", bound=Callable[..., Any])


def option(section: type[Any], name: str, *flags: str, **settings: Any) -> Callable[[F], F]:
    """Make an option of a field. ``name``: the name of its argument. ``flags``: default ``--name``."""
    field = next(field for field in attrs.fields(section) if field.alias == name)
    settings = {**_type_settings(_hints(section)[field.name], field.validator), **settings}
    if not settings.get("multiple"):
        settings.setdefault("default", _as_typed(getattr(section(), field.name)))
    return cloup.option(*(flags or ("--" + name.replace("_", "-"),)), name, **settings)


@cache
def _hints(section: type[Any]) -> dict[str, Any]:
    return get_type_hints(section)


def _type_settings(hint: Any, check: Any) -> dict[str, Any]:
    """Return what a field's type and validator say about the option."""
    if get_origin(hint) is UnionType:  # T | None
        hint = next(member for member in get_args(hint) if member is not type(None))
    if get_origin(hint) is Literal:
        return {"type": click.Choice(get_args(hint))}
    if hint is bool:
        return {"is_flag": True}
    types: dict[Any, Callable[[Any], Any]] = {int: Integer, float: Number}
    return {"type": types[hint](check)} if hint in types and check is not None else {}


def _as_typed(default: object) -> object:
    """Return a default as a user types it: 600, not 600.0, and 50-500 for a range."""
    match default:
        case float() if default.is_integer():
            return int(default)
        case (int(low), int(high)):
            return f"{low}-{high}"
        case _:
            return default


def _read_concurrency(_context: click.Context, _parameter: click.Parameter, text: str) -> Concurrency:
    concurrency = int(text) if text.isdecimal() else text
    if problem := concurrency_problem(concurrency):
        raise click.BadParameter(problem)
    return concurrency if isinstance(concurrency, int) else "auto"


# -- sections


input_argument = cloup.argument(
    "inputs",
    nargs=-1,
    required=True,
    type=click.Path(allow_dash=True),
    metavar="INPUT...",
)
reading_options = (
    option(InputOptions, "input_format", help="Format of the lines; auto detects it from the first line."),
    option(RequestOptions, "id_field", metavar="FIELD", help="Field of a row that holds its id."),
    option(InputOptions, "first", "-n", "--first", metavar="N", help="Use only the first N lines."),
    option(InputOptions, "max_line", metavar="BYTES", help="Reject longer lines."),
)
input_options = cloup.option_group(
    "Input",
    *reading_options,
    option(
        InputOptions,
        "on_bad_line",
        help="If a line cannot be parsed, write an error record or refuse the run.",
    ),
    option(
        InputOptions,
        "on_duplicate",
        help="If two lines have the same id, refuse the run or use the first.",
    ),
)
request_options = cloup.option_group(
    "Request",
    option(RequestOptions, "model", metavar="NAME", help="Model for every line."),
    option(
        RequestOptions,
        "prompt",
        metavar="TEXT",
        help="Template that turns a row into a message, such as 'Q: {question}'.",
    ),
    cloup.option("--prompt-file", type=INPUT_FILE, metavar="FILE", help="Read --prompt from a file."),
    option(RequestOptions, "system", metavar="TEXT", help="Template for the system prompt of a row."),
    cloup.option("--system-file", type=INPUT_FILE, metavar="FILE", help="Read --system from a file."),
    option(RequestOptions, "max_tokens", metavar="N", help="Limit each answer to N tokens."),
    option(
        RequestOptions,
        "set",
        multiple=True,
        metavar="KEY=JSON",
        help="Set a key of every request body. Can be repeated.",
    ),
    option(RequestOptions, "stream", help="Stream the answers. Records contain whole answers all the same."),
    option(
        RequestOptions,
        "cache_prefix",
        help="Use the prompt cache for the system prompt; the first job fills it.",
    ),
    option(
        RequestOptions,
        "accept_finish_reasons",
        "--accept-finish-reason",
        multiple=True,
        metavar="WORD",
        help="Accept answers with this finish or stop reason, too. Can be repeated.",
    ),
)
output_option = option(
    OutputOptions,
    "output",
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File for the results.  [default: INPUT's name + .results.jsonl]",
)
output_options = cloup.option_group(
    "Output",
    output_option,
    option(
        RequestOptions,
        "keep",
        metavar="FIELDS",
        default=None,
        help="Input fields to copy into the records: a,b.c",
    ),
    option(OutputOptions, "ordered", help="Also write a copy in the order of the input."),
    option(
        OutputOptions,
        "durability",
        help="When a job is done: handed to the system (none, flush) or on disk (fsync).",
    ),
)
resume_options = cloup.option_group(
    "Resume",
    option(
        ResumeOptions,
        "on_change",
        help="If the line, prompt or parameters of a finished job have changed,"
        " refuse the run, rerun the job or skip it.",
    ),
    option(ResumeOptions, "retry_failed", help="Which failed jobs of earlier runs to send again."),
    option(ResumeOptions, "restart", help="Move the old output aside and start over."),
)
server_options = cloup.option_group(
    "Server",
    option(ServerOptions, "base_url", metavar="URL", help="Server to use.  [default: the provider's own]"),
    option(
        ServerOptions, "api_key_file", type=INPUT_FILE, metavar="FILE", help="Read the API key from a file."
    ),
    option(ServerOptions, "no_auth", help="Send no API key."),
    option(
        ServerOptions,
        "headers",
        "-H",
        "--header",
        multiple=True,
        metavar="'NAME: VALUE'",
        help="Add a header to every request. Can be repeated.",
    ),
    option(ServerOptions, "insecure_http", help="Allow the API key over plain http to another machine."),
    option(ServerOptions, "simulate", help="Use the built-in simulator: no key, no cost, no network."),
)
pacing_options = cloup.option_group(
    "Pacing",
    option(
        PacingOptions,
        "concurrency",
        "-c",
        "--concurrency",
        callback=_read_concurrency,
        metavar="auto|N",
        help="Maximum jobs in flight; auto finds as many as the limits allow.",
    ),
    option(Limits, "rpm", metavar="N", help="Maximum requests per minute, per model."),
    option(Limits, "itpm", metavar="N", help="Maximum input tokens per minute, per model."),
    option(Limits, "otpm", metavar="N", help="Maximum output tokens per minute, per model."),
    option(
        Limits,
        "share",
        metavar="FRACTION",
        help="Use this part of the server's limits; 0.5 leaves half to others.",
    ),
)
price_option = option(
    StopOptions,
    "prices",
    type=INPUT_FILE,
    metavar="FILE",
    help="Price list (TOML) to use instead of the built-in one.",
)
stop_options = cloup.option_group(
    "Limits",
    option(
        StopOptions,
        "max_failures",
        metavar="N|P%",
        help="Stop when more than N jobs, or P% of them, have failed permanently.",
    ),
    option(
        StopOptions,
        "on_systemic",
        help="If 20 jobs in a row fail alike, stop or continue; auto stops once over the same jobs.",
    ),
    option(
        StopOptions,
        "max_cost",
        metavar="USD",
        help="Stop before this output can have cost more, across all runs.",
    ),
    price_option,
    option(
        StopOptions,
        "max_wait",
        metavar="SECONDS",
        help="Stop after this many seconds without a result, or at once if nothing can be sent before then.",
    ),
    option(
        StopOptions,
        "grace",
        metavar="SECONDS",
        help="When stopping, wait this many seconds for jobs in flight.",
    ),
)
retry_options = cloup.option_group(
    "Retries",
    option(
        RetryOptions,
        "max_attempts",
        metavar="N",
        help="Attempts per job; those that end with 429 or 529 do not count.",
    ),
    option(RetryOptions, "timeout", metavar="SECONDS", help="Timeout per attempt."),
    option(
        RetryOptions,
        "idle_timeout",
        metavar="SECONDS",
        help="Abort an attempt after this many seconds without data.",
    ),
)
display_options = cloup.option_group(
    "Display",
    cloup.option("--dry-run", is_flag=True, help="Show the first request and the totals; send nothing."),
    cloup.option(
        "--progress",
        type=click.Choice(["auto", "rich", "plain", "json", "none"]),
        default="auto",
        help="How to show progress, on standard error.",
    ),
    cloup.option("--summary-json", type=OUTPUT_FILE, metavar="FILE", help="Also write the summary as JSON."),
    cloup.option("-q", "--quiet", is_flag=True, help="Show neither progress nor summary."),
    cloup.option(
        "-v",
        "--verbose",
        count=True,
        show_default=False,
        help="Log failed attempts; -vv logs every attempt.",
    ),
)
