"""A server's texts on the terminal and in records: no control sequences, no keys (P21, P24)."""

from __future__ import annotations

import json

import pytest

from headrace.dialects import redact
from headrace.dialects._printable import printable
from headrace.job import Failure

from .samples import answer, dialect

KEY = "sk-ant-api03-0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é ü 漢字", "plain é ü 漢字"),
        ("two\r\nlines\tand\x0bmore", "two lines and more"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text \x1b]8;;http://x\x1b\\link", "text link"),
        ("\x9b31mred", "red"),
        ("bell\x07 back\x08 del\x7f", "bell back del"),
        ("left\u202eright\u200b", "left right"),
        ("sep\u2028par\u2029nel\x85", "sep par nel"),
        ("half \ud800 pair", "half pair"),
        ("\x1b", ""),
    ],
)
def test_printable_leaves_nothing_that_a_terminal_acts_on(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_printable_is_cut_between_characters() -> None:
    assert len(printable("漢" * 5000).encode()) <= 2048
    assert printable("漢" * 5000).removesuffix("...").strip("漢") == ""


@pytest.mark.parametrize("name", ["anthropic", "openai"])
@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_a_key_that_a_server_echoes_is_taken_out(name: str, status: int) -> None:
    said = {"error": {"type": "x", "code": KEY, "message": f"bad key {KEY}!"}, "request_id": KEY}
    outcome = dialect(name).judge(answer(status, said, head=b"HTTP/1.1 400 x\r\n\r\n"))
    assert isinstance(outcome, Failure)

    clean = redact(outcome, [KEY, ""])

    assert KEY not in repr(clean)
    assert "bad key [redacted]!" in clean.message
    assert json.loads(clean.body or b"")["error"]["message"] == "bad key [redacted]!"
    assert clean.kind == outcome.kind


def test_a_key_that_the_end_of_the_excerpt_cuts_is_taken_out() -> None:
    for padding in range(1990, 2048):
        outcome = dialect("anthropic").judge(answer(400, b"x" * padding + b" " + KEY.encode() * 2))
        assert isinstance(outcome, Failure)

        assert KEY[:10] not in redact(outcome, [KEY]).message


def test_a_key_with_signs_that_json_escapes_is_taken_out_of_the_body() -> None:
    key = 'a"b\\c'
    failure = Failure(kind="rejected", message=key, body=json.dumps({"message": key}).encode())

    assert redact(failure, [key]) == Failure(
        kind="rejected", message="[redacted]", body=b'{"message": "[redacted]"}'
    )


def test_a_failure_without_the_key_stays_as_it_is() -> None:
    failure = Failure(kind="rejected", message="no sk-ant here", body=b'{"a":1}', code="c", request_id="r")

    assert redact(failure, [KEY]) == failure
