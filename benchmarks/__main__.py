"""``python -m benchmarks setup | run | pacing | memory | start | report``."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import click
import msgspec

from . import _memory
from ._candidates import CANDIDATES
from ._peers import REQUIREMENTS, install, install_tools
from ._plot import plot
from ._report import RESULTS, tables
from ._suites import SUITES, Measured, run_suite
from ._targets import verdicts
from .pacing.command import pacing


@click.group()
def main() -> None:
    """Compare headrace with its peers. README.md explains how to read the figures."""


@main.command()
@click.argument("peers", nargs=-1, type=click.Choice(list(REQUIREMENTS)))
def setup(peers: Sequence[str]) -> None:
    """Install nginx, wrk and the peers, each in its own virtual environment."""
    if problem := install_tools():
        click.echo(f"nginx and wrk: {problem}")
    for peer in peers or REQUIREMENTS:
        problem = install(peer)
        click.echo(f"{peer}: {'left out: ' + problem if problem else 'installed'}")


@main.command()
@click.argument("suites", nargs=-1, type=click.Choice(list(SUITES)))
@click.option(
    "--rounds", default=3, show_default=True, help="Rounds, in each of which all candidates run in turn."
)
@click.option("--only", multiple=True, help="Only candidates whose names contain this.")
@click.option(
    "--in-flight", multiple=True, type=int, help="Jobs in flight, instead of the suite's own levels."
)
def run(suites: Sequence[str], rounds: int, only: Sequence[str], in_flight: Sequence[int]) -> None:
    """Measure SUITES (default: all) and write results/*.json and results/report.md."""
    RESULTS.mkdir(exist_ok=True)
    for key in suites or SUITES:
        suite = SUITES[key]
        if in_flight:
            suite = attrs.evolve(suite, in_flight=tuple(in_flight))
        names = [name for name in suite.names if not only or any(part in name for part in only)]
        for name in [name for name in names if not CANDIDATES[name].is_there]:
            click.echo(f"{name} is not installed: left out")
            names.remove(name)
        measured: list[Measured] = []
        with tempfile.TemporaryDirectory(prefix="headrace-benchmarks-") as folder:
            for one in run_suite(key, suite, names, rounds, Path(folder)):
                measured.append(one)
                click.echo(_line(one))
        _keep_measured(key, measured)
    _write_report()


def _keep_measured(key: str, measured: Sequence[Measured]) -> None:
    """Save the figures. They replace earlier ones of the same candidates and levels."""
    new = {(one.name, one.in_flight) for one in measured}
    kept = [one for one in _measured(key) if (one.name, one.in_flight) not in new]
    (RESULTS / f"{key}.json").write_bytes(msgspec.json.format(msgspec.json.encode([*kept, *measured])))


def _measured(key: str) -> list[Measured]:
    path = RESULTS / f"{key}.json"
    return msgspec.json.decode(path.read_bytes(), type=list[Measured]) if path.exists() else []


def _line(one: Measured) -> str:
    bad = (
        f"  {one.wrong} wrong, {one.missing} missing {one.problem or ''}" if one.wrong or one.missing else ""
    )
    figures = f"{one.cpu_us:9.1f} us {one.rate:8.0f}/s {one.rss_mb:6.0f} MB"
    return f"{one.suite:8}{one.name:46}{one.in_flight:6}{figures}{bad}"


@main.command()
@click.option("--jobs", default=1_000_000, show_default=True)
@click.option("--in-flight", default=1000, show_default=True)
def memory(jobs: int, in_flight: int) -> None:
    """Run a thousand jobs, then a million, and compare peak memory."""
    with tempfile.TemporaryDirectory(prefix="headrace-benchmarks-") as folder:
        _keep("memory", _memory.memory(Path(folder), jobs, in_flight))


@main.command()
def start() -> None:
    """Measure a run of one job, and the import of the client."""
    with tempfile.TemporaryDirectory(prefix="headrace-benchmarks-") as folder:
        _keep("start", _memory.start(Path(folder)))


def _keep(name: str, figures: dict[str, float]) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.figures.json").write_bytes(msgspec.json.encode(figures))
    for key, value in figures.items():
        click.echo(f"{key:28}{value:12,.3f}")


@main.command()
def report() -> None:
    """Write results/report.md and file.svg from the newest figures."""
    click.echo(_write_report())


def _write_report() -> str:
    measured = [one for key in SUITES for one in _measured(key)]
    python = f"Python {platform.python_version()}"
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, {python}"
    text = f"Machine: {machine}.\n\n{verdicts(measured)}\n{tables(measured)}"
    (RESULTS / "report.md").write_text(text, encoding="utf-8")
    if own := [one for one in measured if one.suite == "file"]:
        (RESULTS / "file.svg").write_text(plot(own), encoding="utf-8")
    return text


main.add_command(pacing)
main(prog_name="python -m benchmarks")
