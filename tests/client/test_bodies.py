"""The bodies of requests: JSON, forms, files, raw content."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
import pytest

from headrace_client import BaseModel, InternalServerError
from headrace_client._requests.options import not_given, omit
from headrace_client._wire.encoding import encode
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio


async def sent(backend: Backend, *, api: ScriptedAPI | None = None, **call: Any) -> httpx.Request:
    """Make one POST and return its request."""
    api = api or ScriptedAPI([reply(json={})])
    await settle(backend.connect(api).post("/foo", cast_to=httpx.Response, **call))
    return api.requests[-1]


class Point(BaseModel):
    x: int
    y: int | None = None


class Plain(msgspec.Struct):
    x: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, 2.5, None, True], "é": "ü\u2028"}, '{"a":[1,2.5,null,true],"é":"ü\u2028"}'),
        (dt.datetime(2026, 2, 15, 12, tzinfo=dt.UTC), '"2026-02-15T12:00:00+00:00"'),
        (dt.date(2026, 2, 15), '"2026-02-15"'),
        ((1, {2}, (n for n in [3])), "[1,[2],[3]]"),
        (Point(x=1), '{"x":1}'),
        (Plain(x=1), '{"x":1}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        ({"nested": [Point(x=1, y=2)]}, '{"nested":[{"x":1,"y":2}]}'),
    ],
)
def test_json(value: object, text: str) -> None:
    assert encode(value) == text.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_numbers_that_json_does_not_have(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(value)


@pytest.mark.parametrize("value", [object(), b"bytes", {"a": 1j}])
def test_values_that_json_does_not_have(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        encode(value)


async def test_no_body(backend: Backend) -> None:
    request = await sent(backend)

    assert request.content == b""
    assert request.headers["content-length"] == "0"
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "extra", "merged"),
    [
        ({"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 2}),
        (None, {"b": 2}, {"b": 2}),
        ({"a": 1}, None, {"a": 1}),
    ],
)
async def test_extra_body(backend: Backend, body: Any, extra: Any, merged: Any) -> None:
    request = await sent(backend, body=body, options={"extra_json": extra})

    assert json.loads(request.content) == merged


async def test_extra_body_needs_a_mapping_as_body(backend: Backend) -> None:
    with pytest.raises(RuntimeError, match="extra_body"):
        await sent(backend, body=[1], options={"extra_json": {"a": 1}})


async def test_deletion_with_and_without_a_body(backend: Backend) -> None:
    client, api = backend.scripted(reply(json={}), reply(json={}))

    await settle(client.delete("/foo", cast_to=httpx.Response, body={"a": 1}))
    await settle(client.delete("/foo", cast_to=httpx.Response))

    assert [request.content for request in api.requests] == [b'{"a":1}', b""]


@pytest.mark.parametrize("verb", ["put", "patch"])
async def test_the_other_verbs(backend: Backend, verb: str) -> None:
    client, api = backend.scripted(reply(json={}))

    await settle(getattr(client, verb)("/foo", cast_to=httpx.Response, body={"a": 1}))

    assert api.requests[0].method == verb.upper()
    assert api.requests[0].content == b'{"a":1}'


async def test_unknown_arguments(backend: Backend) -> None:
    with pytest.raises(TypeError, match=r"post\(\) got an unexpected keyword argument 'bdoy'"):
        await sent(backend, bdoy={})


@pytest.mark.parametrize("content", [b"raw", bytearray(b"raw"), "raw"], ids=["bytes", "bytearray", "str"])
async def test_raw_content(backend: Backend, content: Any) -> None:
    request = await sent(backend, content=content, options={"headers": {"Content-Type": "text/plain"}})

    assert request.content == b"raw"
    assert request.headers["content-type"] == "text/plain"


async def test_content_from_a_file_is_sent_again_on_a_retry(backend: Backend) -> None:
    api = ScriptedAPI([reply(500), reply(json={})])

    await sent(backend, api=api, content=io.BytesIO(b"raw" * 50_000))

    assert [request.content for request in api.requests] == [b"raw" * 50_000] * 2


async def test_content_from_an_iterable(backend: Backend) -> None:
    assert (await sent(backend, content=[b"a", b"b"])).content == b"ab"


class Pipe(io.BytesIO):
    """A file that cannot be rewound, although it has a `seek`."""

    def seekable(self) -> bool:
        return False


class OnlyRead:
    """The minimum that counts as a file."""

    def __init__(self, content: bytes) -> None:
        self.read = io.BytesIO(content).read

    def __iter__(self) -> Iterator[bytes]:
        yield self.read()


async def test_content_that_can_be_read_once_is_not_retried(backend: Backend) -> None:
    """The rest of it would be sent."""

    def chunks() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    async def async_chunks() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    contents = [chunks(), Pipe(b"ab"), OnlyRead(b"ab")]
    for content in [*contents, async_chunks()] if backend.is_async else contents:
        api = ScriptedAPI([reply(500)])
        with pytest.raises(InternalServerError):
            await sent(backend, api=api, content=content)
        assert [request.content for request in api.requests] == [b"ab"]


@pytest.mark.parametrize("other", [{"body": {}}, {"files": {}}])
async def test_content_excludes_the_rest(backend: Backend, other: Any) -> None:
    with pytest.raises(TypeError, match=f"Passing both `{next(iter(other))}` and `content` is not supported"):
        await sent(backend, content=b"", **other)


async def test_bytes_as_body_are_deprecated(backend: Backend) -> None:
    with pytest.warns(DeprecationWarning, match="^Passing raw bytes as `body` is deprecated"):
        request = await sent(backend, body=b"raw")

    assert request.content == b"raw"


async def test_parameters_left_out(backend: Backend) -> None:
    """Iterables become arrays."""
    client, api = backend.scripted(reply(json={"input_tokens": 1}))

    await settle(
        client.messages.count_tokens(
            model="m",
            messages=(message for message in [{"role": "user", "content": "hi"}]),
            system=omit,
            tools=not_given,
            thinking=None,
        )
    )

    assert json.loads(api.requests[0].content) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "thinking": None,
    }
