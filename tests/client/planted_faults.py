"""Plant single faults in a copy of the client and see whether its tests notice.

    python -m tests.client.planted_faults [WORD...]     only the faults with one of the words in their names

Each fault replaces one piece of text; the tests of the client and its transport must then fail. The exit
status is the number of faults that none of them noticed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from tests.client.faults import FAULTS, Fault

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("client", "runner", "tests", "docs", "pyproject.toml", "README.md")
LIKELY: Final[Mapping[str, str]] = {
    "_retry.py": "retry_policy retries",
    "_flow.py": "retries senders",
    "_redirect.py": "redirects",
    "_exceptions.py": "errors streaming",
    "_http_errors.py": "errors retries",
    "_anthropic.py": "configuration requests lifecycle",
    "_configuration.py": "configuration requests retries bodies senders",
    "_sync_face.py": "lifecycle errors",
    "_async_face.py": "lifecycle errors direct",
    "_direct.py": "direct direct_results",
    "_outgoing.py": "requests direct direct_results http_clients",
    "_request.py": "requests resources configuration",
    "_body.py": "bodies requests",
    "_json.py": "bodies",
    "_querystring.py": "querystring requests",
    "_http_clients.py": "http_clients lifecycle",
    "_environment_proxies.py": "http_clients",
    "resources/_message_params.py": "messages",
    "_construct.py": "construct models",
    "_cast.py": "responses messages",
    "_event_reader.py": "streaming message_stream",
    "_sse.py": "sse",
    "_reading.py": "streaming message_stream",
    "_accumulate.py": "accumulate",
    "_pagination.py": "pagination resources",
}
"""Where to look first for the tests that notice a fault in a file; what they let pass is for all to see."""
BY_THE_CLOCK: Final = ("loopback", "docs")
"""Tests with real sockets and processes, which may fail for other reasons in a busy machine."""
AT_ONCE: Final = 2
SECONDS: Final = 300
"""What the tests may take before a fault counts as noticed: they hang."""


def plant(fault: Fault, tree: Path) -> None:
    """Replace the text in a copy. Raises `ValueError` unless it is there exactly once."""
    path = tree / "client" / "headrace_client" / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: the text is {text.count(fault.old)} times in {fault.file}")
    path.write_text(text.replace(fault.old, fault.new))


def copy_tree(source: Path, target: Path) -> None:
    """Copy what the tests need, so that the copy can be spoiled."""
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, target / name)


def first_failure(tree: Path, *tests: str) -> str:
    """Return the first of the tests that fails in a copy; empty if none does."""
    options = ("-x", "-q", "-p", "no:cacheprovider", "--no-header")
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        run = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "(they hang)"
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:110] if failed else "" if run.returncode == 0 else run.stdout[-200:]


def likely_tests(fault: Fault) -> list[str]:
    """Return the files of the tests that should notice a fault."""
    if fault.file.startswith("transport/"):
        return [f"tests/transport/test_{name}.py" for name in ("sockets", "sender", "pool")]
    return [f"tests/client/test_{name}.py" for name in LIKELY[fault.file].split()]


def all_tests() -> list[str]:
    """Return the arguments that have pytest run whatever does not go by the clock."""
    skipped = [f"--ignore=tests/client/test_{name}.py" for name in BY_THE_CLOCK]
    return ["tests/client", "tests/transport", *skipped]


def noticed_by(pristine: Path, fault: Fault) -> str:
    """Return the first test that fails with the fault planted; empty if none does."""
    with TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder)
        copy_tree(pristine, tree)
        plant(fault, tree)
        return first_failure(tree, *likely_tests(fault)) or first_failure(tree, *all_tests())


def main(words: list[str]) -> int:
    """Plant all faults, or those with one of the words in their names; return how many went unnoticed."""
    faults = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    unnoticed: list[str] = []
    with TemporaryDirectory(prefix="pristine-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        pristine = Path(folder)
        copy_tree(ROOT, pristine)
        likely = {test for fault in faults for test in likely_tests(fault)}
        if failure := first_failure(pristine, *sorted(likely)):
            raise click.ClickException(f"without any fault there is already one: {failure}")
        tests = pool.map(partial(noticed_by, pristine), faults)
        for fault, test in zip(faults, tests, strict=True):
            click.echo(f"{fault.name:44} {test or 'UNNOTICED'}")
            if not test:
                unnoticed.append(fault.name)
    click.echo(f"{len(faults) - len(unnoticed)} of {len(faults)} faults noticed")
    return len(unnoticed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
