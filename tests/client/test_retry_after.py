"""Bounded waits, P18: every form in which a server says how long to wait, and forms that say nothing."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client import RateLimitError
from headrace_client._wire.retry_after import MAX_WAIT, retry_after_seconds
from headrace_client.testing import Reply, reply
from tests.client.backends import Backend, settle

NOW = 1_700_000_000.0
"""2023-11-14T22:13:20Z, a Tuesday."""
HOUR = 3_600.0


def date(at: float) -> str:
    return formatdate(at, usegmt=True)


def unix_time(at: float) -> str:
    return f"{at:.0f}"


def unix_milliseconds(at: float) -> str:
    return f"{at * 1000:.0f}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # numbers
        ("20", 20),
        ("1.5", 1.5),
        (".5", 0.5),
        (" 7 ", 7),
        ('"7"', 7),
        ("171", 171),
        ("100000", 100_000),
        # durations
        ("2m59.56s", 179.56),
        ("1h", HOUR),
        ("1h2m3s", 3_723),
        ("500ms", 0.5),
        ("27s", 27),
        ("27.123456789s", 27.123456789),
        ("1d", 86_400),
        ("6M0S", 360),
        ("20 seconds", 20),
        ("1 minute", 60),
        ("1 hour, 5 minutes and 2 secs", 3_902),
        ("PT20S", 20),
        ("pt1m30.5s", 90.5),
        ("P1DT1H", 90_000),
        # Unix times
        ("1700000030", 30),
        ("1700000030.5", 30.5),
        ("1700000030500", 30.5),
        # dates
        (date(NOW + 30), 30),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30),
        ("Tue Nov 14 22:13:50 2023", 30),
        ("Tue, 14 Nov 2023 23:13:50 +0100", 30),
        ("2023-11-14T22:13:50Z", 30),
        ("2023-11-14T22:13:50.25Z", 30.25),
        ("2023-11-14t23:13:50+01:00", 30),
        ("2023-11-14 22:13:50", 30),
        ("2023-11-14 22:13:50 UTC", 30),
        # several values: the longest
        ("3, 7", 7),
        ("7, junk, 3", 7),
        (f"{date(NOW + 30)}, {date(NOW + 60)}", 60),
        (f"5, {date(NOW + 60)}", 60),
    ],
)
def test_retry_after_is_read(value: str, seconds: float) -> None:
    assert retry_after_seconds({"retry-after": value}, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "0.0",
        "0s",
        "-10",
        "-10s",
        "nan",
        "inf",
        "1e3",
        "1_0",
        "٣",
        "9" * 400,
        "9" * 20,
        "9999999999",
        "9" * 15 + "d",
        "soon",
        "in 20",
        "20 parsecs",
        "5 5",
        "P",
        "PT",
        ",",
        "1699999970",
        "1699999970000",
        date(NOW),
        date(NOW - 1),
        "2023-11-14T22:13:20Z",
        "2023-99-14T22:13:20Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "Fri, 99 Foo 2023",
        "Mon, 1 Jan 0001 00:00:00",
    ],
)
def test_a_retry_after_that_states_no_wait_is_ignored(value: str) -> None:
    """Malformed, zero, negative, past, or beyond all reason."""
    assert retry_after_seconds({"retry-after": value}, NOW) is None
    assert retry_after_seconds({}, NOW, f'{{"retryDelay":"{value}"}}') is None


@pytest.mark.parametrize(
    "value", ["", "0", "-10", "nan", "inf", "1e3", "٣", "9" * 400, "soon", date(NOW - 1)]
)
def test_milliseconds_that_state_no_wait_are_ignored(value: str) -> None:
    assert retry_after_seconds({"retry-after-ms": value}, NOW) is None


@pytest.mark.parametrize("form", [date, unix_time, unix_milliseconds])
@pytest.mark.parametrize("skew", [-HOUR, 0.0, HOUR, 10 * 365 * 24 * HOUR])
def test_a_time_is_compared_with_the_clock_of_the_server(form: Callable[[float], str], skew: float) -> None:
    """The client's clock may be wrong by any amount."""
    headers = {"retry-after": form(NOW + 40), "date": date(NOW)}

    assert retry_after_seconds(headers, NOW + skew) == 40


