"""Records: the providers' result formats with one more key, and what is read back from them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from headrace.dialects import (
    BadRecord,
    RecordedResult,
    RecordedUsage,
    RecordIdentity,
    read_identity,
    read_result,
    read_usage,
)
from headrace.job import Failure, Note, Success, Usage

from .samples import COMPLETION, MESSAGE, NOTE, answer, dialect, job, line

HEADRACE = {
    "line": 7,
    "digest": "0123456789abcdef",
    "recipe": "01234567",
    "attempts": 2,
    "request_id": "req_1",
}
BODY: dict[str, Any] = {"model": "m", "max_tokens": 16, "messages": []}
LINES = {
    "anthropic": line({"custom_id": "a-1", "params": BODY}),
    "raw": line(BODY),
    "rows": line({"q": "x"}),
    "openai": line({"custom_id": "a-1", "method": "POST", "url": "/v1/chat/completions", "body": BODY}),
}


def success_record(name: str, body: object, note: Note = NOTE) -> bytes:
    outcome = dialect(name).judge(answer(200, body))
    assert isinstance(outcome, Success)
    return dialect(name).success_record(job(name, LINES[name]), outcome, note)


def failure_record(name: str, status: int, body: object) -> bytes:
    outcome = dialect(name).judge(answer(status, body))
    assert isinstance(outcome, Failure)
    return dialect(name).failure_record("a-1", outcome, NOTE)


def decoded(record: bytes) -> Any:
    assert record.endswith(b"}\n")
    assert len(record.decode().splitlines()) == 1
    return json.loads(record)


@pytest.mark.parametrize("name", ["anthropic", "raw", "rows"])
def test_a_succeeded_message(name: str) -> None:
    assert decoded(success_record(name, MESSAGE)) == {
        "custom_id": "a-1",
        "result": {"type": "succeeded", "message": MESSAGE},
        "headrace": HEADRACE,
    }


def test_a_succeeded_completion() -> None:
    assert decoded(success_record("openai", COMPLETION)) == {
        "id": "batch_req_0123456789abcdef",
        "custom_id": "a-1",
        "response": {"status_code": 200, "request_id": "req_1", "body": COMPLETION},
        "error": None,
        "headrace": HEADRACE,
    }


def test_an_errored_message_holds_the_server_s_own_error() -> None:
    error = {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}, "request_id": "r"}

    assert decoded(failure_record("anthropic", 404, error)) == {
        "custom_id": "a-1",
        "result": {"type": "errored", "error": error},
        "headrace": {"failed": "rejected", **HEADRACE},
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bad_line", "invalid_request_error"),
        ("rejected", "invalid_request_error"),
        ("credentials", "authentication_error"),
        ("spend_limit", "billing_error"),
        ("rate_limit", "rate_limit_error"),
        ("overloaded", "overloaded_error"),
        ("timeout", "timeout_error"),
        ("server", "api_error"),
        ("invalid_response", "api_error"),
        ("connection", "api_error"),
        ("too_large", "api_error"),
        ("redirect", "api_error"),
    ],
)
def test_an_error_that_the_api_did_not_write_has_its_form(kind: Any, expected: str) -> None:
    failure = Failure(kind=kind, message="why", body=b'{"detail":"why"}', request_id="r")

    assert decoded(dialect("rows").failure_record("a-1", failure, NOTE)) == {
        "custom_id": "a-1",
        "result": {
            "type": "errored",
            "error": {
                "type": "error",
                "error": {"detail": "why", "type": expected, "message": "why"},
                "request_id": "r",
            },
        },
        "headrace": {"failed": kind, **HEADRACE},
    }


def test_an_error_status_of_an_openai_server_is_a_response() -> None:
    error = {"error": {"message": "no", "type": "invalid_request_error", "code": None}}

    assert decoded(failure_record("openai", 400, error)) == {
        "id": "batch_req_0123456789abcdef",
        "custom_id": "a-1",
        "response": {"status_code": 400, "request_id": "req_1", "body": error},
        "error": None,
        "headrace": {"failed": "rejected", **HEADRACE},
    }


def test_an_error_status_without_a_json_body_gets_one() -> None:
    assert decoded(failure_record("openai", 502, b"<html>"))["response"]["body"] == {
        "error": {"message": "502: <html>", "type": "server", "param": None, "code": None}
    }


@pytest.mark.parametrize(
    "failure",
    [
        Failure(kind="connection", message="why"),
        Failure(kind="invalid_response", message="why", status=200, body=b"{}"),
    ],
)
def test_an_openai_failure_without_an_error_status_has_no_response(failure: Failure) -> None:
    assert decoded(dialect("openai").failure_record("a-1", failure, NOTE)) == {
        "id": "batch_req_0123456789abcdef",
        "custom_id": "a-1",
        "response": None,
        "error": {"code": failure.kind, "message": "why"},
        "headrace": {"failed": failure.kind, **HEADRACE},
    }


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_bad_line_has_a_record_without_an_id(name: str) -> None:
    """P12: it has null for the id, and the line's number."""
    failure = Failure(kind="bad_line", message="the line is not a JSON object", sent=False)

    record = dialect(name).failure_record(None, failure, Note(line=3, digest="d" * 16, recipe="r" * 8))

    assert decoded(record)["custom_id"] is None
    assert read_identity(record) == RecordIdentity(
        id=None, digest="d" * 16, recipe="r" * 8, succeeded=False, failed="bad_line"
    )


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_what_a_file_or_a_server_named_cannot_break_the_line(name: str) -> None:
    note = Note(
        line=7,
        digest=NOTE.digest,
        recipe=NOTE.recipe,
        source="a\u2028\n.jsonl",
        request_id="req\x85\x1b",
        input=msgspec.Raw(b'{"gold":4}'),
    )

    record = decoded(success_record(name, MESSAGE if name == "anthropic" else COMPLETION, note))["headrace"]

    assert (record["source"], record["request_id"], record["input"]) == (
        "a\u2028\n.jsonl",
        "req\x85\x1b",
        {"gold": 4},
    )


