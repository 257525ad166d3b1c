"""The boundary between the transport and the network: five operations on a stream of bytes.

Everything above it (pool, HTTP/1.1, sender, the whole runner) works the same over a socket, TLS or memory;
tests run it in memory under virtual time.
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
"""The most bytes that one read returns. Large reads cost no more than small ones."""


class ByteStream(Protocol):
    """A connected, bidirectional stream of bytes."""

    def send_nowait(self, data: bytes) -> int:
        """Send without waiting; return how many bytes were sent. Raises `OSError` if the peer is gone."""
        ...

    async def send_all(self, data: bytes) -> None:
        """Send all of ``data``. Raises `OSError` if the peer is gone."""
        ...

    async def receive_some(self) -> bytes:
        """Return the bytes that have arrived, at most 256 KiB. Wait for at least one; ``b""`` at the end.

        Raises `OSError` if the connection broke.
        """
        ...

    def probe(self) -> bool:
        """Return, without waiting, whether an idle stream can be reused.

        True only if reading now would block. If there is a byte, an end or an error to read, the connection
        is out of step.
        """
        ...

    def close(self) -> None:
        """Close at once, without waiting. May be called more than once."""
        ...


class _Scratch(threading.local):
    """The buffer for reads, one per thread.

    The kernel would map, shrink and unmap a bytes object of 256 KiB for each read: three system calls and
    their page faults, a quarter of the CPU time of a small exchange (strace, glibc 2.36).
    """

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_SIZE))


_scratch = _Scratch()


def _received(size: int) -> bytes:
    return _scratch.view[:size].tobytes()


class SocketStream:
    """A connected, non-blocking TCP socket.

    `receive_some` waits before it reads, because the response to what was just sent has never arrived yet.
    This saves one failing system call per exchange.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send_nowait(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    async def send_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            await trio.lowlevel.wait_writable(self._sock)
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                continue

    async def receive_some(self) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                return _received(self._sock.recv_into(_scratch.view))
            except BlockingIOError:
                continue

    def probe(self) -> bool:
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        close_socket(self._sock)


class TLSStream:
    """A TLS connection over a non-blocking `ssl.SSLSocket`, after its handshake.

    A read requests more than one TLS record, so no data stays in OpenSSL's buffer, and `receive_some` can
    wait for the socket first here as well.
    """

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def send_nowait(self, data: bytes) -> int:
        """Send without waiting. After 0, send the same bytes next: OpenSSL may have begun with them."""
        try:
            return self._sock.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0

    async def send_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[await _tls_step(self._sock, lambda data=rest: self._sock.send(data)) :]

    async def receive_some(self) -> bytes:
        """Return the bytes that have arrived; ``b""`` only after the peer's close_notify."""
        await trio.lowlevel.wait_readable(self._sock)
        try:
            size = self._sock.recv_into(_scratch.view)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            size = await _tls_step(self._sock, lambda: self._sock.recv_into(_scratch.view))
        return _received(size)

    def probe(self) -> bool:
        """Read a byte: an SSLSocket cannot peek, and session tickets make it readable without data."""
        try:
            self._sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close without a closing handshake, which no peer expects after a complete HTTP message."""
        close_socket(self._sock)


async def start_tls(sock: socket.socket, context: ssl.SSLContext, server_hostname: str) -> TLSStream:
    """Start TLS on a connected, non-blocking socket. Raises `OSError`, after closing the socket."""
    tls = context.wrap_socket(
        sock,
        server_hostname=server_hostname,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,  # an end without close_notify is a truncation, which may cut a body
    )
    try:
        await _tls_step(tls, tls.do_handshake)
    except BaseException:
        close_socket(tls)
        raise
    return TLSStream(tls)


async def _tls_step(sock: ssl.SSLSocket, step: Callable[[], _T]) -> _T:
    """Repeat ``step`` until OpenSSL does not have to wait for the socket. Raises `OSError`."""
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
    """Close a socket and wake the tasks that wait for it. Works after the event loop has ended, too."""
    if sock.fileno() != -1 and trio.lowlevel.in_trio_run():
        trio.lowlevel.notify_closing(sock)
    sock.close()
