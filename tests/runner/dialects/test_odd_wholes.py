"""The kind "what decides is whether the answer is there and whole": words and forms of few servers (P16)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.job import Failure, JobRequest, Success

from .samples import COMPLETION, answer, dialect


def judged(path: str, body: object, *, asked: str = '{"input":"a"}') -> Success | Failure:
    request = JobRequest(path=path, body=asked.encode(), model="m", max_tokens=16, stream=False)
    return dialect("openai").judge(answer(200, body), request)


def completion(**choice: Any) -> dict[str, Any]:
    return {**COMPLETION, "choices": [{**COMPLETION["choices"][0], **choice}]}


@pytest.mark.parametrize(
    ("reason", "truncated", "filtered"),
    [
        ("content_filter: PROHIBITED_CONTENT", False, True),
        ("MAX_TOKENS: 16", True, False),
        ("TOOL_CALL", False, False),
        ("max_tool_calls", True, False),
    ],
)
def test_reasons_of_few_servers_are_known(reason: str, truncated: bool, filtered: bool) -> None:
    outcome = judged("/v1/chat/completions", completion(finish_reason=reason))

    assert isinstance(outcome, Success)
    assert (outcome.stop_reason, outcome.truncated, outcome.filtered) == (reason, truncated, filtered)


@pytest.mark.parametrize("reason", ["function_call_filter: MALFORMED_FUNCTION_CALL", "error: stop"])
def test_a_detail_does_not_make_a_reason_known(reason: str) -> None:
    assert isinstance(judged("/v1/chat/completions", completion(finish_reason=reason)), Failure)


def test_an_error_inside_a_message_is_that_error() -> None:
    message = {"role": "assistant", "content": "", "error": {"code": 429, "message": "slow down"}}

    failure = judged("/v1/chat/completions", completion(message=message))

    assert isinstance(failure, Failure)
    assert failure.kind == "rate_limit"


BODIES: list[dict[str, Any]] = [
    {"status": "COMPLETED", "output": [{"type": "message", "content": []}]},
    {"status": "completed", "output": None, "output_text": "Hello"},
    {"status": "incomplete", "incomplete_details": {"reason": "max_tool_calls"}, "output": []},
]


@pytest.mark.parametrize("body", BODIES)
def test_a_response_is_whole_however_its_server_writes_that(body: dict[str, Any]) -> None:
    assert isinstance(judged("/v1/responses", body), Success)


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"embedding": [0.5]}, '{"input":"a"}'),
        ({"data": [{"embedding": {"float": [0.5], "base64": "AA"}}]}, '{"input":"a"}'),
        ({"data": [{"embedding": [0.5]}]}, '{"input":[{"type":"text"},{"type":"image_url"}]}'),
        ({"data": [{"embedding": [0.5]}]}, '{"input":[1,2,3]}'),
    ],
    ids=["one without a list", "several forms", "one of several parts", "one of tokens"],
)
def test_embeddings_are_there_in_any_form(body: object, asked: str) -> None:
    assert isinstance(judged("/v1/embeddings", body, asked=asked), Success)


NONE: list[tuple[dict[str, Any], str]] = [
    ({"embedding": []}, '{"input":"a"}'),
    ({"model": "m"}, '{"input":"a"}'),
    ({"data": [{"embedding": {}}]}, '{"input":"a"}'),
    ({"data": [{"embedding": [0.5]}]}, '{"input":["a","b"]}'),
    ({"data": [{"embedding": [0.5]}]}, '{"input":[[1],[2]]}'),
    ({"data": []}, '{"input":[{"type":"text"}]}'),
]


@pytest.mark.parametrize(("body", "asked"), NONE)
def test_embeddings_that_are_not_there_are_no_answer(body: object, asked: str) -> None:
    assert isinstance(judged("/v1/embeddings", body, asked=asked), Failure)


@pytest.mark.parametrize("body", [{"errors": [{"message": "bad"}]}, {"success": False, "message": "quota"}])
def test_an_error_of_an_unknown_endpoint_is_no_answer(body: dict[str, Any]) -> None:
    failure = judged("/v1/rerank", body)

    assert isinstance(failure, Failure)
    assert json.loads(failure.answer or b"") == body


@pytest.mark.parametrize(
    "body", [{"results": [{"index": 0}], "errors": [{"message": "one of two"}]}, {"ok": True}]
)
def test_an_answer_of_an_unknown_endpoint_may_have_errors_next_to_it(body: dict[str, Any]) -> None:
    assert isinstance(judged("/v1/rerank", body), Success)
