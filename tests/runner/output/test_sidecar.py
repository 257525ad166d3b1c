"""The sidecar: written and read back, and what it says of a changed recipe."""

from __future__ import annotations

from headrace.output.sidecar import Sidecar, read_sidecar, recipe_changes, write_sidecar


def test_it_is_read_back() -> None:
    sidecar = Sidecar(
        pid=12, host="mill", recipes={"ab": {"prompt": "x", "set": {"k": [1]}}}, pacing={"rpm": 4.5}
    )

    assert read_sidecar(write_sidecar(sidecar)) == sidecar


def test_half_of_one_is_as_good_as_none() -> None:
    """A crash while it is written loses the names of what changed, never the run."""
    whole = write_sidecar(Sidecar(pid=12, host="mill"))
    for data in (b"", whole[:-5], b"\0" * 20, b"[]", b'{"pid":"x"}', b'"\xff"'):
        assert read_sidecar(data) == Sidecar()


def test_changes_are_named_by_their_options() -> None:
    old = {"dialect": "rows", "prompt": "a", "model": "m", "set": {"temperature": 0.5, "top_k": 3}}
    new = {"dialect": "raw", "prompt": "b", "max_tokens": 300, "set": {"temperature": 1, "top_k": 3}}

    assert recipe_changes(old, new) == [
        '--input-format changed: was "rows", now "raw"',
        '--prompt changed: was "a", now "b"',
        '--model changed: was "m", now not given',
        "--set temperature changed: was 0.5, now 1",
        "--max-tokens changed: was not given, now 300",
    ]
    assert recipe_changes(old, old) == []


def test_simulated_and_real_answers_are_distinguished() -> None:
    assert recipe_changes({"simulated": True}, {}) == ["its answers were simulated, this run's are real"]
    assert recipe_changes({}, {"simulated": True}) == ["its answers were real, this run's are simulated"]


def test_long_texts_are_cut_to_60_characters() -> None:
    (change,) = recipe_changes({"prompt": "a" * 100}, {"prompt": "a" * 58 + "b" * 100})

    assert change == f'--prompt changed: was "{"a" * 59}..., now "{"a" * 58}b...'


def test_the_last_whole_line_counts_however_the_one_after_it_was_torn() -> None:
    first, second = Sidecar(pid=1), Sidecar(pid=2)
    data = write_sidecar(first) + write_sidecar(second)

    assert read_sidecar(data) == second
    for end in range(len(write_sidecar(first)), len(data) - 2):
        torn = data[:end]
        assert read_sidecar(torn) == first
        assert read_sidecar(torn + b"\0" * 9) == first
        assert read_sidecar(torn + write_sidecar(second)) == second
