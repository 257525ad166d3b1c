"""A network that corrupts responses, as proxies and broken servers do."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from headrace_client.transport import Connector, Origin
from headrace_client.transport.stream import ByteStream

_HEAD = b"HTTP/1.1 200"


@attrs.define
class CorruptingNetwork:
    """Corrupts a random share of the responses. ``corrupted`` counts them."""

    rng: Random
    share: float
    corrupted: int = 0
    _earlier: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    """A whole response to an earlier request."""

    def __call__(self, connect: Connector) -> Connector:
        async def connect_through(origin: Origin) -> ByteStream:
            return CorruptedStream(await connect(origin), self)

        return connect_through

    def pass_on(self, data: bytes) -> tuple[bytes, bool]:
        """What arrives instead of the received bytes, and whether the connection ends after it."""
        if not data.startswith(_HEAD) or self.rng.random() >= self.share:
            if data.startswith(_HEAD):
                self._earlier = data
            return data, False
        self.corrupted += 1
        return self.rng.choice(_WAYS)(data, self._earlier)


def _two_lengths(data: bytes, _: bytes) -> tuple[bytes, bool]:
    head, rest = data.split(b"\r\n", 1)
    return head + b"\r\ncontent-length: 7\r\n" + rest, False


def _garbage_before(data: bytes, _: bytes) -> tuple[bytes, bool]:
    return b"\0\xff garbage\r\n" + data, False


def _another_response_after(data: bytes, earlier: bytes) -> tuple[bytes, bool]:
    return data + earlier, False


def _cut_off(data: bytes, _: bytes) -> tuple[bytes, bool]:
    return data[: len(data) * 2 // 3], True


def _invalid_status(data: bytes, _: bytes) -> tuple[bytes, bool]:
    return data.replace(_HEAD, b"HTTP/1.1 2x0", 1), False


def _bad_lines(data: bytes, _: bytes) -> tuple[bytes, bool]:
    return data.replace(b"\r\n", b"\r\n bad header\x01\r\n", 1), False


_WAYS: tuple[Callable[[bytes, bytes], tuple[bytes, bool]], ...] = (
    _two_lengths,
    _garbage_before,
    _another_response_after,
    _cut_off,
    _invalid_status,
    _bad_lines,
)


@attrs.define
class CorruptedStream:
    """A stream through the corrupting network."""

    _stream: ByteStream
    _network: CorruptingNetwork
    _ended: bool = False

    def send_nowait(self, data: bytes) -> int:
        return self._stream.send_nowait(data)

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def receive_some(self) -> bytes:
        if self._ended:
            return b""
        data, self._ended = self._network.pass_on(await self._stream.receive_some())
        return data

    def probe(self) -> bool:
        return not self._ended and self._stream.probe()

    def close(self) -> None:
        self._stream.close()
