"""What came of one run of one policy or program in one scenario, and tables of it. Pure."""

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
    """How many jobs can have results: fewer than all under a spend cap."""
    finished: int
    """Jobs with the right answer."""
    wrong: int = 0
    """Answers of other jobs, or twice."""
    seconds: float
    ideal: float
    refused: int
    """429 answers, as the server counted them."""
    sent: int
    """Requests, as the server counted them."""
    stopped: bool = False
    """It took so long that it was ended."""
    problem: str | None = None
    """Why the program did not end as it should."""

    @property
    def over_ideal(self) -> float:
        """How many times the ideal time it took."""
        return self.seconds / self.ideal

    @property
    def refused_in_100(self) -> float:
        """429 answers in a hundred jobs."""
        return 100 * self.refused / self.jobs

    @property
    def sent_a_job(self) -> float:
        """Requests for each job that could have a result."""
        return self.sent / self.possible


def table(measured: Sequence[Paced]) -> str:
    """Return Markdown: a row for each scenario, a column for each name, in the order of their first run."""
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
    """Time over ideal, 429s in 100 jobs, requests a job; who loses jobs is not told how fast."""
    lost = one.finished < one.possible
    first = f"**{one.finished:,} of {one.possible:,}**" if lost else f"{one.over_ideal:.2f}x"
    wrong = f", **{one.wrong:,} wrong**" if one.wrong else ""
    stopped = ", stopped" if one.stopped else ""
    return f"{first}{wrong}, {_short(one.refused_in_100)}, {one.sent_a_job:.2f}{stopped}"


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
