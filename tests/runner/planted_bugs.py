"""Bugs planted one at a time in a copy of the tree: each must make some test fail.

``python -m tests.runner.planted_bugs [NUMBER...]`` prints a table; it takes ten minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

_ROOT = Path(__file__).parents[2]
_TREES = (
    "client",
    "runner",
    "tests/__init__.py",
    "tests/runner",
    "benchmarks/__init__.py",
    "benchmarks/pacing",
    "pyproject.toml",
)
_STORAGE = "tests/runner/test_storage.py"
_RESUME = "tests/runner/test_resume.py"
_CRASHES = "tests/runner/test_resume_crashes.py"
_VERIFY = "tests/runner/test_verify.py"
_DURABILITY = "tests/runner/test_durability.py"
_FAILING_WELL = "tests/runner/test_failing_well.py"
_MACHINE = "tests/runner/test_journal_machine.py"


@attrs.frozen
class Bug:
    """One mutation: in ``file``, ``good`` becomes ``bad``; ``tests`` are what should notice, beside seeds."""

    name: str
    file: str
    good: str
    bad: str
    tests: tuple[str, ...] = ()


BUGS = (
    Bug(
        "a group counts as done before its sync",
        "actors/syncer.py",
        "                await sync()\n",
        "                pass\n",
        (_DURABILITY,),
    ),
    Bug(
        "no directory sync", "files/storage.py", "            _sync_directory(path.parent)\n", "", (_STORAGE,)
    ),
    Bug("sync of nothing", "files/storage.py", "        os.fsync(self._writer(path))\n", "", (_STORAGE,)),
    Bug(
        "a failed sync is forgotten",
        "files/storage.py",
        "            self._damaged = True\n            raise\n",
        "            raise\n",
        (_STORAGE, _DURABILITY),
    ),
    Bug(
        "a short write is not cut back",
        "files/storage.py",
        "                self._cut_back()\n                raise\n",
        "                raise\n",
        (_STORAGE,),
    ),
    Bug(
        "the whole is appended again after a short write",
        "files/storage.py",
        "        view = view[taken:]\n",
        "        view = view[taken:] if taken == len(view) else memoryview(data)\n",
        (_STORAGE,),
    ),
    Bug(
        "a short write passes for a whole one",
        "files/storage.py",
        "    while view:\n",
        "    if view:\n",
        (_STORAGE,),
    ),
    Bug(
        "the lock is ignored",
        "files/storage.py",
        "            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "",
        (_STORAGE,),
    ),
    Bug(
        "links are followed", "files/storage.py", "os.O_NOFOLLOW | os.O_CLOEXEC", "os.O_CLOEXEC", (_STORAGE,)
    ),
    Bug("the size is not kept", "files/storage.py", "        self.size += len(lines)\n", "", (_STORAGE,)),
    Bug(
        "the torn end stays",
        "files/_mending.py",
        "            storage.truncate(path, recovery.size)\n",
        "            pass\n",
        (_RESUME,),
    ),
    Bug(
        "the torn bytes are not kept",
        "files/_mending.py",
        '        kept = keep(storage, path, [recovery.torn], f"torn-{recovery.torn.start}")\n',
        "        kept = path\n",
        (_RESUME,),
    ),
    Bug(
        "the last line gets no line feed",
        "files/_mending.py",
        '            append_all(storage, path, b"\\n")\n',
        "            pass\n",
        (_RESUME,),
    ),
    Bug("what is kept is not synced", "files/_mending.py", "    storage.sync(to)\n", "", (_CRASHES,)),
    Bug(
        "an old record stays when its job is done again",
        "files/resume.py",
        "        leaving = list(heapq.merge(leaving, counts.changed, key=_start))\n",
        "",
        (_RESUME,),
    ),
    Bug(
        "a changed recipe is not refused",
        "files/resume.py",
        '    if on_change == "refuse":\n',
        "    if False:\n",
        (_RESUME,),
    ),
    Bug(
        "foreign output is not refused",
        "files/resume.py",
        "    refuse_strangers(counts, paths.results)\n",
        "",
        (_RESUME,),
    ),
    Bug(
        "the sidecar is not synced",
        "files/resume.py",
        "        storage.sync(path)  #",
        "        #",
        (_CRASHES,),
    ),
    Bug(
        "what an earlier run has left is never synced",
        "files/storage.py",
        "lambda self: self.size > 0",
        "lambda self: False",
        (_STORAGE,),
    ),
    Bug(
        "attempts are forgotten with their error record",
        "files/resume.py",
        "attempts=earlier,",
        "attempts={},",
        (_MACHINE,),
    ),
    Bug(
        "a line that changed passes for done",
        "journal/_compare.py",
        '("same" if record.digest is None else "line changed")',
        '"same"',
        (_MACHINE,),
    ),
    Bug(
        "a failure that is not tried again is forgotten",
        "journal/_compare.py",
        "        self._mark(entry, State.FAILED)\n",
        "",
        (_MACHINE,),
    ),
    Bug(
        "done jobs are not marked",
        "journal/_compare.py",
        "            self._mark(entry, State.DONE)\n",
        "            pass\n",
        (_RESUME,),
    ),
    Bug(
        "the recipe is not compared",
        "journal/_compare.py",
        'return ("same" if recipe in (record.recipe, None) else "recipe changed"), same_line',
        'return "same", same_line',
        (_RESUME,),
    ),
    Bug(
        "a hole of zeros passes for a blank line",
        "journal/_recovery.py",
        "                holes.append(span)\n",
        "                pass\n",
        ("tests/runner/journal/test_recovery.py",),
    ),
    Bug(
        "damage in the middle is passed over",
        "journal/_recovery.py",
        "            elif line.strip():\n                raise Damaged(span.start)\n",
        "",
        ("tests/runner/journal/test_recovery.py",),
    ),
    Bug(
        "equal lines share one id",
        "journal/_identity.py",
        "        self._counts[key] = earlier + 1\n",
        "",
        ("tests/runner/journal/test_identity.py",),
    ),
    Bug(
        "the last batch is lost",
        "actors/writer.py",
        "[first, *queued(results)]",
        "[first, *queued(results)][:1]",
    ),
    Bug(
        "a job counts as done although its write failed",
        "actors/writer.py",
        "inbox.send_nowait(Unsaved(part))",
        "inbox.send_nowait(Unsaved(part)), events.send_nowait(part)",
    ),
    Bug(
        "a failed write does not end the run",
        "actors/writer.py",
        "                    inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, str(error))))\n",
        "",
    ),
    Bug(
        "what could not be written is dropped",
        "actors/writer.py",
        "                    unsaved.extend(part)\n",
        "",
    ),
    Bug(
        "records are joined without their line feeds",
        "actors/writer.py",
        "[finished.record for finished in part]",
        "[finished.record.rstrip() for finished in part]",
    ),
    Bug(
        "more is in flight than the concurrency allows",
        "actors/_admission.py",
        "self.pacing.slot_at(self.outstanding, now)",
        "self.pacing.slot_at(0, now)",
    ),
    Bug(
        "a broken view takes the run down with it",
        "actors/monitor.py",
        "    except OSError as error:\n",
        "    except NotADirectoryError as error:\n",
    ),
    Bug(
        "an input that fails takes the run down with it",
        "actors/reader.py",
        "        except StorageFailed as error:\n",
        "        except NotADirectoryError as error:\n",
        (_FAILING_WELL,),
    ),
    Bug(
        "an input is taken for an output",
        "files/output.py",
        "        if path.resolve() in files:\n",
        "        if path in taken:\n",
        (_FAILING_WELL,),
    ),
    Bug(
        "verify takes two records for one",
        "journal/_verify.py",
        '            return f"{_shown(record)} has more than one record"\n',
        "            return None\n",
        (_VERIFY,),
    ),
)

_SEEDS = """
from tests.runner.simulation.playing import play
for seed in range(60):
    play(seed)
