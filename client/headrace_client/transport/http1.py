"""HTTP/1.1 responses: bytes in, decisions out (RFC 9112; pure).

1. A connection is reusable only if it is proven to be in step: the message was framed by a length or by
   chunks, both sides keep the connection alive, and not one byte came after the end. In doubt, it is closed.
2. A message that cannot be framed with certainty is rejected: two lengths, a length with chunks, a transfer
   coding other than chunked, line ends other than CRLF (llhttp rejects most of these, the code below the
   rest).
3. Everything that a server can make long is bounded: the head, the number of interim responses, the body.

llhttp (through httptools) frames the messages. It does not count the bytes that it consumes, skips CR and LF
after a message, and cannot know that a response is to HEAD: see `_finish` and `_read_framing`.
"""

from __future__ import annotations

import re

import attrs
import httptools

from .content import Inflater, InflaterChain, inflater_for
from .errors import ProtocolViolation, ResponseTooLarge

_HEAD_END = b"\r\n\r\n"
_CONTENT_LENGTH = b"\r\ncontent-length:"
_TRANSFER_ENCODING = b"\r\ntransfer-encoding:"
_CODINGS = b"-encoding:"
_CONTENT_ENCODING = b"\r\ncontent-encoding:"
_KEEP_ALIVE = b"\r\nkeep-alive:"
_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_LAST_CHUNK = re.compile(rb"\r\n0+(?:;[^\r\n]*)?\r\n\r\n\Z")
_KEEP_ALIVE_PARAMETER = re.compile(rb"(timeout|max)\s*=\s*(\d{1,9})")
_CONTINUE = 100
_SWITCHING_PROTOCOLS = 101
_FINAL = 200
_WITHOUT_BODY = frozenset({204, 304})
_TAIL_SIZE = 256
_NO_LIMIT = 1 << 62


LINGER = 0.1
"""Seconds that a response may take to end after the last event that matters.

A server that has sent it ends the response at once, mostly in a segment of its own. Closing and opening a
connection would cost more.
"""


@attrs.frozen(kw_only=True)
class ReadLimits:
    """Limits of one response. Exceeding one raises `ResponseTooLarge`."""

    head: int = 256 * 1024
    """Bytes, interim responses included."""
    body: int | None = 64 * 1024 * 1024
    """Bytes of the decoded body; None: no limit, for bodies that are passed on as they arrive."""
    interim: int = 16
    """The number of 1xx responses before the final one."""


@attrs.frozen
class KeepAliveTerms:
    """The limits in a ``keep-alive`` header: seconds of idleness and further requests; None if not stated."""

    timeout: int | None
    further: int | None


