"""What a dialect is: everything that differs from one job format and API to another.

A dialect is put together of two halves: a `LineFormat` (how a line of the input becomes a request) and the
API that the requests are for (what its answers are worth, how a record of them is written).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from headrace.job import Failure, JobRequest, Note, PreparedJob, Success
from headrace_client.lowlevel import Response


@attrs.frozen(kw_only=True)
class LineFormat:
    """How to read the lines of one job format, given the run's options. Each is a pure function."""

    name: str
    recipe: Mapping[str, object]
    """See `Dialect.recipe`."""
    identify: Callable[[bytes], str | None]
    """See `Dialect.identify`."""
    check_first: Callable[[bytes], None]
    """See `Dialect.check_first`."""
    read: Callable[[bytes], JobRequest]
    """See `Dialect.read`."""


@attrs.frozen
class LineDialect:
    """The half of a `Dialect` that ``lines`` make, for the other half to stand on."""

    lines: LineFormat

    @property
    def name(self) -> str:
        """See `Dialect`, as for the other methods."""
        return self.lines.name

    def recipe(self) -> Mapping[str, object]:
        return self.lines.recipe

    def identify(self, line: bytes) -> str | None:
        return self.lines.identify(line)

    def check_first(self, line: bytes) -> None:
        self.lines.check_first(line)

    def read(self, line: bytes) -> JobRequest:
        return self.lines.read(line)


class Assembler(Protocol):
    """Puts the server-sent events of one streamed answer together into one message. Its memory is bounded."""

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, cut anywhere. Raises nothing: `finish` tells what went wrong."""
        ...

    @property
    def has_token(self) -> bool:
        """Whether the first token of the answer has arrived."""
        ...

    def finish(self) -> Success | Failure:
        """Return the message in whole, or why it is none (cut, error event, no stop reason)."""
        ...


class Dialect(Protocol):
    """One job format with the API it is for. Pure: no I/O, clock or state."""

    @property
    def name(self) -> str: ...
    @property
    def default_base_url(self) -> str: ...
    @property
    def key_variable(self) -> str:
        """The environment variable that holds the key."""
        ...

    def headers(self, key: str | None) -> dict[str, str]:
        """The headers of every request: authentication and version."""
        ...

    def recipe(self) -> Mapping[str, object]:
        """All that shapes the answers beside the lines: what a changed digest of it means is in P7.

        Only what was given, so that a new option does not change the recipe of runs without it. Streaming is
        left out: it changes how an answer travels, not what it says.
        """
        ...

    def identify(self, line: bytes) -> str | None:
        """The line's own id, as fast as possible; None where there is none. Raises `BadLine`.

        It looks at no more than the id needs: a line with an id may still be refused by `read`.
        """
        ...

    def check_first(self, line: bytes) -> None:
        """Raise `RunRefused` if the input's first line shows that the options do not fit the input.

        Raises `BadLine` if the line is no JSON object: then the next one is the first.
        """
        ...

    def read(self, line: bytes) -> JobRequest:
        """The request of one line (without BOM and line ending). Raises `BadLine`."""
        ...

    def judge(self, answer: Response) -> Success | Failure:
        """What an answer to a request without ``stream`` is worth (P16), and every non-2xx."""
        ...

    def assembler(self) -> Assembler:
        """A new assembler for one 2xx answer to a request with ``stream``."""
        ...

    def success_record(self, job: PreparedJob, success: Success, note: Note) -> bytes:
        """One line of the output, line ending included."""
        ...

    def failure_record(self, job_id: str | None, failure: Failure, note: Note) -> bytes:
        """One line of the error file, line ending included; ``job_id`` None for a line that is no job.

        The key ``headrace`` of a failure's record also says its kind under ``failed``.
        """
        ...
