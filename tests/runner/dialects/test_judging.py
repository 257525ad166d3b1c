"""How responses are judged (P16): successes, and every way to fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.dialects import failure_from_transport
from headrace.job import UNKNOWN_USAGE, Failure, Success, Usage
from headrace_client.transport.errors import (
    AttemptTimedOut,
    ConnectFailed,
    ConnectionLost,
    ProtocolViolation,
    ResponseTooLarge,
)

from .samples import COMPLETION, MESSAGE, answer, dialect


def judge(name: str, status: int, body: object) -> Success | Failure:
    return dialect(name).judge(answer(status, body))


def failure(name: str, status: int, body: object) -> Failure:
    outcome = judge(name, status, body)
    assert isinstance(outcome, Failure)
    return outcome


def success(name: str, body: object) -> Success:
    outcome = judge(name, 200, body)
    assert isinstance(outcome, Success)
    return outcome


def test_a_message_is_passed_on_byte_for_byte() -> None:
    body = (
        b' { "id":"msg_1", "type":"message", "content":[{"text":"\\u00e9\xc3\xa9"}], "n":1.50,'
        b'"stop_reason":"max_tokens", "usage":{"input_tokens":1,"output_tokens":2,'
        b'"cache_read_input_tokens":3,"cache_creation_input_tokens":null}}\r\n'
    )

    assert success("anthropic", body) == Success(
        message=body.strip(),
        usage=Usage(input=1, output=2, cache_read=3),
        stop_reason="max_tokens",
        truncated=True,
    )


def test_a_message_is_made_one_line_for_every_reader() -> None:
    """P12: no CR, LF, U+2028, U+2029 or U+0085 is left, and it means the same."""
    text = "a\u2028b\u2029c\x85d\n"
    body = json.dumps({**MESSAGE, "content": [{"text": text}]}, ensure_ascii=False, indent=1).replace(
        "\n", "\r\n"
    )

    message = success("anthropic", body.encode()).message

    assert len(message.decode().splitlines()) == 1
    assert json.loads(message)["content"] == [{"text": text}]


def test_half_a_surrogate_pair_does_not_lose_a_paid_answer() -> None:
    body = json.dumps({**MESSAGE, "content": [{"text": "\ud83d cut, \U0001f600 whole"}]}).encode()

    message = success("anthropic", body).message

    assert json.loads(message)["content"] == [{"text": "\ufffd cut, \U0001f600 whole"}]


NOT_MESSAGES: dict[str, Any] = {
    "HTML": b"<html><body>Bad gateway</body></html>",
    "null": b"null",
    "empty": b"",
    "array": [MESSAGE],
    "text": b'"ok"',
    "cut": json.dumps(MESSAGE).encode()[:-1],
    "twice": json.dumps(MESSAGE).encode() * 2,
    "no stop reason": {**MESSAGE, "stop_reason": None},
    "an unknown stop reason": {**MESSAGE, "stop_reason": "abort"},
    "no content": {**MESSAGE, "content": None},
    "content of numbers": {**MESSAGE, "content": [1]},
    "nothing": {},
    "wrapped": {"data": MESSAGE},
    "invalid UTF-8": json.dumps(MESSAGE).encode().replace(b"Hello", b"\xff"),
    "deep": b'{"a":' * 100_000,
    "deep array": b'{"x":"\\ud800","y":' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", NOT_MESSAGES.values(), ids=NOT_MESSAGES.keys())
def test_a_200_without_a_message_is_an_invalid_response_that_may_be_billed(body: object) -> None:
    got = failure("anthropic", 200, body)

    assert (got.kind, got.status, got.sent, got.request_id) == ("invalid_response", 200, True, "req_1")
    assert got.message.startswith("200: ")
    assert got.message.endswith(")")
    assert " (not an answer: " in got.message


@pytest.mark.parametrize("body", [b"<h1>Sign in</h1>", {"detail": "<h1>Sign in</h1>"}])
def test_the_message_quotes_the_server_first(body: object) -> None:
    assert failure("anthropic", 200, body).message.startswith("200: <h1>Sign in</h1> (not an answer: ")


@pytest.mark.parametrize(
    ("body", "usage", "stop_reason"),
    [
        (COMPLETION, Usage(input=11, output=36), "stop"),
        ({**COMPLETION, "usage": None, "error": None}, UNKNOWN_USAGE, "stop"),
        (
            {**COMPLETION, "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}},
            Usage(input=5, output=None, cache_read=4),
            "stop",
        ),
        (
            {"object": "list", "data": [{"embedding": [0.5, 1]}], "usage": {"prompt_tokens": 2}},
            Usage(input=2),
            None,
        ),
        (
            {
                "object": "response",
                "status": "completed",
                "output": [],
                "usage": {"input_tokens": 2, "output_tokens": 3},
            },
            Usage(input=2, output=3),
            "stop",
        ),
        (
            {
                "object": "response",
                "status": "incomplete",
                "incomplete_details": {"reason": "content_filter"},
            },
            UNKNOWN_USAGE,
            "content_filter",
        ),
        ({"object": "text_completion", "choices": [{"finish_reason": "length"}]}, UNKNOWN_USAGE, "length"),
    ],
)
def test_answers_of_openai_compatible_servers(body: object, usage: Usage, stop_reason: str | None) -> None:
    got = success("openai", body)

    assert (json.loads(got.message), got.usage, got.stop_reason) == (body, usage, stop_reason)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"null",
        {},
        {"error": {"message": "no"}},
        {**COMPLETION, "error": {"message": "no"}},
        {"object": "error", "message": "no"},
        {**COMPLETION, "choices": []},
        {"object": "chat.completion"},
        {**COMPLETION, "choices": [{"finish_reason": None}]},
        {**COMPLETION, "choices": [{"finish_reason": "stop"}, {}]},
        {"object": "response", "status": "failed"},
        {"object": "response", "status": "cancelled", "output": []},
        {"object": "response", "status": "completed"},
        {"object": "list", "data": []},
    ],
)
def test_a_200_without_an_openai_answer_is_an_invalid_response(body: object) -> None:
    assert failure("openai", 200, body).kind == "invalid_response"


def anthropic_error(kind: str, message: str = "why", **details: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, "details": details}}


def openai_error(code: str | None, message: str = "why", kind: str = "requests") -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


BALANCE = "Your credit balance is too low to access the Anthropic API."
CONCURRENT = "Number of concurrent connections has exceeded your rate limit."


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, anthropic_error("invalid_request_error"), "rejected", "invalid_request_error"),
        (400, anthropic_error("invalid_request_error", BALANCE), "spend_limit", "invalid_request_error"),
        (401, anthropic_error("authentication_error"), "credentials", "authentication_error"),
        (402, b"", "spend_limit", None),
        (403, anthropic_error("billing_error"), "spend_limit", "billing_error"),
        (403, anthropic_error("permission_error"), "credentials", "permission_error"),
        (404, anthropic_error("not_found_error"), "rejected", "not_found_error"),
        (408, b"", "server", None),
        (409, b"", "server", None),
        (413, anthropic_error("request_too_large"), "rejected", "request_too_large"),
        (422, {"detail": [{"msg": "no"}]}, "rejected", None),
        (429, anthropic_error("rate_limit_error"), "rate_limit", "rate_limit_error"),
        (
            429,
            anthropic_error("rate_limit_error", error_code="ramp_limit_exceeded"),
            "rate_limit",
            "ramp_limit_exceeded",
        ),
        (429, anthropic_error("rate_limit_error", CONCURRENT), "rate_limit", "concurrency"),
        (
            429,
            anthropic_error("rate_limit_error", error_code="enforced_spend_limit_reached"),
            "spend_limit",
            "enforced_spend_limit_reached",
        ),
        (
            429,
            anthropic_error("rate_limit_error", error_code="contract_spend_limit_reached"),
            "spend_limit",
            "contract_spend_limit_reached",
        ),
        (429, openai_error("rate_limit_exceeded"), "rate_limit", "rate_limit_exceeded"),
        (429, openai_error("insufficient_quota"), "spend_limit", "insufficient_quota"),
        (429, openai_error(None, kind="insufficient_quota"), "spend_limit", "insufficient_quota"),
        (429, b"Too Many Requests", "rate_limit", None),
        (500, anthropic_error("api_error"), "server", "api_error"),
        (502, b"<html>", "server", None),
        (503, b"", "overloaded", None),
        (504, b"", "server", None),
        (529, anthropic_error("overloaded_error"), "overloaded", "overloaded_error"),
        (599, b"", "server", None),
        (301, b"", "redirect", None),
        (307, b"", "redirect", None),
    ],
)
@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_status_and_its_body_tell_the_kind(
    name: str, status: int, body: object, kind: str, code: str | None
) -> None:
    got = failure(name, status, body)

    assert (got.kind, got.code, got.status) == (kind, code, status)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (anthropic_error("invalid_request_error", "no"), "400 invalid_request_error: no"),
        (openai_error("x", "no", "invalid"), "400 invalid: no"),
        ({"error": "no"}, "400: no"),
        ({"detail": "no"}, "400: no"),
        (
            {"object": "error", "message": "no", "type": "BadRequestError", "code": 400},
            "400 BadRequestError: no",
        ),
        (b"plain no", "400: plain no"),
        (b"", "400: the server gave no reason"),
        (b"\xff\x00no", "400: \ufffd no"),
        (["no"], "400: no"),
        ({"detail": [{"loc": ["body"], "msg": "no"}]}, "400: no"),
        ([{"error": {"status": "INVALID_ARGUMENT", "message": "no"}}], "400: no"),
        ([7], "400: [7]"),
    ],
)
def test_the_message_says_status_type_and_text_in_any_server_s_shape(body: object, message: str) -> None:
    assert failure("anthropic", 400, body).message == message


@pytest.mark.parametrize(
    ("status", "sent"), [(400, False), (429, False), (500, False), (529, False), (502, True), (504, True)]
)
def test_only_a_gateway_that_gave_up_leaves_open_whether_it_is_billed(status: int, sent: bool) -> None:
    assert failure("anthropic", status, b"").sent is sent


def test_a_request_id_is_found_in_the_body_where_no_header_has_it() -> None:
    silent = answer(
        400, {**anthropic_error("x"), "request_id": "req_2"}, head=b"HTTP/1.1 400 Bad Request\r\n\r\n"
    )

    outcome = dialect("anthropic").judge(silent)

    assert isinstance(outcome, Failure)
    assert outcome.request_id == "req_2"


def test_a_request_id_is_free_of_control_characters() -> None:
    outcome = dialect("anthropic").judge(
        answer(400, b"", head=b"HTTP/1.1 400 x\r\nrequest-id: r\x1b[31m\x9b\r\n\r\n")
    )

    assert isinstance(outcome, Failure)
    assert outcome.request_id == "r"


def test_an_error_body_is_kept_as_one_line_if_it_is_small() -> None:
    small = json.dumps(anthropic_error("x", "\u2028"), indent=1, ensure_ascii=False).encode()

    body = failure("anthropic", 400, small).body or b""

    assert len(body.decode().splitlines()) == 1
    assert json.loads(body) == json.loads(small)


@pytest.mark.parametrize("text", ["é" * 5000, "漢" * 5000])
def test_of_a_large_error_body_the_error_is_kept_with_its_texts_cut(text: str) -> None:
    got = failure("anthropic", 400, {**anthropic_error("x", text), "echo": "e" * 10_000})

    assert len(got.body or b"") <= 2048
    kept = json.loads(got.body or b"")
    assert (kept["type"], kept["error"]["type"]) == ("error", "x")
    assert 0 < len(kept["error"]["message"]) == kept["error"]["message"].count(text[0])
    assert 2000 < len(got.message.encode()) <= 2048
    assert got.message.endswith(text[0] + "...")


def test_an_error_body_beyond_64_kb_is_not_decoded() -> None:
    got = failure("anthropic", 400, anthropic_error("x", "m" * 70_000))

    assert (got.body, got.code) == (None, None)
    assert got.message.startswith('400: {"type": "error"')


@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (ConnectFailed("no route"), "connection", False),
        (ConnectionLost("lost", sent=True), "connection", True),
        (ProtocolViolation("bad", sent=True), "connection", True),
        (ResponseTooLarge("big", sent=True), "too_large", True),
        (AttemptTimedOut("late"), "timeout", False),
        (AttemptTimedOut("late", sent=True), "timeout", True),
    ],
)
def test_a_transport_error_tells_its_kind_and_how_far_it_came(error: Any, kind: str, sent: bool) -> None:
    got = failure_from_transport(error)

    assert (got.kind, got.sent, got.status) == (kind, sent, None)
    assert got.message == str(error)


def test_a_transport_error_without_text_has_a_message() -> None:
    assert failure_from_transport(ConnectionLost("")).message == "ConnectionLost"
