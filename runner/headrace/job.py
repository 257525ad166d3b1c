"""Values that travel through the runner: a job, what came of one attempt, what its record says of it.

They are msgspec Structs without gc tracking because one of each exists per job in flight.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

import msgspec

FailureKind = Literal[
    "bad_line",  # the input line is no job
    "rejected",  # the server refused this request: 4xx that no repetition mends
    "credentials",  # 401, 403: no request with this key will succeed
    "spend_limit",  # a spend cap, no credit, an exhausted quota: nothing more will succeed for now
    "rate_limit",  # a 429 that says: slower (bucket, ramp, concurrency)
    "overloaded",  # 529, 503: the server is short of capacity, the quota is not touched
    "server",  # other 5xx, 408, 409
    "invalid_response",  # a 2xx whose body is no answer (P16)
    "connection",  # no connection, a lost one, an invalid response
    "timeout",  # the attempt's deadline or the idle timeout passed
    "too_large",  # the answer passed the limits of P15
    "redirect",  # the server points elsewhere; neither key nor body follow
]


CHARACTERS_PER_TOKEN: Final = 4
"""A rule of thumb for English text; JSON punctuation and roles are counted as text.

https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them
"""


class Cancellable(Protocol):
    """Work that can be cut short, such as a `trio.CancelScope`."""

    def cancel(self) -> None:
        """Cut it short."""
        ...


class Recipient(Protocol):
    """Who waits for the result of one job, as far as the actors need to know."""

    @property
    def job_id(self) -> str:
        """The id that the caller gave the job; empty if none."""
        ...

    @property
    def withdrawn(self) -> bool:
        """Whether the result is no longer wanted."""
        ...

    def take_up(self, work: Cancellable) -> None:
        """Note that a worker has the job; ``work`` is cancelled if the recipient withdraws."""
        ...

    def put_down(self, work: Cancellable) -> None:
        """Note that the worker is done with it."""
        ...


class JobRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a dialect reads from one line: a request that is ready to be sent."""

    path: str
    body: bytes
    """The JSON body, as it goes to the server."""
    model: str
    max_tokens: int | None
    stream: bool
    kept: bytes | None = None
    """The input fields named by ``--keep``: one JSON object."""


class PreparedJob(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One line of the input on its way: its request and its identity."""

    id: str
    line: int
    """The line's number in its file, from 1."""
    source: str | None
    """The file's name when the run reads several, else None."""
    digest: str
    """BLAKE2b-8 of the line without BOM and line ending: 16 hex digits."""
    request: JobRequest
    recipient: Recipient | None = None
    """Who waits for the result; None for a job file, where only the record counts."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether nobody wants the result any more."""
        return self.recipient is not None and self.recipient.withdrawn


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one answer, as the server counted them."""

    input: int = 0
    """Without what was read from the cache."""
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0

    def plus(self, *others: Usage) -> Usage:
        """Return the sum of all."""
        new, output, cached, written = self.input, self.output, self.cache_read, self.cache_creation
        for other in others:
            new += other.input
            output += other.output
            cached += other.cache_read
            written += other.cache_creation
        return Usage(input=new, output=output, cache_read=cached, cache_creation=written)


class Success(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An answer that passed P16."""

    message: bytes
    """The answer as one line of valid UTF-8 JSON without CR, LF, U+2028 or U+2029."""
    usage: Usage
    stop_reason: str | None
    """As the server names it; a cut at ``max_tokens`` and a refusal are counted apart."""


class Failure(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one attempt ended with when it was no success."""

    kind: FailureKind
    message: str
    """For people: free of control characters and of the key; at most 2 KB."""
    status: int | None = None
    body: bytes | None = None
    """The server's error body as one line of JSON, if it was a JSON object of at most 2 KB."""
    request_id: str | None = None
    code: str | None = None
    """The provider's code of the error (``error.details.error_code``, ``error.code`` or ``error.type``)."""
    sent: bool = True
    """The whole request was sent and no answer refused it: it may have been billed."""


TokenRange = tuple[int, int | None]
"""Tokens, at least and at most; None: nobody knows at most how many."""


class Note(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The one key ``headrace`` that each record carries: what the run knows of the job."""

    line: int
    source: str | None = None
    digest: str
    recipe: str
    """BLAKE2b-4 of all that shapes the answer beside the line: 8 hex digits."""
    attempts: int = 0
    maybe_billed: int = 0
    """Attempts whose request was sent and whose answer never came."""
    maybe_billed_tokens: TokenRange | None = None
    """What they have cost, input and output together; None if there are none."""
    queued_s: float | None = None
    """Seconds from reading the line to sending the attempt that succeeded (or was the last)."""
    latency_s: float | None = None
    ttft_s: float | None = None
    """Seconds to the first token of a streamed answer."""
    request_id: str | None = None
    input: msgspec.Raw | None = None
    """The fields named by ``--keep``."""
