"""What a request carries: JSON, forms, files, raw content."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from headrace_client import BaseModel, InternalServerError
from headrace_client._requests.options import not_given, omit
from headrace_client._wire.json import encode
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import ASYNC_ONLY, Backend, settle

pytestmark = pytest.mark.anyio


async def sent(backend: Backend, *, api: ScriptedAPI | None = None, **call: Any) -> httpx.Request:
    """The request of one POST."""
    api = api or ScriptedAPI([reply(json={})])
    await settle(backend.connect(api).post("/foo", cast_to=httpx.Response, **call))
    return api.requests[-1]


def form_parts(request: httpx.Request) -> list[tuple[str, bytes]]:
    """The parts of a form: disposition and further headers, and content."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    parts = request.content.split(b"--" + boundary)[1:-1]
    split = (part.strip(b"\r\n").partition(b"\r\n\r\n") for part in parts)
    return [(head.decode(), content) for head, _, content in split]


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
    """Item 38 and 47."""
    assert encode(value) == text.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_numbers_that_json_does_not_have(value: object) -> None:
    """Item 38."""
    with pytest.raises(ValueError, match="JSON"):
        encode(value)


@pytest.mark.parametrize("value", [object(), b"bytes", {"a": 1j}])
def test_values_that_json_does_not_have(value: object) -> None:
    """Item 38."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        encode(value)


async def test_no_body(backend: Backend) -> None:
    """Item 39."""
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
    """Item 40."""
    request = await sent(backend, body=body, options={"extra_json": extra})

    assert json.loads(request.content) == merged


async def test_extra_body_over_no_mapping(backend: Backend) -> None:
    """Item 40."""
    with pytest.raises(RuntimeError, match="extra_body"):
        await sent(backend, body=[1], options={"extra_json": {"a": 1}})


async def test_deletion_with_and_without_a_body(backend: Backend) -> None:
    """Item 44."""
    client, api = backend.scripted(reply(json={}), reply(json={}))

    await settle(client.delete("/foo", cast_to=httpx.Response, body={"a": 1}))
    await settle(client.delete("/foo", cast_to=httpx.Response))

    assert [request.content for request in api.requests] == [b'{"a":1}', b""]


@pytest.mark.parametrize("verb", ["put", "patch"])
async def test_the_other_verbs(backend: Backend, verb: str) -> None:
    """Item 66."""
    client, api = backend.scripted(reply(json={}))

    await settle(getattr(client, verb)("/foo", cast_to=httpx.Response, body={"a": 1}))

    assert api.requests[0].method == verb.upper()
    assert api.requests[0].content == b'{"a":1}'


async def test_unknown_arguments(backend: Backend) -> None:
    with pytest.raises(TypeError, match=r"post\(\) got an unexpected keyword argument 'bdoy'"):
        await sent(backend, bdoy={})


@pytest.mark.parametrize("content", [b"raw", bytearray(b"raw"), "raw"], ids=["bytes", "bytearray", "str"])
async def test_raw_content(backend: Backend, content: Any) -> None:
    """Item 41."""
    request = await sent(backend, content=content, options={"headers": {"Content-Type": "text/plain"}})

    assert request.content == b"raw"
    assert request.headers["content-type"] == "text/plain"


async def test_content_from_a_file_is_sent_again_on_a_retry(backend: Backend) -> None:
    """Item 41."""
    api = ScriptedAPI([reply(500), reply(json={})])

    await sent(backend, api=api, content=io.BytesIO(b"raw" * 50_000))

    assert [request.content for request in api.requests] == [b"raw" * 50_000] * 2


async def test_content_from_an_iterable(backend: Backend) -> None:
    """Item 41."""
    assert (await sent(backend, content=[b"a", b"b"])).content == b"ab"


class Pipe(io.BytesIO):
    """A file in name only: it has a `seek`, as all of them have."""

    def seekable(self) -> bool:
        return False


class OnlyRead:
    """The least that passes for a file."""

    def __init__(self, content: bytes) -> None:
        self.read = io.BytesIO(content).read

    def __iter__(self) -> Iterator[bytes]:
        yield self.read()


async def test_content_that_can_be_read_once_is_not_retried(backend: Backend) -> None:
    """Item 41: sending what is left of it would be wrong."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    async def async_pieces() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    contents = [pieces(), Pipe(b"ab"), OnlyRead(b"ab")]
    for content in [*contents, async_pieces()] if backend.is_async else contents:
        api = ScriptedAPI([reply(500)])
        with pytest.raises(InternalServerError):
            await sent(backend, api=api, content=content)
        assert [request.content for request in api.requests] == [b"ab"]


