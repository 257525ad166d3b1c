"""Streams of bytes in memory, for tests and simulations under virtual time."""

from __future__ import annotations

import trio

from .stream import READ_SIZE, ByteStream

_CAPACITY = 64 * 1024
"""Bytes that one direction holds before its sender waits: about what a socket's buffers hold."""


class _Pipe:
    """One direction: bytes in order, a bound, and an end on each side."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.writer_closed = False
        self.reader_closed = False
        self.changed = trio.lowlevel.ParkingLot()

    def write(self, data: bytes | memoryview) -> int:
        """Take what fits."""
        if self.writer_closed:
            raise trio.ClosedResourceError("this stream was closed")
        if self.reader_closed:
            raise BrokenPipeError("the peer has closed the stream")
        piece = data[: max(_CAPACITY - len(self.buffer), 0)]
        self.buffer += piece
        self._wake()
        return len(piece)

    def read(self) -> bytes | None:
        """Return what there is, ``b""`` at the end, None if one has to wait."""
        if self.reader_closed:
            raise trio.ClosedResourceError("this stream was closed")
        if not self.buffer:
            return b"" if self.writer_closed else None
        data = bytes(self.buffer[:READ_SIZE])
        del self.buffer[:READ_SIZE]
        self._wake()
        return data

    def close_writer(self) -> None:
        self.writer_closed = True
        self._wake()

    def close_reader(self) -> None:
        self.reader_closed = True
        self.buffer.clear()
        self._wake()

    def _wake(self) -> None:
        if self.changed:  # closing after the event loop has ended finds nobody parked
            self.changed.unpark_all()


class MemoryStream:
    """One end of a connection in memory."""

    def __init__(self, outgoing: _Pipe, incoming: _Pipe) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    def send_nowait(self, data: bytes) -> int:
        """Send what fits into the bounded buffer."""
        return self._outgoing.write(data)

    async def send_all(self, data: bytes) -> None:
        """Send all, waiting while the peer does not read."""
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while rest := rest[self._outgoing.write(rest) :]:
            await self._outgoing.changed.park()

    async def receive_some(self) -> bytes:
        """Return what has arrived, or wait for it."""
        await trio.lowlevel.checkpoint()
        while (data := self._incoming.read()) is None:
            await self._incoming.changed.park()
        return data

    def probe(self) -> bool:
        """Tell whether nothing has arrived and the peer is still there."""
        return not (self._incoming.buffer or self._incoming.writer_closed or self._incoming.reader_closed)

    def close(self) -> None:
        """Close both directions; the peer reads what is still there, then the end."""
        self._outgoing.close_writer()
        self._incoming.close_reader()


def memory_stream_pair() -> tuple[ByteStream, ByteStream]:
    """Return the two ends of a new connection in memory.

    Each direction holds 64 KiB, then its sender waits. Closing an end lets the other one read what was sent,
    then ``b""``; its sending raises `BrokenPipeError`.
    """
    there, back = _Pipe(), _Pipe()
    return MemoryStream(there, back), MemoryStream(back, there)
