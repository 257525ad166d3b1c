"""`headrace plan` and `headrace simulate`, called in process."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner, Result

from headrace.cli import main
from headrace.simulator import Simulator

ROWS = "".join(json.dumps({"q": f"question {n}"}) + "\n" for n in range(120))
PROMPTED = ("--prompt", "{q}", "--model", "claude-sonnet-4-5", "--max-tokens", "100")
PRICES = """
as_of = "2025-10-01"
currency = "EUR"
[models."claude-sonnet-4-5"]
input = 0.0
output = 1_000_000.0
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text(ROWS)
    return tmp_path


def headrace(*arguments: str, piped: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="headrace", input=piped)


def test_a_plan_says_what_a_run_will_take_and_writes_nothing(workplace: Path) -> None:
    result = headrace("plan", "rows.jsonl", *PROMPTED, "--rpm", "60", "--output-tokens", "50")

    assert result.exit_code == 0, result.output
    assert "jobs          120\n" in result.stdout
    assert "time          about 2 min" in result.stdout
    assert "output tokens about 6,000\n" in result.stdout
    assert "USD (prices of" in result.stdout
    assert "bottleneck    requests" in result.stdout
    assert result.stdout.endswith("nothing was sent\n")
    assert [path.name for path in workplace.iterdir()] == ["rows.jsonl"]


def test_a_plan_uses_the_assumptions_it_is_given(workplace: Path) -> None:
    (workplace / "prices.toml").write_text(PRICES)
    result = headrace(
        "plan", "rows.jsonl", *PROMPTED, "-c", "1", "--latency", "9", "--tokens-per-second", "10",
        "--output-tokens", "10", "--prices", "prices.toml", "--first", "6",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "jobs          6\n" in result.stdout
    assert "time          about 1 min " in result.stdout  # six answers, one at a time
    assert "cost          about 60.00 EUR (prices of 2025-10-01)" in result.stdout
    assert "in flight     at most 1\n" in result.stdout


def test_a_plan_counts_lines_that_cannot_be_parsed_and_models_without_a_price(workplace: Path) -> None:
    (workplace / "mixed.jsonl").write_text('{"q": "one"}\nnot JSON\n')
    result = headrace("plan", "mixed.jsonl", "--prompt", "{q}", "--model", "mine", "--max-tokens", "9")

    assert result.exit_code == 0, result.output
    assert "jobs          1   (1 lines cannot be parsed)" in result.stdout
    assert "supply a price list with --prices FILE" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-", *PROMPTED), "give it a regular file"),
        (("rows.jsonl",), "--prompt"),
        (("rows.jsonl", *PROMPTED, "--output-tokens", "9-3"), "neither a number nor a range"),
        (("rows.jsonl", *PROMPTED, "--burst", "0"), "'--burst': must be above 0"),
        (("rows.jsonl", *PROMPTED, "--prices", "rows.jsonl"), "rows.jsonl"),
        (("missing.jsonl", *PROMPTED), "missing.jsonl"),
    ],
)
def test_a_plan_that_cannot_be_made_exits_with_2(arguments: tuple[str, ...], says: str) -> None:
    result = headrace("plan", *arguments, piped=ROWS)

    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output


# -- simulate

BODY = json.dumps({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]})


async def ask(app: Simulator) -> int:
    """Send one request; return the status."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY.encode(), "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"x-api-key", b"any"), (b"anthropic-version", b"2023-06-01")]
    await app({"type": "http", "method": "POST", "path": "/v1/messages", "headers": headers}, receive, send)
    return statuses[0]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """In place of a port: two requests, whose statuses are returned, and then Ctrl-C."""
    statuses: list[int] = []

    async def serve(
        app: Simulator,
        host: str,
        port: int,
        *,
        until: Callable[[], Awaitable[None]],
        task_status: trio.TaskStatus[int],
    ) -> None:
        task_status.started(port)
        statuses.extend([await ask(app), await ask(app)])
        os.kill(os.getpid(), signal.SIGINT)
        await until()

    monkeypatch.setattr("headrace.simulator.serve", serve)
    return statuses


def test_a_simulator_says_where_it_is_and_what_it_has_served(workplace: Path, served: list[int]) -> None:
    result = headrace(
        "simulate", "--port", "8123", "--rpm", "60", "--burst", "1", "--ttft", "0", "--log", "log.jsonl"
    )

    assert result.exit_code == 0, result.output
    assert served == [200, 429]
    assert result.stdout.startswith(
        "simulator on http://127.0.0.1:8123 (60 requests, 240,000,000 input tokens"
    )
    assert result.stderr == "served 2 requests: 1 x 200, 1 x 429\n"
    assert len((workplace / "log.jsonl").read_text().splitlines()) == 2


def test_a_simulator_fails_as_often_as_it_is_asked_to(served: list[int]) -> None:
    result = headrace("simulate", "--host", "::1", "--error-rate", "529=1")

    assert served == [529, 529]
    assert "simulator on http://[::1]:8787" in result.stdout


def test_a_simulator_rejects_other_keys_and_models(served: list[int]) -> None:
    headrace("simulate", "--require-key", "good")
    headrace("simulate", "--model", "other")

    assert served == [401, 401, 404, 404]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--error-rate", "529"), "does not look like 529=0.1"),
        (("--error-rate", "nonsense=0.1"), "nonsense"),
        (("--output-tokens", "none"), "neither a number nor a range"),
        (("--ttft", "-1"), "must be at least 0"),
        (("--spend-cap", "0"), "must be at least 1"),
        (("--log", "no/such/folder/log.jsonl"), "no/such/folder"),
    ],
)
def test_a_simulator_that_cannot_be_made_exits_with_2(arguments: tuple[str, ...], says: str) -> None:
    result = headrace("simulate", *arguments)

    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert "Traceback" not in result.output


def test_a_port_that_is_taken_is_a_usage_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = headrace("simulate", "--port", str(taken.getsockname()[1]))

    assert result.exit_code == 2
    assert "in use" in result.stderr
