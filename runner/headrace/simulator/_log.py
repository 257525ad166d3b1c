"""The log of the requests that the simulator received. Records go to memory, to a file, or to both."""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

import msgspec


class LogRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request.

    ``time``: of its arrival, in seconds since 1970. ``body``: the digest of the bytes of its body.
    ``digest``: the digest that the answer begins with; empty if the body could not be parsed. ``status``: 0
    if none was sent. ``fault``: the fault that was injected. ``finished``: the complete response was handed
    to the network.
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
    """Collects records.

    ``file`` (binary, appending, unbuffered) gets each record at once, as one line of JSON. ``keep=False``
    keeps only counters, for servers that run for a long time.
    """

    def __init__(self, file: BinaryIO | None = None, *, keep: bool = True) -> None:
        self.records: list[LogRecord] = []
        self.statuses: Counter[int] = Counter()
        self.bodies: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self._file = file
        self._keep = keep

    def add(self, record: LogRecord) -> None:
        """Count a record, keep it, and write it to the file."""
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
