"""Every option of headrace: its name, type, unit, default and check. Pure.

The command line, `run_file`, `open_runner` and the engine share these values. A new option stands in three
places: a field here, its flag and help in `headrace.cli._options`, and the type of its keyword argument in
`headrace.library._settings`. ``tests/runner/run/test_options.py`` compares the three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
from attrs.converters import default_if_none, optional

from headrace._exceptions import RunRefused
from headrace.policy.checks import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Named, OneOf, Range, refuse
from headrace.policy.prices import PriceList
from headrace.policy.text import as_texts, check_text

InputFormat = Literal["auto", "anthropic", "openai", "raw", "rows"]
OnBadLine = Literal["record", "refuse"]
OnDuplicate = Literal["refuse", "first"]
OnChange = Literal["refuse", "rerun", "skip"]
RetryFailed = Literal["all", "transient", "none"]
OnSystemic = Literal["auto", "stop", "continue"]
Durability = Literal["none", "flush", "fsync"]
Concurrency = int | Literal["auto"]

DEFAULT_MAX_LINE = 16 * 1024 * 1024
_CONCURRENCY = Range(at_least=1, at_most=100_000)


@attrs.frozen(kw_only=True)
class InputOptions:
    """Which jobs to run."""

    files: tuple[str, ...] = ()
    """Names of job files; ``-`` is standard input."""
    format: InputFormat = attrs.field(default="auto", alias="input_format")
    """What a line is; "auto": detected from the first line. `make_dialect` refuses any other name."""
    first: int | None = attrs.field(default=None, validator=COUNT)
    """Read only this many lines; None: all."""
    max_line: int = attrs.field(default=DEFAULT_MAX_LINE, validator=COUNT)
    """Bytes. A longer line becomes an error record, and is never held in memory."""
    on_bad_line: OnBadLine = attrs.field(default="record", validator=OneOf(get_args(OnBadLine)))
    """A line that cannot be parsed: write an error record for it, or refuse the run."""
    on_duplicate: OnDuplicate = attrs.field(default="refuse", validator=OneOf(get_args(OnDuplicate)))
    """Two lines with the same id: refuse the run, or run the first one only."""

    def default_output(self) -> Path:
        """Name the results after the first input, in the working directory.

        Raises `RunRefused` for standard input, which has no name.
        """
        if self.files[0] == "-":
            raise RunRefused("standard input has no name to call the results after: supply one with -o FILE")
        return Path(Path(self.files[0]).stem + ".results.jsonl")


@attrs.frozen(kw_only=True)
class RequestOptions:
    """What every request says. A dialect refuses the options that its lines have no use for."""

    model: str | None = attrs.field(default=None, validator=check_text)
    """Overrides the model of every line; required for rows."""
    prompt: str | None = attrs.field(default=None, validator=check_text)
    """A template (see `headrace.dialects._template`) that turns a row into one user message."""
    system: str | None = attrs.field(default=None, validator=check_text)
    """A template for the system prompt of a row."""
    max_tokens: int | None = attrs.field(default=None, validator=COUNT)
    """The longest answer, in tokens; overrides that of every line."""
    set: Mapping[str, object] = attrs.field(factory=dict[str, object])
    """Top-level keys of the body and their JSON values; they replace those of the line."""
    id_field: str | None = attrs.field(default=None, validator=check_text)
    """The field (``a`` or ``a.b``) that holds the id, in formats that have no id of their own."""
    stream: bool = False
    """Stream the answers; a record holds the whole answer all the same."""
    cache_prefix: bool = False
    """Mark the system prompt of rows for the prompt cache, and let the first job fill it."""
    keep: tuple[str, ...] = attrs.field(default=(), validator=check_text)
    """Fields (``a`` or ``a.b``) of the line to copy into its record."""
    accept_finish_reasons: tuple[str, ...] = attrs.field(default=(), converter=as_texts, validator=check_text)
    """Finish and stop reasons of whole answers, besides the known ones."""


@attrs.frozen(kw_only=True)
class OutputOptions:
    """Where results go."""

    path: Path | None = attrs.field(default=None, alias="output", converter=optional(Path))
    """The file for results; None: `InputOptions.default_output`, or no file for an `open_runner`."""
    ordered: bool = False
    """At the end, also write a copy in the order of the input."""
    durability: Durability = attrs.field(default="flush", validator=OneOf(get_args(Durability)))
    """When a job counts as done: "flush" when the operating system has its record, "fsync" when the disk has
    it. "none" is "flush" without the sync at the end of the run."""


@attrs.frozen(kw_only=True)
class ResumeOptions:
    """What to do about the records of earlier runs."""

    on_change: OnChange = attrs.field(default="refuse", validator=OneOf(get_args(OnChange)))
    """Finished jobs whose line, prompt or parameters have changed: refuse the run, rerun or skip them."""
    retry_failed: RetryFailed = attrs.field(default="transient", validator=OneOf(get_args(RetryFailed)))
    """Which of the jobs that failed in earlier runs to send again."""
    restart: bool = False
    """Move the old output aside and start over."""


@attrs.frozen(kw_only=True)
class ServerOptions:
    """Where requests go, and with which key."""

    base_url: str | None = attrs.field(default=None, validator=check_text)
    """None: ``ANTHROPIC_BASE_URL`` or ``OPENAI_BASE_URL``, or else the provider's own server."""
    api_key_file: Path | None = attrs.field(default=None, converter=optional(Path))
    """Holds the API key; None: it is in ``ANTHROPIC_API_KEY`` or ``OPENAI_API_KEY``."""
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    """The environment in which the key and the base URL are looked up."""
    no_auth: bool = False
    """Send no API key."""
    headers: tuple[str, ...] = attrs.field(default=(), validator=check_text, repr=False)
    """More headers for every request, of the form ``Name: value``."""
    insecure_http: bool = False
    """Allow an API key to cross the network in plain text."""
    simulate: bool = False
    """Send everything to the built-in simulator: no key, no cost, no network."""


