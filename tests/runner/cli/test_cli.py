"""The commands as a user meets them: files, messages, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headrace.cli import main

ROWS = "".join(json.dumps({"q": f"question {n}", "gold": n}) + "\n" for n in range(12))
SIMULATED = (
    "--prompt",
    "{q}",
    "--model",
    "m",
    "--max-tokens",
    "20",
    "--simulate",
    "-o",
    "out.jsonl",
    "--progress",
    "none",
)


PROMPTED = ("run", "rows.jsonl", "--prompt", "{q}")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a file of rows, and no key in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "rows.jsonl").write_text(ROWS)
    return tmp_path


def headrace(*arguments: str) -> Result:
    """Call the command line."""
    return CliRunner().invoke(main, list(arguments))


def run(*arguments: str) -> Result:
    """`headrace run rows.jsonl` on the simulator, with more arguments."""
    return headrace("run", "rows.jsonl", *SIMULATED, *arguments)


def records(path: str = "out.jsonl") -> list[dict[str, Any]]:
    """The records of a file."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_run_prints_counts_that_add_up_and_where_the_files_are() -> None:
    result = run("--summary-json", "summary.json")

    summary = json.loads(Path("summary.json").read_text())
    assert result.exit_code == 0, result.output
    assert len(records()) == summary["results"] == summary["input"] == 12
    assert summary["results"] + summary["failed"] + summary["not_started"] == summary["input"]
    assert "out.jsonl" in result.stdout
    assert "input                  12" in result.stdout


def test_the_same_command_again_has_nothing_to_send() -> None:
    run()
    result = run()

    assert result.exit_code == 0
    assert "12 done, 0 to send" in result.stderr
    assert "(12 from earlier runs)" in result.stdout


def test_a_prompt_without_a_field_is_reported() -> None:
    """An unclosed brace is literal text: every row would be billed for the same question."""
    mistyped = headrace("run", "rows.jsonl", *("--prompt", "{q"), *SIMULATED[2:])
    correct = headrace("run", "rows.jsonl", *SIMULATED, "--restart")

    notice = "headrace: the prompt contains no {field} of the row: every row gets the same request"
    assert notice in mistyped.stderr
    assert notice not in correct.stderr


def test_quiet_says_nothing() -> None:
    assert run("-q").output == ""


def test_progress_as_json_is_a_snapshot_a_line() -> None:
    result = run("--progress", "json", "-c", "1")

    lines = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    assert lines
    assert {"elapsed_s", "results", "in_flight", "rate_limited"} <= lines[0].keys()


def test_standard_input_needs_an_output() -> None:
    refused = headrace("run", "-", "--prompt", "{q}", "--model", "m", "--simulate")
    assert refused.exit_code == 2
    assert "-o FILE" in refused.stderr


def test_standard_input_cannot_be_ordered() -> None:
    command = ["run", "-", "--ordered", *SIMULATED]
    refused = CliRunner().invoke(main, command, input=ROWS)

    assert refused.exit_code == 2
    assert "--ordered" in refused.stderr
    assert not Path("out.jsonl").exists()


