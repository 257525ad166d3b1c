"""Opening an output: lock it, mend what a crash left, compare it with the input, and take up where it ends.

The order is what makes it safe. First everything is read and every refusal is given; only then is anything
changed, and each change loses nothing if the program dies in its middle: what is cut off or moved is
synced elsewhere first, and files are replaced by a rename.
"""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from headrace._exceptions import RunRefused, StorageFailed
from headrace.input.identity import Identities, Ordinals, recipe_digest
from headrace.input.index import State
from headrace.input.scan import InputScan, ReadsJobs
from headrace.output.known_jobs import (
    KnownJobs,
    OnChange,
    ResultCounts,
    RetryFailed,
    ScannedJobs,
    StreamedJobs,
)
from headrace.output.output import Counts, OpenedOutput, OutputPaths
from headrace.output.records import (
    EarlierAttempts,
    FailureRecords,
    RecordFile,
    read_failures,
    read_results,
    refuse_changes,
    refuse_foreign_output,
)
from headrace.output.recovery import Span
from headrace.output.repair import backup, read_all, remove, repair_end
from headrace.output.sidecar import Sidecar, read_sidecar, write_sidecar
from headrace.output.storage import LineFile, Storage, append_all, storage_errors

_LONG_SIDECAR = 1024 * 1024
_MANY = 100
"""A sidecar so long, and of so many contents, is begun anew: a risk taken once in many runs."""


def open_output(
    storage: Storage,
    paths: OutputPaths,
    *,
    scan: InputScan | None,
    dialect: ReadsJobs,
    recipe: Mapping[str, object],
    on_change: OnChange = "refuse",
    retry_failed: RetryFailed = "transient",
    restart: str | None = None,
) -> OpenedOutput:
    """Take the output for this process and find out what is left to do.

    ``scan``: None for an input that can be read only once. ``restart``: first move what is there aside, to
    names that end with this. Raises `RunRefused` before anything was changed, or `StorageFailed`.
    """
    sidecar = _lock(storage, paths)
    notices = [] if restart is None else _move_aside(storage, paths, restart)
    known = _known_jobs(scan, recipe_digest(recipe), on_change)
    ours = bool(sidecar.recipes)
    results = RecordFile(storage, paths.results, ours)
    errors = RecordFile(storage, paths.errors, ours)
    earlier: EarlierAttempts = {} if restart is not None else dict(sidecar.attempts)
    counts = read_results(results, known, earlier)
    failures = read_failures(errors, known, retry_failed, earlier)
    refuse_foreign_output(counts, paths.results)
    if on_change == "refuse":
        refuse_changes(counts, paths.results, sidecar, recipe)

    spent = sidecar.spent if restart is None else 0.0
    sidecar = msgspec.structs.replace(_with_recipe(sidecar, recipe, counts), attempts=earlier, spent=spent)
    _write_sidecar(storage, paths.sidecar, sidecar)  # first: it keeps what error records that leave say
    notices += _repair_results(storage, results, counts, on_change)
    notices += _repair_errors(storage, errors, failures)
    with storage_errors("write", paths.results):
        storage.append(paths.results, b"")  # before anything is sent: can it be written?
    return OpenedOutput(
        results=LineFile(storage, paths.results, results.recovery.size),
        errors=LineFile(storage, paths.errors, errors.recovery.size),
        counts=_count(scan, counts, failures, on_change),
        notices=notices,
        pacing=sidecar.pacing,
        spent=sidecar.spent,
        dialect=dialect,
        identities=Identities(Ordinals(None), None) if scan is None else scan.identities(),
        known=known,
        earlier=earlier,
        scanned=scan is not None,
        save=partial(_save, storage, paths.sidecar, sidecar),
    )


def _lock(storage: Storage, paths: OutputPaths) -> Sidecar:
    """Lock the output, say who holds it, and return the sidecar as the last run left it."""
    for path in (paths.results, paths.errors, paths.sidecar):
        _refuse_unusable(storage, path)
    try:
        storage.lock(paths.sidecar)
    except BlockingIOError as error:
        holder = _read_sidecar(storage, paths.sidecar)
        who = f"process {holder.pid} on {holder.host}" if holder.pid else "another process"
        raise RunRefused(f"{paths.results} is in use by {who}: let it end, or name another output") from error
    except FileNotFoundError as error:
        raise RunRefused(f"the folder of {paths.results} does not exist: make it first") from error
    except OSError as error:
        raise StorageFailed(f"cannot lock {paths.sidecar}: {error.strerror or error}") from error
    before = _read_sidecar(storage, paths.sidecar)
    sidecar = msgspec.structs.replace(before, pid=os.getpid(), host=os.uname().nodename)
    _write_sidecar(storage, paths.sidecar, sidecar)
    return sidecar


