"""The promises about speed, compared with the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from ._report import cost, ratio, share_of_ideal
from ._suites import SUITES, Measured

_RUN: Final = "headrace run"
_SDK: Final = "AsyncAnthropic of anthropic 2.11"
_CLIENT: Final = "AsyncAnthropic of headrace_client, trio"
_SENDER: Final = "requests alone, headrace's sender"
_AT_LEAST, _AT_MOST = True, False

Measure = Callable[[Sequence[Measured]], float | None]


@attrs.frozen
class Target:
    """A promise: a number that must be at least, or at most, the bound."""

    what: str
    suite: str
    bound: float
    at_least: bool
    measure: Measure


def _less(name: str, than: str, in_flight: int) -> Measure:
    """How many times less CPU time ``name`` takes than ``than``."""
    return lambda measured: (found := ratio(measured, than, name, in_flight)) and found[0]


def _growth(name: str) -> Measure:
    def measure(measured: Sequence[Measured]) -> float | None:
        low, high = cost(measured, name, 16), cost(measured, name, 5000)
        return high / low - 1 if low and high else None

    return measure


TARGETS: Final = (
    Target(
        "file to file, times less CPU than AsyncAnthropic at 128",
        "file",
        30,
        _AT_LEAST,
        _less(_RUN, _SDK, 128),
    ),
    Target("the same at 1000", "file", 50, _AT_LEAST, _less(_RUN, _SDK, 1000)),
    Target("than aiohttp + uvloop at 1000", "file", 4, _AT_LEAST, _less(_RUN, "aiohttp + uvloop", 1000)),
    Target("growth file to file, 16 to 5000 in flight", "file", 0.6, _AT_MOST, _growth(_RUN)),
    Target("request alone, times wrk's CPU at 128", "alone", 3.5, _AT_MOST, _less("wrk", _SENDER, 128)),
    Target("the same at 1000", "alone", 3.5, _AT_MOST, _less("wrk", _SENDER, 1000)),
    Target("growth of a request alone, 16 to 5000", "alone", 0.25, _AT_MOST, _growth(_SENDER)),
    Target("wrk's own growth", "alone", 0.25, _AT_MOST, _growth("wrk")),
    Target(
        "messages.create on trio, times less than the SDK at 128",
        "client",
        6,
        _AT_LEAST,
        _less(_CLIENT, _SDK, 128),
    ),
    Target(
        "the same with a user's http_client",
        "client",
        4,
        _AT_LEAST,
        _less("the same with a user's http_client", _SDK, 128),
    ),
    Target(
        "share of ideal throughput at 1000 x 200 ms",
        "latency",
        0.95,
        _AT_LEAST,
        lambda measured: share_of_ideal(measured, _RUN, 1000, SUITES["latency"].latency),
    ),
)


def verdicts(measured: Sequence[Measured]) -> str:
    """Return the promises that were measured, as a Markdown table."""
    lines = ["| promise | bound | measured | |", "|---|---|---|---|"]
    for target in TARGETS:
        value = target.measure([one for one in measured if one.suite == target.suite])
        if value is not None:
            holds = value >= target.bound if target.at_least else value <= target.bound
            sign = ">=" if target.at_least else "<="
            verdict = "holds" if holds else "missed"
            lines.append(f"| {target.what} | {sign} {target.bound:g} | {value:.2f} | {verdict} |")
    return "\n".join(lines) + "\n"
