"""After a refusal nothing is sent, and a probe ends the cooldown."""

import pytest

from headrace.pacing import MAX_COOLDOWN, MIN_COOLDOWN, PROBE_TIMEOUT
from headrace.pacing._cooldown import Cooldown, jittered


def test_a_later_but_shorter_cooldown_does_not_end_the_longer_one() -> None:
    cooldown = Cooldown()
    cooldown.hold(until=40.0)
    cooldown.hold(until=12.0)

    assert cooldown.ready_at(13.0) == 40.0


def test_after_a_cooldown_a_probe_goes_first_and_its_response_lets_the_others_follow() -> None:
    cooldown = Cooldown()
    cooldown.hold(until=11.0)
    cooldown.admitted(11.0)

    assert cooldown.ready_at(11.0) == 11.0 + PROBE_TIMEOUT
    cooldown.passed(started_at=11.0)
    assert cooldown.ready_at(11.2) == 11.2


def test_a_probe_that_is_not_refused_counts_as_accepted_after_a_while() -> None:
    cooldown = Cooldown()
    cooldown.hold(until=11.0)
    cooldown.admitted(11.0)
    later = 11.0 + PROBE_TIMEOUT
    cooldown.admitted(later)

    assert cooldown.ready_at(later) == later


def test_a_response_to_a_job_sent_before_the_cooldown_does_not_end_it() -> None:
    cooldown = Cooldown()
    cooldown.hold(until=11.0)
    cooldown.admitted(11.0)
    cooldown.passed(started_at=9.0)

    assert cooldown.ready_at(11.2) == 11.0 + PROBE_TIMEOUT


def test_cooldowns_double_while_the_server_does_not_say_how_long_to_wait() -> None:
    cooldown = Cooldown()
    lengths: list[float] = []
    now = 0.0
    for _ in range(12):
        lengths.append(cooldown.backoff(jittered(1.0)))
        now += lengths[-1]
        cooldown.hold(until=now)

    assert lengths[:4] == [MIN_COOLDOWN * factor for factor in (1, 2, 4, 8)]
    assert lengths[-1] == MAX_COOLDOWN


def test_jobs_that_the_same_event_refuses_make_no_cooldown_longer() -> None:
    """Ten were in flight: one hold, and the next event doubles it once."""
    cooldown = Cooldown()
    for number in range(10):
        cooldown.begin(None, 0.9, 1.0 + number / 100, share=1.0)

    assert cooldown.until == 1.0 + MIN_COOLDOWN
    cooldown.begin(None, 2.5, 2.6, share=1.0)
    assert cooldown.until == pytest.approx(2.6 + 2 * MIN_COOLDOWN)


def test_a_later_time_that_the_server_names_holds_although_the_event_is_the_same() -> None:
    cooldown = Cooldown()
    cooldown.begin(None, 0.9, 1.0, share=1.0)
    cooldown.begin(9.0, 0.9, 1.1, share=1.0)

    assert cooldown.until == 9.0
