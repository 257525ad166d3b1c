"""Mutated responses through the whole sender: never a wrong body, a hang, or an untyped exception.

h11, an independent parser, decides what is right: if both accept a response, they must agree on it. A
connection is kept only if h11 accepts the response as well and no bytes follow it.
"""

from __future__ import annotations

import gzip
import random
import re
import zlib

import attrs
import h11
import pytest
import trio
from trio.testing import MockClock

from headrace_client.transport import ByteStream, ConnectionPool, Origin, ReadLimits, TransportError
from headrace_client.transport.sender import Response, open_pooled_sender
from tests.long import long_if

from .scripted import ORIGIN, response

MUTATIONS = 10_000
"""For each of the five seeds."""

JSON = b'{"type":"message","stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":7}}'
SSE = b'event: ping\ndata: {"type":"ping"}\n\n'
CHUNKED = b"Transfer-Encoding: chunked"
RECORDED = (
    response(
        JSON, b"Date: Sat, 21 Nov 2026 10:00:00 GMT", b"Content-Type: application/json", b"request-id: req_1"
    ),
    response(
        b"%x\r\n%b\r\n" % (len(SSE), SSE) * 3 + b"0\r\n\r\n", b"cache-control: no-cache", framing=CHUNKED
    ),
    response(gzip.compress(JSON, mtime=0), b"Content-Encoding: gzip"),
    response(zlib.compress(JSON), b"Content-Encoding: deflate", b"Vary: Accept-Encoding"),
    response(JSON, b"retry-after: 2", b"Keep-Alive: timeout=5, max=3", status=b"429 Too Many Requests"),
    response(b"<html>502</html>", b"Connection: close", status=b"502 Bad Gateway", framing=b""),
    response(status=b"100 Continue", framing=b"") + response(JSON),
    response(status=b"204 No Content", framing=b""),
    response(
        b"4\r\nWiki\r\n5;n=v\r\npedia\r\n0\r\nx-checksum: 1\r\n\r\n", b"Trailer: x-checksum", framing=CHUNKED
    ),
    response(b"gone", b"Location: https://elsewhere.test/", status=b"308 Permanent Redirect"),
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
)
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"0\r\n\r\n", b"5\r\nhello\r\n", b"-1",
    b"99999999999", b"ff",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n",
    b"Connection: close\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
)  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    data = rng.choice(RECORDED)
    for _ in range(rng.randint(1, 3)):
        at, to = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
        to = min(to, at + 12)
        match rng.randrange(7):
            case 0:
                data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[to:]
            case 2:
                data = data[:at] + data[at:to] * 2 + data[to:]
            case 3:
                data = data[:at] + rng.choice(TOKENS) + data[at:]
            case 4:
                data = data[:at]
            case 5:
                data += rng.choice((*RECORDED, *TOKENS))
            case _:
                data = (
                    data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
                    if at < len(data)
                    else data
                )
    return data


@attrs.define
class Replay:
    """A stream that plays back bytes, then ends."""

    parts: list[bytes]
    closed: bool = False

    def send_nowait(self, data: bytes) -> int:
        return len(data)

    async def send_all(self, data: bytes) -> None:
        raise AssertionError("everything was sent at once")

    async def receive_some(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.parts.pop(0) if self.parts else b""

    def probe(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def cut(rng: random.Random, data: bytes) -> list[bytes]:
    at = sorted(rng.randint(0, len(data)) for _ in range(rng.choice((0, 0, 1, 2, 5))))
    parts = [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]
    return [part for part in parts if part]


def without_reasons(data: bytes) -> bytes:
    """Replace the reason phrases: llhttp accepts any, h11 does not, and nothing depends on them."""
    match = re.match(rb"(HTTP/1\.[01] (\d)\d\d)[^\r\n]*(.*?\r\n\r\n)", data, re.DOTALL)
    if match is None:
        return data
    rest = data[match.end() :]
    return match[1] + b" OK" + match[3] + (without_reasons(rest) if match[2] == b"1" else rest)


def by_h11(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return status, decoded body and the bytes after the message; None if h11 does not accept it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(without_reasons(data))
    connection.receive_data(b"")
    status, body, coding = 0, b"", b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            match event:
                case h11.Response():
                    status = event.status_code
                    coding = b",".join(value for name, value in event.headers if name == b"content-encoding")
                case h11.Data():
                    body += event.data
                case h11.InformationalResponse():
                    pass
                case _:
                    return None
        left, _ = connection.trailing_data
        return status, decoded(body, coding), left
    except (h11.RemoteProtocolError, zlib.error, EOFError, gzip.BadGzipFile):
        return None


def decoded(body: bytes, coding: bytes) -> bytes:
    match coding.strip().lower():
        case b"gzip" | b"x-gzip":
            return gzip.decompress(body)
        case b"deflate":
            return zlib.decompress(body)
        case _:
            return body


def check(received: Response, data: bytes, *, kept: bool) -> None:
    expected = by_h11(data)
    if expected is not None:
        assert (received.status, received.body) == expected[:2]
        assert not (kept and expected[2])
    assert not (kept and expected is None), "a connection is kept only after what every parser accepts"


@pytest.mark.trio
@pytest.mark.parametrize("seed", long_if(lambda seed: seed > 0, range(5)))
async def test_mutated_responses(seed: int, autojump_clock: MockClock) -> None:
    print(f"seed {seed}")  # noqa: T201  # pytest shows it when the test fails
    rng = random.Random(seed)
    responses = 0
    stream = Replay([])

    async def connect(origin: Origin) -> ByteStream:
        return stream

    for _ in range(MUTATIONS):
        data = mutated(rng)
        stream = Replay(cut(rng, data))
        pool = ConnectionPool(connect=connect)
        limits = ReadLimits(head=4096, body=4096, interim=2)
        async with open_pooled_sender(pool, ORIGIN, "POST", "/", {}, limits=limits) as sender:
            try:
                received = await sender.send(b"{}", deadline=trio.current_time() + 60)
            except TransportError:
                assert stream.closed, data
                continue
        responses += 1
        try:
            check(received, data[: len(data) - sum(map(len, stream.parts))], kept=not stream.closed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {data!r} was read as {received}") from error

    assert MUTATIONS * 0.1 < responses < MUTATIONS * 0.9, "the mutations are neither harmless nor hopeless"
