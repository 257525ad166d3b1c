"""Values that travel through the runner: a job, the outcome of an attempt, what the record says about it.

They are msgspec Structs without garbage-collector tracking because one of each exists per job in flight.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

import attrs
import msgspec

FailureKind = Literal[
    "bad_line",  # the input line cannot be parsed as a job
    "rejected",  # the server rejected this request: a 4xx that a retry does not fix
    "credentials",  # 401, 403: no request with this key will succeed
    "spend_limit",  # a spend cap, no credit, an exhausted quota: no request will succeed for now
    "rate_limit",  # a 429 that asks for a lower rate, a slower rise, or fewer requests in flight
    "overloaded",  # 529, 503, 498: the server lacks capacity; the quota is not used
    "server",  # other 5xx, 408, 409, 424, 425, 499
    "invalid_response",  # a 2xx whose body is not a complete, well-formed answer
    "connection",  # no connection, a lost one, or a response that is not HTTP
    "timeout",  # the attempt's deadline or the idle timeout has passed
    "too_large",  # the response exceeds the limits on its size
    "redirect",  # the server redirects elsewhere: neither the key nor the body is sent there
]


CHARACTERS_PER_TOKEN: Final = 4
"""A rule of thumb for English text; JSON punctuation and roles are counted as text.

https://help.openai.com/en/articles/4936856-what-are-tokens-and-how-to-count-them
"""


class Cancellable(Protocol):
    """Work that can be cancelled, such as a `trio.CancelScope`."""

    def cancel(self) -> None:
        """Cancel it."""
        ...


class Recipient(Protocol):
    """The caller who waits for the result of one job, as the actors see it."""

    @property
    def job_id(self) -> str:
        """The id that the caller gave the job; empty without one."""
        ...

    @property
    def withdrawn(self) -> bool:
        """Whether the result is no longer wanted."""
        ...

    def take_up(self, work: Cancellable) -> None:
        """Note that a worker has the job. The recipient cancels ``work`` if it withdraws."""
        ...

    def put_down(self, work: Cancellable) -> None:
        """Note that the worker is done with the job."""
        ...


class JobRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A request as a dialect reads it from one line, ready to be sent."""

    path: str
    body: bytes
    """The JSON body, as the server gets it."""
    model: str
    max_tokens: int | None
    """The most output tokens of one choice; None: nothing limits them; 0: the endpoint has no output."""
    stream: bool
    choices: int = 1
    """How many answers the server generates for it (``n``, ``best_of``): each has up to ``max_tokens``."""
    limit_name: str = "max_tokens"
    """The key that would limit the output, as the endpoint names it, if nothing does."""
    service_tier: str | None = None
    """As the body requests it."""
    kept: bytes | None = None
    """The input fields named with ``--keep``, as one JSON object."""

    @property
    def max_output(self) -> int | None:
        """The most output tokens of all choices together; None: nothing limits them."""
        return None if self.max_tokens is None else self.max_tokens * self.choices


