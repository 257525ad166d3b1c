"""What decides is whether the answer is there and whole; the rest is read leniently (P16)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.actors.messages import Finished
from headrace.actors.monitor import RunCounts
from headrace.dialects import read_identity, read_result, read_usage
from headrace.dialects._finish_reasons import KNOWN_REASONS
from headrace.job import Failure, JobRequest, Success

from .samples import COMPLETION, MESSAGE, NOTE, answer, dialect, job, line

NAMES = ["anthropic", "openai"]
BODIES: dict[str, dict[str, Any]] = {"anthropic": MESSAGE, "openai": COMPLETION}
LINES = {
    "anthropic": line({"custom_id": "a", "params": {"model": "m", "max_tokens": 5}}),
    "openai": line(
        {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}
    ),
}


def judged(name: str, body: object, request: JobRequest | None = None, **options: Any) -> Success | Failure:
    return dialect(name, **options).judge(answer(200, body), request)


def accepted(name: str, body: object, request: JobRequest | None = None, **options: Any) -> Success:
    """The success in a body, whose record every reader can read."""
    outcome = judged(name, body, request, **options)
    assert isinstance(outcome, Success), outcome
    record = dialect(name).success_record(job(name, LINES[name]), outcome, NOTE)
    json.loads(record)
    assert len(record.decode().splitlines()) == 1
    assert read_identity(record).succeeded
    recorded = read_result(record).outcome
    assert isinstance(recorded, Success)
    assert (recorded.message, recorded.usage) == (outcome.message, outcome.usage)
    assert read_usage(record).usage == outcome.usage
    return outcome


def refused(name: str, body: object, request: JobRequest | None = None) -> Failure:
    outcome = judged(name, body, request)
    assert isinstance(outcome, Failure), outcome
    return outcome


def request(path: str, **body: Any) -> JobRequest:
    return JobRequest(path=path, body=line({"model": "m", **body}), model="m", max_tokens=None, stream=False)


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


def raw(body: dict[str, Any], **members: str) -> bytes:
    """The body with members as raw JSON text."""
    return (
        json.dumps(body)[:-1] + "".join(f', "{key}": {text}' for key, text in members.items()) + "}"
    ).encode()


# -- names, ids and other members that do not matter


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["id", "model", "type", "object", "role", "created", "usage", "status"])
@pytest.mark.parametrize("value", [None, 7, 1.5, "other", [], {}, True, "absent"])
def test_other_members_may_be_missing_or_of_another_type(name: str, key: str, value: object) -> None:
    body = without(BODIES[name], key) if value == "absent" else {**BODIES[name], key: value}

    assert json.loads(accepted(name, body).message) == body


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "error",
    [
        "null",
        '""',
        "{}",
        "[]",
        "false",
        '{"message":"","code":null}',
        '{"code":0}',
        '{"code":200,"message":"ok"}',
    ],
)
def test_an_empty_error_is_none(name: str, error: str) -> None:
    accepted(name, raw(BODIES[name], error=error))


@pytest.mark.parametrize(
    "content", ["Hello", "", ["Hello"], [], [{"text": "no type"}], [None, {"text": "a"}]]
)
def test_the_content_of_a_message_may_be_text(content: object) -> None:
    accepted("anthropic", {**MESSAGE, "content": content})


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"id": 1}]},
        {"content": None},
        {"content": [{"type": "text", "text": "a"}]},
        {"reasoning_content": "a"},
        "plain text",
    ],
)
def test_the_message_of_a_choice_may_have_any_form(message: object) -> None:
    accepted("openai", {"choices": [{"message": message, "finish_reason": "stop"}]})


# -- everything that Python's json reads


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", None),
        ("-Infinity", None),
        ("Infinity", None),
        ("[1e999, NaN]", [None, None]),
        ("[" + "9" * 5000 + ", NaN]", [None, None]),
        ("9" * 30, int("9" * 30)),
        ('"\\ud83d cut"', "\ufffd cut"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('{"\\udc00":[NaN,"\\ud800"]}', {"\ufffd": [None, "\ufffd"]}),
        ('"a\tb"', "a\tb"),
    ],
)
def test_what_pythons_json_reads_is_read(name: str, text: str, value: object) -> None:
    assert json.loads(accepted(name, raw(BODIES[name], x=text)).message)["x"] == value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_a_byte_order_mark_and_other_encodings_are_read(name: str, encoding: str) -> None:
    body = {**BODIES[name], "x": "é\u2028"}

    assert json.loads(accepted(name, json.dumps(body, ensure_ascii=False).encode(encoding)).message) == body


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded_far_below_what_readers_can_take(name: str, opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    accepted(name, raw(BODIES[name], x=opening * 199 + "1" + closing * 199))
    for depth in (200, 975, 5000, 100_000):
        got = refused(name, raw(BODIES[name], x=opening * depth + "1" + closing * depth))

        assert "nested deeper than 200 levels" in got.message
        kept = json.loads(got.answer or b"")
        assert isinstance(kept, str)
        assert kept.endswith(closing * depth + "}")


@given(st.sampled_from(NAMES), st.binary(max_size=30), st.integers(0, 400))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_answer_is_lost_whatever_is_wrong_with_it(name: str, noise: bytes, at: int) -> None:
    whole = json.dumps(BODIES[name]).encode()
    body = whole[:at] + noise + whole[at:]

    outcome = judged(name, body)

    kept = outcome.message if isinstance(outcome, Success) else outcome.answer
    assert kept
    json.loads(kept)
    assert b"Hello" in kept or b"Hello" not in body


# -- finish reasons

WHOLE = [
    "stop",
    "STOP",
    "tool_calls",
    "function_call",
    "end_turn",
    "eos_token",
    "stop_sequence",
    "FinishReason.STOP",
    "tool_use",
]
CUT = [
    "length",
    "LENGTH",
    "max_tokens",
    "MAX_TOKENS",
    "maxTokens",
    "FINISH_REASON_MAX_TOKENS",
    "model_length",
]
FILTERED = [
    "content_filter",
    "CONTENT_FILTER",
    "SAFETY",
    "safety",
    "RECITATION",
    "refusal",
    "PROHIBITED_CONTENT",
]
UNKNOWN: list[Any] = [
    "error",
    "abort",
    "",
    "ERROR",
    "load",
    "something_new",
    "unstop",
    "other",
    7,
    True,
    [],
    {"type": "abort"},
]


def with_reason(name: str, *reasons: object) -> dict[str, Any]:
    if name == "anthropic":
        return {**MESSAGE, "stop_reason": reasons[0]}
    message = {"role": "assistant", "content": "Hello"}
    choices = [{"index": n, "message": message, "finish_reason": reason} for n, reason in enumerate(reasons)]
    return {**COMPLETION, "choices": choices}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("reason", "truncated", "filtered"),
    [(word, False, False) for word in WHOLE]
    + [(word, True, False) for word in CUT]
    + [(word, False, True) for word in FILTERED],
)
def test_a_known_reason_says_how_the_answer_ended(
    name: str, reason: str, truncated: bool, filtered: bool
) -> None:
    got = accepted(name, with_reason(name, reason))

    assert (got.stop_reason, got.truncated, got.filtered) == (reason, truncated, filtered)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reason", [*UNKNOWN, None])
def test_an_unknown_reason_is_a_failure_that_may_pass_and_keeps_the_answer(name: str, reason: object) -> None:
    got = refused(name, with_reason(name, reason))

    assert (got.kind, got.sent) == ("invalid_response", True)
    assert json.loads(got.answer or b"") == with_reason(name, reason)


def test_each_choice_counts() -> None:
    assert refused("openai", with_reason("openai", "stop", "abort")).kind == "invalid_response"
    got = accepted("openai", with_reason("openai", "stop", "MAX_TOKENS", "SAFETY"))
    assert (got.stop_reason, got.truncated, got.filtered) == ("stop", True, True)

    counts = RunCounts(started_at=0)
    counts.take([Finished(record=b"", outcome=got, note=NOTE)])

    assert (counts.truncated, counts.refusals) == (1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_user_can_accept_one_more_reason(name: str) -> None:
    got = accepted(name, with_reason(name, "abort"), accept_finish_reasons=("abort",))

    assert (got.stop_reason, got.truncated, got.filtered) == ("abort", False, False)


def test_a_single_word_is_not_taken_for_its_letters() -> None:
    accepted("openai", with_reason("openai", "abort"), accept_finish_reasons="abort")


def test_accepted_words_never_hide_the_known_ones() -> None:
    assert KNOWN_REASONS.ending("abort") is None
    got = accepted("openai", with_reason("openai", "length"), accept_finish_reasons=("length",))
    assert got.truncated


@pytest.mark.parametrize(
    "choice",
    [
        {"finish_reason": {"type": "stop", "matched": 2}, "message": {}},
        {"finishReason": "STOP", "message": {}},
        {"finish_reason": None, "finish_details": {"type": "stop"}, "message": {}},
        {"finish_reason": "content_filter"},
        {"finish_reason": "length", "message": None},
        {"finish_reason": "stop", "text": ""},
    ],
)
def test_a_choice_may_have_other_forms(choice: object) -> None:
    accepted("openai", {"choices": [choice]})


@pytest.mark.parametrize(
    "choices", [[], None, {}, [None], [{"finish_reason": "stop"}], [{"message": {}}], "a"]
)
def test_without_a_whole_choice_there_is_no_answer(choices: object) -> None:
    assert refused("openai", {**COMPLETION, "choices": choices}).kind == "invalid_response"


@pytest.mark.parametrize("feedback", [{"blockReason": "SAFETY"}, {"block_reason": "OTHER"}])
def test_a_blocked_prompt_is_final(feedback: object) -> None:
    got = refused("openai", {"choices": [], "promptFeedback": feedback})

    assert (got.kind, got.code) == ("rejected", "content_filter")


# -- /v1/responses

OUTPUT = [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]


@pytest.mark.parametrize(
    ("members", "truncated", "filtered"),
    [
        ({"status": "completed"}, False, False),
        ({}, False, False),
        ({"status": None, "object": None}, False, False),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, True, False),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, False, True),
        ({"status": "incomplete", "incomplete_details": None}, True, False),
    ],
)
@pytest.mark.parametrize("path", [None, "/v1/responses"])
def test_a_response_is_judged_by_its_status(
    members: dict[str, Any], truncated: bool, filtered: bool, path: str | None
) -> None:
    got = accepted(
        "openai", {"object": "response", "output": OUTPUT, **members}, None if path is None else request(path)
    )

    assert (got.truncated, got.filtered) == (truncated, filtered)


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"status": "queued"}, "rejected"),
        ({"status": "in_progress", "output": []}, "rejected"),
        ({"status": "failed", "error": {"code": "server_error", "message": "no"}}, "server"),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "no"}}, "rate_limit"),
        ({"status": "failed", "error": {"code": "vector_store_timeout", "message": "no"}}, "server"),
        ({"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}}, "rejected"),
        ({"status": "failed", "error": {"code": "image_too_large", "message": "no"}}, "rejected"),
        ({"status": "failed", "error": {"code": "something_new", "message": "no"}}, "invalid_response"),
        ({"status": "failed", "error": None}, "invalid_response"),
        ({"status": "cancelled", "output": OUTPUT}, "invalid_response"),
        ({"status": "completed"}, "invalid_response"),
        ({"status": "incomplete", "incomplete_details": {"reason": "abort"}}, "invalid_response"),
    ],
)
def test_a_response_that_is_no_answer(members: dict[str, Any], kind: str) -> None:
    assert refused("openai", {"object": "response", "id": "resp_1", **members}).kind == kind


def test_a_response_in_the_background_says_how_to_get_it() -> None:
    got = refused("openai", {"object": "response", "id": "resp_1", "status": "queued"})

    assert '"background": true' in got.message
    assert json.loads(got.answer or b"")["id"] == "resp_1"


# -- embeddings and other endpoints


@pytest.mark.parametrize(
    ("inputs", "data"),
    [
        ("a", [{"embedding": [0.5, 1]}]),
        (["a", "b"], [{"embedding": [0.5, 1]}, {"embedding": "AACAPw=="}]),
        ([1, 2, 3], [{"embedding": [0.5, 1]}]),
        ([[1, 2], [3]], [{"embedding": [0.5, 1]}] * 2),
        ("a", [[0.25, 0.5]]),
        (None, [{"embedding": [0.5, 1]}] * 3),
    ],
)
def test_embeddings_as_many_as_inputs_are_an_answer(inputs: object, data: list[Any]) -> None:
    accepted("openai", {"object": "list", "data": data}, request("/v1/embeddings", input=inputs))


NO_EMBEDDINGS: list[tuple[object, object]] = [
    ("a", []),
    ("a", None),
    ("a", [{"embedding": []}]),
    ("a", [{"embedding": ""}]),
    ("a", [{"embedding": None}]),
    ("a", [{}]),
    (["a", "b"], [{"embedding": [0.5, 1]}]),
    ("a", [{"embedding": [0.5, 1]}, {"embedding": [0.5, 1]}]),
]


@pytest.mark.parametrize(("inputs", "data"), NO_EMBEDDINGS)
def test_anything_else_is_no_answer_to_embeddings(inputs: object, data: object) -> None:
    body = {"object": "list", "data": data}

    assert refused("openai", body, request("/v1/embeddings", input=inputs)).kind == "invalid_response"


@pytest.mark.parametrize("path", ["/v1/moderations", "/v1/images/generations", "/v1/rerank"])
def test_of_another_endpoint_any_json_is_an_answer(path: str) -> None:
    accepted("openai", {"results": [{"flagged": False}]}, request(path))
    assert refused("openai", b"<html>", request(path)).kind == "invalid_response"
    assert refused("openai", {}, request(path)).kind == "invalid_response"
    assert refused("openai", {"error": {"code": 400, "message": "no"}}, request(path)).kind == "rejected"
