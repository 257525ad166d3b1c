"""Bodies that are sent again are the same bytes; what cannot be read again is not sent again.

On all faces, for ``content=`` and ``files=``, after a failure, a redirect and a lost connection.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_client import (
    Anthropic,
    APIConnectionError,
    APIError,
    APIRedirectError,
    AsyncAnthropic,
    DefaultAioHttpClient,
    InternalServerError,
)
from headrace_client._requests.options import FinalRequestOptions
from headrace_client._requests.replay import (
    AsyncContent,
    FilePart,
    SyncContent,
    replayable_content,
    why_not_again,
)
from headrace_client.testing import Step, VirtualClock, reply
from tests.client.backends import ASYNC_ONLY, Backend, settle
from tests.client.http_server import QuietHandler, http_server

pytestmark = pytest.mark.anyio

DATA = b"PAYLOAD" * 30_000


class Pipe(io.RawIOBase):
    """A file that cannot seek, and says so."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


class OnlyRead:
    """The minimum that counts as a file."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


class SeekRaises(io.BytesIO):
    def seek(self, offset: int, whence: int = 0) -> int:
        raise RuntimeError("no seeking today")


class SeekLies(io.BytesIO):
    def seek(self, offset: int, whence: int = 0) -> int:
        return offset


class TellRaises(io.BytesIO):
    def tell(self) -> int:
        raise OSError("no idea")


class SaysNothing:
    """A file that can seek, without the methods that say so."""

    def __init__(self, data: bytes) -> None:
        file = io.BytesIO(data)
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


class Iterable:
    """A new iterator each time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        return chunks(self._data)


class SharedIterator:
    """The same iterator each time."""

    def __init__(self, data: bytes) -> None:
        self._chunks = chunks(data)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class ReadsOn:
    """A new iterator each time, over what the last one has left."""

    def __init__(self, data: bytes) -> None:
        self._chunks = chunks(data)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks


class AsyncIterable:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in chunks(self._data):
            yield chunk


class AsyncReadsOn:
    def __init__(self, data: bytes) -> None:
        self._chunks = chunks(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class AsyncFile(AsyncReadsOn):
    """As anyio's: each iterator reads on."""

    async def read(self) -> bytes:
        raise NotImplementedError


def chunks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 50_000):
        yield data[at : at + 50_000]


