"""Help, suggestions and shell completion: what the command line says about itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from headrace.cli import COMMANDS, main


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="headrace")


def sections(help_text: str) -> list[str]:
    """The headings of a help page."""
    return re.findall(r"^(\S.*):$", help_text, re.MULTILINE)


def test_help_lists_the_commands_in_the_order_of_a_day_with_an_example() -> None:
    result = headrace("--help")

    assert result.exit_code == 0
    assert sections(result.stdout) == ["Options", "Commands", "Examples"]
    assert re.findall(r"^  (\w+)  ", result.stdout, re.MULTILINE) == [
        "demo",
        "plan",
        "run",
        "verify",
        "simulate",
    ]
    assert "headrace run jobs.jsonl -o results.jsonl" in result.stdout


def test_help_of_run_is_in_sections_and_ends_with_examples() -> None:
    result = headrace("run", "--help")

    assert result.exit_code == 0
    assert sections(result.stdout) == [
        "Input", "Request", "Output", "Resume", "Server", "Pacing", "Limits", "Retries", "Display",
        "Other options", "Examples",
    ]  # fmt: skip
    assert "--timeout SECONDS" in result.stdout
    assert "Timeout per attempt.  [default: 600]" in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith("  headrace run ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = headrace(command, "-h")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: headrace {command} ")


@pytest.mark.parametrize(
    ("arguments", "suggested"),
    [
        (("rnu", "jobs.jsonl"), "'run'"),
        (("run", "jobs.jsonl", "--max-wiat", "5"), "'--max-wait'"),
        (("verify", "jobs.jsonl", "--ouput", "x"), "'--output'"),
    ],
)
def test_a_mistyped_word_is_a_usage_error_that_suggests_the_right_one(
    arguments: tuple[str, ...], suggested: str
) -> None:
    result = headrace(*arguments)

    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert suggested in result.stderr
    assert "--help' for help." in result.stderr


@pytest.mark.parametrize("arguments", [(), ("run",), ("run", "--concurrency", "0", "jobs.jsonl")])
def test_usage_errors_exit_with_2(arguments: tuple[str, ...]) -> None:
    assert headrace(*arguments).exit_code == 2


def complete(shell: str, *words: str) -> list[str]:
    """What a shell is offered for the last of the words."""
    variables = {
        "_HEADRACE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1),
    }
    result = CliRunner().invoke(main, [], prog_name="headrace", env=variables)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_options_and_choices(shell: str) -> None:
    def offered(*words: str) -> str:
        return "\n".join(complete(shell, "headrace", *words))

    assert all(command in offered("") for command in COMMANDS)
    assert "verify" in offered("ver")
    assert "--max-wait" in offered("run", "--max-w")
    assert "fsync" in offered("run", "--durability", "f")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_for_the_startup_file_prints_a_script(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    result = CliRunner().invoke(main, [], prog_name="headrace", env={"_HEADRACE_COMPLETE": f"{shell}_source"})

    assert result.exit_code == 0
    assert f"_HEADRACE_COMPLETE={shell}_complete" in result.stdout


def test_help_does_not_import_the_engine() -> None:
    """It would take twice as long, and completion with it."""
    script = (
        "import sys, headrace.cli.run, headrace.cli.plan, headrace.cli.verify, headrace.cli.simulate;"
        "print([name for name in ('trio', 'httpx', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
