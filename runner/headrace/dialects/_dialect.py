"""What a dialect is: everything that differs from one job format and API to another.

A dialect has two halves: its `LineFormat` (how a line of the input becomes a request) and its API (which
server to ask, how to judge responses, how to write records).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from headrace.job import Failure, JobRequest, Note, PreparedJob, Success
from headrace_client.lowlevel import Response


@attrs.frozen(kw_only=True)
class LineFormat:
    """How to read the lines of one job format, given the run's options. Every function is pure.

    A line is passed without its BOM and line ending.
    """

    name: str
    """As ``--input-format`` names it."""
    recipe: Mapping[str, object]
    """Everything besides the lines that shapes the answers. Records keep a digest of it.

    Only options that were given, so that a new option does not change the recipe of runs without it.
    Streaming is left out: it changes how an answer is transferred, not what it says.
    """
    identify: Callable[[bytes], str | None]
    """Return the line's own id, as fast as possible; None if it has none. Raises `BadLine`.

    Only the id is checked: `read` may still reject the line.
    """
    check_first: Callable[[bytes], None]
    """Raise `RunRefused` if the first line of the input shows that the options do not fit the input.

    Raises `BadLine` if the line is not a JSON object: check the next line instead.
    """
    read: Callable[[bytes], JobRequest]
    """Return the line's request. Raises `BadLine`."""
    notices: tuple[str, ...] = ()
    """What about the options is probably a mistake, for the user: one line each."""


class Assembler(Protocol):
    """Assembles the server-sent events of one streamed response into one message. Its memory is bounded."""

    def feed(self, data: bytes) -> bool:
        """Take the next chunk of the body; return whether the answer needs no more of them.

        Raises nothing: `finish` reports what went wrong.
        """
        ...

    @property
    def has_token(self) -> bool:
        """Whether the first token of the answer has arrived."""
        ...

    def finish(self) -> Success | Failure:
        """Return the whole message, or why there is none (cut off, error event, no stop reason)."""
        ...

    def cut(self, failure: Failure) -> Failure:
        """Return the failure of a response that was lost, with what had come of the answer."""
        ...


class Dialect(Protocol):
    """One job format and the API that it is for. Pure: no I/O, clock or state."""

    @property
    def lines(self) -> LineFormat: ...

    @property
    def default_base_url(self) -> str: ...

    @property
    def key_variable(self) -> str:
        """The environment variable that holds the API key."""
        ...

    @property
    def reserves_output_tokens(self) -> bool:
        """Whether the API's rate limits count a request's ``max_tokens`` when they admit it."""
        ...

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers of every request: authentication and API version."""
        ...

    def judge(self, response: Response, request: JobRequest | None = None, /) -> Success | Failure:
        """Return the success in a response to ``request``, or why it holds none.

        For requests without ``stream``, and for every response outside 2xx.
        """
        ...

    def assembler(self, request: JobRequest | None = None, /) -> Assembler:
        """Return a new assembler for one 2xx response with events, to ``request``."""
        ...

    def success_record(self, job: PreparedJob, success: Success, note: Note, /) -> bytes:
        """Return one line for the output, LF included."""
        ...

    def failure_record(self, job_id: str | None, failure: Failure, note: Note, /) -> bytes:
        """Return one line for the error file, LF included.

        ``job_id``: None for a line that could not be parsed.
        """
        ...
