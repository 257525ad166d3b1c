"""The rules of fixed pacing, asked as the dispatcher asks them."""

import math

from headrace.pacing import FIRST_HOLD, LONGEST_HOLD, PROBE_PATIENCE, FixedPacing


def test_all_slots_may_be_filled_at_once() -> None:
    pacing = FixedPacing(concurrency=3)
    times: list[float] = []
    for in_flight in range(4):
        times.append(pacing.ready_at(7.0, in_flight))
        pacing.admitted(7.0)

    assert times == [7.0, 7.0, 7.0, math.inf]


def test_a_refusal_holds_every_admission_for_as_long_as_the_server_asks() -> None:
    pacing = FixedPacing(concurrency=8)
    pacing.refused(10.0, retry_after=2.5, dice=0.0)

    assert pacing.ready_at(10.1, 0) == 12.5
    assert pacing.ready_at(13.0, 0) == 13.0


def test_a_later_but_shorter_hold_does_not_end_the_longer_one() -> None:
    pacing = FixedPacing(concurrency=8)
    pacing.refused(10.0, retry_after=30.0, dice=0.0)
    pacing.refused(11.0, retry_after=1.0, dice=0.0)

    assert pacing.ready_at(12.0, 0) == 40.0


def test_after_a_hold_one_probe_goes_first_and_its_answer_lets_the_others_follow() -> None:
    pacing = FixedPacing(concurrency=8)
    pacing.refused(10.0, retry_after=1.0, dice=0.0)
    pacing.admitted(11.0)

    assert pacing.ready_at(11.0, 1) == 11.0 + PROBE_PATIENCE
    pacing.succeeded(started_at=11.0)
    assert pacing.ready_at(11.2, 1) == 11.2


def test_a_probe_that_is_not_refused_counts_as_passed_after_a_while() -> None:
    pacing = FixedPacing(concurrency=8)
    pacing.refused(10.0, retry_after=1.0, dice=0.0)
    pacing.admitted(11.0)
    later = 11.0 + PROBE_PATIENCE
    pacing.admitted(later)

    assert pacing.ready_at(later, 2) == later


def test_an_answer_to_a_job_sent_before_the_hold_says_nothing_about_the_limit_now() -> None:
    pacing = FixedPacing(concurrency=8)
    pacing.refused(10.0, retry_after=1.0, dice=0.0)
    pacing.admitted(11.0)
    pacing.succeeded(started_at=9.0)

    assert pacing.ready_at(11.2, 1) == 11.0 + PROBE_PATIENCE


def test_holds_double_while_the_server_refuses_without_saying_for_how_long() -> None:
    pacing = FixedPacing(concurrency=8)
    holds: list[float] = []
    now = 0.0
    for _ in range(12):
        pacing.refused(now, retry_after=None, dice=1.0)
        holds.append(pacing.held_until - now)
        now = pacing.held_until

    assert holds[:4] == [FIRST_HOLD * factor for factor in (1, 2, 4, 8)]
    assert holds[-1] == LONGEST_HOLD