def _refuse_unusable(storage: Storage, path: Path) -> None:
    try:
        storage.read(path, 0, 1)
    except FileNotFoundError:
        return
    except IsADirectoryError as error:
        raise RunRefused(f"{path} is a directory: name a file by -o") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RunRefused(
                f"{path} is a symbolic link, which is not written through: name the file"
            ) from error
        if error.errno == errno.EINVAL:
            raise RunRefused(f"{path} is no regular file: name one by -o") from error
        raise StorageFailed(f"cannot read {path}: {error.strerror or error}") from error


def _move_aside(storage: Storage, paths: OutputPaths, suffix: str) -> list[str]:
    old = [path for path in (paths.results, paths.errors) if _exists(storage, path)]
    moves = [(path, path.with_name(f"{path.name}.{suffix}")) for path in old]
    for _, aside in moves:
        if _exists(storage, aside):
            raise RunRefused(f"cannot move the old output aside: {aside} exists already")
    for path, aside in moves:
        with storage_errors("rename", path):
            storage.rename(path, aside)
    return [f"{path} was moved to {aside}" for path, aside in moves]


def _exists(storage: Storage, path: Path) -> bool:
    with storage_errors("read", path):
        try:
            storage.read(path, 0, 0)
        except FileNotFoundError:
            return False
    return True


def _known_jobs(scan: InputScan | None, recipe: str, on_change: OnChange) -> KnownJobs:
    if scan is None:
        return StreamedJobs(recipe, on_change)
    return ScannedJobs(scan.index, recipe, on_change)


def _repair_results(
    storage: Storage, file: RecordFile, counts: ResultCounts, on_change: OnChange
) -> list[str]:
    path, recovery = file.path, file.recovery
    notices = repair_end(storage, path, recovery)
    leaving = list(recovery.gaps)
    for hole in recovery.gaps:
        kept = backup(storage, path, [hole], f"torn-{hole.start}")
        notices.append(f"a crash lost part of {path} at byte {hole.start:,}; what is left there: {kept}")
    if counts.changed and on_change == "rerun":
        kept = backup(storage, path, counts.changed, "superseded")
        notices.append(
            f"{len(counts.changed):,} finished jobs changed and are sent again; old records: {kept}"
        )
        leaving = list(heapq.merge(leaving, counts.changed, key=_start))
    elif counts.changed:
        notices.append(f"{len(counts.changed):,} finished jobs changed since, and count as done")
    if leaving:
        recovery.size = remove(storage, path, leaving, recovery.size)
    if strangers := counts.matches["unknown"]:
        notices.append(f"{strangers:,} records of {path} are of no line of this input")
    if counts.again:
        notices.append(f"{counts.again:,} jobs have more than one record in {path}")
    return notices


def _repair_errors(storage: Storage, file: RecordFile, failures: FailureRecords) -> list[str]:
    notices = repair_end(storage, file.path, file.recovery)
    leaving = list(heapq.merge(file.recovery.gaps, failures.tried_again, key=_start))
    if leaving:
        file.recovery.size = remove(storage, file.path, leaving, file.recovery.size)
    return notices


def _start(span: Span) -> int:
    return span.start


def _count(
    scan: InputScan | None, counts: ResultCounts, failures: FailureRecords, on_change: OnChange
) -> Counts:
    if scan is None:
        changed = len(counts.changed) if on_change == "skip" else 0
        return Counts(done=counts.matches["same"] + changed, failed=failures.kept, to_send=None)
    done, failed = scan.index.count(State.DONE), scan.index.count(State.FAILED)
    return Counts(done=done, failed=failed, to_send=scan.jobs - done - failed, bad_lines=scan.bad_lines)


def _read_sidecar(storage: Storage, path: Path) -> Sidecar:
    return read_sidecar(b"".join(read_all(storage, path)))


def _write_sidecar(storage: Storage, path: Path, sidecar: Sidecar) -> None:
    with storage_errors("write", path):
        content = write_sidecar(sidecar)
        if storage.read(path, max(_LONG_SIDECAR, _MANY * len(content)), 1):
            storage.truncate(path, 0)
        append_all(storage, path, content)
        storage.sync(path)  # after a power failure it tells a torn first record from anybody's file


def _with_recipe(sidecar: Sidecar, recipe: Mapping[str, object], counts: ResultCounts) -> Sidecar:
    """The sidecar with this run's recipe, and without those that no record was made by."""
    used = {key: old for key, old in sidecar.recipes.items() if key in counts.recipes}
    return msgspec.structs.replace(sidecar, recipes=used | {recipe_digest(recipe): dict(recipe)})


def _save(storage: Storage, path: Path, sidecar: Sidecar, levels: Mapping[str, object], spent: float) -> None:
    _write_sidecar(storage, path, msgspec.structs.replace(sidecar, pacing=dict(levels), spent=spent))
