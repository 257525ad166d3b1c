"""Forms: files and fields."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import ASYNC_ONLY, Backend, settle

pytestmark = pytest.mark.anyio


async def sent(backend: Backend, *, api: ScriptedAPI | None = None, **call: Any) -> httpx.Request:
    """Make one POST and return its request."""
    api = api or ScriptedAPI([reply(json={})])
    await settle(backend.connect(api).post("/foo", cast_to=httpx.Response, **call))
    return api.requests[-1]


def form_parts(request: httpx.Request) -> list[tuple[str, bytes]]:
    """Return the parts of a form as headers and content."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    parts = request.content.split(b"--" + boundary)[1:-1]
    split = (part.strip(b"\r\n").partition(b"\r\n\r\n") for part in parts)
    return [(head.decode(), content) for head, _, content in split]


async def test_files_and_fields(backend: Backend, tmp_path: Path) -> None:
    """Files make a form without a content type, with the JSON body as its fields."""
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
    (tmp_path / "f.txt").write_bytes(b"content")

    request = await sent(backend, files={"f": anyio.Path(tmp_path / "f.txt")})

    assert form_parts(request)[0][1] == b"content"


@pytest.mark.parametrize("files", [{}, None])
async def test_a_form_without_files(backend: Backend, files: Any) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=mine"}

    request = await sent(backend, body={"a": 1}, files=files, options={"headers": headers})

    assert request.headers["content-type"] == "multipart/form-data; boundary=mine"
    assert form_parts(request) == [('Content-Disposition: form-data; name="a"', b"1")]


async def test_a_form_without_a_boundary_gets_one(backend: Backend) -> None:
    request = await sent(
        backend, body={"a": 1}, files={}, options={"headers": {"content-type": "multipart/form-data"}}
    )

    assert form_parts(request) == [('Content-Disposition: form-data; name="a"', b"1")]


@pytest.mark.parametrize("file", ["text", 7, ("name",), ("name", "text"), None])
async def test_a_file_of_the_wrong_type(backend: Backend, file: Any) -> None:
    with pytest.raises(
        TypeError, match="Expected file types input to be a FileContent type or to be a tuple"
    ):
        await sent(backend, files={"f": file})


async def test_files_of_the_wrong_type(backend: Backend) -> None:
    with pytest.raises(TypeError, match="Expected `files` to be a mapping or a list of pairs, not str"):
        await sent(backend, files="text")


async def test_a_form_needs_a_mapping(backend: Backend) -> None:
    with pytest.raises(TypeError, match="body of a form"):
        await sent(backend, body=[1], files={})
