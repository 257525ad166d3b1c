"""Streams of bytes in memory, for tests and simulations under virtual time."""

from __future__ import annotations

import trio

from .stream import READ_SIZE, ByteStream

_CAPACITY = 64 * 1024
"""Bytes that one direction holds before its sender waits; about as many as the buffers of a socket."""


class _Pipe:
    """One direction of a connection, with a bounded buffer and an end on each side."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.writer_closed = False
        self.reader_closed = False
        self.changed = trio.lowlevel.ParkingLot()

    def write(self, data: bytes | memoryview) -> int:
        """Append as many bytes as fit, and return their number. Raises `OSError` if an end is closed."""
        if self.writer_closed:
            raise trio.ClosedResourceError("this stream was closed")
        if self.reader_closed:
            raise BrokenPipeError("the peer has closed the stream")
        accepted = data[: max(_CAPACITY - len(self.buffer), 0)]
        self.buffer += accepted
        self._wake()
        return len(accepted)

    def read(self) -> bytes | None:
        """Return the buffered bytes, ``b""`` at the end, None if there are none yet."""
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
        if self.changed:  # empty if the stream is closed after the event loop has ended
            self.changed.unpark_all()


class MemoryStream:
    """One end of a connection in memory."""

    def __init__(self, outgoing: _Pipe, incoming: _Pipe) -> None:
        self._outgoing = outgoing
        self._incoming = incoming

    def send_nowait(self, data: bytes) -> int:
        return self._outgoing.write(data)

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        while rest := rest[self._outgoing.write(rest) :]:
            await self._outgoing.changed.park()

    async def receive_some(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while (data := self._incoming.read()) is None:
            await self._incoming.changed.park()
        return data

    def probe(self) -> bool:
        """Return whether nothing has arrived and the peer has not closed."""
        return not (self._incoming.buffer or self._incoming.writer_closed or self._incoming.reader_closed)

    def close(self) -> None:
        """Close both directions. The peer can still read what was sent."""
        self._outgoing.close_writer()
        self._incoming.close_reader()


def memory_stream_pair() -> tuple[ByteStream, ByteStream]:
    """Return the two ends of a new connection in memory.

    Each direction holds 64 KiB; then its sender waits. After one end has been closed, the other can read
    what was sent, then ``b""``, and sending raises `BrokenPipeError`.
    """
    first, second = _Pipe(), _Pipe()
    return MemoryStream(first, second), MemoryStream(second, first)
