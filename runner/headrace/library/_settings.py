"""What `open_runner` is told, and what follows from it before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypedDict, get_args

import attrs
import msgspec

from headrace._exceptions import RunRefused
from headrace.actors.attempts import Attempt
from headrace.dialects import Dialect, RequestOptions, make_dialect
from headrace.library.values import Job
from headrace.pacing import StatedLimits
from headrace.run.endpoint import Endpoint
from headrace.run.options import Concurrency, Durability, OnChange, RetryFailed, RunOptions
from headrace.run.preparation import SIMULATOR, endpoint_of
from headrace.simulator import Simulator
from headrace_client import AsyncAPIClient

DialectName = Literal["anthropic", "openai"]

MIN_WINDOW: Final = 1024
"""Jobs of one map that may be open at least, so that a bridge crossed every 5 ms never runs dry."""
MAX_WINDOW: Final = 16_384
"""The same where the concurrency is found: it may rise to half of this."""


class RunnerOptions(TypedDict, total=False):
    """The keyword arguments of `open_runner` that `fan_out` passes on."""

    client: AsyncAPIClient | None
    limits: StatedLimits | None
    output: str | os.PathLike[str] | None
    dialect: DialectName
    model: str | None
    base_url: str | None
    api_key: str | None
    headers: Mapping[str, str]
    no_auth: bool
    insecure_http: bool
    simulate: bool | Simulator
    max_attempts: int
    timeout: float
    idle_timeout: float
    max_wait: float
    on_change: OnChange
    retry_failed: RetryFailed
    durability: Durability
    on_attempt: Callable[[Attempt], object] | None


@attrs.frozen(kw_only=True)
class SessionSettings:
    """A runner as it was asked for, checked."""

    options: RunOptions
    dialect: Dialect
    endpoint: Endpoint
    client: AsyncAPIClient | None
    """Makes the attempts; None: one of the runner's own."""
    simulator: Simulator | None
    on_attempt: Callable[[Attempt], object] | None

    @property
    def recipe(self) -> Mapping[str, object]:
        """All that shapes the answers beside the jobs."""
        return {**self.dialect.lines.recipe, **({} if self.simulator is None else {"simulated": True})}

    @property
    def window(self) -> int:
        """How many jobs of one map may be open."""
        concurrency = self.options.concurrency
        return MAX_WINDOW if concurrency == "auto" else max(MIN_WINDOW, 2 * concurrency)


def settings_from(
    *,
    client: AsyncAPIClient | None,
    limits: StatedLimits | None,
    concurrency: Concurrency,
    output: str | os.PathLike[str] | None,
    dialect: DialectName,
    model: str | None,
    base_url: str | None,
    api_key: str | None,
    headers: Mapping[str, str],
    no_auth: bool,
    insecure_http: bool,
    simulate: bool | Simulator,
    max_attempts: int,
    timeout: float,
    idle_timeout: float,
    max_wait: float,
    on_change: OnChange,
    retry_failed: RetryFailed,
    durability: Durability,
    on_attempt: Callable[[Attempt], object] | None,
) -> SessionSettings:
    """Check what was asked for. Raises `RunRefused` for what does not fit together."""
    if client is not None and (base_url or api_key or simulate):
        raise RunRefused("a client brings its own server and key: leave out base_url, api_key and simulate")
    _check_durability(durability, output)
    lines = make_dialect(dialect, RequestOptions(model=model))
    options = RunOptions(
        inputs=(),
        output=None if output is None else Path(output),
        on_change=on_change,
        retry_failed=retry_failed,
        durability=durability,
        base_url=base_url,
        environ=os.environ if api_key is None else {**os.environ, lines.key_variable: api_key},
        no_auth=no_auth,
        headers=tuple(f"{name}: {value}" for name, value in headers.items()),
        insecure_http=insecure_http,
        simulate=bool(simulate),
        concurrency=concurrency,
        limits=limits or StatedLimits(),
        max_attempts=max_attempts,
        timeout=timeout,
        idle_timeout=idle_timeout,
        max_wait=max_wait,
    )
    return SessionSettings(
        options=options,
        dialect=lines,
        endpoint=_endpoint(options, lines, client),
        client=client,
        simulator=Simulator() if simulate is True else simulate or None,
        on_attempt=on_attempt,
    )


def _check_durability(durability: Durability, output: str | os.PathLike[str] | None) -> None:
    if durability not in get_args(Durability):
        raise RunRefused(f"durability={durability!r}: it is one of {', '.join(get_args(Durability))}")
    if durability != "flush" and output is None:
        raise RunRefused(f"durability={durability!r} is about a file: name it by output")


def _endpoint(options: RunOptions, dialect: Dialect, client: AsyncAPIClient | None) -> Endpoint:
    if options.simulate:
        return SIMULATOR
    if client is None:
        return endpoint_of(options, dialect)
    return Endpoint(
        base_url=str(client.base_url).rstrip("/"),
        headers=dialect.headers(None),
        secrets=tuple(client.auth_headers.values()),
    )


def line_of(job: Job[Any], dialect: str) -> bytes:
    """Return the line of a job file that says the same. Raises `TypeError` for params that are no JSON."""
    fields: dict[str, object] = {} if job.id is None else {"custom_id": job.id}
    if dialect == "anthropic":
        return msgspec.json.encode({**fields, "params": job.params})
    return msgspec.json.encode(
        {**fields, "method": "POST", "url": "/v1/chat/completions", "body": job.params}
    )