@attrs.frozen(kw_only=True)
class Limits:
    """Limits that the user states, for each model. Of these and those of the server, the lower decides.

    ``rpm``, ``itpm``, ``otpm``: the most requests, input tokens and output tokens per minute; None: as many
    as the server allows. ``share``: the part of the server's limits to use, above 0 and at most 1; 0.5 leaves
    half of each to other programs that use the same key. It does not lower the three stated limits, and has
    no effect where the server reports no limits.

    Raises `RunRefused` for a limit that is not above 0, or a share outside that range.
    """

    rpm: float | None = attrs.field(default=None, validator=POSITIVE)
    itpm: float | None = attrs.field(default=None, validator=POSITIVE)
    otpm: float | None = attrs.field(default=None, validator=POSITIVE)
    share: float = attrs.field(default=1.0, validator=SHARE)


def concurrency_problem(value: object) -> str | None:
    """Say what a concurrency must be, None if it is."""
    if value == "auto" or _CONCURRENCY.problem(value) is None:
        return None
    return f"must be 'auto' or a number from 1 to {_CONCURRENCY.at_most:,}"


def _check_limits(_instance: object, attribute: Named, value: object) -> None:
    if not isinstance(value, Limits):
        refuse(attribute, value, "must be a headrace.Limits")


def _check_concurrency(_instance: object, attribute: Named, value: object) -> None:
    refuse(attribute, value, concurrency_problem(value))


@attrs.frozen(kw_only=True)
class PacingOptions:
    """How fast to send."""

    concurrency: Concurrency = attrs.field(default="auto", validator=_check_concurrency)
    """The most jobs in flight; "auto": as many as the limits can use, found during the run."""
    limits: Limits = attrs.field(
        factory=Limits, converter=default_if_none(factory=Limits), validator=_check_limits
    )
    """The user's own limits."""


def _parse_max_failures(text: str | None) -> tuple[float, bool]:
    """Return the number, and whether it is a percentage. Raises `RunRefused`."""
    if text is None:
        return math.inf, False
    number, is_share = text.removesuffix("%"), text.endswith("%")
    try:
        value = float(number) if is_share else int(number)
    except ValueError:
        value = -1
    if not 0 <= value <= (100 if is_share else math.inf):
        raise RunRefused(
            f"--max-failures {text!r} (max_failures): give a number of jobs such as 50, or a share such as 5%"
        )
    return value, is_share


def _check_max_failures(_instance: object, _attribute: Named, value: str | None) -> None:
    _parse_max_failures(value)


