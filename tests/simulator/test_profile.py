"""Values: what a profile rejects, how durations are formatted."""

from __future__ import annotations

import pytest

from headrace.simulator import Profile
from headrace.simulator._chat_endpoint import duration


def test_a_profile_rejects_impossible_shares() -> None:
    with pytest.raises(ValueError, match="no such fault: 418"):
        Profile(faults={"418": 0.1})  # pyright: ignore[reportArgumentType] - that is the point
    with pytest.raises(ValueError, match="their sum"):
        Profile(faults={"429": 0.7, "529": 0.7})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.02, "20ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (3_725.25, "1h2m5.25s")],
)
def test_durations_are_formatted_as_the_api_formats_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
