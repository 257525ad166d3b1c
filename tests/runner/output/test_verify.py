"""`headrace verify`: finds every single problem, and none in what a run has written (P13)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from headrace._exceptions import RunRefused
from headrace.cli.verify import verify
from headrace.dialects import make_dialect
from headrace.input.files import InputFile, Inputs
from headrace.output.verification import Verification, identifying_format, verify_output
from headrace.policy.options import RequestOptions
from tests.runner.output.story import ERRORS, OUT, PATHS, RECIPE, Story, job_line, story


def finished() -> Story:
    run = story("a", "b", "c")
    run.lines = [*run.lines, b"{broken\n", job_line("e")]
    run.send(run.open(), failing={"c": "rejected"})
    return run


def verify_story(run: Story) -> Verification:
    return verify_output(run.disk, PATHS, run.inputs(), run.dialect.lines)


@attrs.frozen(kw_only=True)
class Counts:
    """What a verification counts when it finds no problem."""

    jobs: int
    duplicates: int = 0
    results: int
    failures: int = 0
    recipes: int = 1


def counts_of(run: Story) -> Counts:
    found = verify_story(run)
    assert (found.problems, found.problem_count) == ([], 0)
    return Counts(
        jobs=found.jobs,
        duplicates=found.duplicates,
        results=found.results,
        failures=found.failures,
        recipes=found.recipes,
    )


def test_what_a_run_has_written_is_right() -> None:
    assert counts_of(finished()) == Counts(jobs=5, results=3, failures=2)


def test_equal_lines_without_ids_need_a_record_each() -> None:
    run = Story(lines=[b'{"q":"x"}\n'] * 3)
    run.dialect = make_dialect("rows", RequestOptions(prompt="{q}", model="m"))
    run.send(run.open(), most=2)
    assert verify_story(run).problems == ["line 3 of in.jsonl has no record"]
    run.next_run()
    run.send(run.open())

    assert counts_of(run) == Counts(jobs=3, results=3)


def edit(path: Path, change: Callable[[list[bytes]], bytes]) -> Callable[[Story], None]:
    def apply(run: Story) -> None:
        run.disk.put(path, change(run.disk.content(path).splitlines(keepends=True)))

    return apply


def change_line(run: Story) -> None:
    run.lines = [job_line("a", "other"), *run.lines[1:]]


@pytest.mark.parametrize(
    ("spoil", "problems"),
    [
        (edit(OUT, lambda lines: b"".join(lines[1:])), ["line 1 of in.jsonl has no record"]),
        (edit(ERRORS, lambda lines: lines[0]), ["line 4 of in.jsonl has no record"]),
        (edit(ERRORS, lambda lines: lines[1]), ["line 3 of in.jsonl has no record"]),
        (
            edit(OUT, lambda lines: b"".join([*lines, lines[0]])),
            ["out.jsonl, byte AT: 'a' has more than one record"],
        ),
        (
            edit(OUT, lambda lines: b"".join(lines).replace(b'"e"', b'"x"')),
            ["out.jsonl, byte AT: no line of the input has the id 'x'", "line 5 of in.jsonl has no record"],
        ),
        (
            edit(OUT, lambda lines: b"".join(lines).replace(b'"succeeded"', b'"expired"', 1)),
            ["out.jsonl, byte AT: 'a' failed: its record is in the wrong file"],
        ),
        (
            edit(ERRORS, lambda lines: b"".join(lines).replace(b'"errored"', b'"succeeded"', 1)),
            ["out.errors.jsonl, byte AT: 'c' succeeded: its record is in the wrong file"],
        ),
        (edit(OUT, lambda lines: b"".join(lines) + b'{"to'), ["out.jsonl, byte AT: the end is torn"]),
        (edit(OUT, lambda lines: b"".join(lines)[:-1]), ["out.jsonl: the last line has no line feed"]),
        (
            edit(OUT, lambda lines: b"".join([*lines[:2], b"junk\n", lines[2]])),
            [
                "out.jsonl is damaged at byte AT; the rest was not read",
                "line 5 of in.jsonl has no record",
            ],
        ),
        (
            edit(OUT, lambda lines: b"".join([*lines[:2], b"\0\0\n", lines[2]])),
            ["out.jsonl, byte AT: a crash left a gap of 3 bytes"],
        ),
        (
            change_line,
            [
                "out.jsonl, byte 0: 'a' was made from another line: the digest differs",
                "line 1 of in.jsonl has no record",
            ],
        ),
    ],
)
def test_each_thing_that_is_wrong_is_found(spoil: Callable[[Story], None], problems: list[str]) -> None:
    run = finished()
    ends = [0]
    for line in run.disk.content(OUT).splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    spoil(run)
    found = verify_story(run)

    places = [[problem.replace("AT", f"{end:,}") for problem in problems] for end in ends]
    assert found.problems in places
    assert found.problem_count == len(problems)


def test_a_second_recipe_is_counted() -> None:
    run = story("a", "b")
    run.send(run.open(), most=1)
    run.next_run()
    run.recipe = {**RECIPE, "prompt": "other"}
    run.send(run.open(on_change="skip"))

    assert counts_of(run) == Counts(jobs=2, results=2, recipes=2)


def test_later_lines_of_an_id_have_no_record() -> None:
    run = story("a", "b")
    run.send(run.open())
    run.lines = [*run.lines, job_line("a", "again")]
    assert counts_of(run) == Counts(jobs=2, duplicates=1, results=2)
    run.lines = [*run.lines, job_line("c")]

    assert verify_story(run).problems == ["line 4 of in.jsonl has no record"]


def test_later_lines_of_an_id_have_an_error_record_if_they_came_through_a_pipe() -> None:
    run = Story(lines=[job_line("a"), job_line("a", "again"), job_line("b")], piped=True)
    run.send(run.open())
    assert counts_of(run) == Counts(jobs=3, results=2, failures=1)
    run.lines = [run.lines[0], run.lines[2]]

    assert verify_story(run).problems == ["1 records in out.errors.jsonl belong to no line of the input"]


def test_only_the_first_problems_are_named() -> None:
    run = story(*range(50))
    run.open()
    found = verify_story(run)

    assert (found.problem_count, len(found.problems)) == (50, 20)


def test_there_must_be_something_to_verify() -> None:
    with pytest.raises(RunRefused, match=r"out\.jsonl does not exist"):
        verify_story(story("a"))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'{"custom_id":"a","params":{}}', "anthropic"),
        (b'{"custom_id":"a","method":"POST","url":"/v1/x","body":{}}', "openai"),
        (b'{"messages":[]}', "rows"),
        (b'{"q":1}', "rows"),
        (b"no JSON", "rows"),
        (b"", "rows"),
    ],
)
def test_the_format_is_found_without_a_prompt(line: bytes, name: str) -> None:
    """Rows and raw lines have the same ids."""
    assert identifying_format(Story(lines=[line]).inputs(), "auto", None).name == name


def test_a_pipe_cannot_be_verified() -> None:
    inputs = Inputs(files=[InputFile(path=None, size=None)], disk=Story().disk)
    with pytest.raises(RunRefused, match="several times"):
        identifying_format(inputs, "auto", None)


def test_the_command_says_what_is_wrong_and_ends_with_1(tmp_path: Path) -> None:
    run = finished()
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"".join(run.lines))
    output.write_bytes(run.disk.content(OUT))
    arguments = [str(source), "-o", str(output), "--id-field", "id"]
    wrong = CliRunner().invoke(verify, arguments)
    (tmp_path / "out.errors.jsonl").write_bytes(run.disk.content(ERRORS))
    right = CliRunner().invoke(verify, arguments)
    missing = CliRunner().invoke(verify, [str(source), "-o", str(tmp_path / "none")])

    assert wrong.output.splitlines() == [
        f"line 3 of {source} has no record",
        f"line 4 of {source} has no record",
        "5 jobs: 3 results, 0 failed; 2 problems",
    ]
    assert (
        right.output
        == "5 jobs: 3 results, 2 failed; each has exactly one record, complete and made from its line\n"
    )
    assert (wrong.exit_code, right.exit_code, missing.exit_code) == (1, 0, 2)
