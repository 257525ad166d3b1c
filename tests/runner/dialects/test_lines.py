"""Lines of input: the requests that they become, and why some become none (P12, P24)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace._exceptions import BadLine, RunRefused
from headrace.job import JobRequest

from .samples import dialect, line

BODY: dict[str, Any] = {"model": "m", "max_tokens": 16, "messages": [{"role": "user", "content": "é"}]}
CHAT: dict[str, Any] = {"custom_id": "a-1", "method": "POST", "url": "/v1/chat/completions", "body": BODY}


def test_an_anthropic_body_goes_through_byte_for_byte() -> None:
    """Without an option that overrides a key, blanks, escapes and the order of keys stay."""
    body = b'{ "model":"m", "messages":[ ],\t"max_tokens":1.60e1, "x":"\\u00e9\xc3\xa9" }'

    request = dialect("anthropic").lines.read(
        b'{"custom_id":"a-1", "params": ' + body.replace(b"1.60e1", b"16") + b" }"
    )

    assert request == JobRequest(
        path="/v1/messages",
        body=body.replace(b"1.60e1", b"16"),
        model="m",
        max_tokens=16,
        stream=False,
    )


def test_a_raw_line_is_its_body() -> None:
    text = b' {"model":"m","max_tokens":16,"messages":[],"stream":true,"metadata":{"user_id":"u-1"}}'

    request = dialect("raw", id_field="metadata.user_id").lines.read(text)

    assert request == JobRequest(path="/v1/messages", body=text, model="m", max_tokens=16, stream=True)


def test_an_openai_body_goes_through_byte_for_byte_to_its_path() -> None:
    text = b'{"custom_id":"a-1","method":"POST","url":"/v1/embeddings","body":{ "model":"m","input":"x" }}'

    request = dialect("openai").lines.read(text)

    assert request == JobRequest(
        path="/v1/embeddings",
        body=b'{ "model":"m","input":"x" }',
        model="m",
        max_tokens=0,
        stream=False,
    )


def test_a_row_fills_prompt_and_system() -> None:
    rows = dialect("rows", prompt="Q: {q}", system="About {topic.name}.", max_tokens=5, id_field="n")

    request = rows.lines.read(line({"q": 'a "b"\n', "topic": {"name": "sums"}, "n": 12}))

    assert rows.lines.identify(line({"n": 12})) == "12"
    assert (request.path, request.model, request.max_tokens, request.stream) == (
        "/v1/messages",
        "m",
        5,
        False,
    )
    assert json.loads(request.body) == {
        "model": "m",
        "max_tokens": 5,
        "system": "About sums.",
        "messages": [{"role": "user", "content": 'Q: a "b"\n'}],
    }


def test_a_row_has_1024_tokens_unless_said_otherwise() -> None:
    assert dialect("rows").lines.read(b'{"q":"x"}').max_tokens == 1024
    assert dialect("rows").lines.recipe["max_tokens"] == 1024
    assert dialect("rows", set={"max_tokens": 9}).lines.read(b'{"q":"x"}').max_tokens == 9


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("anthropic", line({"custom_id": "a-1", "params": BODY})),
        ("raw", line(BODY)),
        ("openai", line(CHAT)),
        ("rows", line({"q": "é"})),
    ],
)
def test_options_override_the_line(name: str, text: bytes) -> None:
    request = dialect(name, model="other", max_tokens=3, set={"temperature": 0.5, "messages": []}).lines.read(
        text
    )

    body = json.loads(request.body)
    assert (request.model, request.max_tokens) == ("other", 3)
    assert body == {"model": "other", "max_tokens": 3, "messages": [], "temperature": 0.5}


@pytest.mark.parametrize("option", [{"stream": True}, {"set": {"stream": True}}])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("anthropic", line({"custom_id": "a-1", "params": {**BODY, "stream": False}})),
        ("rows", line({"q": "x"})),
    ],
)
def test_stream_can_be_asked_for_every_line(name: str, text: bytes, option: dict[str, Any]) -> None:
    request = dialect(name, **option).lines.read(text)

    assert request.stream
    assert json.loads(request.body)["stream"] is True


@pytest.mark.parametrize(
    ("stream_options", "expected"),
    [
        (None, {"include_usage": True}),
        ({"x": 1}, {"x": 1, "include_usage": True}),
        ({"include_usage": False}, {"include_usage": False}),
    ],
)
def test_a_streamed_chat_tells_its_usage_unless_set(stream_options: object, expected: object) -> None:
    body = {**BODY, "stream": True, "stream_options": stream_options}

    assert (
        json.loads(dialect("openai").lines.read(line({**CHAT, "body": body})).body)["stream_options"]
        == expected
    )


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_an_openai_limit_keeps_the_name_that_the_body_uses(limit: str) -> None:
    text = line({**CHAT, "body": {"model": "m", limit: 16, "messages": []}})

    request = dialect("openai", max_tokens=3).lines.read(text)

    assert dialect("openai").lines.read(text).max_tokens == 16
    assert request.max_tokens == 3
    assert json.loads(request.body) == {"model": "m", limit: 3, "messages": []}


def test_kept_fields_are_one_line_of_json_and_an_absent_one_is_left_out() -> None:
    """U+2028 in a kept field must not break the record's line for any reader."""
    text = line({"custom_id": "a-1", "params": BODY, "gold": "4\u20282", "meta": {"split": [1]}})

    request = dialect("anthropic", keep=("gold", "meta.split", "none")).lines.read(text)

    assert request.kept == b'{"gold":"4\\u20282","meta.split":[1]}'