@pytest.mark.parametrize("other", [{"body": {}}, {"files": {}}])
async def test_content_excludes_the_rest(backend: Backend, other: Any) -> None:
    """Item 42."""
    with pytest.raises(TypeError, match=f"Passing both `{next(iter(other))}` and `content` is not supported"):
        await sent(backend, content=b"", **other)


async def test_bytes_as_body_are_deprecated(backend: Backend) -> None:
    """Item 43."""
    with pytest.warns(DeprecationWarning, match="^Passing raw bytes as `body` is deprecated"):
        request = await sent(backend, body=b"raw")

    assert request.content == b"raw"


async def test_files_and_fields(backend: Backend, tmp_path: Path) -> None:
    """Items 45 (B) and 46: a form without a word about it, the JSON body as its fields."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"from disk")

    request = await sent(
        backend,
        body={"a": {"b": [1, 2]}, "c": True, "d": [{"e": "x"}]},
        files=[
            ("plain", b"bytes"),
            ("opened", io.BytesIO(b"opened")),
            ("path", path),
            ("named", ("n.txt", b"named", "text/x-mine", {"X-Part": "1"})),
            ("renamed", ("other.txt", path, "text/y")),
        ],
    )

    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    parts = form_parts(request)
    assert [head for head, _ in parts][:4] == [
        'Content-Disposition: form-data; name="a[b][]"',
        'Content-Disposition: form-data; name="a[b][]"',
        'Content-Disposition: form-data; name="c"',
        'Content-Disposition: form-data; name="d[][e]"',
    ]
    assert [content for _, content in parts] == [
        b"1", b"2", b"true", b"x", b"bytes", b"opened", b"from disk", b"named", b"from disk",
    ]  # fmt: skip
    assert 'name="path"; filename="notes.txt"' in parts[6][0]
    assert 'name="named"; filename="n.txt"' in parts[7][0]
    assert "Content-Type: text/x-mine" in parts[7][0]
    assert "X-Part: 1" in parts[7][0]
    assert 'filename="other.txt"' in parts[8][0]
    assert "Content-Type: text/y" in parts[8][0]


async def test_files_are_sent_again_on_a_retry(backend: Backend) -> None:
    api = ScriptedAPI([reply(500), reply(json={})])

    await sent(backend, api=api, files={"f": io.BytesIO(b"content")})

    assert [form_parts(request)[0][1] for request in api.requests] == [b"content"] * 2


@ASYNC_ONLY
async def test_asynchronous_paths(backend: Backend, tmp_path: Path) -> None:
    """Item 46."""
    (tmp_path / "f.txt").write_bytes(b"content")

    request = await sent(backend, files={"f": anyio.Path(tmp_path / "f.txt")})

    assert form_parts(request)[0][1] == b"content"


@pytest.mark.parametrize("files", [{}, None])
async def test_a_form_without_files(backend: Backend, files: Any) -> None:
    """Item 45."""
    headers = {"Content-Type": "multipart/form-data; boundary=mine"}

    request = await sent(backend, body={"a": 1}, files=files, options={"headers": headers})

    assert request.headers["content-type"] == "multipart/form-data; boundary=mine"
    assert form_parts(request) == [('Content-Disposition: form-data; name="a"', b"1")]


async def test_a_form_without_a_boundary_gets_one(backend: Backend) -> None:
    """Item 45."""
    request = await sent(
        backend, body={"a": 1}, files={}, options={"headers": {"content-type": "multipart/form-data"}}
    )

    assert form_parts(request) == [('Content-Disposition: form-data; name="a"', b"1")]


@pytest.mark.parametrize("file", ["text", 7, ("name",), ("name", "text"), None])
async def test_what_is_no_file(backend: Backend, file: Any) -> None:
    """Item 46."""
    with pytest.raises(
        TypeError, match="Expected file types input to be a FileContent type or to be a tuple"
    ):
        await sent(backend, files={"f": file})


async def test_what_are_no_files(backend: Backend) -> None:
    with pytest.raises(TypeError, match="Expected `files` to be a mapping or a list of pairs, not str"):
        await sent(backend, files="text")


async def test_a_form_of_no_mapping(backend: Backend) -> None:
    with pytest.raises(TypeError, match="body of a form"):
        await sent(backend, body=[1], files={})


async def test_parameters_left_out(backend: Backend) -> None:
    """Item 47: and iterables become arrays."""
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
