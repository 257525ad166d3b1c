"""The seam between the transport and the network: four operations on a stream of bytes.

Everything above it (pool, HTTP/1.1, lane, the whole runner) neither knows nor cares whether the
bytes cross a socket, TLS or memory; tests run it all in memory under virtual time.
"""

from __future__ import annotations

from typing import Protocol


class ByteStream(Protocol):
    """A connected, bidirectional stream of bytes."""

    async def send_all(self, data: bytes) -> None:
        """Send all of ``data``. Raises `OSError` when the peer is gone."""
        ...

    async def receive_some(self) -> bytes:
        """Return what has arrived (at most 256 KiB), waiting for at least one byte; ``b""`` at the end."""
        ...

    def probe(self) -> bool:
        """Tell, without waiting, whether an idle stream is fit for reuse.

        True only if reading now would block: a byte, an end or an error that waits there
        means that the connection is not in step with us any more.
        """
        ...

    def close(self) -> None:
        """Close at once, without waiting; more than once is allowed."""
        ...
