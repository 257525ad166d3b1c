"""What a run is asked to do: the options of ``headrace run``, as one value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs

from headrace._exceptions import RunRefused
from headrace.dialects import RequestOptions
from headrace.input.files import DEFAULT_MAX_LINE
from headrace.pacing import StatedLimits
from headrace.policy.prices import PriceList

InputFormat = Literal["auto", "anthropic", "openai", "raw", "rows"]
OnBadLine = Literal["record", "refuse"]
OnDuplicate = Literal["refuse", "first"]
OnChange = Literal["refuse", "rerun", "skip"]
RetryFailed = Literal["all", "transient", "none"]
Durability = Literal["none", "flush", "fsync"]

Concurrency = int | Literal["auto"]
"""Jobs in flight at most; auto: found while the run goes on."""


@attrs.frozen(kw_only=True)
class RunOptions:
    """All options, checked for themselves but not yet against the input. Times in seconds."""

    inputs: tuple[str, ...]
    """File names; ``-`` is standard input."""
    input_format: InputFormat = "auto"
    first: int | None = None
    max_line: int = DEFAULT_MAX_LINE
    """Bytes; a longer line becomes an error record, and is never held in memory."""
    on_bad_line: OnBadLine = "record"
    on_duplicate: OnDuplicate = "refuse"
    request: RequestOptions = attrs.field(factory=RequestOptions)

    output: Path | None = None
    on_change: OnChange = "refuse"
    retry_failed: RetryFailed = "transient"
    restart: bool = False
    durability: Durability = "flush"
    ordered: bool = False

    base_url: str | None = None
    api_key_file: Path | None = None
    environ: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    """Where the key and the base URL are looked up when they are not given."""
    no_auth: bool = False
    headers: tuple[str, ...] = attrs.field(default=(), repr=False)
    insecure_http: bool = False
    simulate: bool = False

    concurrency: Concurrency = "auto"
    limits: StatedLimits = attrs.field(factory=StatedLimits)
    max_cost: float | None = None
    """In the currency of ``prices``, for all runs with this output together."""
    prices: PriceList | None = None
    """None: the list that comes with the program."""
    cache_prefix: bool = False
    max_failures: str | None = None
    """A number of jobs, or a share of them such as ``5%``."""
    grace: float = 60.0
    max_attempts: int = 5
    timeout: float = 600.0
    idle_timeout: float = 120.0
    max_wait: float = 600.0
    seed: int | None = None
    """Of the run's dice (jitter); None: a new one each run."""


def default_output(inputs: tuple[str, ...]) -> Path:
    """Return where results go unless the user says: in the working directory, named for the first input."""
    if inputs[0] == "-":
        raise RunRefused("standard input has no name to call the results after: give -o FILE")
    return Path(Path(inputs[0]).stem + ".results.jsonl")


def max_failures(text: str | None, jobs: int | None) -> float:
    """Return how many jobs may fail for good: ``text`` is a number, or a share of ``jobs`` such as ``5%``."""
    if text is None:
        return math.inf
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        value = float(number) if percent else int(number)
    except ValueError:
        value = -1
    if not 0 <= value <= (100 if percent else math.inf):
        raise RunRefused(f"--max-failures {text!r}: give a number of jobs such as 50, or a share such as 5%")
    if not percent:
        return value
    if jobs is None:
        raise RunRefused("--max-failures as a share needs an input that can be counted first: give a number")
    return value / 100 * jobs
