"""The commands in README.md, in the justfile and in CI run the same tests."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_the_test_command_of_the_readme() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    commands = [line for line in lines if line.startswith("python3 -m venv") and "pytest" in line]

    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci/run").read_text().splitlines()


def test_just_test_runs_the_tests_of_the_readme() -> None:
    readme, justfile = ((ROOT / name).read_text() for name in ("README.md", "justfile"))
    pytest = readme.partition(".venv/bin/pytest ")[2].partition("\n")[0]

    assert f'    {{{{bin}}}}/pytest {pytest} "$@"\n' in justfile
