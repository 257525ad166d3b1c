"""Rate-limit headers of two providers, as one value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client._wire.ratelimit import Limit, RateLimits, rate_limits

NOW = 1_771_200_000.0  # 2026-02-16T00:00:00Z


def test_anthropic() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": "2026-02-16T00:00:30Z",
        "anthropic-ratelimit-tokens-limit": "500000",
        "anthropic-ratelimit-input-tokens-remaining": "400000",
        "anthropic-ratelimit-output-tokens-reset": "2026-02-16T01:00:01.5+01:00",
    }

    assert rate_limits(headers, NOW) == RateLimits(
        requests=Limit(4000, 3999, 30.0),
        tokens=Limit(500_000),
        input_tokens=Limit(remaining=400_000),
        output_tokens=Limit(reset=1.5),
    )


def test_openai() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": "6m0s",
    }

    assert rate_limits(headers, NOW) == RateLimits(
        requests=Limit(60, 59, 1.0), tokens=Limit(150_000, 149_984, 360.0)
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("20ms", 0.02),
        ("1d", 86_400.0),
        ("7.66s", 7.66),
        ("12", 12.0),
        ("0s", 0.0),
        ("2026-02-15T23:59:00Z", 0.0),
        ("2026-02-16 00:01:00+00:00", 60.0),
    ],
)
def test_when_a_limit_is_full_again(text: str, seconds: float) -> None:
    limits = rate_limits({"x-ratelimit-reset-requests": text}, NOW)

    assert limits.requests is not None
    assert limits.requests.reset == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1x", "s", "1s!", "nan", "1e5", "2026-13-45T99:99:99Z", "٣s"]
)
def test_malformed_headers_are_ignored(text: str) -> None:
    headers = {
        "x-ratelimit-limit-requests": text,
        "x-ratelimit-reset-requests": text,
        "anthropic-ratelimit-tokens-reset": text,
    }

    assert rate_limits(headers, NOW) == RateLimits()


def test_no_headers() -> None:
    assert rate_limits({}, NOW) == RateLimits()


_NAMES = [
    "anthropic-ratelimit-requests-limit",
    "anthropic-ratelimit-input-tokens-reset",
    "x-ratelimit-reset-tokens",
]


@given(
    st.dictionaries(st.sampled_from(_NAMES), st.text() | st.from_regex(r"[0-9TZ:.+dhms-]*", fullmatch=True))
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_header_raises(headers: dict[str, str]) -> None:
    limits = rate_limits(headers, NOW)

    for limit in (limits.requests, limits.tokens, limits.input_tokens):
        assert limit is None or limit.reset is None or limit.reset >= 0
