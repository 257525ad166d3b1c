"""Plant each bug alone in a copy of the tree and run the tests: some test must fail.

Each bug is first shown to the tests that should notice it. If they pass, all quick tests of its package run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from .catalogue import BUGS
from .planting import Bug, with_bug

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = (
    "benchmarks",
    "client",
    "docs",
    "runner",
    "tests",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
)
FOLDERS: Final = {
    "headrace": ("tests/runner", "tests/library"),
    "headrace_client": ("tests/client", "tests/transport"),
}
BY_THE_CLOCK: Final = ("test_loopback", "test_docs")
"""Tests with real sockets and processes: on a busy machine they can fail for other reasons."""
AT_ONCE: Final = 2
SECONDS: Final = 300
"""If the tests of one bug take longer, they hang, and the bug counts as noticed."""


@click.command()
@click.argument("words", nargs=-1)
def main(words: tuple[str, ...]) -> None:
    """Plant the bugs with one of WORDS in their names or symbols, or all of them (a quarter of an hour).

    The exit status is the number of bugs that no test noticed.
    """
    bugs = [bug for bug in BUGS if not words or any(word in f"{bug.name} {bug.symbol}" for word in words)]
    with TemporaryDirectory(prefix="headrace-pristine-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        pristine = Path(folder)
        copy_tree(ROOT, pristine)
        named = {name for bug in bugs for name in bug.tests}
        if failure := first_failure(pristine, files_of(pristine, named), timeout=None):
            raise click.ClickException(f"a test fails without any bug: {failure}")
        noticed = list(_reported(bugs, pool.map(partial(noticed_by, pristine), bugs)))
    click.echo(f"{sum(noticed)} of {len(noticed)} bugs noticed")
    sys.exit(noticed.count(False))


def _reported(bugs: Iterable[Bug], failures: Iterable[str]) -> Iterator[bool]:
    for bug, failure in zip(bugs, failures, strict=True):
        click.echo(f"{bug.name:55} {failure or 'NOT NOTICED'}")
        yield bool(failure)


def noticed_by(pristine: Path, bug: Bug) -> str:
    """The first test that fails with the bug planted; empty if none does."""
    with TemporaryDirectory(prefix="headrace-planted-") as folder:
        tree = Path(folder)
        copy_tree(pristine, tree)
        path = bug.path(tree)
        path.write_text(with_bug(bug, path.read_text()))
        folders = FOLDERS[bug.module.partition(".")[0]]
        ignored = [f"--ignore-glob=*/{name}.py" for name in BY_THE_CLOCK]
        return first_failure(tree, files_of(tree, bug.tests)) or first_failure(tree, (*folders, *ignored))


def first_failure(tree: Path, tests: Iterable[str], timeout: float | None = SECONDS) -> str:
    """The first of the tests that fails in a copy; empty if none does."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    command += ["-m", "not long", *tests]
    try:
        run = subprocess.run(
            command, cwd=tree, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return "(the tests hang)"
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:110] if failed else "" if run.returncode == 0 else (run.stdout + run.stderr)[-200:]


def files_of(tree: Path, names: Iterable[str]) -> list[str]:
    """The test files with these names, relative to the tree. Raises `LookupError` unless each exists once."""
    found = {
        name: [str(path.relative_to(tree)) for path in (tree / "tests").rglob(f"{name}.py")] for name in names
    }
    if wrong := [name for name, paths in found.items() if len(paths) != 1]:
        raise LookupError(f"not exactly one test file each: {', '.join(wrong)}")
    return sorted(path for paths in found.values() for path in paths)


def environment() -> dict[str, str]:
    """For the processes of a copy: they and theirs import the copy's packages."""
    return {**os.environ, "PYTHONPATH": f"client{os.pathsep}runner", "PYTHONDONTWRITEBYTECODE": "1"}


def copy_tree(source: Path, target: Path) -> None:
    """Copy all that the tests need."""
    ignore = shutil.ignore_patterns("__pycache__", ".*", "results")
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=ignore)
        else:
            shutil.copy(source / name, target / name)


if __name__ == "__main__":
    main(prog_name="python -m tests.planted_bugs")