async def async_chunks(data: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks(data):
        yield chunk


def list_of_chunks(data: bytes) -> list[bytes]:
    return list(chunks(data))


def tuple_of_bytearrays(data: bytes) -> tuple[bytearray, ...]:
    return tuple(map(bytearray, chunks(data)))


def alone(file: Any) -> Any:
    return file


def in_a_tuple(file: Any) -> Any:
    return ("a.bin", file, "x/y", {"A": "b"})


_opened: list[IO[bytes]] = []


@pytest.fixture(autouse=True)
def closed_files() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def disk_file(data: bytes) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the fixture closes it
    _opened.append(file)
    file.write(data)
    file.seek(0)
    return file


FILES_AGAIN: list[Callable[[bytes], Any]] = [io.BytesIO, SaysNothing, disk_file]
FILES_ONCE: list[Callable[[bytes], Any]] = [Pipe, OnlyRead, SeekRaises, SeekLies, TellRaises]
CONTENT_AGAIN: list[Callable[[bytes], Any]] = [
    bytes,
    bytearray,
    memoryview,
    bytes.decode,
    list_of_chunks,
    tuple_of_bytearrays,
    Iterable,
    *FILES_AGAIN,
]
CONTENT_ONCE: list[Callable[[bytes], Any]] = [chunks, SharedIterator, ReadsOn, *FILES_ONCE]
ASYNC_AGAIN: list[Callable[[bytes], Any]] = [AsyncIterable]
ASYNC_ONCE: list[Callable[[bytes], Any]] = [async_chunks, AsyncReadsOn, AsyncFile]


async def attempt(backend: Backend, *script: Step, **call: Any) -> tuple[APIError | None, list[bytes]]:
    """Make one POST; return its error, if there was one, and the bodies that arrived whole."""
    client, api = backend.scripted(*script, max_retries=5)
    failure = None
    try:
        await settle(client.post("/foo", cast_to=httpx.Response, **call))
    except APIError as error:
        failure = error
    return failure, [request.content for request in api.requests if hasattr(request, "_content")]


async def post(backend: Backend, *script: Step, **call: Any) -> list[bytes]:
    """Make one POST that succeeds; return the bodies that arrived."""
    failure, bodies = await attempt(backend, *script, **call)
    assert failure is None
    return bodies


async def check_again(backend: Backend, content: Any, expected: bytes = DATA) -> None:
    script = [reply(503), reply(307, headers={"location": "/bar"}), reply(500), reply(json={})]

    bodies = await post(backend, *script, content=content)

    assert bodies == [expected] * 4


async def check_once(backend: Backend, **call: Any) -> None:
    failure, bodies = await attempt(backend, reply(503), reply(json={}), **call)

    assert isinstance(failure, InternalServerError)
    assert [DATA in body for body in bodies] == [True]
    [note] = failure.__notes__
    assert note.startswith("This request was not sent again: the body ")


@pytest.mark.parametrize("make", CONTENT_AGAIN)
async def test_content_that_can_be_read_again(backend: Backend, make: Callable[[bytes], Any]) -> None:
    await check_again(backend, make(DATA))


@pytest.mark.parametrize("make", ASYNC_AGAIN)
@ASYNC_ONLY
async def test_asynchronous_content_that_can_be_read_again(
    backend: Backend, make: Callable[[bytes], Any]
) -> None:
    await check_again(backend, make(DATA))


@pytest.mark.parametrize("make", CONTENT_ONCE)
async def test_content_that_can_be_read_once(backend: Backend, make: Callable[[bytes], Any]) -> None:
    await check_once(backend, content=make(DATA))


@pytest.mark.parametrize("make", ASYNC_ONCE)
@ASYNC_ONLY
async def test_asynchronous_content_that_can_be_read_once(
    backend: Backend, make: Callable[[bytes], Any]
) -> None:
    await check_once(backend, content=make(DATA))


@pytest.mark.parametrize("make", [*CONTENT_ONCE])
async def test_content_that_can_be_read_once_is_not_redirected(
    backend: Backend, make: Callable[[bytes], Any]
) -> None:
    redirect = reply(307, headers={"location": "/bar"})
    failure, bodies = await attempt(backend, redirect, reply(json={}), content=make(DATA))

    assert isinstance(failure, APIRedirectError | APIConnectionError)
    assert bodies == [DATA]


@pytest.mark.parametrize("make", [*FILES_AGAIN])
@pytest.mark.parametrize("position", [7, len(DATA)])
async def test_a_file_is_sent_from_where_it_stood(
    backend: Backend, make: Callable[[bytes], Any], position: int
) -> None:
    file = make(DATA)
    file.seek(position)

    await check_again(backend, file, DATA[position:])


@pytest.mark.parametrize("make", [*FILES_AGAIN, bytes, bytearray])
@pytest.mark.parametrize("wrap", [alone, in_a_tuple])
async def test_uploads_that_can_be_read_again(
    backend: Backend, make: Callable[[bytes], Any], wrap: Callable[[Any], Any]
) -> None:
    script = [reply(503), reply(307, headers={"location": "/bar"}), reply(500), reply(json={})]

    bodies = await post(backend, *script, files={"file": wrap(make(DATA))}, body={"purpose": "x"})

    assert len(set(bodies)) == 1
    assert len(bodies) == 4
    assert DATA in bodies[0]
    assert b'name="purpose"' in bodies[0]


@pytest.mark.parametrize("make", FILES_ONCE)
@pytest.mark.parametrize("wrap", [alone, in_a_tuple])
async def test_uploads_that_can_be_read_once(
    backend: Backend, make: Callable[[bytes], Any], wrap: Callable[[Any], Any]
) -> None:
    await check_once(backend, files=[("first", b"x"), ("file", wrap(make(DATA)))])


async def test_an_upload_is_sent_from_where_it_stood(backend: Backend) -> None:
    """At its end it has been written and not rewound, so all of it is meant, as with httpx."""
    for position, sent in ((7, b"\r\n\r\nPAYLOAD\r\n"), (14, b"\r\n\r\nHEADER:PAYLOAD\r\n")):
        file = io.BytesIO(b"HEADER:PAYLOAD")
        file.seek(position)

        bodies = await post(backend, reply(503), reply(json={}), files={"file": file})

        assert bodies[0] == bodies[1]
        assert sent in bodies[0]


async def test_the_same_file_in_two_parts(backend: Backend) -> None:
    file = io.BytesIO(b"PAYLOAD")

    bodies = await post(backend, reply(503), reply(json={}), files={"a": file, "b": file})

    assert [body.count(b"PAYLOAD") for body in bodies] == [2, 2]


async def test_a_path_is_read_once(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(DATA)

    def removed(request: httpx.Request) -> Any:
        path.unlink(missing_ok=True)
        return reply(503)

    bodies = await post(backend, removed, reply(json={}), files={"file": path})

    assert bodies[0] == bodies[1]
    assert DATA in bodies[1]


async def test_what_its_owner_changes_is_sent_as_it_was(backend: Backend) -> None:
    contents: list[tuple[Any, Any]] = [
        (bytearray(b"before"), b"after!"),
        ([b"before"], [b"after!"]),
        ([bytearray(b"before")], []),
    ]
    for content, changed in contents:

        def change(request: httpx.Request, content: Any = content, changed: Any = changed) -> Any:
            content[:] = changed
            return reply(503)

        assert await post(backend, change, reply(json={}), content=content) == [b"before"] * 2


async def test_a_json_body_is_encoded_once(backend: Backend) -> None:
    """A generator among its values would be empty the second time."""
    body: dict[str, Any] = {"messages": (n for n in [1, 2]), "tags": ["a"]}

    def changed(request: httpx.Request) -> Any:
        body["tags"].append("b")
        return reply(503)

    bodies = await post(backend, changed, reply(307, headers={"location": "/bar"}), reply(json={}), body=body)

    assert [json.loads(sent) for sent in bodies] == [{"messages": [1, 2], "tags": ["a"]}] * 3


@pytest.mark.parametrize("call", [{"content": io.StringIO("text")}, {"files": {"file": io.StringIO("text")}}])
async def test_text_files_are_refused(backend: Backend, call: Any) -> None:
    with pytest.raises(TypeError, match="binary mode"):
        await post(backend, reply(json={}), **call)


@pytest.mark.parametrize("make", [chunks, Pipe])
async def test_what_has_not_been_read_can_be_sent(backend: Backend, make: Callable[[bytes], Any]) -> None:
    """The first attempt finds no connection, so it reads nothing."""
    client = backend.client_class(base_url="http://127.0.0.1:1", api_key="k", max_retries=2)
    client.clock = backend.clock

    with pytest.raises(APIConnectionError) as caught:
        await settle(client.post("/foo", cast_to=httpx.Response, content=make(DATA)))

    assert len(backend.clock.sleeps) == 2
    assert not hasattr(caught.value, "__notes__")
    await settle(client.close())


class _Uploads(QuietHandler):
    """Refuses the first request and accepts the second."""

    bodies: list[bytes]

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        self.bodies.append(self.body())
        self.send_response(503 if len(self.bodies) == 1 else 200)
        self.send_header("content-length", "2")
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.mark.parametrize("face", ["sync", "trio", "asyncio", "aiohttp"])
@pytest.mark.parametrize(
    ("field", "make", "again"),
    [
        ("content", io.BytesIO, True),
        ("content", chunks, False),
        ("content", Pipe, False),
        ("content", ReadsOn, False),
        ("file", io.BytesIO, True),
        ("file", Pipe, False),
    ],
)
def test_over_a_socket(face: str, field: str, make: Callable[[bytes], Any], again: bool) -> None:
    """Through every transport: lengths and chunks are right, and nothing is sent empty."""
    bodies: list[bytes] = []
    call = {"content": make(DATA)} if field == "content" else {"files": {"file": make(DATA)}}

    async def upload(client: Any) -> None:
        client.clock = VirtualClock()
        with nullcontext() if again else pytest.raises(InternalServerError):
            await settle(client.post("/v1/files", cast_to=object, **call))
        await settle(client.close())

    async def upload_from_a_loop(url: str) -> None:
        http_client = DefaultAioHttpClient() if face == "aiohttp" else None
        await upload(AsyncAnthropic(base_url=url, http_client=http_client))

    with http_server(type("Handler", (_Uploads,), {"bodies": bodies})) as url:
        if face == "sync":
            anyio.run(upload, Anthropic(base_url=url))
        else:
            anyio.run(upload_from_a_loop, url, backend="trio" if face == "trio" else "asyncio")

    assert len(bodies) == 1 + again
    assert all(DATA in body for body in bodies)


class SendsAgain(httpx.Auth):
    """An authentication that answers a challenge by sending the request again, as Digest does."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        if response.status_code == 503:
            yield request


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("field", ["content", "files"])
@pytest.mark.parametrize(("make", "again"), [(io.BytesIO, True), (Pipe, False)])
def test_httpx_s_own_repetitions(
    is_async: bool, field: str, make: Callable[[bytes], Any], again: bool
) -> None:
    """httpx reads the body again by itself, below the client."""
    bodies: list[bytes] = []
    call = {"content": make(DATA)} if field == "content" else {"files": {"file": make(DATA)}}

    async def upload(client: Any) -> None:
        with nullcontext() if again else pytest.raises(APIConnectionError, match="Connection error"):
            await settle(client.post("/v1/files", cast_to=object, **call))
        await settle(client.close())

    async def upload_asynchronously(url: str) -> None:
        http_client = httpx.AsyncClient(auth=SendsAgain())
        await upload(AsyncAnthropic(base_url=url, http_client=http_client))

    with http_server(type("Handler", (_Uploads,), {"bodies": bodies})) as url:
        if is_async:
            anyio.run(upload_asynchronously, url)
        else:
            anyio.run(upload, Anthropic(base_url=url, http_client=httpx.Client(auth=SendsAgain())))

    assert [DATA in body for body in bodies] == [True] * (1 + again)


@given(
    data=st.binary(max_size=300), start=st.integers(0, 320), reads=st.lists(st.integers(0, 400), max_size=4)
)
def test_a_file_gives_the_same_bytes_however_much_was_read(data: bytes, start: int, reads: list[int]) -> None:
    file = io.BytesIO(data)
    file.seek(start)
    body = replayable_content(file, asynchronous=False)
    options = FinalRequestOptions(method="post", url="/", content=body)

    for size in reads:
        assert why_not_again(options) is None
        next(iter(body), None)
        file.read(size)
    assert why_not_again(options) is None

    assert b"".join(body) == data[start:]


def test_what_was_appended_meanwhile_is_not_sent() -> None:
    """The length has been announced."""
    file = io.BytesIO(b"before")
    part = FilePart(file)
    file.seek(0, io.SEEK_END)
    file.write(b" and after")

    part.seek(0)

    assert part.read() == b"before"
    assert part.read() == b""


def test_a_frozen_body_stays_what_it_is() -> None:
    for asynchronous, kind in ((False, SyncContent), (True, AsyncContent)):
        body = replayable_content(io.BytesIO(b"x"), asynchronous=asynchronous)
        assert isinstance(body, kind)
        assert replayable_content(body, asynchronous=asynchronous) is body
