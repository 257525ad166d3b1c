"""An output that this process has opened to add records to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from headrace.output.decisions import Decisions
from headrace.output.storage import LineFile
from headrace.policy.systemic import EarlierFailure


@attrs.frozen(kw_only=True)
class Counts:
    """What a run starts with. ``to_send`` is None if the input cannot be scanned."""

    done: int
    failed: int
    """Jobs that failed in earlier runs and are not tried again."""
    to_send: int | None
    bad_lines: int = 0
    """Lines of a scanned input whose id could not be read; not part of ``to_send``."""


@attrs.frozen(kw_only=True)
class OpenedOutput:
    """An output that this process has locked, until its storage is closed."""

    results: LineFile
    errors: LineFile
    counts: Counts
    decisions: Decisions
    notices: Sequence[str]
    """For the user: what was cut off, moved or counted as done, one sentence each."""
    streaks: Mapping[str, EarlierFailure]
    """By id, jobs that failed in a streak that ended an earlier run, if nothing else has changed since."""
    pacing: Mapping[str, object]
    """The pacing levels that the last run saved."""
    spent: float
    """What the last run with a budget had counted as spent."""
    save: Callable[[Mapping[str, object], float], None]
    """Save the pacing levels and what is spent for the next run. Raises `StorageFailed`."""

    def append_results(self, data: bytes) -> None:
        """Append whole lines to the output: all of them, or none and raise `StorageFailed`."""
        self.results.append(data)

    def append_errors(self, data: bytes) -> None:
        """Append whole lines to the error file: all of them, or none and raise `StorageFailed`."""
        self.errors.append(data)

    def sync(self) -> None:
        """Return once everything appended so far would survive a power failure. Raises `StorageFailed`."""
        self.results.sync()
        self.errors.sync()


class NoOutput:
    """Takes the place of an `OpenedOutput` where nothing is recorded: it drops what is appended."""

    def append_results(self, data: bytes) -> None:
        """Drop the lines."""

    def append_errors(self, data: bytes) -> None:
        """Drop the lines."""