DEEP = b'{"custom_id":"a","params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
UNREADABLE = {
    "empty": b"",
    "blank": b"  ",
    "text": b"hello",
    "array": b"[1]",
    "null": b"null",
    "cut": b'{"custom_id":"a","params":{"model":"m"',
    "invalid UTF-8": b'{"custom_id":"a","params":{"model":"\xff","messages":[]}}',
    "UTF-8 of a surrogate": b'{"custom_id":"a","params":{"model":"\xed\xa0\x80"}}',
    "lone surrogate": b'{"custom_id":"a","params":{"model":"m","messages":["\\ud83d"]}}',
    "low surrogate": b'{"custom_id":"a","params":{"model":"m","messages":["\\ude00 x"]}}',
    "NaN": b'{"custom_id":"a","params":{"model":"m","temperature":NaN}}',
    "Infinity": b'{"custom_id":"a","params":{"model":"m","temperature":-Infinity}}',
    "overflow": b'{"custom_id":"a","params":{"model":"m","temperature":1e999}}',
    "5,000 digits": b'{"custom_id":"a","params":{"model":"m","max_tokens":' + b"9" * 5000 + b"}}",
    "deep": DEEP,
    "deep array": b"[" * 100_000,
    "NUL": b"\0",
    "control character": b'{"custom_id":"a\x01"}',
    "two values": b'{"a":1} {"b":2}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
}
"""Lines that cannot be parsed in any dialect."""


@pytest.mark.parametrize("name", ["anthropic", "openai", "raw", "rows"])
@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_line_is_a_bad_line_with_a_short_reason(name: str, text: bytes) -> None:
    with pytest.raises(BadLine) as caught:
        dialect(name).lines.read(text)

    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["anthropic", "openai", "raw", "rows"])
@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_identify_raises_nothing_else(name: str, text: bytes) -> None:
    """It reads only the id, so it may find one in a line that `read` rejects."""
    id_field = None if name in ("anthropic", "openai") else "custom_id"
    try:
        own_id = dialect(name, id_field=id_field).lines.identify(text)
    except BadLine:
        return
    assert own_id is None or own_id == "a"


def identify_and_read(name: str, text: bytes) -> None:
    line_format = dialect(name).lines
    line_format.identify(text)
    line_format.read(text)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("anthropic", b'{"custom_id":"a"}', "missing required field `params`"),
        ("anthropic", b'{"custom_id":"a","params":[]}', "params must be an object"),
        ("anthropic", b'{"custom_id":"a","params":null}', "params must be an object"),
        ("anthropic", b'{"custom_id":7,"params":{"model":"m"}}', "got `int` - at `$.custom_id`"),
        ("anthropic", b'{"custom_id":"","params":{"model":"m"}}', "1 to 256 characters, not 0"),
        ("anthropic", line({"custom_id": "a" * 257, "params": BODY}), "1 to 256 characters, not 257"),
        (
            "anthropic",
            line({"custom_id": "a\x1b[31m", "params": BODY}),
            "custom_id contains control characters",
        ),
        (
            "anthropic",
            line({"custom_id": "a\u2028", "params": BODY}),
            "custom_id contains control characters",
        ),
        (
            "anthropic",
            b'{"custom_id":"a","custom_id":"b","params":{"model":"m"}}',
            "key 'custom_id' occurs twice",
        ),
        ("anthropic", b'{"custom_id":"a","params":{"model":"m","model":"n"}}', "key 'model' occurs twice"),
        (
            "anthropic",
            b'{"custom_id":"a","params":{"messages":[]}}',
            "does not name a model; set one there, or for all jobs with --model",
        ),
        ("anthropic", b'{"custom_id":"a","params":{"model":""}}', "does not name a model"),
        ("anthropic", b'{"custom_id":"a","params":{"model":1}}', "model must be a string"),
        (
            "anthropic",
            b'{"custom_id":"a","params":{"model":"m","max_tokens":"9"}}',
            "max_tokens must be an integer",
        ),
        ("anthropic", b'{"custom_id":"a","params":{"model":"m","max_tokens":true}}', "must be an integer"),
        (
            "anthropic",
            b'{"custom_id":"a","params":{"model":"m","stream":"yes"}}',
            "stream must be true or false",
        ),
        ("anthropic", b'{"custom_id":"a","params":{"model":"m","top_p":NaN}}', "contains NaN or Infinity"),
        ("anthropic", b'{"custom_id":"a","params":{"model":"m","x":[1, -Infinity]}}', "NaN or Infinity"),
        ("anthropic", b'{"custom_id":"a\xe9","params":{}}', "valid UTF-8: byte 0xe9 at position 15; save"),
        ("rows", b'{"q":"\xff"}', "valid UTF-8: byte 0xff at position 6; save"),
        ("rows", b"\x1f\x8b\x08\0", "the file is compressed: decompress it first"),
        ("raw", b'{"messages":[],"messages":[]}', "key 'messages' occurs twice"),
        ("openai", line({**CHAT, "method": "GET"}), "Invalid enum value 'GET' - at `$.method`"),
        ("openai", line({**CHAT, "method": "\x1b[31m"}), "Invalid enum value"),
        ("openai", line({**CHAT, "body": "x"}), "body must be an object"),
        (
            "openai",
            line({**CHAT, "url": "/v1/embeddings", "body": {**BODY, "stream": True}}),
            "can be streamed",
        ),
        ("rows", b'{"q":"a","q":"b"}', "key 'q' occurs twice"),
        ("rows", b'{"a":"b"}', "no field 'q' for the prompt; its fields: a"),
    ],
)
def test_a_line_that_is_not_a_request_says_why(name: str, text: bytes, reason: str) -> None:
    with pytest.raises(BadLine) as caught:
        identify_and_read(name, text)

    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/messages",
        "//evil.example/v1",
        "v1/chat/completions",
        "",
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/..%2fadmin",
        "/v1/..\\admin",
        "/v1/..%5cadmin",
        "/v1/x\r\nx-api-key: y",
        "/v1/x y",
        "/v1/é",
        "/v1#x",
        "/v1/%zz",
        "@evil.example/",
        "/.",
    ],
)
def test_a_line_cannot_leave_the_configured_origin(url: str) -> None:
    """P24: the URL is a path without dot segments, spaces or line ends."""
    with pytest.raises(BadLine, match="url must be a path"):
        dialect("openai").lines.read(line({**CHAT, "url": url}))


