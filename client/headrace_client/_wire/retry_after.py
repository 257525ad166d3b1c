"""How long a server asks its client to wait, in whatever form it says so (pure).

    retry-after         20 | 1.5 | 2m59.56s | 20 seconds | PT20S | Fri, 31 Dec 1999 23:59:59 GMT
                        | 2026-01-31T12:00:00Z | 1767225600 (Unix time) | 1767225600000 (in milliseconds)
    retry-after-ms      250; Azure: x-ms-retry-after-ms
    "retryDelay":"27s"  in a body (google.rpc.RetryInfo); also retry_after, retryAfter, retry_after_ms
    try again in 6m0s   in the text of a body (OpenAI, Groq); also "retry after 20 seconds" (Azure)
    x-ratelimit-reset   if nothing remains, in a header or in a body (OpenRouter)

1. A time is compared with the response's own ``date``: the client's clock may be wrong.
2. If headers and fields of the body disagree, the longest wait counts. If the longest is a more exact one
   rounded up to whole seconds, the exact one counts.
3. A text is meant for people: it counts only if no header and no field says anything. Resets come last,
   because most limits have room for a request long before they are full again.
4. A value is ignored if it has none of these forms, is not positive, or is not below `MAX_WAIT`.

Sources: RFC 9110 sections 5.6.7 and 10.2.3, RFC 3339, https://platform.openai.com/docs/guides/rate-limits,
https://cloud.google.com/apis/design/errors (RetryInfo)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

MAX_WAIT = 1e9
"""Seconds, about 32 years. A number that is not below it is a Unix time."""
_IN_MILLISECONDS = 1e12
"""A Unix time that is not below this is in milliseconds."""
_LONG_RESET = 120.0
"""Seconds. A limit per minute is full again sooner, and refills all the time: nothing waits for its reset."""
_MAX_BODY = 65_536
"""Characters of a body that are searched."""

# The patterns are compiled when they are needed, which most runs never do: it takes 2 ms.

_NUMBER = r"[0-9]{1,300}(?:\.[0-9]*)?|\.[0-9]+"
_UNIT = (
    r"milliseconds?|msecs?|ms|microseconds?|us|µs|ns"
    r"|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d"
)
_SECONDS: Mapping[str, float] = {
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "u": 1e-6,
    "µ": 1e-6,
    "n": 1e-9,
}
_PART = rf"([0-9]{{1,15}}(?:\.[0-9]{{1,15}})?) ?({_UNIT})"
_DURATION = rf"{_PART}(?:(?:,? and |,? )?{_PART})*"
_ISO_DURATION = r"p(?:[0-9]+d)?(?:t[0-9.hms]+)?"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9:.]+ ?(?:z|utc|gmt|[+-][0-9:]{4,6})?"
_LIST = r"(?<!mon)(?<!tue)(?<!wed)(?<!thu)(?<!fri)(?<!sat)(?<!sun)(?<!day),"
"""A comma between values; that after the weekday of a date is part of it."""

_VALUE = r"\\*\"\s*:\s*\\*\"?([^\"\\,}]+)"
_FIELDS = (
    (rf"retry[_-]?after[_-]?(?:ms|millis(?:econds)?){_VALUE}", 1e-3),
    (rf"retry_?delay{_VALUE}", 1.0),
    (r"retry_delay\s*\{(?:\s|\\n)*seconds:\s*([0-9]+)", 1.0),
    (rf"retry[_-]?after(?:[_-]?sec(?:ond)?s)?{_VALUE}", 1.0),
)
"""Fields of a body at any depth, also of an error that is quoted in another as text. In lower case."""
_TEXT = (
    r"(?:try(?:ing)? again|retry(?:ing)?(?: your request)?|wait(?:ing)?)"
    rf"(?: in| after| for| at least| about)* ({_DURATION})(?![a-z0-9])"
)
_BODY_RESET = rf"x-ratelimit-reset{_VALUE}"
_NOTHING_REMAINS = r"x-ratelimit-remaining\\*\"\s*:\s*\\*\"?0(?![.0-9])"
_RESETS = ("x-ratelimit-{}", "x-rate-limit-{}", "ratelimit-{}")
_LONG_RESETS = (
    "x-ratelimit-{}-requests",
    "x-ratelimit-{}-tokens",
    "anthropic-ratelimit-requests-{}",
    "anthropic-ratelimit-tokens-{}",
    "anthropic-ratelimit-input-tokens-{}",
    "anthropic-ratelimit-output-tokens-{}",
)


def retry_after_seconds(headers: Mapping[str, str], now_wall: float, body: bytes | str = b"") -> float | None:
    """Return how many seconds the server asks the client to wait, None if it does not say.

    ``headers`` must find names in lower case. ``now_wall``: Unix time, used if the response has no ``date``.
    ``body``: of the response if its status is an error. Do not pass an answer: its text may contain anything.
    """
    text = (body if isinstance(body, str) else body[:_MAX_BODY].decode(errors="replace"))[:_MAX_BODY].lower()
    read = partial(_read, clock=_server_time(headers, now_wall))
    asked = [wait for value, unit in _named(headers, text) for wait in read(value, unit)]
    if asked:
        longest = max(asked)
        return next(wait for wait in asked if longest in (wait, math.ceil(wait)))
    if (found := re.search(_TEXT, text)) and (waits := read(found[1])):
        return waits[0]
    return max((wait for reset in _resets(headers, text, read) for wait in reset), default=None)


def _named(headers: Mapping[str, str], body: str) -> Iterator[tuple[str, float]]:
    """Yield the values that state a wait, with the unit of a bare number; the most exact ones first."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        yield headers.get(name, ""), 1e-3
    for pattern, unit in _FIELDS:
        for found in re.finditer(pattern, body):
            yield found[1], unit
    yield headers.get("retry-after", ""), 1.0


