"""P12. Text at the edges: a key that is given twice is refused everywhere, however it is written.

Parsers differ in which of the two they take: what the server would do cannot be known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import attrs
import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from headrace._exceptions import BadLine, RunRefused
from headrace.cli import main
from headrace.dialects import make_dialect, read_settings
from headrace.dialects._lines import decode_object, require_unique
from headrace.dialects.anthropic import line_format
from headrace.policy.options import RequestOptions, ServerOptions
from headrace.run.endpoint import resolve_endpoint

ROW_OPTIONS = RequestOptions(prompt="{q}", model="m")
ANTHROPIC = b'{"custom_id":"a","params":{"model":"m","max_tokens":5,"messages":[%b]%b}%b}'
OPENAI = (
    b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[%b]%b}%b}'
)
RAW = b'{"model":"m","max_tokens":5,"messages":[%b]%b%b}'
FORMATS = {"anthropic": ANTHROPIC, "openai": OPENAI, "raw": RAW}
MESSAGE = b'{"role":"user","content":"a: b"}'

IN_A_MESSAGE = {
    "content": b'{"role":"user","content":"a","content":"b"}',
    "role": b'{"role":"user","role":"assistant","content":"a"}',
    "in a part": b'{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}',
    "apart": b'{"content":"a","role":"user","content":"b: c"}',
    "with spaces": b'{"role" : "user",\t"content"\t:"a","content" :"b"}',
    "escaped": b'{"role":"user","content":"a","c\\u006fntent":"b"}',
    "with an escaped colon in the text": b'{"role":"user","content":"\\u003a","content":"\\u003A"}',
    "equal": b'{"role":"user","content":"a","content":"a"}',
    "an object": b'{"role":"user","content":{"a":{"b":1}},"content":{}}',
}
IN_THE_BODY = {
    "model": b',"model":"n"',
    "escaped model": b',"mod\\u0065l":"n"',
    "a parameter": b',"temperature":0,"temperature":1',
    "stream": b',"stream":false,"stream":true',
    "deep inside": b',"metadata":{"a":[{"b":1,"b":2}]}',
    "empty": b',"":1,"":2',
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("message", IN_A_MESSAGE.values(), ids=IN_A_MESSAGE)
def test_a_key_of_a_message_is_given_twice(name: str, message: bytes) -> None:
    refuse(name, FORMATS[name] % (message, b"", b""))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("more", IN_THE_BODY.values(), ids=IN_THE_BODY)
def test_a_key_of_the_body_is_given_twice(name: str, more: bytes) -> None:
    refuse(name, FORMATS[name] % (MESSAGE, more, b""))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("anthropic", b',"custom_id":"b"'),
        ("anthropic", b',"custom\\u005fid":"b"'),
        ("anthropic", b',"params":{}'),
        ("openai", b',"custom_id":"b"'),
        ("openai", b',"url":"/v1/embeddings"'),
        ("openai", b',"method":"POST"'),
        ("openai", b',"body":{"model":"m"}'),
        ("raw", b',"messages":[]'),
    ],
)
def test_a_key_of_the_line_is_given_twice(name: str, more: bytes) -> None:
    refuse(name, FORMATS[name] % (MESSAGE, b"", more))


@pytest.mark.parametrize(
    "row",
    [
        b'{"q":"a","q":"b"}',
        b'{"q":"a","other":1,"other":2}',
        b'{"q":{"a":1,"a":2}}',
        b'{"q":"a","\\u0071":"b"}',
    ],
)
def test_a_field_of_a_row_is_given_twice(row: bytes) -> None:
    refuse("rows", row)


def refuse(name: str, line: bytes) -> None:
    dialect = make_dialect(name, ROW_OPTIONS if name == "rows" else RequestOptions())
    with pytest.raises(BadLine, match=r"the key '.*' occurs twice in one object"):
        dialect.lines.read(line)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        b'{"role":"user","content":"\\"a\\": 1, \\"a\\": 2"}',
        b'{"role":"user","content":"http://x:1/ {\\"a\\":{\\"a\\":1}} \\u003a"}',
        b'{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}',
        b'{"role":"user","content":{"content":{"content":"a"}}}',
        b'{"role":"user","content":"' + b"9" * 5_000 + b'","n":' + b"9" * 4_300 + b',"x":"\\u003a"}',
    ],
)
def test_equal_keys_of_different_objects_are_not(name: str, message: bytes) -> None:
    make_dialect(name, RequestOptions()).lines.read(FORMATS[name] % (message + b"," + message, b"", b""))


@attrs.frozen
class Object:
    """An object of JSON in which a key may come twice."""

    pairs: list[tuple[str, Value]]


Value: TypeAlias = "int | str | list[Value] | Object"


def written(value: Value, *, ascii_only: bool) -> str:
    if isinstance(value, Object):
        pairs = [
            f"{json.dumps(key, ensure_ascii=ascii_only)} : {written(each, ascii_only=ascii_only)}"
            for key, each in value.pairs
        ]
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(each, ascii_only=ascii_only) for each in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def repeats(value: Value) -> bool:
    if isinstance(value, Object):
        keys = {key for key, _ in value.pairs}
        return len(keys) != len(value.pairs) or any(repeats(each) for _, each in value.pairs)
    return isinstance(value, list) and any(map(repeats, value))


KEYS = st.sampled_from(["a", "b", ":", 'a":', "é"])
LEAVES: st.SearchStrategy[Value] = st.integers(0, 9) | st.sampled_from([":", 'a":1', "\\u003a", "\n"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=3).map(Object),
    max_leaves=8,
)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=4).map(Object), st.booleans(), st.booleans())
def test_the_quick_check_finds_the_same_as_the_exact_one(
    value: Object, ascii_only: bool, escape: bool
) -> None:
    text = written(value, ascii_only=ascii_only)
    line = (text.replace("é", "\\u00e9") if escape else text).encode()

    try:
        require_unique(line, decode_object(line))
        found = False
    except BadLine:
        found = True

    assert found is repeats(value)


# -- options


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["a=1", "a=2"], "--set a is given twice"),
        (["a=1", "b=1", "a=1"], "--set a is given twice"),
        (['a={"b":1,"b":2}'], "the key 'b' occurs twice"),
        (['a=[{"b":1,"\\u0062":2}]'], "the key 'b' occurs twice"),
        (["a=NaN"], "the value contains NaN or Infinity"),
        (['a="\\ud83d"'], "the value contains a lone surrogate"),
        (["a=" + "[" * 100_000], "the value is nested too deeply"),
        (["=1"], "the key is missing"),
        (["a="], "the value is missing"),
    ],
    ids=str,
)
def test_settings(texts: list[str], problem: str) -> None:
    with pytest.raises(RunRefused) as caught:
        read_settings(texts)
    assert problem in str(caught.value)


def test_settings_that_are_all_different() -> None:
    assert read_settings(["a=1", 'b={"a":{"a":1}}', 'c="a=1"']) == {"a": 1, "b": {"a": {"a": 1}}, "c": "a=1"}


@pytest.mark.parametrize(
    "headers", [("X-A: 1", "X-A: 2"), ("X-A: 1", "x-a: 1"), ("Authorization: a", "X: b", "AUTHORIZATION: c")]
)
def test_a_header_is_given_twice(headers: tuple[str, ...]) -> None:
    dialect = make_dialect("anthropic", RequestOptions())
    with pytest.raises(RunRefused, match=r"(?i)-H '(x-a|authorization)' is given twice"):
        resolve_endpoint(dialect, ServerOptions(headers=headers, no_auth=True), None)


@pytest.mark.parametrize("name", ["X-Api-Key", "x-api-key", "Content-Type", "ANTHROPIC-VERSION"])
def test_a_header_of_the_user_replaces_our_own_in_any_case(name: str) -> None:
    dialect = make_dialect("anthropic", RequestOptions())

    endpoint = resolve_endpoint(dialect, ServerOptions(headers=(f"{name}: mine",)), "key")

    assert [value for own, value in endpoint.headers.items() if own.lower() == name.lower()] == ["mine"]


COMMANDS: Mapping[str, list[str]] = {
    "run": ["rows.jsonl", "--prompt", "{q}", "--model", "m", "--simulate", "-o", "out.jsonl"],
    "plan": ["rows.jsonl", "--prompt", "{q}", "--model", "m", "--rpm", "5"],
    "verify": ["rows.jsonl", "--id-field", "q", "-o", "out.jsonl"],
    "simulate": ["--seed", "1", "--port", "0"],
    "demo": ["--directory", "d"],
}


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("run", ("--prompt", "x")),
        ("run", ("--prompt", "{q}")),
        ("run", ("--model", "n")),
        ("run", ("--model=n",)),
        ("run", ("-o", "other.jsonl")),
        ("run", ("--output", "other.jsonl")),
        ("run", ("--max-tokens", "5", "--max-tokens", "6")),
        ("run", ("-n", "5", "--first", "6")),
        ("run", ("--keep", "a", "--keep", "b")),
        ("run", ("--base-url", "http://a", "--base-url", "http://b")),
        ("run", ("--max-cost", "5", "--max-cost", "50")),
        ("plan", ("--prompt", "x")),
        ("plan", ("--rpm", "6")),
        ("verify", ("-o", "x.jsonl")),
        ("verify", ("--id-field", "x")),
        ("simulate", ("--seed", "2")),
        ("simulate", ("--error-rate", "529=0.1", "--error-rate", "529=0.2")),
        ("demo", ("--directory", "e")),
    ],
    ids=str,
)
def test_an_option_is_given_twice(
    command: str, again: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [command, *COMMANDS[command], *again])

    assert result.exit_code == 2
    assert "is given twice: leave out one of them" in result.stderr


@pytest.mark.parametrize(
    "again",
    [("-H", "A: 1", "-H", "B: 2"), ("--set", "a=1", "--set", "b=1"), ("-v", "-v"), ("-c", "1", "-c", "2")],
)
def test_what_may_be_given_again(
    again: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_bytes(b'{"q":"x"}\n')

    result = CliRunner().invoke(main, ["run", *COMMANDS["run"], "--progress", "none", *again])

    assert result.exit_code == 0


def test_an_id_that_is_given_twice_is_the_error_of_its_line() -> None:
    line = b'{"custom_id":"a","custom_id":"b","params":{"model":"m"}}'
    assert line_format(RequestOptions()).identify(line) in {"a", "b"}
    assert msgspec.json.decode(line)["custom_id"] == "b"
    refuse("anthropic", line)
