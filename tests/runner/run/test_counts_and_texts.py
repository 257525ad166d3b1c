"""Counts and texts: what a run reports by number, and the server's own words where it reports a failure.

The counts: maybe billed, cut off, refused by the model, refused answers, usage unknown, failures by kind. The
texts: the server's error object in the record, and its message before our own words.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from trio.testing import MockClock

from headrace.job import FailureKind
from headrace.policy.options import RequestOptions
from headrace.policy.stop import ExitCode
from headrace.run.summary import Summary, as_builtins, as_text
from headrace.simulator._asgi import App, Receive, Scope, Send, read_body
from tests.runner.program import ERRORS, jobs, new_disk, records, run

pytestmark = pytest.mark.trio

Answer = tuple[int, dict[str, Any]]
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
TOO_LONG: dict[str, Any] = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "prompt is too long", "param": "messages"},
}
ANSWERS: dict[int, list[Answer]] = {
    0: [(200, MESSAGE)],
    1: [(200, {**MESSAGE, "stop_reason": "max_tokens"})],
    2: [(200, {**MESSAGE, "stop_reason": "refusal"})],
    3: [(200, {**MESSAGE, "usage": None})],
    4: [(504, {"error": {"message": "the upstream server timed out"}}), (200, MESSAGE)],
    5: [(200, {**MESSAGE, "stop_reason": None})],
    6: [(400, TOO_LONG)],
    7: [(403, {"type": "error", "error": {"type": "permission_error", "message": "not this model"}})],
}
"""By job: what the server answers to its attempts; the last one again after that."""


def scripted(answers: dict[int, list[Answer]]) -> App:
    """A server that answers the attempts of each job in turn."""
    attempts: dict[int, int] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = json.loads(await read_body(receive, 1_000_000))
        job = int(body["messages"][0]["content"].split()[1])
        attempt = attempts[job] = attempts.get(job, -1) + 1
        status, answer = answers[job][min(attempt, len(answers[job]) - 1)]
        headers = [(b"content-type", b"application/json"), (b"request-id", b"req_%d" % job)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return app


async def summary_of(
    answers: dict[int, list[Answer]], **options: Any
) -> tuple[Summary, list[dict[str, Any]]]:
    """The outcome of a run of these jobs, and its error records."""
    disk = new_disk(jobs(len(answers)))
    summary = await run(disk, scripted(answers), max_attempts=2, **options)
    return summary, records(disk, ERRORS)


async def test_every_kind_of_answer_is_counted(autojump_clock: MockClock) -> None:
    summary, _ = await summary_of(ANSWERS)
    run = summary.run
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert (summary.results, summary.failed) == (5, 3)
    assert (run.truncated, run.refusals, run.usage_unknown) == (1, 1, 1)
    assert run.refused_answers == 2  # two attempts of job 5
    assert run.maybe_billed == 3  # these two, and the 504
    kinds: dict[FailureKind, int] = {"invalid_response": 1, "rejected": 1, "credentials": 1}
    assert run.failures == kinds


async def test_the_counts_stand_in_the_text_and_in_the_json(autojump_clock: MockClock) -> None:
    summary, _ = await summary_of(ANSWERS)
    text, values = as_text(summary), as_builtins(summary)["run"]
    for words in ("maybe billed 3", "max_tokens 1", "refusals 1", "unknown for 1 answer", "rejected 1"):
        assert words in text
    assert isinstance(values, dict)
    for name in ("maybe_billed", "truncated", "refusals", "usage_unknown", "refused_answers", "failures"):
        assert name in values


async def test_a_run_without_incidents_does_not_mention_them(autojump_clock: MockClock) -> None:
    summary, _ = await summary_of({0: [(200, MESSAGE)]})
    text = as_text(summary)
    assert "maybe billed 0" in text
    for words in ("max_tokens", "refusals", "refused", "unknown"):
        assert words not in text


async def test_the_record_holds_the_error_object_of_the_server(autojump_clock: MockClock) -> None:
    _, errors = await summary_of(ANSWERS)
    result = next(record["result"] for record in errors if record["custom_id"] == "job-6")
    assert result["error"]["error"] == TOO_LONG["error"]


@pytest.mark.parametrize(
    "error",
    [
        {
            "error": {
                "message": "no such field: x",
                "type": "invalid_request_error",
                "param": "x",
                "code": None,
            }
        },
        {"error": "no such field: x"},
        {"detail": [{"loc": ["body", "x"], "msg": "no such field: x"}]},
    ],
    ids=["object", "text", "list"],
)
async def test_the_record_of_the_other_format_holds_it_too(
    autojump_clock: MockClock, error: dict[str, Any]
) -> None:
    request = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "question 0"}]}
    line = {"custom_id": "job-0", "method": "POST", "url": "/v1/chat/completions", "body": request}
    disk = new_disk(json.dumps(line).encode() + b"\n")
    await run(disk, scripted({0: [(400, error)]}), request=RequestOptions())
    [record] = records(disk, ERRORS)
    assert record["response"]["status_code"] == 400
    assert record["response"]["body"] == error


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        ((401, {"type": "error", "error": {"message": "invalid x-api-key"}}), "invalid x-api-key"),
        ((402, {"error": {"message": "Insufficient Balance"}}), "Insufficient Balance"),
        ((200, {"error": {"code": 401, "message": "no such key"}}), "no such key"),
        ((429, {"error": {"message": "come back tomorrow"}}), "come back tomorrow"),
    ],
    ids=["credentials", "no credit", "inside a 200", "rate limit"],
)
async def test_a_reason_to_stop_begins_with_what_the_server_said(
    autojump_clock: MockClock, answer: Answer, quoted: str
) -> None:
    summary, _ = await summary_of({0: [answer]}, max_wait=0)
    assert summary.reason is not None
    message = summary.reason.message
    assert re.match(rf"(the server said \")?\d+[ a-z_]*: {quoted}", message)
