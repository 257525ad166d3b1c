"""The outcome of one policy or program in one scenario, and tables of outcomes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Paced(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times in seconds."""

    scenario: str
    name: str
    seed: int
    jobs: int
    possible: int
    """The number of jobs that can have results: fewer than all under a spend cap."""
    finished: int
    """Jobs with the right answer."""
    wrong: int = 0
    """Answers of other jobs, and duplicates."""
    seconds: float
    ideal: float
    refused: int
    """429 responses, as counted by the server."""
    sent: int
    """Requests, as counted by the server."""
    stopped: bool = False
    """Whether it took so long that it was ended."""
    problem: str | None = None
    """Why the program failed, if it did."""

    @property
    def over_ideal(self) -> float:
        """Its time as a multiple of the ideal time."""
        return self.seconds / self.ideal

    @property
    def refused_per_100(self) -> float:
        """429 responses per hundred jobs."""
        return 100 * self.refused / self.jobs

    @property
    def sent_per_job(self) -> float:
        """Requests per job that can have a result."""
        return self.sent / self.possible


def table(measured: Sequence[Paced]) -> str:
    """Return Markdown: one row per scenario and one column per name, in the order of their first run."""
    names = list(dict.fromkeys(one.name for one in measured))
    scenarios = list(dict.fromkeys(one.scenario for one in measured))
    cells = {(one.scenario, one.name): _cell(one) for one in measured}
    ideals = {one.scenario: f"{one.possible:,}, {one.ideal:.0f} s" for one in measured}
    lines = [
        f"| scenario (jobs, ideal) | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for scenario in scenarios:
        row = [cells.get((scenario, name), "-") for name in names]
        lines.append(f"| {scenario} ({ideals[scenario]}) | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(one: Paced) -> str:
    """Time over ideal (or finished jobs, if some were lost), 429s per 100 jobs, requests per job."""
    lost = one.finished < one.possible
    first = f"**{one.finished:,} of {one.possible:,}**" if lost else f"{one.over_ideal:.2f}x"
    wrong = f", **{one.wrong:,} wrong**" if one.wrong else ""
    stopped = ", stopped" if one.stopped else ""
    return f"{first}{wrong}, {_short(one.refused_per_100)}, {one.sent_per_job:.2f}{stopped}"


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
