"""What `open_runner`, `fan_out` and `run_file` accept, and what follows from it before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

import attrs

from headrace._exceptions import RunRefused
from headrace.dialects import Dialect, make_dialect
from headrace.job import Attempt
from headrace.policy.options import (
    SECTION_OF,
    Concurrency,
    Durability,
    InputFormat,
    Limits,
    OnBadLine,
    OnChange,
    OnDuplicate,
    OnSystemic,
    RequestOptions,
    RetryFailed,
    RunOptions,
    refuse_unknown,
)
from headrace.policy.prices import PriceList
from headrace.run.endpoint import Endpoint
from headrace.run.preparation import endpoint_of
from headrace.simulator import Simulator
from headrace_client import AsyncAPIClient

DialectName = Literal["anthropic", "openai"]

MIN_WINDOW: Final = 1024
"""How many jobs of one map may be open at least: a bridge that transfers every 5 ms then never runs dry."""
MAX_WINDOW: Final = 16_384
"""The same where the concurrency is found: it can rise to half of this."""


class SharedOptions(TypedDict, total=False):
    """The options that `open_runner`, `fan_out` and `run_file` share, by the fields of `RunOptions`."""

    model: str | None
    output: str | os.PathLike[str] | None
    accept_finish_reasons: Sequence[str]
    durability: Durability
    on_change: OnChange
    retry_failed: RetryFailed
    base_url: str | None
    no_auth: bool
    insecure_http: bool
    limits: Limits | None
    on_systemic: OnSystemic
    max_wait: float
    max_attempts: int
    timeout: float
    idle_timeout: float


class RunnerOptions(SharedOptions, total=False):
    """The keyword arguments of `open_runner`, besides ``client`` and ``concurrency``."""

    dialect: DialectName
    api_key: str | None
    headers: Mapping[str, str]
    simulate: bool | Simulator
    on_attempt: Callable[[Attempt], object] | None


class FanOutOptions(RunnerOptions, total=False):
    """The keyword arguments that `fan_out` passes on to `open_runner`, besides ``concurrency``."""

    client: AsyncAPIClient | None


class RunFileOptions(SharedOptions, total=False):
    """The keyword arguments of `run_file`: the options of ``headrace run``."""

    input_format: InputFormat
    first: int | None
    max_line: int
    on_bad_line: OnBadLine
    on_duplicate: OnDuplicate

    prompt: str | None
    system: str | None
    max_tokens: int | None
    set: Mapping[str, object]
    id_field: str | None
    stream: bool
    cache_prefix: bool
    keep: tuple[str, ...]

    ordered: bool
    restart: bool

    api_key_file: Path | None
    environ: Mapping[str, str]
    headers: tuple[str, ...]
    simulate: bool

    concurrency: Concurrency
    max_failures: str | None
    max_cost: float | None
    prices: PriceList | None
    grace: float


@attrs.frozen(kw_only=True)
class SessionSettings:
    """The settings of a runner, checked."""

    options: RunOptions
    dialect: Dialect
    endpoint: Endpoint
    client: AsyncAPIClient | None
    """Makes the attempts. None: the runner opens a client of its own."""
    simulator: Simulator | None
    on_attempt: Callable[[Attempt], object] | None

    @property
    def recipe(self) -> Mapping[str, object]:
        """Everything that shapes the answers besides the jobs."""
        return {**self.dialect.lines.recipe, **({} if self.simulator is None else {"simulated": True})}

    @property
    def window(self) -> int:
        """How many jobs of one map may be open."""
        concurrency = self.options.pacing.concurrency
        return MAX_WINDOW if concurrency == "auto" else max(MIN_WINDOW, 2 * concurrency)


def settings_from(
    client: AsyncAPIClient | None, concurrency: Concurrency, given: RunnerOptions
) -> SessionSettings:
    """Check the arguments of `open_runner`.

    Raises `RunRefused` for values that do not fit together, and `TypeError` for an unknown name.
    """
    refuse_unknown("open_runner", given, {*RunnerOptions.__annotations__, "client", "concurrency"})
    api_key, simulate = given.get("api_key"), given.get("simulate", False)
    _check_simulate(simulate)
    if client is not None and (given.get("base_url") or api_key or simulate):
        raise RunRefused(
            "a client has a server and an API key already: leave out base_url, api_key and simulate"
        )
    request_options = RequestOptions(
        model=given.get("model"), accept_finish_reasons=given.get("accept_finish_reasons", ())
    )
    dialect = make_dialect(given.get("dialect", "anthropic"), request_options)
    shared: dict[str, Any] = {name: value for name, value in given.items() if name in SECTION_OF}
    shared |= {
        "concurrency": concurrency,
        "environ": os.environ if api_key is None else {**os.environ, dialect.key_variable: api_key},
        "headers": tuple(f"{name}: {value}" for name, value in given.get("headers", {}).items()),
        "simulate": bool(simulate),
    }
    options = RunOptions.of(**shared)
    if options.output.durability != "flush" and options.output.path is None:
        raise RunRefused(f"durability={options.output.durability!r} needs a file: name one with output")
    return SessionSettings(
        options=options,
        dialect=dialect,
        endpoint=_endpoint(options, dialect, client),
        client=client,
        simulator=Simulator() if simulate is True else simulate or None,
        on_attempt=given.get("on_attempt"),
    )


def _check_simulate(value: object) -> None:
    if not isinstance(value, bool | Simulator):
        raise RunRefused(f"simulate={value!r}: must be True, False or a Simulator")


def _endpoint(options: RunOptions, dialect: Dialect, client: AsyncAPIClient | None) -> Endpoint:
    if client is None or options.server.simulate:
        return endpoint_of(options.server, dialect)
    return Endpoint(
        base_url=str(client.base_url).rstrip("/"),
        headers=dialect.headers(None),
        secrets=tuple(client.auth_headers.values()),
    )