"""


def main() -> int:
    """Plant them; return 1 if one was not noticed."""
    chosen = [BUGS[int(number)] for number in sys.argv[1:]] or list(BUGS)
    unnoticed = 0
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        copy_trees(tree)
        if found := _noticed_by(tree, ()):
            raise SystemExit(f"{found} fails without any bug")
        for number, bug in enumerate(chosen):
            found = _try(tree, bug)
            unnoticed += found is None
            sys.stdout.write(f"{number:>2}  {bug.name:<55} {found or 'NOT NOTICED'}\n")
            sys.stdout.flush()
    return bool(unnoticed)


def copy_trees(to: Path) -> None:
    """Copy all that the tests of the runner need."""
    for path in _TREES:
        _copy(_ROOT / path, to / path)


def place_of(bug: Bug, tree: Path) -> Path:
    """The file that the bug goes into. Raises `SystemExit` unless it has exactly one place for it."""
    file = tree / "runner/headrace" / bug.file
    if (count := file.read_text().count(bug.good)) != 1:
        raise SystemExit(f"{bug.name}: {count} places in {bug.file}")
    return file


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copy(source, target)


def _try(tree: Path, bug: Bug) -> str | None:
    file = place_of(bug, tree)
    text = file.read_text()
    file.write_text(text.replace(bug.good, bug.bad))
    try:
        return _noticed_by(tree, bug.tests)
    finally:
        file.write_text(text)


def environment() -> dict[str, str]:
    """For programs that run in a copy."""
    return {**os.environ, "PYTHONPATH": f"client{os.pathsep}runner", "PYTHONDONTWRITEBYTECODE": "1"}


def _noticed_by(tree: Path, tests: tuple[str, ...]) -> str | None:
    """The first test that fails, or the seed that does; None if all pass."""
    environ = environment()
    if tests:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        ran = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, check=False)
        failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if failed:
            return failed[0].split(" - ")[0].rpartition("/")[2]
    played = subprocess.run(
        [sys.executable, "-c", _SEEDS], cwd=tree, env=environ, capture_output=True, text=True, check=False
    )
    broken = [line for line in played.stderr.splitlines() if "Broken: seed" in line]
    if played.returncode == 0:
        return None
    return broken[0].partition("Broken: ")[2][:60] if broken else "the simulation breaks"


if __name__ == "__main__":
    sys.exit(main())
