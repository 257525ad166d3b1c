"""Requests that pass httpx's client layer by come to the same as those that go through it."""

from __future__ import annotations

import gzip
import logging
import pickle
import zlib
from collections.abc import Mapping
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from headrace_client import APIError, AsyncAPIClient, AsyncAPIResponse
from headrace_client._base_client.clock import SystemClock
from headrace_client._httpx.transport import HttpxTransport
from headrace_client.transport import ByteStream, ConnectionPool, Origin, PoolLimits
from headrace_client.types import Message
from tests.client.local_api import MESSAGE
from tests.transport.scripted import Peer, Script, always, response, serving

pytestmark = pytest.mark.trio

BASE_URL = "http://api.test/v1"
JSON = b"content-type: application/json"
ANSWER = httpx.Response(200, json=MESSAGE).content
MESSAGE_REPLY = response(ANSWER, JSON, b"request-id: req_1")


class SteadyClock(SystemClock):
    """The real clock, without jitter."""

    def random(self) -> float:
        return 0.0


@attrs.frozen
class Observed:
    """All that a caller and the server see of one call."""

    result: Any
    sent: list[tuple[str, frozenset[str], bytes]]
    connections: int
    took: float


@attrs.frozen(kw_only=True)
class Case:
    name: str
    scripts: tuple[Script, ...]
    call: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    method: str = "post"


def seen_of(answer: httpx.Response) -> dict[str, Any]:
    """Return what can be seen of a response."""
    request = answer.request
    return {
        "status": (answer.status_code, answer.reason_phrase, answer.http_version),
        "headers": answer.headers.multi_items(),
        "body": (answer.content, answer.text, answer.encoding, answer.num_bytes_downloaded),
        "state": (answer.is_closed, answer.is_stream_consumed, answer.history, answer.is_success),
        "elapsed": answer.elapsed.total_seconds() >= 0,
        "url": (answer.url, request.method, request.url),
        "request": (sorted(request.headers.items()), request.content, request.extensions),
        "cookies": dict(answer.cookies),
        "again": list(answer.iter_bytes()),
    }


def seen_of_error(error: APIError) -> dict[str, Any]:
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__
    answer = getattr(error, "response", None)
    request = error.request
    return {
        "causes": causes,
        "body": error.body,
        "request": (request.method, request.url, sorted(request.headers.items())),
        "response": None if answer is None else seen_of(answer),
        "pickled": str(pickle.loads(pickle.dumps(error))),
    }


async def observe(case: Case, *, direct: bool) -> Observed:
    """Make the call of the case, straight or through httpx."""
    sent: list[bytes] = []

    def noting(script: Script) -> Script:
        async def noted(peer: Peer) -> None:
            request = peer.request

            async def noted_request() -> bytes:
                sent.append(await request())
                return sent[-1]

            peer.request = noted_request
            await script(peer)

        return noted

    async with serving(*map(noting, case.scripts)) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(connect_timeout=3))
        way: dict[str, Any] = {"pool": pool}
        if not direct:
            transport = HttpxTransport(pool)
            way = {"http_client": httpx.AsyncClient(transport=transport, follow_redirects=True)}
        client = AsyncAPIClient(version="7", base_url=BASE_URL, timeout=20, **way)
        client.clock = SteadyClock()
        started_at = trio.current_time()
        async with client:
            result = await call(client, case)
            took = trio.current_time() - started_at
            return Observed(result, [split(request) for request in sent], len(server.connections), took)


async def call(client: AsyncAPIClient, case: Case) -> dict[str, Any]:
    arguments: dict[str, Any] = {"cast_to": Message, **case.call}
    options = arguments.get("options", {})
    headers = {"X-Stainless-Raw-Response": "true", **options.get("headers", {})}
    arguments["options"] = {**options, "headers": headers}
    if case.method == "post" and not arguments.keys() & {"body", "content"}:
        arguments["body"] = {"a": "é"}
    try:
        answer: AsyncAPIResponse[Any] = await getattr(client, case.method)("/messages", **arguments)
        parsed = await answer.parse()
    except APIError as error:
        return seen_of_error(error)
    return {
        "parsed": (
            type(parsed).__name__.removeprefix("Lazy"),
            repr(parsed),
            getattr(parsed, "_request_id", None),
        ),
        "view": (answer.status_code, answer.request_id, answer.retries_taken, answer.is_closed),
        **seen_of(answer.http_response),
    }


