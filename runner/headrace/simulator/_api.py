"""What the two APIs and the service behind them exchange: requests, completions, rejections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from ._buckets import Quota

RawHeaders = list[tuple[bytes, bytes]]


@attrs.frozen(kw_only=True)
class Prefix:
    """A prompt from its start to a ``cache_control`` breakpoint: its digest and its length in tokens."""

    key: bytes
    tokens: int


@attrs.frozen(kw_only=True)
class ApiRequest:
    """A parsed request.

    ``reserved_tokens``: what admission debits, before the true numbers are known. ``prefixes``: the cacheable
    prefixes of the prompt, shortest first.
    """

    model: str
    digest: str
    input_tokens: int
    reserved_tokens: int
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False
    prefixes: tuple[Prefix, ...] = ()


@attrs.frozen(kw_only=True)
class TokenCounts:
    """The tokens of one request and its answer. The three kinds of input add up to the prompt."""

    input: int
    output: int
    cache_creation: int = 0
    cache_read: int = 0

    @property
    def charged_input(self) -> int:
        """What counts against the input limit: everything except what was read from the cache."""
        return self.input + self.cache_creation


@attrs.frozen(kw_only=True)
class Completion:
    """An answer before an API encodes it.

    ``truncated``: ``max_tokens`` ended it. ``created``: seconds since 1970.
    """

    id: str
    model: str
    text: str
    truncated: bool
    usage: TokenCounts
    created: float


@attrs.define(kw_only=True)
class Rejection(Exception):
    """A request that gets an error response.

    ``code``: the machine-readable reason, if the provider gives one. ``retry_after``: seconds; None sends no
    header. ``allow``: the method that the path accepts.
    """

    status: int
    message: str
    code: str | None = None
    retry_after: float | None = None
    allow: str | None = None


class Api(Protocol):
    """One API. The modules `_messages_endpoint` and `_chat_endpoint` implement it."""

    @property
    def RESERVES_OUTPUT(self) -> bool:  # noqa: N802 - a constant of the module
        """True: the reserved tokens are final, and failed requests count. False: actual use is debited."""
        ...

    def parse(self, body: bytes, /) -> ApiRequest:
        """Parse a request body. Raises `Rejection` 400."""
        ...

    def encode(self, completion: Completion, /) -> bytes:
        """Encode the answer as one JSON document."""
        ...

    def encode_opening(self, request: ApiRequest, completion: Completion, /) -> bytes:
        """Encode the events before the text of a streamed answer."""
        ...

    def encode_delta(self, request: ApiRequest, completion: Completion, text: str, /) -> bytes:
        """Encode the event that carries a chunk of the text."""
        ...

    def encode_closing(self, request: ApiRequest, completion: Completion, /) -> bytes:
        """Encode the events after the text."""
        ...

    def encode_error(self, rejection: Rejection, request_id: str, /) -> bytes:
        """Encode an error response."""
        ...

    def api_key(self, headers: Mapping[bytes, bytes], /) -> str | None:
        """Return the key in the headers of a request."""
        ...

    def rate_limit_headers(self, quota: Quota, now: float, wall_time: float, /) -> RawHeaders:
        """Return the rate-limit headers. ``wall_time`` is ``now`` in seconds since 1970."""
        ...

    def request_id_header(self, request_id: str, /) -> tuple[bytes, bytes]:
        """Return the header that carries the request id."""
        ...
