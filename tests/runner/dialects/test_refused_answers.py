"""A 2xx answer that is refused all the same stays whole in its error record: it has been paid for (P22)."""

from __future__ import annotations

import json

import pytest
from trio.testing import MockClock

from headrace.actors.messages import Pending
from headrace.dialects import read_identity, read_result, redact
from headrace.job import Failure
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE
from headrace.simulator._asgi import Receive, Scope, Send
from tests.runner.program import ERRORS, jobs, new_disk, records, run
from tests.runner.program import KEY as RUN_KEY

from .samples import MESSAGE, NOTE, answer, dialect, job, line

NAMES = ["anthropic", "openai"]
KEY = "sk-canary-0123456789"
LINE = line({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}})


def record(name: str, failure: Failure) -> bytes:
    text = dialect(name).failure_record("a-1", failure, NOTE)
    assert text.endswith(b"\n")
    assert len(text.decode().splitlines()) == 1
    return text


def refused(answer: bytes | None) -> Failure:
    return Failure(kind="invalid_response", message="no", status=200, answer=answer)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [b'{"choices":[]}', b'"<html>Sign in</html>"', b"[1]", b"null"])
def test_a_record_keeps_the_refused_answer_and_is_read_back_with_it(name: str, answer: bytes) -> None:
    text = record(name, refused(answer))

    assert json.loads(text)["headrace"]["refused_answer"] == json.loads(answer)
    assert not read_identity(text).succeeded
    outcome = read_result(text).outcome
    assert isinstance(outcome, Failure)
    assert outcome.answer == answer


@pytest.mark.parametrize("name", NAMES)
def test_a_record_without_a_refused_answer_has_no_key_for_it(name: str) -> None:
    assert "refused_answer" not in json.loads(record(name, refused(None)))["headrace"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [f'{{"a":"{KEY}"}}', f'"the key {KEY}"'])
def test_a_refused_answer_is_free_of_secrets(name: str, answer: str) -> None:
    text = record(name, redact(refused(answer.encode()), [KEY]))

    assert KEY.encode() not in text
    assert b"[redacted]" in text


def test_a_secret_outside_a_string_does_not_break_the_record() -> None:
    text = record("openai", redact(refused(b'{"n":12345678}'), ["12345678"]))

    assert json.loads(text)["headrace"]["refused_answer"] == '{"n":[redacted]}'


def test_the_last_refused_answer_of_a_job_outlives_later_failures() -> None:
    pending = Pending(job=job("openai", LINE), read_at=0.0)
    lost = Failure(kind="timeout", message="late")
    for failure in (refused(b"1"), refused(b"2"), lost, refused(None)):
        pending = pending.counted(failure, NO_UNCONFIRMED_USAGE)

    assert pending.recorded(lost).answer == b"2"
    assert pending.recorded(refused(b"3")).answer == b"3"


PAID = {**MESSAGE, "content": [{"type": "text", "text": "long " * 2000 + "the end"}], "stop_reason": None}


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (PAID, PAID),
        (b"<html>Sign in</html>", "<html>Sign in</html>"),
        (json.dumps({**PAID, "x": float("nan")}).encode(), {**PAID, "x": None}),
        (b"\xff half an answer", "\ufffd half an answer"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, '{"a":' * 300 + "1" + "}" * 300),
        (b"null", None),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_is_kept_whole(name: str, body: object, kept: object) -> None:
    outcome = dialect(name).judge(answer(200, body))

    assert isinstance(outcome, Failure)
    assert json.loads(record(name, outcome))["headrace"]["refused_answer"] == kept


def test_of_nothing_there_is_nothing_to_keep() -> None:
    outcome = dialect("openai").judge(answer(200, b" \r\n"))

    assert isinstance(outcome, Failure)
    assert outcome.answer is None


@pytest.mark.trio
async def test_a_run_keeps_the_last_refused_answer_of_each_job(autojump_clock: MockClock) -> None:
    """The first attempt is answered and refused, the others fail in another way."""
    seen = 0

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal seen
        seen += 1
        content = [{"type": "text", "text": f"paid, with {RUN_KEY}"}]
        body = json.dumps({**MESSAGE, "content": content, "stop_reason": "abort"})
        await send({"type": "http.response.start", "status": 200 if seen == 1 else 500, "headers": []})
        await send({"type": "http.response.body", "body": body.encode() if seen == 1 else b"down"})

    disk = new_disk(jobs(1))
    summary = await run(disk, serve, max_attempts=2)

    assert (summary.failed, seen) == (1, 2)
    [made] = records(disk, ERRORS)
    assert made["headrace"]["failed"] == "server"
    assert made["headrace"]["refused_answer"]["content"][0]["text"] == "paid, with [redacted]"
