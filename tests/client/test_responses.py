"""Answers as types, raw and as they arrive, on all backends (contract items 85-91, 94-98)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest

from headrace_client import (
    APIConnectionError,
    APIResponse,
    APIResponseValidationError,
    AsyncAPIResponse,
    BaseModel,
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

JSON = {"content-type": "application/json"}


class Cat(BaseModel):
    name: str
    lives: int


class Dog(BaseModel):
    name: str


async def get(backend: Backend, answer: Any, cast_to: Any, **settings: Any) -> Any:
    client, _ = backend.scripted(answer, max_retries=0, **settings)
    return await settle(client.get("/x", cast_to=cast_to))


# --- what an answer is cast to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "cast_to", "expected"),
    [
        ("true", bool, True),
        ("TrUe", bool, True),
        ("false", bool, False),
        ("5", int, 5),
        ("2.5", float, 2.5),
        ("text", str, "text"),
        ("text", bytes, b"text"),
        ("text", type(None), None),
        ("text", object, "text"),
        ("", object, ""),
        ('{"name":"a"}', str, '{"name":"a"}'),
        ('{"name":"a","lives":9}', Cat, Cat(name="a", lives=9)),
        ('{"name":"a","lives":9}', Annotated[Cat, "anything"], Cat(name="a", lives=9)),
        ('{"name":"a"}', Cat | Dog, Dog(name="a")),
    ],
)
async def test_kinds_of_answers_whatever_their_content_type(
    backend: Backend, body: str, cast_to: Any, expected: object
) -> None:
    """Items 88, 89: a model is tried from JSON even if the answer does not say that it is."""
    assert await get(backend, reply(body=body), cast_to) == expected


@pytest.mark.parametrize(
    ("body", "cast_to", "expected"),
    [
        ('{"a":[1]}', object, {"a": [1]}),
        ('{"a":1}', dict[str, int], {"a": 1}),
        ("[1]", list[int], [1]),
        ('["2024-01-01"]', list[dt.date], [dt.date(2024, 1, 1)]),
        ("null", object, None),
        ("null", Cat, None),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.x+json; charset=utf-8"])
async def test_kinds_of_answers_in_json(
    backend: Backend, body: str, cast_to: Any, expected: object, content_type: str
) -> None:
    """Items 88, 89, 90."""
    answer = reply(body=body, headers={"content-type": content_type})

    assert await get(backend, answer, cast_to) == expected


async def test_no_content_is_an_empty_text(backend: Backend) -> None:
    """Item 90."""
    assert await get(backend, reply(204), object) == ""


async def test_other_text_in_place_of_a_users_model(backend: Backend) -> None:
    """Item 89."""
    answer = reply(body="it works", headers={"content-type": "application/text"})

    assert await get(backend, answer, Cat) == "it works"
    assert await get(backend, answer, Cat | Dog) == "it works"
    with pytest.raises(APIResponseValidationError, match="of the response is 'application/text'"):
        await get(backend, answer, Cat, _strict_response_validation=True)


async def test_a_page_from_a_proxy_never_passes_for_a_message(backend: Backend) -> None:
    """Better than item 89: the API's own answers are JSON, or an error."""
    client, _ = backend.scripted(reply(body="<html>", headers={"content-type": "text/html"}))

    with pytest.raises(APIResponseValidationError, match="text/html") as caught:
        await settle(client.messages.create(model="m", max_tokens=1, messages=[]))

    assert caught.value.body == "<html>"


@pytest.mark.parametrize("body", ["", "{nope"])
@pytest.mark.parametrize("cast_to", [Cat, object, dict[str, Any]], ids=["model", "object", "dict"])
async def test_bad_json_is_a_validation_error(backend: Backend, body: str, cast_to: Any) -> None:
    """Better than item 85."""
    with pytest.raises(APIResponseValidationError) as caught:
        await get(backend, reply(body=body, headers=JSON), cast_to)

    assert (caught.value.body, caught.value.status_code) == (body, 200)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("cast_to", [int, float])
async def test_text_that_is_no_number_is_a_validation_error(backend: Backend, cast_to: Any) -> None:
    with pytest.raises(APIResponseValidationError):
        await get(backend, reply(body="many"), cast_to)


async def test_what_does_not_fit_is_kept_or_in_strict_mode_an_error(backend: Backend) -> None:
    """Item 87."""
    answer = reply(json={"name": 5, "lives": "9"})

    loose = await get(backend, answer, Cat)
    with pytest.raises(APIResponseValidationError, match="invalid for expected schema") as caught:
        await get(backend, answer, Cat, _strict_response_validation=True)

    assert (loose.name, loose.lives) == (5, "9")
    assert "Expected `str`, got `int` - at `$.name`" in str(caught.value.__cause__)


class FakePydanticModel:
    """What a pydantic model looks like from outside."""

    __module__ = "pydantic.main"


@pytest.mark.parametrize(
    ("cast_to", "error"),
    [
        (FakePydanticModel, TypeError),
        (type("Foreign", (), {}), RuntimeError),
        (type("MyResponse", (httpx.Response,), {}), ValueError),
    ],
)
async def test_what_no_answer_can_be(backend: Backend, cast_to: Any, error: type[Exception]) -> None:
    """Item 88."""
    with pytest.raises(error):
        await get(backend, reply(json={}), cast_to)


async def test_the_http_librarys_own_response(backend: Backend) -> None:
    """Item 88."""
    assert isinstance(await get(backend, reply(json=[1]), httpx.Response), httpx.Response)


