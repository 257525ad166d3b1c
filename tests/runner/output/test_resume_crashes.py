"""Kills and power failures at every call of several runs of one output (P1-P4, P7).

After each crash the same command comes again. In the end there is one record for each job, by the newest line
and recipe; what a finished write brought to the disk was not sent again, and is still somewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from types import MappingProxyType

import attrs
import pytest

from headrace.input.identity import digest, recipe_digest
from headrace.job import FailureKind
from headrace.policy.options import OnChange
from tests.runner.disk import Killed
from tests.runner.output.story import ERRORS, IN, JSON, OUT, RECIPE, SIDECAR, Story, job_line


@attrs.frozen
class Command:
    """One command line, the input at that time, and which jobs the server fails."""

    lines: list[bytes]
    prompt: str = "{q}"
    on_change: OnChange = "refuse"
    failing: Mapping[str, FailureKind] = MappingProxyType({"e": "rejected"})


def lines_of(ids: str, newer: str = "") -> list[bytes]:
    return [job_line(job_id, "new" if job_id in newer else "?") for job_id in ids]


COMMANDS = [
    Command(lines_of("abcde"), failing={"c": "timeout", "e": "rejected"}),
    Command(lines_of("gabcdef")),
    Command(lines_of("fedcbag", newer="ag"), on_change="rerun"),
    Command(lines_of("abcdefg", newer="ag"), prompt="Q: {q}", on_change="rerun"),
]


def run(story: Story, command: Command) -> None:
    story.lines = command.lines
    story.recipe = {**RECIPE, "prompt": command.prompt}
    story.send(story.open(on_change=command.on_change), failing=command.failing)


def run_all(story: Story) -> list[int]:
    """Run all commands; return the number of calls that each needed."""
    calls: list[int] = []
    for command in COMMANDS:
        run(story, command)
        calls.append(story.disk.calls)
        story.next_run()
    return calls


def check_final(story: Story) -> None:
    """One record for each job: of the newest line, by the newest recipe."""
    found = Counter(
        (record["custom_id"], note(record, "digest"), note(record, "recipe")) for record in read(story, OUT)
    )
    recipe = recipe_digest(story.recipe)
    expected = {str(JSON.decode(line)["id"]): digest(line.rstrip()) for line in COMMANDS[-1].lines}
    failed = expected.pop("e")
    assert found == Counter((job_id, line_digest, recipe) for job_id, line_digest in expected.items())
    assert [(record["custom_id"], note(record, "digest")) for record in read(story, ERRORS)] == [
        ("e", failed)
    ]


def read(story: Story, path: Path) -> list[dict[str, object]]:
    return [JSON.decode(line) for line in story.disk.content(path).splitlines()]


def note(record: dict[str, object], key: str) -> object:
    found = record["headrace"]
    assert isinstance(found, dict)
    return found[key]  # pyright: ignore[reportUnknownVariableType]  # what JSON holds


def identity(record: bytes) -> tuple[object, ...]:
    decoded = JSON.decode(record)
    return decoded["custom_id"], note(decoded, "digest"), note(decoded, "recipe")


def everything(story: Story) -> bytes:
    files = story.disk.platters.files
    return b"".join(file.cached for path, file in files.items() if path not in (IN, SIDECAR))


CALLS = run_all(Story())


def test_the_history_without_a_crash() -> None:
    story = Story()
    run_all(story)

    check_final(story)
    assert sum(CALLS) > 60


@pytest.mark.parametrize("crashing", range(len(COMMANDS)))
@pytest.mark.parametrize("taken", [0, 1, 40, 10_000], ids=["before", "one byte", "half", "after"])
def test_a_kill_at_any_call_loses_and_repeats_nothing(crashing: int, taken: int) -> None:
    """P1, P3: the crashed command is repeated, and dies one call later each time."""
    for call in range(CALLS[crashing]):
        story = Story()
        for number, command in enumerate(COMMANDS):
            if number == crashing:
                story.disk.faults[call] = Killed(taken)
                with pytest.raises(Killed):
                    run(story, command)
                story.next_run()
            run(story, command)
            story.next_run()

        check_final(story)
        assert max(Counter(map(identity, story.written)).values()) == 1
        kept = everything(story)
        assert all(record in kept for record in story.written)


@pytest.mark.parametrize("seed", range(300))
def test_power_failures_lose_at_most_what_was_not_synced(seed: int) -> None:
    """P2, P4: they never leave a file that the next run cannot read."""
    rng, story = Random(seed), Story()
    synced: list[bytes] = []
    for command, calls in zip(COMMANDS, CALLS, strict=True):
        for _ in range(rng.randrange(3)):
            story.disk.faults[rng.randrange(calls)] = Killed(rng.choice([0, 30, 10_000]))
            with suppress(Killed):
                run(story, command)
            story.disk = story.disk.after_power_failure(rng)
            assert all(record in everything(story) for record in synced)
        run(story, command)
        story.disk.sync(OUT)
        synced = story.disk.content(OUT).splitlines(keepends=True)
        story.next_run()

    check_final(story)


@pytest.mark.parametrize("seed", range(40))
def test_a_power_failure_may_take_the_first_page_of_the_first_run(seed: int) -> None:
    """Even if no whole record is left, the sidecar tells the next run that the file is headrace's."""
    story = Story(lines=[job_line("a" * 250), job_line("b" * 250)])
    story.send(story.open())
    story.disk = story.disk.after_power_failure(Random(seed))
    story.send(story.open())

    assert sorted(map(str, story.ids())) == ["a" * 250, "b" * 250]