def test_standard_input_is_an_input() -> None:
    command = [sys.executable, "-m", "headrace", "run", "-", *SIMULATED]
    done = subprocess.run(command, input=ROWS.encode(), capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(records()) == 12


def test_several_files_are_one_input_and_records_name_their_file(workplace: Path) -> None:
    (workplace / "more.jsonl").write_text('{"q": "one more"}\n')
    result = headrace("run", "rows.jsonl", "more.jsonl", *SIMULATED)

    assert result.exit_code == 0
    assert {(record["headrace"]["source"], record["headrace"]["line"]) for record in records()} >= {
        ("rows.jsonl", 1),
        ("more.jsonl", 1),
    }


def test_dry_run_shows_the_first_request_and_sends_nothing() -> None:
    result = run("--dry-run")

    assert result.exit_code == 0
    assert '"content": "question 0"' in result.stdout
    assert "jobs          12" in result.stdout
    assert "output tokens at most 240" in result.stdout
    assert not Path("out.jsonl").exists()


def test_dry_run_counts_with_the_price_list_that_is_given(workplace: Path) -> None:
    (workplace / "prices.toml").write_text(
        'as_of = "2025-10-01"\ncurrency = "EUR"\n[models]\nm = { input = 0.0, output = 1_000_000.0 }\n'
    )
    result = run("--dry-run", "--prices", "prices.toml")

    assert "cost          at most about 240.00 EUR (prices of 2025-10-01)" in result.stdout


def test_dry_run_does_not_show_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-very-secret")
    result = headrace(*PROMPTED, "--model", "m", "--dry-run")

    assert "x-api-key: (secret)" in result.stdout
    assert "sk-very-secret" not in result.output


def test_texts_from_files_and_settings_reach_the_body(workplace: Path) -> None:
    (workplace / "prompt.txt").write_text("Q: {q}")
    (workplace / "system.txt").write_text("Be brief.")
    result = headrace(
        "run", "rows.jsonl", "--prompt-file", "prompt.txt", "--system-file", "system.txt", "--model", "m",
        "--set", "temperature=0.5", "--set", 'stop_sequences=["END"]', "--simulate", "--dry-run",
    )  # fmt: skip

    shown = result.stdout
    body = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])
    assert body["system"] == "Be brief."
    assert body["messages"][0]["content"] == "Q: question 0"
    assert (body["temperature"], body["stop_sequences"]) == (0.5, ["END"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "missing.jsonl", "--simulate"), "missing.jsonl"),
        (("run", ".", "--simulate"), "is a directory"),
        (("run", "rows.jsonl", "--simulate"), "--prompt"),
        (("run", "rows.jsonl", "--prompt", "{nope}", "--model", "m", "--simulate"), "'nope'"),
        ((*PROMPTED, "--simulate"), "--model"),
        ((*PROMPTED, "--model", "m"), "ANTHROPIC_API_KEY"),
        ((*PROMPTED, "--input-format", "anthropic", "--simulate"), "--prompt does not apply to"),
        (("run", "rows.jsonl", *SIMULATED[:7], "-o", "."), "directory"),
        (("run", "rows.jsonl", *SIMULATED[:7], "-o", "no/such/folder/out.jsonl"), "no/such/folder"),
        (("run", "rows.jsonl", *SIMULATED, "--set", "temperature"), "--set"),
        (("run", "rows.jsonl", *SIMULATED, "--max-failures", "some"), "--max-failures"),
        ((*PROMPTED, "--model", "m", "-H", "x y: z", "--no-auth"), "-H"),
        ((*PROMPTED, "--model", "m", "--base-url", "ftp://x", "--no-auth"), "the base URL"),
        ((*PROMPTED, "--prompt-file", "rows.jsonl", "--simulate"), "--prompt-file"),
        (("run", "rows.jsonl", *SIMULATED, "--input-format", "bedrock"), "bedrock"),
        (("run", "rows.jsonl", *SIMULATED, "--set", "=1"), "the key is missing"),
        (("run", "rows.jsonl", *SIMULATED, "--max-line", "5"), "longer than --max-line allows"),
        (("run", "rows.jsonl", *SIMULATED, "--timeout", "0"), "--timeout"),
        (("run", "rows.jsonl", *SIMULATED, "--grace", "nan"), "must be at least 0"),
        (("run", "rows.jsonl", *SIMULATED, "--rpm", "NaN"), "must be above 0"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    result = headrace(*arguments)

    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert not Path("out.jsonl").exists()


def test_a_key_file_is_read_and_a_bad_one_named(workplace: Path) -> None:
    (workplace / "key").write_text("two words\n")
    result = headrace(*PROMPTED, "--model", "m", "--api-key-file", "key")

    assert result.exit_code == 2
    assert "key contains characters that no API key has" in result.stderr
    assert "two words" not in result.output


def test_an_output_of_other_input_is_refused(workplace: Path) -> None:
    (workplace / "other.jsonl").write_text('{"q": "something else"}\n')
    headrace("run", "other.jsonl", *SIMULATED)
    before = Path("out.jsonl").read_bytes()

    result = run()

    assert result.exit_code == 2
    assert Path("out.jsonl").read_bytes() == before


def test_real_answers_never_mix_with_simulated_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-1")
    real = [argument for argument in SIMULATED if argument != "--simulate"]
    result = headrace("run", "rows.jsonl", *real)

    assert result.exit_code == 2
    assert "simulated" in result.stderr


def test_the_demo_runs_and_the_second_time_has_nothing_to_do() -> None:
    first, second = headrace("demo"), headrace("demo")

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert len(records("headrace-demo/results.jsonl")) == 100
    assert "100 done, 0 to send" in second.stderr


def test_a_line_longer_than_allowed_is_reported_with_the_option_that_allows_it(workplace: Path) -> None:
    """P12: its neighbours run, and verify finds its record."""
    (workplace / "rows.jsonl").write_text(json.dumps({"q": "?" * 500}) + "\n" + ROWS)

    result = run("--max-line", "200")
    (failed,) = records("out.errors.jsonl")
    verified = headrace("verify", "rows.jsonl", "-o", "out.jsonl", "--max-line", "200")
    raised = run("--max-line", "1000")

    assert (result.exit_code, verified.exit_code, raised.exit_code) == (1, 0, 0)
    assert "longer than --max-line allows" in str(failed["result"])
    assert len(records()) == 13
