"""What the simulator received: one record per request, counted, kept and, if wanted, written to a file."""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

import msgspec


class LogRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request. ``time``: seconds since 1970, at arrival. ``body``: digest of the body's bytes.

    ``digest``: the one that the answer begins with, when the body was understood. ``status``: 0 if no
    status was sent. ``fault``: what was done to it on purpose. ``finished``: the whole answer was handed to
    the network.
    """

    time: float
    method: str
    path: str
    body: str = ""
    digest: str = ""
    model: str = ""
    status: int = 0
    fault: str = ""
    finished: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_read_tokens: int = 0


class RequestLog:
    """Collects records. ``file`` (binary, appending, unbuffered) gets each as one line of JSON at once.

    ``keep=False`` keeps counters only, for servers that run for long.
    """

    def __init__(self, file: BinaryIO | None = None, *, keep: bool = True) -> None:
        self.records: list[LogRecord] = []
        self.statuses: Counter[int] = Counter()
        self.bodies: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self._file = file
        self._keep = keep

    def add(self, record: LogRecord) -> None:
        """Take one record in."""
        self.statuses[record.status] += 1
        self.totals["input_tokens"] += record.input_tokens
        self.totals["output_tokens"] += record.output_tokens
        self.totals["cache_creation_tokens"] += record.cache_creation_tokens
        self.totals["cache_creations"] += record.cache_creation_tokens > 0
        self.totals["cache_read_tokens"] += record.cache_read_tokens
        if self._keep:
            self.records.append(record)
            self.bodies[record.body] += 1
        if self._file is not None:
            self._file.write(msgspec.json.encode(record) + b"\n")