@pytest.mark.parametrize(
    "url", ["/v1/chat/completions?api-version=1", "/openai/deployments/a.b/x", "/v1/a%20b"]
)
def test_any_plain_path_is_accepted(url: str) -> None:
    assert dialect("openai").lines.read(line({**CHAT, "url": url})).path == url


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12, "12"), (-3, "-3"), (10**30, str(10**30)), ("ä b", "ä b"), ("x" * 256, "x" * 256)],
)
def test_id_field_takes_strings_and_integers(value: object, expected: str) -> None:
    rows = dialect("rows", id_field="meta.key")

    assert rows.lines.identify(line({"q": "x", "meta": {"key": value}})) == expected


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 257, "\x7f", 10**300])
def test_id_field_takes_nothing_else(value: object) -> None:
    rows = dialect("rows", id_field="key")

    with pytest.raises(BadLine, match="'key'"):
        rows.lines.identify(line({"q": "x", "key": value}))


def test_a_missing_id_field_is_a_bad_line() -> None:
    with pytest.raises(BadLine, match="no field 'key', which --id-field names"):
        dialect("rows", id_field="key").lines.identify(b'{"q":1}')


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_the_own_id_is_found_in_any_place_and_may_be_absent(name: str) -> None:
    assert dialect(name).lines.identify(b'{"params":{"custom_id":"inner"},"custom_id":"\\u0061-1"}') == "a-1"
    assert dialect(name).lines.identify(b'{"params":{}}') is None


@pytest.mark.parametrize(
    ("name", "options", "text", "expected"),
    [
        (
            "rows",
            {"prompt": "{x.y} {q}"},
            b'{"q":1}',
            "--prompt names the field 'x.y', which is missing from the first line; its fields: q",
        ),
        ("rows", {"system": "{s}"}, b'{"q":1}', "--system names the field 's'"),
        ("rows", {"id_field": "i"}, b'{"q":1}', "--id-field names the field 'i'"),
        ("raw", {"id_field": "i"}, b'{"q":1}', "--id-field names the field 'i'"),
        ("anthropic", {"keep": ("gold",)}, b'{"custom_id":"a"}', "--keep names the field 'gold'"),
        ("openai", {"keep": ("gold",)}, b'{"custom_id":"a"}', "--keep names the field 'gold'"),
    ],
)
def test_the_first_line_shows_that_an_option_does_not_fit(
    name: str, options: dict[str, Any], text: bytes, expected: str
) -> None:
    with pytest.raises(RunRefused) as caught:
        dialect(name, **options).lines.check_first(text)

    assert str(caught.value).startswith(expected)


def test_a_refused_prompt_says_how_to_write_literal_braces() -> None:
    with pytest.raises(RunRefused, match=r"for literal braces write \{\{x\}\}$"):
        dialect("rows", prompt="{x}").lines.check_first(b'{"q":1}')


def test_a_first_line_that_fits_passes_and_an_unreadable_one_is_left_to_the_next() -> None:
    dialect("rows", keep=("q",)).lines.check_first(b'{"q":null}')
    with pytest.raises(BadLine):
        dialect("rows").lines.check_first(b"nonsense")