class ResponseReader:
    """Reads the responses of one connection, one after another.

    Call `begin`, then `feed` with what arrives (or `end`) until `complete`; then `reusable` says whether the
    connection is in step and may be used again. After an error, use neither the reader nor the connection.
    """

    __slots__ = (
        "_bodiless",
        "_decode",
        "_expected",
        "_head_parts",
        "_heads",
        "_in_step",
        "_inflater",
        "_keep_alive",
        "_limits",
        "_max_body",
        "_parser",
        "_parts",
        "_size",
        "_tail",
        "_until_close",
        "complete",
        "head",
        "received",
        "reusable",
        "status",
        "terms",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.begin(ReadLimits())

    def begin(self, limits: ReadLimits, *, bodiless: bool = False, decode: bool = True) -> None:
        """Get ready for one response.

        ``bodiless``: it is a response to HEAD. ``decode``: decode its content coding.
        """
        self._limits = limits
        self._max_body = _NO_LIMIT if limits.body is None else limits.body
        self._bodiless = bodiless
        self._decode = decode
        self.received = 0
        self.status = 0
        self.head: bytes | None = None
        self.complete = False
        self.reusable = False
        self.terms: KeepAliveTerms | None = None
        self._in_step = True
        self._keep_alive = False
        self._until_close = False
        self._heads = 0
        self._head_parts: list[bytes] = []
        self._expected: int | None = None
        self._tail = b""
        self._parts: list[bytes] = []
        self._size = 0
        self._inflater: Inflater | InflaterChain | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the parts of the body in them.

        Raises `ProtocolViolation` or `ResponseTooLarge`.
        """
        self.received += len(data)
        self._parts = []
        if self.head is None:
            self._head_parts.append(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._in_step = False
            if not self.complete:
                raise ProtocolViolation(f"the response is not valid HTTP/1.1: {error}") from error
        if self.head is None:
            self._read_head()
        elif self._expected is None:
            self._tail = (self._tail + data if len(data) < _TAIL_SIZE else data)[-_TAIL_SIZE:]
        if self._inflater is not None:
            self._inflate(self._inflater)
        for part in self._parts:
            self._size += len(part)
        if self._size > self._max_body:
            raise ResponseTooLarge(f"the response body exceeds {self._max_body} bytes")
        if self.complete:
            self._finish()
        return self._parts

    def salvage(self) -> list[bytes]:
        """Return the parts of the body that came before a protocol violation. May raise as `feed` does.

        A body that does not have the content coding which its head names is returned as it came.
        """
        if self.head is None:
            self._read_head()
        if self._inflater is not None:
            try:
                self._inflate(self._inflater)
            except ProtocolViolation:
                if self._size:
                    raise
        return self._parts

    def end(self) -> bool:
        """Note the end of the stream; return whether the response is complete, having no other end."""
        self._in_step = False
        if self._until_close:
            self.complete = True
            self._finish()
        return self.complete

    # llhttp calls the next three methods. It continues with the next message in the same bytes; whatever
    # follows the end of this response is ignored.

    def on_headers_complete(self) -> None:
        """Note a head, interim or final. A head after the end means that the server is out of step."""
        if self.complete:
            self._in_step = False
        else:
            self._heads += 1
            self.status = self._parser.get_status_code()
            self._keep_alive = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """Collect part of the body."""
        if not self.complete:
            self._parts.append(data)

    def on_message_complete(self) -> None:
        """Note the end, except of an interim response."""
        if self.status >= _FINAL:
            self.complete = True

    def _read_head(self) -> None:
        """Find the final head in the bytes so far, and read the framing and coding from it."""
        final = self.status >= _FINAL
        if self._heads - final > self._limits.interim:
            raise ResponseTooLarge("too many interim (1xx) responses")
        if 0 < self.status < _CONTINUE or self.status == _SWITCHING_PROTOCOLS:
            raise ProtocolViolation(
                f"the server responded with status {self.status}, which was not requested"
            )
        if not final:
            if self.received > self._limits.head:
                raise ResponseTooLarge(f"the response head exceeds {self._limits.head} bytes")
            return
        parts, self._head_parts = self._head_parts, []
        arrived = parts[0] if len(parts) == 1 else b"".join(parts)
        start, end = 0, 0
        for _ in range(self._heads):
            start, end = end, arrived.find(_HEAD_END, end) + len(_HEAD_END)
            if end <= start or not arrived.startswith(_VERSIONS, start):
                raise ProtocolViolation("the response does not begin with HTTP/1.1 or HTTP/1.0")
        if end > self._limits.head:
            raise ResponseTooLarge(f"the response head exceeds {self._limits.head} bytes")
        self.head = arrived[start:end]
        self._read_framing(self.head.lower(), end)
        if self._expected is None:
            self._tail = arrived[end - 2 :][-_TAIL_SIZE:]

    def _read_framing(self, head: bytes, end: int) -> None:
        """Decide where the message ends. ``head``: in lower case. ``end``: the bytes up to its end."""
        # find() takes a third of the time of `in`, which tries a number first
        coded = head.find(_CODINGS) >= 0
        chunked = coded and head.find(_TRANSFER_ENCODING) >= 0
        if chunked and _field(head, _TRANSFER_ENCODING) != b"chunked":
            raise ProtocolViolation("the response has a transfer coding other than chunked")
        if head.find(_KEEP_ALIVE) >= 0:
            self.terms = _keep_alive_terms(_field(head, _KEEP_ALIVE))
        if self._bodiless or self.status in _WITHOUT_BODY:
            self._in_step = self._in_step and not self._bodiless  # llhttp still expects the body of a HEAD
            self._expected = end
            self._parts = []
            self.complete = True
            return
        start = head.find(_CONTENT_LENGTH)
        if start >= 0:
            length = int(head[start + len(_CONTENT_LENGTH) : head.index(b"\r\n", start + 2)])
            self._expected = end + length
            if length > self._max_body:
                raise ResponseTooLarge(f"the response announces a body of {length} bytes")
        self._until_close = not chunked and start < 0
        if coded and self._decode and head.find(_CONTENT_ENCODING) >= 0:
            self._inflater = inflater_for(_field(head, _CONTENT_ENCODING).decode("latin-1"))

    def _inflate(self, inflater: Inflater | InflaterChain) -> None:
        """Decode the content coding of the parts that have just arrived."""
        decoded = inflater.feed(b"".join(self._parts), self._max_body - self._size)
        self._parts = [decoded] if decoded else []

    def _finish(self) -> None:
        """Decide whether the connection is in step after the response.

        llhttp silently skips CR and LF after a message. So the bytes are counted and, after chunks, the last
        ones are checked. Trailers are not parsed: it is always correct to close their connection.
        """
        inflater, self._inflater = self._inflater, None
        if inflater is not None:
            inflater.finish()
        if self._in_step and self._keep_alive:
            exact = self.received == self._expected
            self.reusable = exact or (self._expected is None and _LAST_CHUNK.search(self._tail) is not None)


def _field(head: bytes, prefix: bytes) -> bytes:
    """Return the values of a field in a lower-cased head, joined with commas."""
    rests = head.split(prefix)[1:]
    return b",".join(rest.partition(b"\r\n")[0].strip(b" \t") for rest in rests)


def _keep_alive_terms(value: bytes) -> KeepAliveTerms:
    terms = {name: int(number) for name, number in _KEEP_ALIVE_PARAMETER.findall(value)}
    return KeepAliveTerms(terms.get(b"timeout"), terms.get(b"max"))