@pytest.mark.parametrize(("name", "body"), [("anthropic", MESSAGE), ("openai", COMPLETION)])
def test_a_resume_reads_what_it_needs_of_a_success(name: str, body: object) -> None:
    assert read_identity(success_record(name, body)) == RecordIdentity(
        id="a-1", digest="0123456789abcdef", recipe="01234567", succeeded=True, attempts=2
    )


@pytest.mark.parametrize("name", ["anthropic", "openai"])
@pytest.mark.parametrize(
    ("status", "kind"), [(400, "rejected"), (529, "overloaded"), (200, "invalid_response")]
)
def test_a_resume_reads_what_it_needs_of_a_failure(name: str, status: int, kind: Any) -> None:
    assert read_identity(failure_record(name, status, b"")) == RecordIdentity(
        id="a-1",
        digest="0123456789abcdef",
        recipe="01234567",
        succeeded=False,
        failed=kind,
        attempts=2,
    )


@pytest.mark.parametrize("name", LINES)
def test_a_failure_under_its_earlier_name_is_the_same_failure(name: str) -> None:
    record = failure_record(name, 200, b"<html>")
    earlier = record.replace(b'"failed":"invalid_response"', b'"failed":"bad_answer"')
    assert earlier != record
    assert read_identity(earlier) == read_identity(record)
    assert read_result(earlier) == read_result(record)


