"""`headrace simulate`: serves the simulated API on this machine, to try things without a key."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import cloup

from headrace.policy.checks import COUNT, NOT_NEGATIVE, POSITIVE, Range
from headrace.policy.stop import ExitCode

from ._command import command
from ._types import OUTPUT_FILE, Integer, Number, read_range

if TYPE_CHECKING:
    from headrace.simulator import Profile, RequestLog


def _read_shares(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in texts:
        kind, _, share = text.partition("=")
        if kind in shares:
            raise click.BadParameter(f"{kind} is given twice: leave out one of them")
        try:
            shares[kind] = float(share)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} does not look like 529=0.1") from error
    return shares


@command(
    "headrace simulate --rpm 4000 --burst 20",
    "headrace simulate --error-rate 529=0.1 --error-rate reset=0.01",
    "headrace run jobs.jsonl --base-url http://127.0.0.1:8787 --no-auth",
)
@cloup.option_group(
    "Server",
    cloup.option("--host", metavar="ADDRESS", default="127.0.0.1", help="Address to listen on."),
    cloup.option(
        "--port",
        type=Integer(Range(at_least=0, at_most=65_535)),
        metavar="N",
        default=8787,
        help="Port to listen on; 0 picks a free one.",
    ),
    cloup.option("--require-key", "required_key", metavar="KEY", help="Reject any other API key with 401."),
    cloup.option(
        "--model",
        "known_models",
        metavar="NAME",
        multiple=True,
        help="Model that exists. Can be repeated.  [default: any]",
    ),
    cloup.option("--seed", metavar="N", default=0, help="Seed of the random numbers."),
    cloup.option("--log", "log_file", type=OUTPUT_FILE, help="Append a line of JSON per request."),
)
@cloup.option_group(
    "Rate limits",
    cloup.option("--rpm", type=Number(POSITIVE), metavar="N", help="Requests per minute.  [default: 240000]"),
    cloup.option(
        "--itpm", type=Number(POSITIVE), metavar="N", help="Input tokens per minute.  [default: 240000000]"
    ),
    cloup.option(
        "--otpm", type=Number(POSITIVE), metavar="N", help="Output tokens per minute.  [default: 240000000]"
    ),
    cloup.option(
        "--burst",
        type=Number(POSITIVE),
        metavar="N",
        help="Requests accepted at once.  [default: those of a minute]",
    ),
    cloup.option(
        "--token-burst",
        type=Number(POSITIVE),
        metavar="N",
        help="Tokens of each kind accepted at once.  [default: those of a minute]",
    ),
    cloup.option(
        "--max-concurrent",
        "concurrency",
        type=Integer(COUNT),
        metavar="N",
        help="Accept N requests at a time.",
    ),
    cloup.option(
        "--spend-cap",
        type=Integer(COUNT),
        metavar="N",
        help="Accept N requests, then report that the spend limit is reached.",
    ),
    cloup.option("--no-limit-headers", is_flag=True, help="Send no rate-limit headers."),
    cloup.option("--no-retry-after", is_flag=True, help="Send no Retry-After with a 429."),
)
@cloup.option_group(
    "Answers",
    cloup.option(
        "--ttft",
        type=Number(NOT_NEGATIVE),
        metavar="SECONDS",
        default=0.05,
        help="Time until the first token.",
    ),
    cloup.option(
        "--tokens-per-second",
        type=Number(POSITIVE),
        metavar="N",
        default=2_000,
        help="How fast one answer is generated.",
    ),
    cloup.option(
        "--output-tokens",
        metavar="N-M",
        default="20-200",
        callback=read_range,
        help="Length of the answers.",
    ),
    cloup.option(
        "--error-rate",
        "faults",
        multiple=True,
        metavar="KIND=SHARE",
        callback=_read_shares,
        help="Let this share of requests fail with 429, 529, 500, reset, cut, garbage, hang or html."
        " Can be repeated.",
    ),
)
def simulate(host: str, port: int, seed: int, log_file: Path | None, **settings: Any) -> None:
    """Serve a simulated API on this machine: Anthropic Messages and OpenAI chat completions.

    It enforces rate limits with token buckets, answers as slowly as a real server, and fails as often as
    you ask it to. Any client can use it; no key is needed.
    """
    import trio

    from ._report import print_message

    try:
        profile = _profile(**settings)
        with contextlib.ExitStack() as stack:
            file = None if log_file is None else stack.enter_context(_open_log(log_file))
            trio.run(_serve, profile, host, port, seed, file)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while ")[0]  # trio adds the address
        print_message(
            f"cannot listen on {host}, port {port}: {reason}; choose another one with --host or --port"
        )
        sys.exit(ExitCode.REFUSED)


def _open_log(file: Path) -> BinaryIO:
    try:
        return file.open("ab", buffering=0)
    except OSError as error:
        raise click.BadParameter(f"cannot write {file}: {error.strerror}", param_hint="'--log'") from error


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
        rates = f"{limits.requests.per_minute:,.0f} requests, {limits.input.per_minute:,.0f} input tokens"
        rates += f" and {limits.output.per_minute:,.0f} output tokens per minute"
        click.echo(f"simulator on http://{self._host}:{value} ({rates})")


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
    statuses = sorted(log.statuses.items())
    answered = ", ".join(f"{count:,} x {status or 'no response'}" for status, count in statuses)
    total = log.statuses.total()
    click.echo(
        f"served {total:,} {'request' if total == 1 else 'requests'}" + (f": {answered}" if answered else ""),
        err=True,
    )