class PreparedJob(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One line of the input on its way through the run: its request and its identity."""

    id: str
    line: int
    """The line's number in its file, from 1."""
    source: str | None
    """The file's name if the run reads several, else None."""
    digest: str
    """BLAKE2b-8 of the line, without BOM and line ending: 16 hex digits."""
    request: JobRequest
    recipient: Recipient | None = None
    """The caller who waits for the result; None for a job file, where only the record counts."""

    @property
    def is_withdrawn(self) -> bool:
        """Whether the result is no longer wanted."""
        return self.recipient is not None and self.recipient.withdrawn


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Tokens, as the server counted them. None: the server did not say, or what it said makes no sense.

    A sum (`plus`) has no unknown parts: it is the sum of what is known.
    """

    input: int | None = 0
    """Without the tokens read from or written to the cache."""
    output: int | None = 0
    cache_read: int = 0
    cache_creation: int = 0
    cache_creation_1h: int = 0
    """The part of ``cache_creation`` that is kept for an hour, which costs more."""
    service_tier: str | None = None
    """The tier that served the request, as the server names it: it decides the price."""

    @property
    def is_known(self) -> bool:
        """Whether the server counted both input and output."""
        return self.input is not None and self.output is not None

    def plus(self, *others: Usage) -> Usage:
        """Return the sum of all that is known. A sum has no service tier."""
        new, output, cached, written = self.input or 0, self.output or 0, self.cache_read, self.cache_creation
        hourly = self.cache_creation_1h
        for other in others:
            new += other.input or 0
            output += other.output or 0
            cached += other.cache_read
            written += other.cache_creation
            hourly += other.cache_creation_1h
        return Usage(
            input=new,
            output=output,
            cache_read=cached,
            cache_creation=written,
            cache_creation_1h=hourly,
        )


UNKNOWN_USAGE: Final = Usage(input=None, output=None)


class Success(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A complete, well-formed answer."""

    message: bytes
    """The answer as one line of valid UTF-8 JSON without CR, LF, U+2028 or U+2029."""
    usage: Usage
    stop_reason: str | None
    """As the server names it; of the first choice, if there are several."""
    truncated: bool = False
    """A limit on tokens cut it off; of several choices, at least one."""
    filtered: bool = False
    """The model refused, or a filter removed text; of several choices, at least one."""


class Failure(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Why one attempt, or one line, has no answer."""

    kind: FailureKind
    message: str
    """For people: one line of at most 2 KB, without control characters and without the key."""
    status: int | None = None
    body: bytes | None = None
    """The server's error body as one line of JSON, if it was a JSON object of at most 2 KB."""
    request_id: str | None = None
    code: str | None = None
    """The provider's error code (``error.details.error_code``, ``error.code`` or ``error.type``)."""
    sent: bool = True
    """The whole request was sent and no response rejected it: it may have been billed."""
    answer: bytes | None = None
    """The refused answer, whole and as one line of JSON: the body of a 2xx response, or a stream's parts.

    Text that is not JSON, or is nested too deep, is a JSON string. None if there was no answer to keep.
    """


TokenRange = tuple[int, int | None]
"""A minimum and a maximum number of tokens; None: there is no known maximum."""


class Note(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What the run knows about a job: each record carries it under the key ``headrace``."""

    line: int
    source: str | None = None
    digest: str
    recipe: str
    """BLAKE2b-4 of everything besides the line that shapes the answer: 8 hex digits."""
    attempts: int = 0
    maybe_billed: int = 0
    """Attempts whose request was sent and whose response never arrived."""
    maybe_billed_tokens: TokenRange | None = None
    """The tokens they may have used, input and output together; None without such attempts."""
    unreported_tokens: TokenRange | None = None
    """The maximum of the input and of the output tokens that the answer used and did not report."""
    refusals: int = 0
    """How often the server said "not now" (429, 503, 529) to a job that has failed..."""
    refusals_s: float | None = None
    """... and for how many seconds, from the first to the last time; None if it never did."""
    queued_s: float | None = None
    """Seconds from reading the line to sending the last attempt."""
    latency_s: float | None = None
    ttft_s: float | None = None
    """Seconds to the first token of a streamed answer."""
    request_id: str | None = None
    streak: tuple[str, int] | None = None
    """Of a failure: its signature, and how many jobs in a row had failed with it (see `policy.systemic`)."""
    input: msgspec.Raw | None = None
    """The fields named with ``--keep``."""


@attrs.frozen(kw_only=True)
class Attempt:
    """One request and its outcome, as a program sees it through ``on_attempt``. Times in seconds."""

    job_id: str
    """Empty for a job without an id."""
    model: str
    attempt: int
    """Its number among the job's attempts, from 1."""
    failure: FailureKind | None
    """None if it succeeded."""
    status: int | None
    """The HTTP status; None without a response."""
    wait: float | None
    """The minimum time until the next attempt; None if this is the last one."""
    latency: float | None
    request_id: str | None
    usage: Usage | None
    """None if it failed."""