def _resets(headers: Mapping[str, str], body: str, read: partial[list[float]]) -> Iterator[list[float]]:
    """Yield how long it takes until limits of which nothing remains are full again."""
    for name in _RESETS:
        if headers.get(name.format("remaining"), "").strip() == "0":
            yield read(headers.get(name.format("reset"), ""))
    for name in _LONG_RESETS:
        if headers.get(name.format("remaining"), "").strip() == "0":
            yield [wait for wait in read(headers.get(name.format("reset"), "")) if wait > _LONG_RESET]
    if (found := re.search(_BODY_RESET, body)) and re.search(_NOTHING_REMAINS, body):
        yield read(found[1])


def _read(value: str, unit: float = 1.0, *, clock: float) -> list[float]:
    """Return the waits that a value states: none if it is malformed, several if it is a list."""
    value = value.strip(' \t"').lower()
    values = [value] if re.fullmatch(_DURATION, value) else re.split(_LIST, value)
    waits = (_wait(item.strip(' \t"'), unit, clock) for item in values)
    return [wait for wait in waits if 0 < wait < MAX_WAIT]


def _wait(value: str, unit: float, clock: float) -> float:
    """Return the seconds that one value states, 0 if it is malformed."""
    if re.fullmatch(_NUMBER, value):
        seconds = float(value) * unit
        if seconds < MAX_WAIT:
            return seconds
        return (seconds if seconds < _IN_MILLISECONDS else seconds / 1000) - clock
    if value.startswith("p") and re.fullmatch(_ISO_DURATION, value):
        value = value.replace("p", "").replace("t", "")
    if re.fullmatch(_DURATION, value):
        return sum(float(number) * _seconds_per(name) for number, name in re.findall(_PART, value))
    return (_time(value) or clock) - clock


def _seconds_per(unit: str) -> float:
    return (
        1e-3 if unit.startswith(("ms", "milli")) else 1e-6 if unit.startswith("micro") else _SECONDS[unit[0]]
    )


def _server_time(headers: Mapping[str, str], now_wall: float) -> float:
    return _time(headers.get("date", "").strip().lower()) or now_wall


def _time(value: str) -> float | None:
    """Return a date of HTTP or RFC 3339 as Unix time, None if it is neither. Without a zone it is in UTC."""
    try:
        if re.fullmatch(_TIME, value):
            time = datetime.fromisoformat(
                re.sub(" ?(?:z|utc|gmt)$", "+00:00", value).replace(" ", "T").upper()
            )
        else:
            time = parsedate_to_datetime(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
