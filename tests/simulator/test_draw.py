"""Random draws: the same request always gets the same ones."""

from __future__ import annotations

from headrace.simulator._draw import draw, draw_length


def test_draws_depend_on_the_seed_the_body_and_the_attempt() -> None:
    drawn = {draw(seed, body, attempt) for seed in (1, 2) for body in ("a", "b") for attempt in (1, 2)}

    assert len(drawn) == 8
    assert draw(1, "a", 1) == draw(1, "a", 1)
    assert all(0 <= number < 1 for one in drawn for number in (one.fault, one.jitter, one.cut_at))


def test_lengths_fill_their_range() -> None:
    lengths = {draw_length(0, f"{index}", 3, 7) for index in range(200)}

    assert lengths == {3, 4, 5, 6, 7}
