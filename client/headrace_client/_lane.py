"""The lane: exactly one attempt at one request, and what came of it.

A lane never sleeps, retries or redirects. Whoever holds it (the client's flow, the runner's
dispatcher) decides with a policy of its own what to do about an `Answer` or a `TransportError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol

import attrs


@attrs.define(kw_only=True)
class Answer:
    """A whole response, whatever its status. Times are those of the event loop's monotonic clock, seconds.

    ``sent``: the whole request was sent before the answer was complete (False after an early 4xx).
    """

    status: int
    head: bytes
    """The raw head: status line and header lines, as they came."""
    body: bytes
    """The decoded body: transfer and content encodings are undone."""
    sent: bool = True
    started_at: float
    first_byte_at: float
    finished_at: float

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The header fields by case-insensitive name, parsed when first looked at."""
        raise NotImplementedError  # transport/_headers.py

    @property
    def request_id(self) -> str | None:
        """The provider's name for this attempt (``request-id``, ``x-request-id``)."""
        raise NotImplementedError


class Lane(Protocol):
    """One worker's way to one endpoint: method, path and headers are fixed, bodies follow each other."""

    async def send(
        self,
        body: bytes,
        *,
        taken: int = 0,
        deadline: float = float("inf"),
        on_data: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """Make one attempt and return the whole answer.

        ``taken``: attempts already made (told to the server). ``deadline``: absolute, on the event loop's
        clock. ``on_data``: called with each piece of a 2xx answer's decoded body as it arrives
        (the body is collected all the same).

        Raises `TransportError`; a cancelled or failed exchange has closed its connection.
        """
        ...
