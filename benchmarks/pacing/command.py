"""``python -m benchmarks pacing``: how well programs and policies use a rate limit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from benchmarks._report import RESULTS

from . import sockets, virtual
from .measured import Paced, table
from .plot import plot

_PARTS: Final = ("virtual", "sockets")
_TITLES: Final = {"virtual": "Policies, in virtual time", "sockets": "Programs, on real sockets"}

_ORDER: Final[Mapping[str, tuple[Iterable[str], Iterable[str]]]] = {
    "virtual": (virtual.NAMES, virtual.SCENARIOS),
    "sockets": (sockets.CANDIDATES, sockets.SCENARIOS),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
@click.option("--seed", default=0, show_default=True, help="Decides latencies, faults and jitter.")
@click.option("--only", multiple=True, help="Only policies and programs whose names contain this.")
@click.option("--scenario", "scenarios", multiple=True, help="Only scenarios whose names contain this.")
def pacing(parts: Sequence[str], seed: int, only: Sequence[str], scenarios: Sequence[str]) -> None:
    """Compare how close policies and programs come to the ideal time, and how often they get a 429.

    PARTS (default: both): `virtual` runs policies against the simulator in virtual time, for a few minutes;
    `sockets` runs programs against `headrace simulate` in another process, for a quarter of an hour.
    """
    RESULTS.mkdir(exist_ok=True)
    chosen: dict[str, Callable[[], Iterator[Paced]]] = {
        "virtual": lambda: virtual.compare(
            _matching(virtual.SCENARIOS, scenarios), _matching(virtual.NAMES, only), seed
        ),
        "sockets": lambda: _on_sockets(_matching(sockets.SCENARIOS, scenarios), only, seed),
    }
    for part in parts or _PARTS:
        click.echo(f"{_TITLES[part]}, seed {seed}")
        measured: list[Paced] = []
        for one in chosen[part]():
            measured.append(one)
            click.echo(_line(one))
        _keep(part, measured)
    click.echo(_write_report())


def _on_sockets(scenarios: Sequence[str], only: Sequence[str], seed: int) -> Iterator[Paced]:
    names = _matching(sockets.CANDIDATES, only)
    for name in [name for name in names if not sockets.CANDIDATES[name].is_there]:
        click.echo(f"{name} is not installed: left out")
        names.remove(name)
    with tempfile.TemporaryDirectory(prefix="headrace-benchmarks-") as folder:
        yield from sockets.compare(scenarios, names, seed, Path(folder))


def _matching(names: Iterable[str], parts: Sequence[str]) -> list[str]:
    return [name for name in names if not parts or any(part in name for part in parts)]


def _keep(part: str, measured: Sequence[Paced]) -> None:
    """Save the runs, in the order of the lists. They replace earlier ones of the same names and scenarios."""
    runs = {(one.scenario, one.name): one for one in [*_kept(part), *measured]}
    names, scenarios = (list(names) for names in _ORDER[part])
    ordered = sorted(runs.values(), key=lambda one: (scenarios.index(one.scenario), names.index(one.name)))
    _path(part).write_bytes(msgspec.json.format(msgspec.json.encode(ordered)))


def _kept(part: str) -> list[Paced]:
    path = _path(part)
    return msgspec.json.decode(path.read_bytes(), type=list[Paced]) if path.exists() else []


def _path(part: str) -> Path:
    return RESULTS / f"pacing-{part}.json"


def _line(one: Paced) -> str:
    figures = f"{one.over_ideal:6.2f}x {one.refused_per_100:8.1f} {one.sent_per_job:7.2f}"
    wrong = f"  {one.wrong} wrong" if one.wrong else ""
    problem = f"  {one.problem}" if one.problem else ""
    return f"{one.scenario:45}{one.name:40}{one.finished:6}/{one.possible:<6}{figures}{wrong}{problem}"


def _write_report() -> str:
    """Write results/pacing.md, and pacing.svg with the runs on sockets."""
    parts = {part: measured for part in _PARTS if (measured := _kept(part))}
    text = "\n".join(
        f"### {_TITLES[part]} (seed {', '.join(map(str, sorted({one.seed for one in measured})))})\n\n"
        f"{table(measured)}"
        for part, measured in parts.items()
    )
    (RESULTS / "pacing.md").write_text(text, encoding="utf-8")
    if measured := parts.get("sockets"):
        (RESULTS / "pacing.svg").write_text(plot(measured), encoding="utf-8")
    return text
