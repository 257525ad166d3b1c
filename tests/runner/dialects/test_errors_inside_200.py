"""Errors inside a 200 are the same errors as with the status that they name (P16, P18, P19)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.dialects import read_result
from headrace.dialects._failures import failure_from_event
from headrace.job import Failure

from .samples import COMPLETION, MESSAGE, NOTE, answer, dialect

NAMES = ["anthropic", "openai"]


def failed(name: str, body: object, status: int = 200) -> Failure:
    outcome = dialect(name).judge(answer(status, body))
    assert isinstance(outcome, Failure), outcome
    return outcome


ERRORS: list[tuple[object, str, int]] = [
    ({"code": 429}, "rate_limit", 429),
    ({"code": "429"}, "rate_limit", 429),
    ({"code": 429.0}, "rate_limit", 429),
    ({"status": 429}, "rate_limit", 429),
    ({"status": "RESOURCE_EXHAUSTED"}, "rate_limit", 429),
    ({"type": "rate_limit_error"}, "rate_limit", 429),
    ({"type": "RateLimitError"}, "rate_limit", 429),
    ({"code": "rate_limit_exceeded"}, "rate_limit", 429),
    ({"code": "Throttling.RateQuota"}, "rate_limit", 429),
    ({"type": "ThrottlingException"}, "rate_limit", 429),
    ({"code": 429, "type": "server_error"}, "rate_limit", 429),
    ({"code": "insufficient_quota"}, "spend_limit", 429),
    ({"code": 402}, "spend_limit", 402),
    ({"type": "billing_error"}, "spend_limit", 402),
    ({"code": 401}, "credentials", 401),
    ({"code": "401"}, "credentials", 401),
    ({"type": "authentication_error"}, "credentials", 401),
    ({"status": "UNAUTHENTICATED"}, "credentials", 401),
    ({"code": "invalid_api_key"}, "credentials", 401),
    ({"status": "PERMISSION_DENIED"}, "credentials", 403),
    ({"code": 400}, "rejected", 400),
    ({"status": "INVALID_ARGUMENT"}, "rejected", 400),
    ({"type": "BadRequestError"}, "rejected", 400),
    ({"code": "context_length_exceeded"}, "rejected", 400),
    ({"code": 404}, "rejected", 404),
    ({"code": "model_not_found"}, "rejected", 404),
    ({"type": "overloaded_error"}, "overloaded", 529),
    ({"status": "UNAVAILABLE"}, "overloaded", 503),
    ({"code": 500}, "server", 500),
    ({"type": "server_error"}, "server", 500),
    ({"status": "INTERNAL"}, "server", 500),
    ({"code": "502"}, "server", 502),
]


def wrapped(error: dict[str, Any]) -> list[object]:
    """The forms in which servers put an error into a body."""
    whole = {**error, "message": "said inside a 200"}
    return [
        {"error": whole},
        {"type": "error", "error": whole},
        [{"error": whole}],
        {"error": [whole]},
        {"error": {"error": whole}},
        {"error": {"message": json.dumps({"error": whole})}},
        {"choices": [{"error": whole, "finish_reason": "error"}]},
        {"choices": [{"message": {"content": ""}, "finish_reason": "error", "error": whole}]},
        {**COMPLETION, "error": whole},
        {**MESSAGE, "error": whole},
        {"object": "error", **whole},
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("error", "kind", "status"), ERRORS)
def test_an_error_inside_a_200_is_the_error_of_its_status(
    name: str, error: dict[str, Any], kind: str, status: int
) -> None:
    for body in wrapped(error):
        got = failed(name, body)

        assert (got.kind, got.status) == (kind, status), body
        assert got.message.startswith(f"{status}")
        assert got.message.endswith(": said inside a 200")


@pytest.mark.parametrize(("error", "kind", "status"), ERRORS)
def test_an_error_event_is_the_same(error: dict[str, Any], kind: str, status: int) -> None:
    for body in wrapped(error):
        got = failure_from_event(json.dumps(body))

        assert (got.kind, got.status, got.sent) == (kind, status, True), body


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "429 Too Many Requests"}, "rate_limit"),
        ({"error": "Rate limit reached for requests"}, "rate_limit"),
        ({"error": "rate_limit_exceeded"}, "rate_limit"),
        ({"error": 429}, "rate_limit"),
        ({"message": "slow down", "code": 429}, "rate_limit"),
        ({"status": 401, "detail": "no key"}, "credentials"),
        ({"errors": [{"code": 429, "message": "slow down"}]}, "rate_limit"),
        (b"HTTP 503: upstream is gone", "overloaded"),
        (b'"Too Many Requests"', "rate_limit"),
        (b"Error code: 400 - bad request", "rejected"),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}, "choices": None}, "rate_limit"),
        ({"error": "something odd"}, "invalid_response"),
        ({"error": {"code": 1234, "message": "something odd"}}, "invalid_response"),
        ({"error": True}, "invalid_response"),
        (b"450d63aae7aaaed369355d9a", "invalid_response"),
        (b"429-abc", "invalid_response"),
        (b"<html><title>429 Too Many Requests</title></html>", "invalid_response"),
        (b"once upon a time there was a rate limit " * 20, "invalid_response"),
    ],
)
def test_errors_as_texts_and_numbers(name: str, body: object, kind: str) -> None:
    assert failed(name, body).kind == kind


@pytest.mark.parametrize("code", [429, 400, 500])
def test_an_error_without_an_answer_is_billed_as_with_its_status(code: int) -> None:
    assert not failed("openai", {"error": {"code": code, "message": "no"}}).sent
    assert failed("openai", {**COMPLETION, "error": {"code": code, "message": "no"}}).sent
    assert failed("openai", {"error": {"code": 504, "message": "no"}}).sent


@pytest.mark.parametrize("name", NAMES)
def test_an_error_next_to_an_answer_keeps_the_answer(name: str) -> None:
    body = {**COMPLETION, **MESSAGE, "error": {"code": 500, "message": "no"}}

    got = failed(name, body)

    assert json.loads(got.answer or b"") == body


def test_a_mere_error_does_not_replace_an_answer_that_was_refused_before() -> None:
    got = failed("openai", {"error": {"code": 429, "message": "no"}})

    assert got.answer is None
    assert json.loads(got.body or b"") == {"error": {"code": 429, "message": "no"}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [200, 429])
def test_the_server_s_own_error_object_is_kept_in_the_record(name: str, status: int) -> None:
    error = {"message": "slow down", "code": 429, "metadata": {"provider": "x"}}

    record = dialect(name).failure_record("a-1", failed(name, {"error": error}, status), NOTE)

    decoded = json.loads(record)
    kept = decoded["result"]["error"] if name == "anthropic" else decoded["response"]["body"]
    assert (kept["error"]["code"], kept["error"]["metadata"]) == (429, {"provider": "x"})
    assert "slow down" in kept["error"]["message"]
    outcome = read_result(record).outcome
    assert isinstance(outcome, Failure)
    assert outcome.kind == "rate_limit"
    assert "slow down" in outcome.message
