"""What passes between the two API dialects and the service behind them: questions, replies, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from ._buckets import Quota

RawHeaders = list[tuple[bytes, bytes]]


@attrs.frozen(kw_only=True)
class Prefix:
    """A prompt from its start to a ``cache_control`` mark: its digest and how many tokens it has."""

    key: bytes
    tokens: int


@attrs.frozen(kw_only=True)
class ApiRequest:
    """A request, understood. ``reserve``: the tokens to debit before anything is known for sure.

    ``prefixes``: the marked prefixes of the prompt, shortest first.
    """

    model: str
    digest: str
    input_tokens: int
    reserve: int
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False
    prefixes: tuple[Prefix, ...] = ()


@attrs.frozen(kw_only=True)
class TokenCounts:
    """The tokens of one exchange; the three kinds of input add up to the prompt."""

    input: int
    output: int
    cache_creation: int = 0
    cache_read: int = 0

    @property
    def charged_input(self) -> int:
        """What counts against the limit of input tokens: all but what was read from the cache."""
        return self.input + self.cache_creation


@attrs.frozen(kw_only=True)
class Completion:
    """An answer before it is spelt in a dialect. ``cut``: ``max_tokens`` ended it. ``created``: wall time."""

    name: str
    model: str
    text: str
    cut: bool
    usage: TokenCounts
    created: float


@attrs.define(kw_only=True)
class Rejection(Exception):
    """A request answered with an error. ``code``: the machine-readable reason, if the provider gives one.

    ``retry_after``: seconds, None if no time is named. ``allow``: the method that the path takes.
    """

    status: int
    message: str
    code: str | None = None
    retry_after: float | None = None
    allow: str | None = None


class Api(Protocol):
    """One dialect. The modules `_messages_api` and `_chat_api` are its two implementations."""

    @property
    def RESERVES_OUTPUT(self) -> bool:  # noqa: N802 - a constant of the module
        """True: the reserve is final and failed requests count. False: the truth is debited as it comes."""
        ...

    def read(self, body: bytes, /) -> ApiRequest:
        """Understand a request body. Raises `Refusal` with status 400."""
        ...

    def whole(self, reply: Completion, /) -> bytes:
        """Spell the reply as one JSON document."""
        ...

    def opening(self, request: ApiRequest, reply: Completion, /) -> bytes:
        """Spell the events before the text of a streamed reply."""
        ...

    def piece(self, request: ApiRequest, reply: Completion, text: str, /) -> bytes:
        """Spell the event that carries a piece of the text."""
        ...

    def closing(self, request: ApiRequest, reply: Completion, /) -> bytes:
        """Spell the events after the text."""
        ...

    def error(self, rejection: Rejection, request_id: str, /) -> bytes:
        """Spell an error."""
        ...

    def key(self, headers: Mapping[bytes, bytes], /) -> str | None:
        """Return the key that a request presents."""
        ...

    def limit_headers(self, quota: Quota, now: float, wall: float, /) -> RawHeaders:
        """Return the rate-limit headers as of ``now``; ``wall`` is the same instant in seconds since 1970."""
        ...

    def id_header(self, request_id: str, /) -> tuple[bytes, bytes]:
        """Return the header that names the request."""
        ...