@pytest.mark.parametrize(
    ("record", "succeeded"),
    [
        ({"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}}, True),
        ({"custom_id": "a", "result": {"type": "errored", "error": {}}}, False),
        ({"custom_id": "a", "result": {"type": "expired"}}, False),
        ({"custom_id": "a", "result": {"type": "canceled"}}, False),
        ({"id": "b", "custom_id": "a", "response": {"status_code": 200, "body": {}}, "error": None}, True),
        ({"id": "b", "custom_id": "a", "response": {"status_code": 400, "body": {}}, "error": None}, False),
        ({"id": "b", "custom_id": "a", "response": None, "error": {"code": "batch_expired"}}, False),
    ],
)
def test_the_providers_own_records_count_by_their_id(record: object, succeeded: bool) -> None:
    assert read_identity(line(record)) == RecordIdentity(id="a", succeeded=succeeded)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"null",
        b"\0\0\0",
        b'{"custom_id":"a"}',
        b'{"custom_id":7,"result":{"type":"succeeded"}}',
        b'{"result":{"type":"succeeded"}}',
        b'{"custom_id":"a","result":{"type":"succeeded"',
        b'{"custom_id":"a","response":null,"error":null}',
        b'{"custom_id":"\xff","result":{"type":"succeeded"}}',
        b'{"custom_id":"a","result":' + b'{"type":' * 100_000,
    ],
)
def test_a_line_that_is_not_a_record_says_so(text: bytes) -> None:
    with pytest.raises(BadRecord, match="the line is not a record"):
        read_identity(text)


@pytest.mark.parametrize(("name", "body"), [("anthropic", MESSAGE), ("openai", COMPLETION)])
def test_a_recorded_success_is_read_back_as_it_was(name: str, body: object) -> None:
    note = Note(
        line=7, digest="d" * 16, recipe="r" * 8, attempts=2, latency_s=1.5, ttft_s=0.5, request_id="r"
    )

    assert read_result(success_record(name, body, note)) == RecordedResult(
        dialect(name).judge(answer(200, body)), note
    )


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_recorded_failure_is_read_back_with_its_kind_text_and_code(name: str) -> None:
    error = {"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}

    recorded = read_result(failure_record(name, 404, error))

    assert isinstance(recorded.outcome, Failure)
    assert (recorded.outcome.kind, recorded.outcome.message) == ("rejected", "model: x")
    assert (recorded.outcome.code, recorded.outcome.request_id) == ("not_found_error", "req_1")
    assert json.loads(recorded.outcome.body or b"") == error
    assert recorded.note == NOTE


@pytest.mark.parametrize(
    ("record", "status", "message"),
    [
        ({"response": {"status_code": 400, "body": {"message": "no", "code": 400}}}, 400, "no"),
        ({"response": {"status_code": 422, "body": {"detail": "no"}}}, 422, "no"),
        ({"response": {"status_code": 200, "body": {"error": "no"}}}, 200, "no"),
        ({"response": None, "error": {"code": "batch_expired", "message": "no"}}, None, "no"),
        ({"result": {"type": "expired"}}, None, "the job failed in an earlier run"),
        ({"result": {"type": "succeeded", "message": None}}, None, "the job failed in an earlier run"),
    ],
)
def test_a_failure_in_any_form_can_be_read_back(record: dict[str, Any], status: int, message: str) -> None:
    """Servers word their errors in several ways, and other programs write records, too."""
    recorded = read_result(line({"custom_id": "a", **record}))

    assert isinstance(recorded.outcome, Failure)
    assert (recorded.outcome.status, recorded.outcome.message) == (status, message)
    assert recorded.note == Note(line=0, digest="", recipe="")


def test_a_line_that_is_not_a_record_has_no_result_and_no_cost() -> None:
    with pytest.raises(BadRecord, match="the line is not a record"):
        read_result(b"nonsense")

    assert read_usage(b"nonsense") == RecordedUsage()


def test_the_tokens_of_a_success_are_not_in_the_note() -> None:
    """They stand in the message; the note says only what the message cannot."""
    success = Success(message=b"{}", usage=Usage(input=5), stop_reason="x")

    record = decoded(dialect("raw").success_record(job("raw", LINES["raw"]), success, NOTE))

    assert record["headrace"] == HEADRACE