async def test_the_answer_has_the_id_of_its_request(backend: Backend) -> None:
    """Item 91."""

    class Owner(BaseModel):
        cat: Cat

    answer = reply(json={"cat": {"name": "a", "lives": 9}}, headers={"request-id": "req_1"})
    owner = await get(backend, answer, Owner)

    assert owner._request_id == "req_1"
    with pytest.raises(AttributeError):
        _ = owner.cat._request_id


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
    """Items 25, 77, 94, 98."""
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
    """Item 94: `client.with_raw_response.<resource>.<method>`."""
    client, _ = backend.scripted(reply(json={"input_tokens": 3}))

    raw = await settle(client.with_raw_response.messages.count_tokens(model="m", messages=[]))

    assert (await settle(raw.parse())).input_tokens == 3


async def test_a_raw_stream(backend: Backend) -> None:
    """Item 97."""
    client, api = backend.scripted(sse(("message_stop", {})))

    raw = await settle(client.messages.with_raw_response.create(**PROMPT, stream=True))
    stream = await settle(raw.parse())

    assert isinstance(stream, AsyncStream if backend.is_async else Stream)
    assert [event.type async for event in each(stream)] == ["message_stop"]
    assert api.open_responses == 0


# --- responses as they arrive -----------------------------------------------------------------------


async def test_a_streaming_response(backend: Backend) -> None:
    """Items 25, 95: made on entering, unread, closed on leaving."""
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
    ("method", "chunk_size", "pieces"),
    [
        ("iter_bytes", None, [b"one", b"two"]),
        ("iter_bytes", 4, [b"onet", b"wo"]),
        ("iter_text", None, ["one", "two"]),
    ],
)
async def test_ways_to_go_over_a_body(
    backend: Backend, method: str, chunk_size: int | None, pieces: Any
) -> None:
    """Item 95."""
    client, _ = backend.scripted(reply(body=[b"one", b"two"]))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        assert [piece async for piece in each(getattr(response, method)(chunk_size))] == pieces


async def test_a_streaming_response_may_be_parsed(backend: Backend) -> None:
    """Item 95."""
    client, _ = backend.scripted(reply(json=MESSAGE))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        assert (await settle(response.parse())).id == "msg_1"


@pytest.mark.parametrize("method", ["read", "iter_bytes"])
async def test_a_body_that_breaks_off_is_a_connection_error(backend: Backend, method: str) -> None:
    """Better than item 86."""

    async def read() -> None:
        await settle(response.read())

    async def iter_bytes() -> None:
        _ = [piece async for piece in each(response.iter_bytes())]

    failure = httpx.ReadError("reset by peer")
    client, api = backend.scripted(reply(body=[b"one", failure]))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        with pytest.raises(APIConnectionError) as caught:
            await (read() if method == "read" else iter_bytes())

    assert caught.value.__cause__ is failure
    assert api.open_responses == 0


async def test_leaving_in_the_middle_leaves_nothing_behind(backend: Backend) -> None:
    """No generator is left to trio's garbage collection, which would warn."""
    client, api = backend.scripted(reply(body=[b"one", b"two", b"three"]))

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        pieces = response.iter_bytes()
        piece = await anext(pieces) if backend.is_async else next(pieces)

    assert (piece, api.open_responses) == (b"one", 0)


# --- other kinds ------------------------------------------------------------------------------------


async def test_json_lines(backend: Backend) -> None:
    """Items 88, 106."""
    client, api = backend.scripted(reply(body=[b'{"name":"a"}\n{"na', b'me":"b"}\r\n\n{"name":"c"}']))
    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder

    lines = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))
    found = [dog.name async for dog in each(lines)]

    assert found == ["a", "b", "c"]
    assert lines.http_response.status_code == 200
    assert api.open_responses == 0


async def test_a_bad_line_is_a_validation_error_and_close_closes(backend: Backend) -> None:
    """Item 106."""
    client, api = backend.scripted(reply(body=b"{nope\n"), reply(body=[b'{"name":"a"}\n', b"{}"]))
    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder

    bad = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))
    with pytest.raises(APIResponseValidationError, match="not JSON"):
        _ = [dog async for dog in each(bad)]

    left = await settle(client.get("/x", cast_to=decoder[Dog], stream=True))
    async with entered(left):
        await (anext(left) if backend.is_async else settle(next(left)))
    assert api.open_responses == 0


async def test_binary_answers(backend: Backend, tmp_path: Path) -> None:
    """Item 96."""
    client, _ = backend.scripted(*[reply(body=[b"\x00one", b"two"])] * 3)

    for name in ("write_to_file", "stream_to_file"):
        binary = await settle(client.get("/x", cast_to=HttpxBinaryResponseContent, stream=True))
        prefix = "a" if backend.is_async else ""
        await settle(getattr(binary, prefix + name)(tmp_path / name))
        assert (tmp_path / name).read_bytes() == b"\x00onetwo"

    whole = await settle(client.get("/x", cast_to=HttpxBinaryResponseContent))
    assert whole.content == b"\x00onetwo"


async def test_a_view_of_a_users_own(backend: Backend) -> None:
    """Item 88: `cast_to` may be a subclass of a view."""
    base: Any = AsyncAPIResponse if backend.is_async else APIResponse
    view = type("MyView", (base,), {"__orig_bases__": (base[list[int]],)})

    answer = await get(backend, reply(json=[1, 2]), view)

    assert type(answer) is view
    assert await settle(answer.parse()) == [1, 2]


def test_the_type_of_a_view() -> None:
    class Mine(APIResponse[bytes]): ...

    assert extract_response_type(BaseAPIResponse[str]) is str
    assert extract_response_type(Mine) is bytes
    with pytest.raises(RuntimeError, match="to have a type argument at index 0 but it did not"):
        extract_response_type(AsyncAPIResponse)