def test_a_malformed_date_leaves_the_clock_of_the_client() -> None:
    headers = {"retry-after": date(NOW + 40), "date": "yesterday"}

    assert retry_after_seconds(headers, NOW) == 40


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250ms"}, 0.25),
        # the exact one, if the other is its rounding
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "2000", "retry-after": "2"}, 2),
        # otherwise the longer one
        ({"retry-after-ms": "2900", "retry-after": "2"}, 2.9),
        ({"retry-after-ms": "250", "retry-after": "9"}, 9),
        ({"retry-after-ms": "90000", "retry-after": "9"}, 90),
        # an unusable value hides nothing
        ({"retry-after-ms": "0", "retry-after": "9"}, 9),
        ({"retry-after-ms": "junk", "retry-after": "9"}, 9),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9),
        ({"retry-after-ms": "250", "retry-after": "0"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": date(NOW - 9)}, 0.25),
        # resets: only of limits of which nothing remains, and only where nothing else is said
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000090"}, 90),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000090000"}, 90),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "50"}, 50),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "90"}, None),
        ({"x-ratelimit-reset": "90"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "90", "retry-after": "5"}, 5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "23h59m"}, 86_340),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2023-11-15T22:13:20Z",
            },
            86_400,
        ),
        # a limit per minute refills all the time: what remains of it says when to send, not its reset
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "59s"}, None),
    ],
)
def test_headers_that_disagree(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (
            '{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"27s"}]}}',
            27,
        ),
        ('[{"error":{"details":[{"retryDelay": "27.5s"}]}}]', 27.5),
        (r'{"error":{"metadata":{"raw":"{\"details\":[{\"retryDelay\": \"27s\"}]}"}}}', 27),
        ('{"error":"429 ... retry_delay {\\n  seconds: 27\\n}"}', 27),
        ('{"retry_after": 20.5}', 20.5),
        ('{"retryAfter":"20"}', 20),
        ('{"retry_after_ms": 250}', 0.25),
        ('{"retry_after_seconds": 20}', 20),
        ('{"metadata":{"headers":{"Retry-After": "20"}}}', 20),
        ('{"error":{"message":"Please try again in 6m0s. Visit https://..."}}', 360),
        ('{"error":{"message":"Limit 3, Used 3. Please try again in 20s."}}', 20),
        ('{"error":{"message":"Please try again in 86ms."}}', 0.086),
        ('{"error":{"message":"Please retry after 20 seconds."}}', 20),
        ('{"error":{"message":"Please retry in 38.71s."}}', 38.71),
        ('{"error":{"message":"Please wait 30 seconds and try again."}}', 30),
        ("Too busy: try again in 1 hour", HOUR),
        # a field is exact, a text is for people
        ('{"message":"try again in 1h","retryDelay":"3s"}', 3),
        ('{"metadata":{"headers":{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1700000090000"}}}', 90),
        ('{"metadata":{"headers":{"X-RateLimit-Remaining":"5","X-RateLimit-Reset":"1700000090000"}}}', None),
        ('{"message":"retry after 20"}', None),
        ('{"message":"try again in 5 million years"}', None),
        ('{"message":"try again later"}', None),
        ('{"retryDelay":null}', None),
        ("\ufeff\ud800" * 3, None),
    ],
)
def test_a_body_is_read(body: str, seconds: float | None) -> None:
    expected = seconds and pytest.approx(seconds)

    assert retry_after_seconds({}, NOW, body) == expected
    assert retry_after_seconds({}, NOW, body.encode(errors="surrogatepass")) == expected


def test_headers_and_body() -> None:
    body = b'{"retryDelay":"27.4s","message":"try again in 1h"}'

    assert retry_after_seconds({"retry-after": "28"}, NOW, body) == 27.4
    assert retry_after_seconds({"retry-after": "60"}, NOW, body) == 60
    assert retry_after_seconds({"retry-after": "5"}, NOW, body) == 27.4
    assert retry_after_seconds({"retry-after": "5"}, NOW, b"try again in 1h") == 5


VALUES = st.text() | st.from_regex(
    r"[0-9.]{1,20}(ms|s|m|h)?|[A-Z][a-z]{2}, [0-9 :a-zA-Z]*|[0-9]{4}-[0-9T:.Z+-]*"
)


@given(
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-reset"]), VALUES),
    st.floats(0, 2**33),
    st.binary() | st.builds('{{"retryDelay":"{}"}}'.format, VALUES),
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_response_raises(headers: dict[str, str], now: float, body: bytes | str) -> None:
    seconds = retry_after_seconds({"x-ratelimit-remaining": "0", **headers}, now, body)

    assert seconds is None or 0 < seconds < MAX_WAIT


@pytest.mark.anyio
@pytest.mark.parametrize(
    "response",
    [
        reply(429, headers={"retry-after": "30"}),
        reply(429, headers={"retry-after": "0m30s"}),
        reply(429, json=[{"error": {"details": [{"retryDelay": "30s"}]}}]),
        reply(503, json={"error": {"message": "Please try again in 30s."}}),
    ],
)
async def test_the_client_waits_as_long(response: Reply, backend: Backend) -> None:
    client, _ = backend.scripted(response, reply(json={}))

    await settle(client.get("/foo", cast_to=httpx.Response))

    assert backend.clock.sleeps == [pytest.approx(30 * 1.05)]


@pytest.mark.anyio
@pytest.mark.parametrize("retries", [0, 2, 5])
async def test_all_waits_of_a_call_are_bounded(retries: int, backend: Backend) -> None:
    """A server that asks for the longest wait that is allowed, again and again."""
    client, _ = backend.scripted(
        *[reply(429, headers={"retry-after": "10"})] * (retries + 1), max_retries=retries, max_retry_after=10
    )

    with pytest.raises(RateLimitError):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert len(backend.clock.sleeps) == retries
    assert sum(backend.clock.sleeps) <= retries * 11


@pytest.mark.anyio
async def test_a_wait_beyond_the_cap_is_named(backend: Backend) -> None:
    """The call fails at once, and its error says for how long the server asks."""
    client, api = backend.scripted(reply(429, json={"error": {"message": "Please try again in 27h46m40s"}}))

    with pytest.raises(RateLimitError, match=r"27h46m40s.*asks for a wait of 100,000 s.*max_retry_after=600"):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert (len(api.requests), backend.clock.sleeps) == (1, [])
