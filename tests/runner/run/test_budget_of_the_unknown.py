"""Whole runs under a budget of the unknown: it ends, and nothing without a maximum cost is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from headrace._exceptions import RunRefused
from headrace.cli._display import plain_line
from headrace.dialects import make_dialect
from headrace.output.sidecar import read_sidecar, write_sidecar
from headrace.policy.options import RequestOptions, RunOptions
from headrace.policy.prices import Price, PriceList
from headrace.policy.stop import ExitCode
from headrace.run.assumptions import Assumptions
from headrace.run.dry_run import forecast
from headrace.run.plan import as_text as plan_text
from headrace.run.plan import make_plan
from headrace.run.summary import as_builtins, as_text
from headrace.simulator._asgi import Receive, Scope, Send, read_body
from tests.runner import program
from tests.runner.disk import SimulatedDisk

PRICE = Price(input=1e-3, output=1.0, cache_read=1e-3, cache_creation=1e-3)
PRICES = PriceList(as_of="2026-11-01", currency="USD", models={"m": PRICE})
SIDECAR = Path("/out/results.jsonl.headrace")
DATA = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}


@attrs.define
class Server:
    """Gives every request the same answer."""

    body: dict[str, Any]
    status: int = 200
    requests: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive, 1_000_000)
        self.requests += 1
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(self.body).encode()})


def completion(usage: object, **more: object) -> dict[str, Any]:
    body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [CHOICE], "usage": usage}
    return {**body, **more}


def message(usage: object) -> dict[str, Any]:
    content = [{"type": "text", "text": "Hi"}]
    return {"id": "m", "type": "message", "content": content, "stop_reason": "end_turn", "usage": usage}


def line(number: int, url: str = "/v1/chat/completions", **body: object) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}], **body}
    job = {"custom_id": f"job-{number}", "method": "POST", "url": url, "body": body}
    return json.dumps(job).encode() + b"\n"


def lines(count: int, **body: Any) -> SimulatedDisk:
    return program.new_disk(b"".join(line(number, **body) for number in range(count)))


NO_USAGE: list[object] = [
    None,
    [],
    {},
    "?",
    {"prompt_tokens": -1, "completion_tokens": -5},
    {"completion_tokens": "many"},
]
ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.trio
@pytest.mark.parametrize("usage", [*NO_USAGE, ZEROS])
async def test_a_server_that_reports_no_usage_ends_the_budget(usage: object, autojump_clock: object) -> None:
    """Each answer costs its 16 tokens: three of them fit into 50."""
    disk, server = lines(60, max_tokens=16), Server(completion(usage))

    summary = await program.run(disk, server, max_cost=50, prices=PRICES)

    assert (summary.exit_code, summary.results, server.requests) == (ExitCode.STOPPED, 3, 3)
    assert summary.run.cost is not None
    assert 48 <= summary.run.cost <= 50
    assert summary.reason is not None
    assert "Raise --max-cost" in summary.reason.message


@pytest.mark.trio
@pytest.mark.parametrize("usage", [None, {"input_tokens": None, "output_tokens": -3}])
async def test_the_same_holds_for_messages(usage: object, autojump_clock: object) -> None:
    disk, server = program.new_disk(program.jobs(60, max_tokens=16)), Server(message(usage))

    summary = await program.run(disk, server, max_cost=50, prices=PRICES)

    assert (summary.exit_code, summary.results, server.requests) == (ExitCode.STOPPED, 3, 3)


@pytest.mark.trio
@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"max_tokens": 16, "n": 3}, 1),
        ({"max_tokens": 4, "best_of": 4}, 3),
        ({"max_completion_tokens": 16}, 3),
        ({"max_tokens": 16, "service_tier": "priority"}, 1),
        ({"max_tokens": 16, "service_tier": "flex"}, 3),
    ],
)
async def test_the_maximum_covers_every_choice_and_the_tier(
    body: dict[str, Any], sent: int, autojump_clock: object
) -> None:
    server = Server(completion(None))

    summary = await program.run(lines(60, **body), server, max_cost=50, prices=PRICES)

    assert (summary.exit_code, server.requests) == (ExitCode.STOPPED, sent)


@pytest.mark.trio
async def test_an_answer_is_paid_at_the_price_of_the_tier_that_served_it(autojump_clock: object) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 10}
    flex, standard = Server(completion(usage, service_tier="flex")), Server(completion(usage))

    half = await program.run(lines(4, max_tokens=16), flex, max_cost=1000, prices=PRICES)
    whole = await program.run(lines(4, max_tokens=16), standard, max_cost=1000, prices=PRICES)

    assert half.run.cost == pytest.approx(4 * 5.0005)
    assert whole.run.cost == pytest.approx(4 * 10.001)


@pytest.mark.trio
async def test_attempts_that_may_have_been_billed_count_every_choice(autojump_clock: object) -> None:
    server = Server({"error": "bad gateway"}, status=502)

    summary = await program.run(
        lines(60, max_tokens=4, n=4), server, max_cost=50, prices=PRICES, concurrency=1
    )

    assert summary.exit_code == ExitCode.STOPPED
    assert server.requests == 3
    assert summary.run.cost == pytest.approx(48, abs=1)


@pytest.mark.trio
@pytest.mark.parametrize("killed", [False, True])
async def test_a_later_run_counts_the_unknown_as_this_one_did(killed: bool, autojump_clock: object) -> None:
    disk, server = lines(60, max_tokens=16), Server(completion(None))
    first = await program.run(disk, server, max_cost=50, prices=PRICES)
    if killed:  # the sum was not saved: what is spent follows from the records alone
        kept = read_sidecar(disk.content(SIDECAR))
        disk.put(SIDECAR, write_sidecar(msgspec.structs.replace(kept, spent=0.0)))
    second = await program.run(disk, server, max_cost=50, prices=PRICES)
    third = await program.run(disk, server, max_cost=100, prices=PRICES)

    assert (first.results, second.results, third.results) == (3, 3, 6)
    assert second.run.cost == pytest.approx(first.run.cost)
    note = program.records(disk)[0]["headrace"]
    sent = json.loads(line(0, max_tokens=16))["body"]
    assert note["unreported_tokens"] == [len(json.dumps(sent)), 16]


@pytest.mark.trio
async def test_a_known_usage_leaves_no_note(autojump_clock: object) -> None:
    disk = lines(1, max_tokens=16)
    await program.run(disk, Server(completion({"prompt_tokens": 5, "completion_tokens": 2})))

    assert "unreported_tokens" not in program.records(disk)[0]["headrace"]


# -- jobs without a maximum


UNLIMITED: list[tuple[str, dict[str, object], str]] = [
    ("/v1/chat/completions", {}, "use --set max_tokens=NUMBER"),
    ("/v1/chat/completions", {"max_tokens": None}, "use --set max_tokens=NUMBER"),
    ("/v1/chat/completions", {"max_tokens": 0}, "use --set max_tokens=NUMBER"),
    ("/v1/chat/completions", {"max_tokens": -1}, "use --set max_tokens=NUMBER"),
    ("/v1/completions", {"prompt": "Hi"}, "use --set max_tokens=NUMBER"),
    ("/v1/responses", {"max_tokens": 16}, "use --set max_output_tokens=NUMBER"),
    ("/v1/chat/completions", {"max_tokens": 16, "model": "new"}, "no price for model 'new'"),
]


@pytest.mark.trio
@pytest.mark.parametrize(("url", "body", "says"), UNLIMITED)
async def test_a_job_without_a_maximum_cost_is_refused_with_its_line_before_anything_is_sent(
    url: str, body: dict[str, object], says: str, autojump_clock: object
) -> None:
    text = line(1, max_tokens=16) + b"\n" + b"no job\n" + line(2, url, **body) + line(3)
    disk, server = program.new_disk(text), Server(completion(None))

    with pytest.raises(RunRefused) as refused:
        await program.run(disk, server, max_cost=50, prices=PRICES)

    assert str(refused.value).startswith(f"line 4 of {program.INPUT}: --max-cost: ")
    assert says in str(refused.value)
    assert server.requests == 0
    assert program.OUTPUT not in disk.platters.files
    assert SIDECAR not in disk.platters.files


@pytest.mark.trio
async def test_what_the_refusal_proposes_helps(autojump_clock: object) -> None:
    disk, server = lines(3), Server(completion({"prompt_tokens": 5, "completion_tokens": 2}))
    with pytest.raises(RunRefused, match="use --set max_tokens=NUMBER"):
        await program.run(disk, server, max_cost=50, prices=PRICES)

    request = RequestOptions(set={"max_tokens": 16})
    summary = await program.run(disk, server, max_cost=50, prices=PRICES, request=request)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 3)


@pytest.mark.trio
async def test_without_a_budget_no_limit_is_required(autojump_clock: object) -> None:
    server = Server(completion(None))

    summary = await program.run(lines(3), server)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 3)


@pytest.mark.trio
async def test_embeddings_need_no_limit(autojump_clock: object) -> None:
    body: dict[str, Any] = {
        "object": "list",
        "data": DATA,
        "model": "m",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    disk = program.new_disk(b"".join(line(number, "/v1/embeddings", input="x") for number in range(3)))

    summary = await program.run(disk, Server(body), max_cost=50, prices=PRICES)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 3)
    assert summary.run.cost == pytest.approx(3 * 5e-3)
    assert summary.run.usage_unknown == 0


def test_from_a_pipe_it_becomes_the_error_record_of_its_line(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('as_of = "2026-11-01"\n[models.m]\ninput = 1.0\noutput = 1.0\n')
    text = line(1, max_tokens=16) + line(2) + line(3, max_tokens=16, model="new") + line(4, max_tokens=16)
    arguments = ["-", "-o", "out.jsonl", "--simulate", "--progress", "none", "--max-cost", "5"]

    first = _headrace(tmp_path, text, *arguments, "--prices", str(prices))

    assert first.returncode == ExitCode.SOME_FAILED, first.stderr
    errors = [json.loads(text) for text in (tmp_path / "out.errors.jsonl").read_bytes().splitlines()]
    assert [error["custom_id"] for error in errors] == ["job-2", "job-3"]
    assert [error["headrace"]["failed"] for error in errors] == ["bad_line", "bad_line"]
    messages = [error["error"]["message"] for error in errors]
    assert messages[0].startswith("line 2: --max-cost: nothing limits the output")
    assert messages[1].startswith("line 3: --max-cost: no price for model 'new'")

    prices.write_text(prices.read_text() + "[models.new]\ninput = 1.0\noutput = 1.0\n")
    text = text.replace(line(2), line(2, max_tokens=16))
    again = _headrace(tmp_path, text, *arguments, "--prices", str(prices))

    assert again.returncode == ExitCode.ALL_RESULTS, again.stderr


def _headrace(folder: Path, text: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "headrace", "run", *arguments],
        cwd=folder,
        input=text,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        timeout=120,
    )


# -- what is shown before anything is sent


def test_a_plan_and_a_dry_run_show_the_maximum_of_every_choice() -> None:
    text = line(1, max_tokens=16, n=3) + line(2, max_tokens=16)
    disk = program.new_disk(text)
    options = RunOptions.of(program.INPUT, simulate=True)
    planned = make_plan(options, program.inputs_of(disk, options.input), Assumptions(output_tokens=(10, 10)))
    total = forecast(program.inputs_of(disk, options.input), make_dialect("openai", options.request))

    assert planned.run.usage.output == 2 * 10 * (3 + 1) / 2
    assert "at most       64 output tokens\n" in plan_text(planned)
    assert total.max_tokens == 64


# -- counts


@pytest.mark.trio
async def test_answers_without_usage_are_counted_and_what_is_known_is_added_up(
    autojump_clock: object,
) -> None:
    server = Server(completion({"prompt_tokens": 5, "completion_tokens": "?"}))

    summary = await program.run(lines(3, max_tokens=16), server)

    assert "tokens       in 15   out 0   usage unknown for 3 answers" in as_text(summary)
    run = as_builtins(summary)["run"]
    assert isinstance(run, dict)
    assert (run["usage_unknown"], run["input_tokens"], run["output_tokens"]) == (3, 15, 0)


@pytest.mark.trio
async def test_refused_answers_are_counted(autojump_clock: object) -> None:
    server = Server(completion(None, choices=[{**CHOICE, "finish_reason": None}]))

    summary = await program.run(lines(2, max_tokens=16), server, max_attempts=2)

    assert (summary.run.refused_answers, summary.run.maybe_billed) == (4, 4)
    assert "refused answers 4" in as_text(summary)


@pytest.mark.trio
async def test_the_progress_shows_what_is_not_as_it_should_be(autojump_clock: object) -> None:
    odd = completion(None, choices=[{**CHOICE, "finish_reason": "length"}])
    cut = await program.run(lines(2, max_tokens=16), Server(odd))
    refused = await program.run(
        lines(2, max_tokens=16),
        Server(completion(None, choices=[{**CHOICE, "finish_reason": None}])),
        max_attempts=1,
    )

    assert plain_line(cut.run, None).endswith(", 2 cut at max_tokens, 2 without usage")
    assert plain_line(refused.run, None).endswith(
        ", 2 failed (invalid_response 2), 2 maybe billed, 2 refused answers"
    )
