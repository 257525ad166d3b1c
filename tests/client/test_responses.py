"""Responses: raw, as they arrive, and of other kinds."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace_client import (
    APIConnectionError,
    APIResponse,
    APIResponseValidationError,
    AsyncAPIResponse,
    BaseModel,
    OverloadedError,
    PermissionDeniedError,
)
from headrace_client._responses.base_response import (
    BaseAPIResponse,
    StreamAlreadyConsumed,
    extract_response_type,
)
from headrace_client._responses.binary import HttpxBinaryResponseContent
from headrace_client._responses.jsonl import AsyncJSONLDecoder, JSONLDecoder
from headrace_client._responses.stream import AsyncStream, Stream
from headrace_client.testing import reply, sse
from tests.client.backends import Backend, each, entered, settle

pytestmark = pytest.mark.anyio


class Dog(BaseModel):
    name: str


# --- raw responses ----------------------------------------------------------------------------------


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": []}


async def test_a_raw_response(backend: Backend) -> None:
    client, api = backend.scripted(reply(500), reply(json=MESSAGE, headers={"request-id": "req_1"}))

    raw = await settle(client.messages.with_raw_response.create(**PROMPT, extra_headers={"X-Mine": "1"}))
    message = await settle(raw.parse())

    assert (AsyncAPIResponse if backend.is_async else APIResponse) in type(raw).__mro__
    assert api.requests[1].headers["x-stainless-raw-response"] == "true"
    assert api.requests[1].headers["x-mine"] == "1"
    assert (raw.status_code, raw.request_id, raw.retries_taken, raw.method) == (200, "req_1", 1, "POST")
    assert (raw.headers["request-id"], raw.url.path) == ("req_1", "/v1/messages")
    assert (raw.http_version, raw.is_closed) == ("HTTP/1.1", True)
    assert raw.elapsed >= dt.timedelta(0)
    assert raw.http_request is api.requests[1]
    assert raw.http_response.json() == MESSAGE
    assert message.content[0].text == "hi"
    assert await settle(raw.parse()) is message
    assert (await settle(raw.parse(to=dict[str, Any])))["id"] == "msg_1"
    assert (await settle(raw.text())).startswith("{")
    assert await settle(raw.json()) == MESSAGE
    assert raw.content == await settle(raw.read())
    assert "200" in repr(raw)


async def test_raw_responses_of_the_whole_client(backend: Backend) -> None:
    """`client.with_raw_response.<resource>.<method>`."""
    client, _ = backend.scripted(reply(json={"input_tokens": 3}))

    raw = await settle(client.with_raw_response.messages.count_tokens(model="m", messages=[]))

    assert (await settle(raw.parse())).input_tokens == 3


async def test_a_raw_stream(backend: Backend) -> None:
    client, api = backend.scripted(sse(("message_stop", {})))

    raw = await settle(client.messages.with_raw_response.create(**PROMPT, stream=True))
    stream = await settle(raw.parse())

    assert isinstance(stream, AsyncStream if backend.is_async else Stream)
    assert [event.type async for event in each(stream)] == ["message_stop"]
    assert api.open_responses == 0


# --- responses as they arrive -----------------------------------------------------------------------


async def test_a_streaming_response(backend: Backend) -> None:
    """The request is made on entering; the response is unread, and closed on leaving."""
    client, api = backend.scripted(reply(body=[b"one\ntw", b"o\n"]), reply(body=[b"one", b"two"]))

    manager = client.messages.with_streaming_response.create(**PROMPT)
    before = len(api.requests)
    async with entered(manager) as response:
        inside = (api.open_responses, response.is_closed)
        lines = [line async for line in each(response.iter_lines())]
        with pytest.raises(StreamAlreadyConsumed):
            await settle(response.read())

    assert (before, inside, api.open_responses) == (0, (1, False), 0)
    assert api.requests[0].headers["x-stainless-raw-response"] == "stream"
    assert lines == ["one", "two"]


@pytest.mark.parametrize(
    ("method", "chunk_size", "chunks"),
    [
        ("iter_bytes", None, [b"one", b"two"]),
        ("iter_bytes", 4, [b"onet", b"wo"]),
        ("iter_text", None, ["one", "two"]),
    ],
)
async def test_ways_to_iterate_over_a_body(
    backend: Backend, method: str, chunk_size: int | None, chunks: Any
) -> None:
    client, _ = backend.scripted(reply(body=[b"one", b"two"]))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        assert [chunk async for chunk in each(getattr(response, method)(chunk_size))] == chunks


async def test_a_streaming_response_may_be_parsed(backend: Backend) -> None:
    client, _ = backend.scripted(reply(json=MESSAGE))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        assert (await settle(response.parse())).id == "msg_1"


@pytest.mark.parametrize("method", ["read", "iter_bytes"])
async def test_a_body_that_breaks_off_is_a_connection_error(backend: Backend, method: str) -> None:
    """Unlike the reference SDK."""

    async def read() -> None:
        await settle(response.read())

    async def iter_bytes() -> None:
        _ = [chunk async for chunk in each(response.iter_bytes())]

    failure = httpx.ReadError("reset by peer")
    client, api = backend.scripted(reply(body=[b"one", failure]))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        with pytest.raises(APIConnectionError) as caught:
            await (read() if method == "read" else iter_bytes())

    assert caught.value.__cause__ is failure
    assert api.open_responses == 0


async def test_leaving_in_the_middle_leaves_nothing_behind(backend: Backend) -> None:
    """Otherwise trio would warn about a generator that it collects."""
    client, api = backend.scripted(reply(body=[b"one", b"two", b"three"]))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        chunks = response.iter_bytes()
        chunk = await anext(chunks) if backend.is_async else next(chunks)

    assert (chunk, api.open_responses) == (b"one", 0)


# --- other kinds ------------------------------------------------------------------------------------


async def test_json_lines(backend: Backend) -> None:
    client, api = backend.scripted(reply(body=[b'{"name":"a"}\n{"na', b'me":"b"}\r\n\n{"name":"c"}']))
    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder

    lines = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))
    found = [dog.name async for dog in each(lines)]

    assert found == ["a", "b", "c"]
    assert lines.http_response.status_code == 200
    assert api.open_responses == 0


async def test_a_bad_line_is_a_validation_error_and_close_closes(backend: Backend) -> None:
    client, api = backend.scripted(reply(body=b"{nope\n"), reply(body=[b'{"name":"a"}\n', b"{}"]))
    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder

    bad = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))
    with pytest.raises(APIResponseValidationError, match="not JSON"):
        _ = [dog async for dog in each(bad)]

    left = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))
    async with entered(left):
        await (anext(left) if backend.is_async else settle(next(left)))
    assert api.open_responses == 0


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (
            b"<html>login\n</html>",
            APIResponseValidationError,
            'The server sent "<html>login". A line is not J',
        ),
        (b"null\n", APIResponseValidationError, 'The server sent "null". A line is not a JSON object'),
        (b'{"error":{"message":"no","code":403}}', PermissionDeniedError, "Error code: 403"),
        (b'{"type":"error","error":{"type":"overloaded_error"}}', OverloadedError, "Error code: 529"),
    ],
)
async def test_what_comes_in_place_of_the_lines_is_an_error_that_quotes_it(
    backend: Backend, body: bytes, error: type[Exception], message: str
) -> None:
    client, _ = backend.scripted(reply(body=body))
    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder
    lines = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))

    with pytest.raises(error, match=f"^{re.escape(message)}"):
        _ = [dog async for dog in each(lines)]


async def test_the_error_of_a_line_with_other_keys_is_that_of_its_job(backend: Backend) -> None:
    client, _ = backend.scripted(reply(body=b'{"name":"a","error":{"code":403,"message":"no"}}'))
    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder
    lines = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))

    assert [dog.name async for dog in each(lines)] == ["a"]


async def test_binary_responses(backend: Backend, tmp_path: Path) -> None:
    client, _ = backend.scripted(*[reply(body=[b"\x00one", b"two"])] * 3)

    for name in ("write_to_file", "stream_to_file"):
        binary = await settle(client.get("/x", cast_to=HttpxBinaryResponseContent, stream=True))
        prefix = "a" if backend.is_async else ""
        await settle(getattr(binary, prefix + name)(tmp_path / name))
        assert (tmp_path / name).read_bytes() == b"\x00onetwo"

    whole = await settle(client.get("/x", cast_to=HttpxBinaryResponseContent))
    assert whole.content == b"\x00onetwo"


async def test_a_response_class_of_the_user(backend: Backend) -> None:
    """`cast_to` may be a subclass of `APIResponse`."""
    base: Any = AsyncAPIResponse if backend.is_async else APIResponse
    view = type("MyView", (base,), {"__orig_bases__": (base[list[int]],)})

    client, _ = backend.scripted(reply(json=[1, 2]))

    answer = await settle(client.get("/x", cast_to=view))

    assert type(answer) is view
    assert await settle(answer.parse()) == [1, 2]


def test_the_type_argument_of_a_response_class() -> None:
    class Mine(APIResponse[bytes]): ...

    assert extract_response_type(BaseAPIResponse[str]) is str
    assert extract_response_type(Mine) is bytes
    with pytest.raises(RuntimeError, match="to have a type argument at index 0 but it did not"):
        extract_response_type(AsyncAPIResponse)