def split(request: bytes) -> tuple[str, frozenset[str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    start, *lines = head.decode().lower().split("\r\n")
    return start, frozenset(lines), body


def answering(*answers: bytes) -> Script:
    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.send(answer)
        peer.stream.close()

    return script


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.wait_closed()


async def slow(peer: Peer) -> None:
    await peer.request()
    for piece in (MESSAGE_REPLY[:20], MESSAGE_REPLY[20:400], MESSAGE_REPLY[400:]):
        await trio.sleep(15)
        await peer.send(piece)
    await peer.wait_closed()


async def reads_nothing(peer: Peer) -> None:
    await trio.sleep_forever()


async def refuses_early(peer: Peer) -> None:
    await peer.stream.receive_some()
    await peer.send(response(b"", status=b"413 Payload Too Large"))
    await peer.wait_closed()


def error_reply(status: bytes, *headers: bytes) -> bytes:
    return response(
        b'{"type":"error","error":{"type":"some_error","message":"m"}}', JSON, *headers, status=status
    )


ONCE = {"options": {"max_retries": 0}}
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ANSWER), ANSWER)
LARGE = b"x" * 1_000_000
CASES = (
    Case(name="JSON", scripts=(always(MESSAGE_REPLY),)),
    Case(name="GET", scripts=(always(MESSAGE_REPLY),), method="get"),
    Case(name="empty POST", scripts=(always(MESSAGE_REPLY),), call={"content": b""}),
    Case(
        name="DELETE with a body", scripts=(always(MESSAGE_REPLY),), method="delete", call={"body": {"a": 1}}
    ),
    Case(name="chunks", scripts=(always(response(CHUNKED, JSON, framing=b"transfer-encoding: chunked")),)),
    Case(name="until closed", scripts=(answering(response(ANSWER, JSON, framing=b"connection: close")),)),
    Case(name="gzip", scripts=(always(response(gzip.compress(ANSWER), JSON, b"content-encoding: gzip")),)),
    Case(
        name="deflate", scripts=(always(response(zlib.compress(ANSWER), JSON, b"Content-Encoding: deflate")),)
    ),
    Case(name="no gzip", scripts=(always(response(ANSWER, JSON, b"content-encoding: gzip")),), call=ONCE),
    Case(name="br", scripts=(always(response(ANSWER, JSON, b"content-encoding: br")),), call=ONCE),
    Case(
        name="bomb",
        scripts=(always(response(gzip.compress(bytes(80_000_000)), b"content-encoding: gzip")),),
        call=ONCE,
    ),
    Case(
        name="204",
        scripts=(always(response(status=b"204 No Content", framing=b"x: y")),),
        call={"cast_to": object},
    ),
    Case(
        name="text",
        scripts=(always(response("é".encode("latin-1"), b"content-type: text/plain; charset=latin-1")),),
        call={"cast_to": str},
    ),
    Case(name="bytes", scripts=(always(response(b"\x00\xff")),), call={"cast_to": bytes}),
    Case(name="not JSON", scripts=(always(response(b"<html>", b"content-type: text/html")),)),
    Case(name="bad JSON", scripts=(always(response(b"{", JSON)),)),
    Case(name="the response itself", scripts=(always(MESSAGE_REPLY),), call={"cast_to": httpx.Response}),
    Case(name="two fields of a name", scripts=(always(response(ANSWER, JSON, b"X-A: 1", b"x-a: 2")),)),
    Case(
        name="cookies",
        scripts=(answering(error_reply(b"500 Oops", b"set-cookie: a=b; path=/"), MESSAGE_REPLY),),
    ),
    Case(name="400", scripts=(always(error_reply(b"400 Bad Request", b"request-id: req_2")),)),
    Case(
        name="429 then 200",
        scripts=(answering(error_reply(b"429 Too Many", b"retry-after: 7"), MESSAGE_REPLY),),
    ),
    Case(name="529 for ever", scripts=(always(error_reply(b"529 Overloaded", b"retry-after: 1")),)),
    Case(
        name="redirect",
        scripts=(
            answering(response(status=b"307 T", framing=b"location: /x\r\ncontent-length: 0"), MESSAGE_REPLY),
        ),
    ),
    Case(
        name="redirect to a GET",
        scripts=(answering(response(b"", b"Location: /x", status=b"303 See Other"), MESSAGE_REPLY),),
    ),
    Case(
        name="redirect elsewhere",
        scripts=(always(response(b"", b"location: http://b.test/", status=b"302 Found")),),
    ),
    Case(name="cut in the head", scripts=(answering(MESSAGE_REPLY[:20]),), call=ONCE),
    Case(name="cut in the body", scripts=(answering(MESSAGE_REPLY[:-9]),), call=ONCE),
    Case(name="cut, then whole", scripts=(answering(MESSAGE_REPLY[:-9]), always(MESSAGE_REPLY))),
    Case(name="closed at once", scripts=(answering(),), call=ONCE),
    Case(name="garbage", scripts=(always(b"garbage\r\n\r\n"),), call=ONCE),
    Case(name="silence", scripts=(silent,), call=ONCE),
    Case(
        name="silence, other timeouts",
        scripts=(silent,),
        call={"options": {"max_retries": 0, "timeout": httpx.Timeout(3, read=5)}},
    ),
    Case(
        name="silence, no timeout but one",
        scripts=(slow,),
        call={"options": {"timeout": httpx.Timeout(None, read=16)}},
    ),
    Case(name="slow", scripts=(slow,)),
    Case(name="slow without limits", scripts=(slow,), call={"options": {"timeout": None}}),
    Case(name="a large body", scripts=(always(MESSAGE_REPLY),), call={"content": LARGE}),
    Case(name="nobody reads", scripts=(reads_nothing,), call={"content": LARGE, **ONCE}),
    Case(name="an early 413", scripts=(refuses_early,), call={"content": LARGE, **ONCE}),
    Case(
        name="a header of the call",
        scripts=(always(MESSAGE_REPLY),),
        call={"options": {"headers": {"Cookie": "a=b", "user-agent": "x"}}},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_both_ways_come_to_the_same(
    case: Case,
    caplog: pytest.LogCaptureFixture,
    sent_by_httpx: list[httpx.Request],
    autojump_clock: MockClock,
) -> None:
    caplog.set_level(logging.WARNING, logger="headrace_client")  # writing the log would look at everything

    through_httpx = await observe(case, direct=False)
    through_httpx_count = len(sent_by_httpx)
    direct = await observe(case, direct=True)

    assert attrs.asdict(direct) == attrs.asdict(through_httpx)
    assert 0 < through_httpx_count == len(sent_by_httpx)


async def test_no_connection_comes_about(autojump_clock: MockClock) -> None:
    async def refuse(origin: Origin) -> ByteStream:
        raise ConnectionRefusedError

    async def never(origin: Origin) -> ByteStream:
        await trio.sleep_forever()
        raise AssertionError

    async def failure(way: dict[str, Any]) -> dict[str, Any]:
        async with AsyncAPIClient(version="7", base_url=BASE_URL, timeout=20, max_retries=0, **way) as client:
            return await call(client, Case(name="", scripts=()))

    for connect in (refuse, never):
        pool = ConnectionPool(connect=connect)
        transport = HttpxTransport(ConnectionPool(connect=connect))
        through_httpx = await failure({"http_client": httpx.AsyncClient(transport=transport)})

        assert await failure({"pool": pool}) == through_httpx
