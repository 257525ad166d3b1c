"""The seam between the transport and the network: five operations on a stream of bytes.

Everything above it (pool, HTTP/1.1, sender, the whole runner) neither knows nor cares whether the
bytes cross a socket, TLS or memory; tests run it all in memory under virtual time.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import trio

_T = TypeVar("_T")

READ_SIZE = 256 * 1024
"""Most bytes that one read returns: large reads cost no more than small ones."""


class ByteStream(Protocol):
    """A connected, bidirectional stream of bytes."""

    def send_nowait(self, data: bytes) -> int:
        """Send what goes without waiting; return how many bytes. Raises `OSError` when the peer is gone."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send all of ``data``. Raises `OSError` when the peer is gone."""
        ...

    async def receive_some(self) -> bytes:
        """Return what has arrived (at most 256 KiB), waiting for at least one byte; ``b""`` at the end.

        Raises `OSError` when the connection broke.
        """
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


class _Scratch(threading.local):
    """What a read is read into, one for each thread.

    A bytes object of 256 KiB for each read would be mapped, shrunk and unmapped by the kernel: three system
    calls and their page faults, a quarter of a small exchange's CPU time (strace, glibc 2.36).
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_SIZE))


_scratch = _Scratch()


def _received(size: int) -> bytes:
    return _scratch.view[:size].tobytes()


class SocketStream:
    """A connected TCP socket, non-blocking.

    Reading waits first and reads then, as the answer to what was just sent is never there yet: it saves one
    failing system call for each exchange.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send_nowait(self, data: bytes) -> int:
        """Send what fits into the socket's buffer."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    async def send_all(self, data: bytes) -> None:
        """Send all, waiting while the socket's buffer is full."""
        rest = memoryview(data)
        while rest:
            await trio.lowlevel.wait_writable(self._sock)
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                continue

    async def receive_some(self) -> bytes:
        """Wait until the socket is readable, then read it."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                return _received(self._sock.recv_into(_scratch.view))
            except BlockingIOError:
                continue

    def probe(self) -> bool:
        """Peek at the socket."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close the socket and wake who waits for it."""
        close_socket(self._sock)


class TLSStream:
    """A TLS connection over a non-blocking `ssl.SSLSocket` whose handshake is done.

    A read asks for more than one TLS record, so nothing stays behind in OpenSSL's buffer and waiting for the
    socket first is right here, too.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def send_nowait(self, data: bytes) -> int:
        """Send what fits; after 0 the same bytes must follow, as OpenSSL may have begun with them."""
        try:
            return self._sock.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    async def send_all(self, data: bytes) -> None:
        """Send all, waiting for the socket as OpenSSL asks for it."""
        rest = memoryview(data)
        while rest:
            rest = rest[await _tls_step(self._sock, lambda piece=rest: self._sock.send(piece)) :]

    async def receive_some(self) -> bytes:
        """Wait until the socket is readable, then read it; ``b""`` only after the peer's close_notify."""
        await trio.lowlevel.wait_readable(self._sock)
        try:
            size = self._sock.recv_into(_scratch.view)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            size = await _tls_step(self._sock, lambda: self._sock.recv_into(_scratch.view))
        return _received(size)

    def probe(self) -> bool:
        """Read one byte: an SSLSocket cannot peek, and session tickets make it readable without data."""
        try:
            self._sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close without a closing handshake: nobody waits for one after a whole HTTP message."""
        close_socket(self._sock)


async def start_tls(sock: socket.socket, context: ssl.SSLContext, server_hostname: str) -> TLSStream:
    """Make a connected, non-blocking socket a TLS connection; on failure the socket is closed."""
    tls = context.wrap_socket(
        sock,
        server_hostname=server_hostname,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,  # an end without close_notify is a cut: a body may depend on it
    )
    try:
        await _tls_step(tls, tls.do_handshake)
    except BaseException:
        close_socket(tls)
        raise
    return TLSStream(tls)


async def _tls_step(sock: ssl.SSLSocket, step: Callable[[], _T]) -> _T:
    """Repeat ``step`` until OpenSSL needs nothing more from the socket."""
    while True:
        wait: Callable[[ssl.SSLSocket], Awaitable[None]]
        try:
            return step()
        except ssl.SSLWantReadError:
            wait = trio.lowlevel.wait_readable
        except ssl.SSLWantWriteError:
            wait = trio.lowlevel.wait_writable
        await wait(sock)


def close_socket(sock: socket.socket) -> None:
    """Close, waking tasks that wait for the socket; also after the event loop has ended."""
    if sock.fileno() != -1 and trio.lowlevel.in_trio_run():
        trio.lowlevel.notify_closing(sock)
    sock.close()
