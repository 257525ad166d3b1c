"""HTTP/1.1 requests as bytes (RFC 9112 section 3; pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .headers import encode_field
from .origin import Origin

_TARGET = re.compile(r"[!-~]+")
_METHOD = re.compile(r"[A-Z]+")
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_METHODS_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


def request_head(method: str, target: str, origin: Origin, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the start line and header lines of a request, without the final empty line.

    ``host`` is added unless it is among the headers. Raises `ValueError` for anything that cannot be sent
    safely.
    """
    if not _METHOD.fullmatch(method):
        raise ValueError(f"{method!r} is not a valid method")
    if not _TARGET.fullmatch(target):
        raise ValueError("the request target is empty or contains spaces, control or non-ASCII characters")
    fields = list(headers)
    names = {name.lower() for name, _ in fields}
    if "host" not in names:
        fields.insert(0, ("host", origin.authority))
    start = f"{method} {target} HTTP/1.1\r\n".encode("ascii")
    return start + b"".join(encode_field(name, value) for name, value in fields)


class RequestTemplate:
    """A request in which only the body and the retry count vary; everything else is encoded once.

    ``accept-encoding: identity`` and ``x-stainless-retry-count`` (with which the reference SDK reports
    earlier attempts to the server) are added unless the headers have them. Raises `ValueError` for anything
    that cannot be sent safely, and for framing headers, which the transport sets.
    """

    def __init__(self, method: str, target: str, origin: Origin, headers: Iterable[tuple[str, str]]) -> None:
        fields = list(headers)
        names = {name.lower() for name, _ in fields}
        if names & _FRAMING:
            raise ValueError(
                f"remove {' and '.join(sorted(names & _FRAMING))}: the transport sets the framing"
            )
        if "accept-encoding" not in names:
            fields.append(("accept-encoding", "identity"))
        self._counts = "x-stainless-retry-count" not in names
        self.target = target
        self._head = request_head(method, target, origin, fields)
        self._first_head = self._head + self._count(0)
        self._sends_empty_length = method not in _METHODS_WITHOUT_BODY
        self.bodiless = method == "HEAD"

    def render(self, body: bytes, retries_taken: int) -> bytes:
        """Return the whole request as bytes. ``retries_taken``: attempts already made."""
        head = self._head + self._count(retries_taken) if retries_taken else self._first_head
        if not body and not self._sends_empty_length:
            return head + b"\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)

    def _count(self, retries_taken: int) -> bytes:
        return b"x-stainless-retry-count: %d\r\n" % retries_taken if self._counts else b""
