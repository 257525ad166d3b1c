"""A refusal holds everything, and a probe ends the hold."""

from headrace.pacing import MAX_COOLDOWN, MIN_COOLDOWN, PROBE_TIMEOUT
from headrace.pacing._cooldown import Cooldown


def test_a_later_but_shorter_hold_does_not_end_the_longer_one() -> None:
    hold = Cooldown()
    hold.refused(until=40.0)
    hold.refused(until=12.0)

    assert hold.ready_at(13.0) == 40.0


def test_after_a_hold_one_probe_goes_first_and_its_answer_lets_the_others_follow() -> None:
    hold = Cooldown()
    hold.refused(until=11.0)
    hold.admitted(11.0)

    assert hold.ready_at(11.0) == 11.0 + PROBE_TIMEOUT
    hold.passed(started_at=11.0)
    assert hold.ready_at(11.2) == 11.2


def test_a_probe_that_is_not_refused_counts_as_passed_after_a_while() -> None:
    hold = Cooldown()
    hold.refused(until=11.0)
    hold.admitted(11.0)
    later = 11.0 + PROBE_TIMEOUT
    hold.admitted(later)

    assert hold.ready_at(later) == later


def test_an_answer_to_a_job_sent_before_the_hold_says_nothing_about_the_limit_now() -> None:
    hold = Cooldown()
    hold.refused(until=11.0)
    hold.admitted(11.0)
    hold.passed(started_at=9.0)

    assert hold.ready_at(11.2) == 11.0 + PROBE_TIMEOUT


def test_holds_double_while_the_server_refuses_without_saying_for_how_long() -> None:
    hold = Cooldown()
    holds: list[float] = []
    now = 0.0
    for _ in range(12):
        holds.append(hold.backoff(jitter=1.0))
        now += holds[-1]
        hold.refused(until=now)

    assert holds[:4] == [MIN_COOLDOWN * factor for factor in (1, 2, 4, 8)]
    assert holds[-1] == MAX_COOLDOWN
