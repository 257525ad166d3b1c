"""What decides is whether the answer is there; the client reads the rest leniently (P16)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from headrace_client import APIResponseValidationError
from headrace_client._wire.json import MAX_DEPTH, TooDeepError, decode, is_deep
from headrace_client._wire.sse import ServerSentEvent
from headrace_client.testing import reply
from headrace_client.transport.content import inflater_for
from headrace_client.transport.errors import ProtocolViolation
from headrace_client.types import Message, MessageTokensCount
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}


async def message(backend: Backend, body: object, *, strict: bool = False, cast_to: Any = Message) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    client, _ = backend.scripted(
        reply(body=content, headers={"content-type": "application/json"}),
        max_retries=0,
        _strict_response_validation=strict,
    )
    return await settle(client.post("/v1/messages", cast_to=cast_to))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"[NaN, -Infinity, Infinity, 1e999]", [None] * 4),
        (b'"\\ud83d cut"', "\ufffd cut"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\xed\xa0\xbd\xed\xb8\x80"', "\U0001f600"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
        (b"9" * 5000, None),
        (b'{"a": "x\ty"}', {"a": "x\ty"}),
    ],
)
def test_what_pythons_json_reads_is_read(text: bytes, value: object) -> None:
    assert decode(text) == value


@pytest.mark.parametrize("text", [b"", b"{", b"<html>", b'"\xff"', b"{'a': 1}", b'{"a": 1} x', b"nan"])
def test_anything_else_is_a_typed_error(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"]}":', "}]")])
def test_depth_is_bounded_with_a_typed_error(opening: str, closing: str) -> None:
    for levels in (1, 2, 3, 60, MAX_DEPTH // len(closing)):
        assert decode(opening * levels + "1" + closing * levels)
    for levels in (MAX_DEPTH // len(closing) + 1, 1000, 100_000):
        for text in (opening * levels + "1" + closing * levels, opening * levels):
            with pytest.raises(TooDeepError):
                decode(text)
            with pytest.raises(TooDeepError):
                decode(text.encode())


def test_brackets_in_strings_and_next_to_each_other_are_not_depth() -> None:
    assert not is_deep(json.dumps(["[{" * 500, '"[' * 500, [[]] * 500]))
    assert not is_deep(json.dumps(["[{" * 500, '"[' * 500, [[]] * 500]).encode())


def test_an_event_is_read_leniently() -> None:
    assert ServerSentEvent(data='{"a": NaN, "b": "\\ud800"}').json() == {"a": None, "b": "\ufffd"}


async def test_an_answer_with_half_a_pair_and_nan_is_read(backend: Backend) -> None:
    body = json.dumps({**MESSAGE, "content": [{"type": "text", "text": "a \ud83d"}], "score": float("nan")})

    got = await message(backend, body.encode())

    assert got.content[0].text == "a \ufffd"
    assert got.score is None


async def test_content_as_text_becomes_a_block(backend: Backend) -> None:
    got = await message(backend, {**MESSAGE, "content": "Hello"})

    assert got.content[0].text == "Hello"


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        [MESSAGE],
        "hello",
        5,
        {"data": MESSAGE},
        {**MESSAGE, "content": None},
        {key: value for key, value in MESSAGE.items() if key != "content"},
        {"detail": "no such thing"},
        b'{"a":' * 100_000,
    ],
    ids=repr,
)
@pytest.mark.parametrize("strict", [False, True])
async def test_a_message_of_nones_is_no_answer(backend: Backend, body: object, strict: bool) -> None:
    with pytest.raises(APIResponseValidationError):
        await message(backend, body, strict=strict)


async def test_other_answers_of_nones_are_none_either(backend: Backend) -> None:
    with pytest.raises(APIResponseValidationError):
        await message(backend, {"tokens": 5}, cast_to=MessageTokensCount)


async def test_foreign_types_may_be_anything(backend: Backend) -> None:
    assert await message(backend, {"error": {"code": 429}}, cast_to=dict) == {"error": {"code": 429}}
    assert await message(backend, b"null", cast_to=object) is None


@pytest.mark.parametrize(
    ("coding", "steps"),
    [
        ("none", 0),
        ("utf-8", 0),
        ("UTF-8, identity", 0),
        ("", 0),
        ("identity, gzip", 1),
        ("gzip, none", 1),
        ("X-GZIP", 1),
        ("gzip,gzip", 2),
        ("something-else, gzip", 1),
    ],
)
def test_words_that_are_no_codings_change_nothing(coding: str, steps: int) -> None:
    body = b"hello"
    for _ in range(steps):
        body = gzip.compress(body, mtime=0)

    inflater = inflater_for(coding)

    assert (body if inflater is None else inflater.feed(body, 1000)) == b"hello"


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "compress"])
def test_a_coding_that_cannot_be_decoded_is_named(coding: str) -> None:
    with pytest.raises(ProtocolViolation, match="content coding that was not requested"):
        inflater_for(coding)
