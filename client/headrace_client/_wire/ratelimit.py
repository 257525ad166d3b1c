"""The rate-limit headers of a response, as one value (pure).

    Anthropic   anthropic-ratelimit-<resource>-limit|remaining|reset   reset: RFC 3339, a time
    OpenAI      x-ratelimit-limit|remaining|reset-<resource>           reset: a duration, "6m0s", "20ms"

Resources: requests, tokens, and for Anthropic also input-tokens and output-tokens. A missing or malformed
header is None, never an error.

Sources: https://docs.anthropic.com/en/api/rate-limits#response-headers,
https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import attrs

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|ns|d|h|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_INTEGER = re.compile(r"[0-9]{1,18}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})")


@attrs.frozen
class Limit:
    """The state of one limit: its size, the remaining amount, and the seconds until it is full again."""

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None


@attrs.frozen(kw_only=True)
class RateLimits:
    """The state of all limits that a response reports; None for the others."""

    requests: Limit | None = None
    tokens: Limit | None = None
    input_tokens: Limit | None = None
    output_tokens: Limit | None = None


def rate_limits(headers: Mapping[str, str], now_wall: float) -> RateLimits:
    """Read the rate limits of a response.

    ``headers`` must find names in lower case. ``now_wall``: the current Unix time, for headers that state a
    time.
    """
    return RateLimits(
        requests=_anthropic(headers, "requests", now_wall) or _openai(headers, "requests", now_wall),
        tokens=_anthropic(headers, "tokens", now_wall) or _openai(headers, "tokens", now_wall),
        input_tokens=_anthropic(headers, "input-tokens", now_wall),
        output_tokens=_anthropic(headers, "output-tokens", now_wall),
    )


def _anthropic(headers: Mapping[str, str], resource: str, now_wall: float) -> Limit | None:
    prefix = f"anthropic-ratelimit-{resource}"
    return _limit(
        headers.get(f"{prefix}-limit"),
        headers.get(f"{prefix}-remaining"),
        headers.get(f"{prefix}-reset"),
        now_wall,
    )


def _openai(headers: Mapping[str, str], resource: str, now_wall: float) -> Limit | None:
    return _limit(
        headers.get(f"x-ratelimit-limit-{resource}"),
        headers.get(f"x-ratelimit-remaining-{resource}"),
        headers.get(f"x-ratelimit-reset-{resource}"),
        now_wall,
    )


def _limit(limit: str | None, remaining: str | None, reset: str | None, now_wall: float) -> Limit | None:
    read = Limit(_integer(limit), _integer(remaining), _seconds(reset, now_wall))
    return None if read == Limit() else read


def _integer(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if _INTEGER.fullmatch(text) else None


def _seconds(text: str | None, now_wall: float) -> float | None:
    """Read a duration, a number of seconds, or a time; a time in the past gives 0."""
    text = (text or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if _TIME.fullmatch(text):
        try:
            return max(0.0, datetime.fromisoformat(text.upper()).timestamp() - now_wall)
        except (ValueError, OverflowError):
            return None
    return None