@attrs.frozen(kw_only=True)
class StopOptions:
    """When to stop a run before its input ends. Times in seconds."""

    max_failures: str | None = attrs.field(default=None, validator=_check_max_failures)
    """Stop after more permanently failed jobs than this number, or than this share of the input (``5%``)."""
    on_systemic: OnSystemic = attrs.field(default="auto", validator=OneOf(get_args(OnSystemic)))
    """20 jobs in a row fail alike: stop, or continue; "auto": stop, but not again over the same jobs."""
    max_cost: float | None = attrs.field(default=None, validator=POSITIVE)
    """Stop before all runs with this output together can have cost more, in the currency of ``prices``."""
    prices: PriceList | None = None
    """None: the price list that comes with the program."""
    max_wait: float = attrs.field(default=600.0, validator=NOT_NEGATIVE)
    """Stop after this long without a result while jobs wait, or at once if nothing can be sent before then. A
    job that is refused while others succeed fails no earlier than this after its first refusal."""
    grace: float = attrs.field(default=60.0, validator=NOT_NEGATIVE)
    """How long jobs in flight may take to finish once the run stops."""

    def failures_allowed(self, jobs: int | None) -> float:
        """Return how many jobs may fail permanently. ``jobs``: how many there are, None if unknown.

        Raises `RunRefused` for a share of an unknown number.
        """
        allowed, is_share = _parse_max_failures(self.max_failures)
        if not is_share:
            return allowed
        if jobs is None:
            raise RunRefused(
                f"--max-failures {self.max_failures} (max_failures): a share needs an input whose jobs can be"
                " counted first; give a number of jobs"
            )
        return allowed / 100 * jobs


@attrs.frozen(kw_only=True)
class RetryOptions:
    """How long an attempt may take, and how often a job is sent. Times in seconds."""

    max_attempts: int = attrs.field(default=5, validator=COUNT)
    """Attempts per job; those that end with 429 or 529 do not count."""
    timeout: float = attrs.field(default=600.0, validator=POSITIVE)
    """For one attempt, from its start to the last byte of the response."""
    idle_timeout: float = attrs.field(default=120.0, validator=POSITIVE)
    """Abort an attempt when no data has arrived for this long."""


@attrs.frozen(kw_only=True)
class RunOptions:
    """All options of a run, each checked by itself but not yet against the input."""

    input: InputOptions = attrs.field(factory=InputOptions)
    request: RequestOptions = attrs.field(factory=RequestOptions)
    output: OutputOptions = attrs.field(factory=OutputOptions)
    resume: ResumeOptions = attrs.field(factory=ResumeOptions)
    server: ServerOptions = attrs.field(factory=ServerOptions)
    pacing: PacingOptions = attrs.field(factory=PacingOptions)
    stop: StopOptions = attrs.field(factory=StopOptions)
    retry: RetryOptions = attrs.field(factory=RetryOptions)

    @classmethod
    def of(cls, *files: str | Path, **options: Any) -> RunOptions:
        """Sort options into their sections. ``options``: by the names of their arguments.

        Raises `RunRefused` for a value that cannot be used, and `TypeError` for an unknown name.
        """
        refuse_unknown("RunOptions.of", options, SECTION_OF)
        sections: dict[str, dict[str, Any]] = {"input": {"files": tuple(map(str, files))}}
        for name, value in options.items():
            sections.setdefault(SECTION_OF[name], {})[name] = value
        return cls(**{name: SECTIONS[name](**values) for name, values in sections.items()})

    @property
    def output_path(self) -> Path:
        """The file for results. Raises `RunRefused` if it has no name."""
        return self.output.path or self.input.default_output()


SECTIONS: Mapping[str, Callable[..., Any]] = {
    field.name: field.default.factory for field in attrs.fields(RunOptions)
}
"""The sections, by the names of their fields in `RunOptions`."""
SECTION_OF: Mapping[str, str] = {
    field.alias: name
    for name, section in SECTIONS.items()
    for field in attrs.fields(section)
    if field.alias != "files"
}
"""The field of `RunOptions` in which an option is found, by the name of its argument."""


def refuse_unknown(function: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise `TypeError` for the first name that is not known, and suggest the closest one."""
    names = set(known)
    for name in given:
        if name not in names:
            # Imported here because only a mistake needs it.
            from difflib import get_close_matches

            close = get_close_matches(name, names, 1)
            suggestion = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{suggestion}")
