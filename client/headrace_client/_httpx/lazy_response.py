"""A whole answer as an `httpx.Response` that is put together when somebody looks at it.

Most answers become a typed value and are not looked at otherwise: an `httpx.Response` and the request that
belongs to it take 80 us, this one 2.
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
    """What came over the wire, and how to tell the request that it answers."""

    status: int
    head: bytes
    body: bytes
    """As it came, which may be compressed."""
    elapsed: float
    """Seconds from the request to the end of the body."""
    make_request: Callable[[], httpx.Request]


class LazyResponse(httpx.Response):
    """A response that has been read.

    Made by `of` it has its status and its content; its header fields are read when they are asked for, and
    all the rest is made when any of it is. Made by its constructor it is like any other response.
    """

    @classmethod
    def of(cls, arrived: RawResponse) -> Self:
        """Return the response; one with a compressed body is to be made `whole` at once."""
        response = cls.__new__(cls)
        response.status_code = arrived.status
        response.__dict__["arrived"] = arrived
        return response

    @property
    def request_id(self) -> str | None:
        """The field ``request-id``, for which the other fields need not be read."""
        arrived: RawResponse | None = self.__dict__.get("arrived")
        if arrived is None:
            return self.headers.get("request-id")
        found = _REQUEST_ID.search(arrived.head)
        return found[1].rstrip(b" \t").decode("latin-1") if found else None

    @property
    def content(self) -> bytes:
        """The decoded body."""
        arrived: RawResponse | None = self.__dict__.get("arrived")
        return super().content if arrived is None else arrived.body

    def read(self) -> bytes:
        """Return the decoded body."""
        return self.content if "arrived" in self.__dict__ else super().read()

    async def aread(self) -> bytes:
        """Return the decoded body."""
        return self.content if "arrived" in self.__dict__ else await super().aread()

    def __getattr__(self, name: str) -> Any:
        # Called for what is not there, which until it is `whole` is all that an `httpx.Response` has.
        if "arrived" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if name == "headers":
            self.headers = httpx.Headers(list(Headers.parse(self.__dict__["arrived"].head).raw))
        else:
            self.materialize()
        return getattr(self, name)

    def __getstate__(self) -> dict[str, Any]:
        self.materialize()
        return super().__getstate__()

    def materialize(self) -> None:
        """Do what httpx's client does with an answer. Raises `httpx.DecodingError`."""
        headers = self.headers
        arrived: RawResponse | None = self.__dict__.pop("arrived", None)
        if arrived is None:
            return
        super().__init__(
            arrived.status,
            headers=headers,
            stream=httpx.ByteStream(arrived.body),
            request=arrived.make_request(),
            extensions=response_extensions(arrived.head),
        )
        super().read()
        self.elapsed = dt.timedelta(seconds=arrived.elapsed)
