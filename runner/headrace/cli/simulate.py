"""`headrace simulate`: serve the simulated API on this machine, to try things out without a key."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ._numbers import NOT_NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from headrace.simulator import Profile, RequestLog


def as_range(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, int]:
    """Read a number or a range like ``20-200``."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and (high or low).isdecimal() and 1 <= int(low) <= int(high or low)):
        raise click.BadParameter(f"{text!r} is neither a number nor a range like 20-200")
    return int(low), int(high or low)


def _shares(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in texts:
        kind, _, share = text.partition("=")
        try:
            shares[kind] = float(share)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not like 529=0.1") from error
    return shares


_COUNT = click.IntRange(min=1)


@click.command()
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    default=8787,
    help="The port to listen on; 0 takes a free one.",
)
@click.option("--rpm", type=POSITIVE, metavar="N", help="Requests a minute.  [default: 240000]")
@click.option("--itpm", type=POSITIVE, metavar="N", help="Input tokens a minute.  [default: 240000000]")
@click.option("--otpm", type=POSITIVE, metavar="N", help="Output tokens a minute.  [default: 240000000]")
@click.option(
    "--burst", type=POSITIVE, metavar="N", help="Requests that may come at once.  [default: a minute's]"
)
@click.option(
    "--token-burst", type=POSITIVE, metavar="N", help="Tokens of each kind, likewise.  [default: a minute's]"
)
@click.option(
    "--ttft",
    type=NOT_NEGATIVE,
    metavar="S",
    default=0.05,
    help="Seconds to the first token.",
)
@click.option(
    "--tokens-per-second",
    type=POSITIVE,
    metavar="N",
    default=2_000.0,
    help="How fast one answer comes out.",
)
@click.option(
    "--output-tokens", metavar="N-M", default="20-200", callback=as_range, help="How long answers are."
)
@click.option("--seed", metavar="N", default=0, help="Decides all that is left to chance.")
@click.option("--require-key", "required_key", metavar="KEY", help="Answer 401 to any other key.")
@click.option(
    "--model", "known_models", metavar="M", multiple=True, help="A model that exists; repeat.  [default: any]"
)
@click.option(
    "--error-rate",
    "faults",
    multiple=True,
    metavar="KIND=SHARE",
    callback=_shares,
    help="A share of requests to fail; repeat. 429, 529, 500, reset, cut, garbage, hang or html.",
)
@click.option(
    "--spend-cap", type=_COUNT, metavar="N", help="Accept so many requests, then say that the money is spent."
)
@click.option(
    "--max-concurrent", "concurrency", type=_COUNT, metavar="N", help="Accept so many requests at a time."
)
@click.option("--no-limit-headers", is_flag=True, help="Send no rate-limit headers.")
@click.option("--no-retry-after", is_flag=True, help="Send no retry-after with a 429.")
@click.option(
    "--log",
    "log_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append a line of JSON for each request.",
)
def simulate(host: str, port: int, seed: int, log_file: Path | None, **settings: Any) -> None:
    """Serve a simulated API on this machine: Anthropic Messages and OpenAI chat completions.

    It enforces rate limits with true token buckets, answers as slowly as a real one, and fails as
    often as you ask it to. Point any client at it; no key is needed.
    """
    import trio

    try:
        profile = _profile(**settings)
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(log_file.open("ab", buffering=0)) if log_file else None
            trio.run(_serve, profile, host, port, seed, file)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error


def _profile(
    *,
    rpm: float | None,
    itpm: float | None,
    otpm: float | None,
    burst: float | None,
    token_burst: float | None,
    known_models: tuple[str, ...],
    no_limit_headers: bool,
    no_retry_after: bool,
    **settings: Any,
) -> Profile:
    from headrace.simulator import BucketLimit, Profile, ProviderLimits

    def limit(default: BucketLimit, per_minute: float | None, depth: float | None) -> BucketLimit:
        if per_minute is None and depth is None:
            return default
        return BucketLimit(per_minute=per_minute or default.per_minute, burst=depth)

    ample = ProviderLimits()
    limits = ProviderLimits(
        requests=limit(ample.requests, rpm, burst),
        input=limit(ample.input, itpm, token_burst),
        output=limit(ample.output, otpm, token_burst),
    )
    return Profile(
        limits=limits,
        known_models=known_models or None,
        rate_limit_headers=not no_limit_headers,
        retry_after=not no_retry_after,
        **settings,
    )


class _Announcement:
    """Takes the bound port from the server, and says that it is ready."""

    def __init__(self, host: str, profile: Profile) -> None:
        self._host = f"[{host}]" if ":" in host else host
        self._profile = profile

    def started(self, value: int | None = None) -> None:
        """Print the one line that scripts wait for."""
        limits = self._profile.limits
        told = f"{limits.requests.per_minute:,.0f} requests, {limits.input.per_minute:,.0f} input tokens"
        told += f" and {limits.output.per_minute:,.0f} output tokens a minute"
        click.echo(f"simulator on http://{self._host}:{value} ({told})")


async def _serve(profile: Profile, host: str, port: int, seed: int, file: BinaryIO | None) -> None:
    import trio

    from headrace.simulator import RequestLog, Simulator, serve

    async def interrupted() -> None:
        async for _ in signals:
            return

    log = RequestLog(file, keep=False)
    app = Simulator(profile, seed=seed, log=log, epoch=time.time() - trio.current_time())
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await serve(app, host, port, until=interrupted, task_status=_Announcement(host, profile))
    _report(log)


def _report(log: RequestLog) -> None:
    answered = ", ".join(f"{count:,} x {status or 'none'}" for status, count in sorted(log.statuses.items()))
    click.echo(f"served {log.statuses.total():,} requests: {answered or 'nothing came'}", err=True)
