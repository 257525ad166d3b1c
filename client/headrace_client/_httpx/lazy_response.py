"""A complete response as an `httpx.Response` that is built on first use.

Most responses are only turned into a typed value. An `httpx.Response` with its request takes 80 us, this one
2.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, Final, Self

import attrs
import httpx

from headrace_client.transport import Headers

from .transport import response_extensions

_REQUEST_ID: Final = re.compile(rb"\r\nrequest-id:[ \t]*([^\r]*)", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class RawResponse:
    """What came over the wire, and how to make the request that it responds to."""

    status: int
    head: bytes
    body: bytes
    """As received, possibly compressed."""
    elapsed: float
    """Seconds from the request to the end of the body."""
    make_request: Callable[[], httpx.Request]


class LazyResponse(httpx.Response):
    """A response that has been read.

    Made with `of`, it has its status and content. The headers are parsed on first use, and everything else is
    built together on first use. Made with the constructor, it is a normal response.
    """

    @classmethod
    def of(cls, raw: RawResponse) -> Self:
        """Return the response. If its body is compressed, call `materialize` at once."""
        response = cls.__new__(cls)
        response.status_code = raw.status
        response.__dict__["_raw"] = raw
        return response

    @property
    def request_id(self) -> str | None:
        """The value of ``request-id``, found without parsing the other headers."""
        raw: RawResponse | None = self.__dict__.get("_raw")
        if raw is None:
            return self.headers.get("request-id")
        found = _REQUEST_ID.search(raw.head)
        return found[1].rstrip(b" \t").decode("latin-1") if found else None

    @property
    def content(self) -> bytes:
        """The decoded body."""
        raw: RawResponse | None = self.__dict__.get("_raw")
        return super().content if raw is None else raw.body

    def read(self) -> bytes:
        """Return the decoded body."""
        return self.content if "_raw" in self.__dict__ else super().read()

    async def aread(self) -> bytes:
        """Return the decoded body."""
        return self.content if "_raw" in self.__dict__ else await super().aread()

    def __getattr__(self, name: str) -> Any:
        # Called for missing attributes: until `materialize`, that is nearly all of an `httpx.Response`.
        if "_raw" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name == "headers":
            self.headers = httpx.Headers(list(Headers.parse(self.__dict__["_raw"].head).raw))
        else:
            self.materialize()
        return getattr(self, name)

    def __getstate__(self) -> dict[str, Any]:
        self.materialize()
        return super().__getstate__()

    def materialize(self) -> None:
        """Build the rest of the response as httpx does. Raises `httpx.DecodingError`."""
        headers = self.headers
        raw: RawResponse | None = self.__dict__.pop("_raw", None)
        if raw is None:
            return
        super().__init__(
            raw.status,
            headers=headers,
            stream=httpx.ByteStream(raw.body),
            request=raw.make_request(),
            extensions=response_extensions(raw.head),
        )
        super().read()
        self.elapsed = dt.timedelta(seconds=raw.elapsed)
