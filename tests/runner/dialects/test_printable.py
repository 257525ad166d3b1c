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


SIGNS = 'sk-proj/0123"4567\\89+ab=é'
ESCAPED: dict[str, str] = {
    "slashes": SIGNS.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/"),
    "units": "".join(f"\\u{ord(char):04X}" for char in SIGNS),
    "some units": json.dumps(SIGNS)[1:-1].replace("/", "\\u002f").replace("s", "\\u0073"),
}


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("written", ESCAPED.values(), ids=ESCAPED)
def test_a_key_is_taken_out_however_it_is_escaped(written: str, times: int) -> None:
    text = f'{{"a": "key {written} end"'  # cut off: its text becomes a string
    for _ in range(times):
        text = json.dumps(text)
    failure = Failure(kind="invalid_response", message="", answer=json.dumps(text).encode())

    answer = redact(failure, [SIGNS]).answer or b""

    assert b"key [redacted] end" in answer
    json.loads(answer)


@pytest.mark.parametrize("length", range(8, len(KEY)))
def test_a_key_that_the_end_of_an_answer_cuts_is_taken_out(length: int) -> None:
    beginning = f'{{"content":"the key is {KEY[:length]}'
    failure = Failure(kind="connection", message="", answer=json.dumps({"text": beginning}).encode())

    assert json.loads(redact(failure, [KEY]).answer or b"") == {"text": '{"content":"the key is [redacted]'}


def test_what_only_begins_like_a_key_stays() -> None:
    answer = json.dumps(f"keys begin with {KEY[:13]} and are long").encode()
    failure = Failure(kind="invalid_response", message="", answer=answer)

    assert redact(failure, [KEY]).answer == answer


def test_a_failure_without_the_key_stays_as_it_is() -> None:
    failure = Failure(kind="rejected", message="no sk-ant here", body=b'{"a":1}', code="c", request_id="r")

    assert redact(failure, [KEY]) == failure
