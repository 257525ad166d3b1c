"""Opening an output: lock it, compare it with the input, repair what a crash left, and resume where it ends.

The order makes it safe. First everything is read, and any reason to refuse is raised. Only then is anything
changed, and each change loses nothing if the program dies halfway: what is cut off or moved is first synced
elsewhere, and files are replaced by a rename.
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
from headrace.dialects import LineFormat
from headrace.input.identity import Identities, Ordinals, recipe_digest
from headrace.input.index import State
from headrace.input.scan import InputScan
from headrace.output.decisions import Decisions
from headrace.output.earlier_runs import (
    FailureRecords,
    Unfinished,
    read_failures,
    read_results,
    read_streaks,
    refuse_changes,
    refuse_foreign_output,
)
from headrace.output.known_jobs import (
    KnownJobs,
    ResultCounts,
    ScannedJobs,
    StreamedJobs,
)
from headrace.output.opened_output import Counts, OpenedOutput
from headrace.output.paths import OutputPaths
from headrace.output.record_files import RecordFile
from headrace.output.recovery import Span
from headrace.output.repair import backup, remove, repair_end
from headrace.output.sidecar import Sidecar, read_sidecar, write_sidecar
from headrace.output.storage import LineFile, Storage, append_all, exists, read_all, storage_errors
from headrace.policy.options import OnChange, RetryFailed

_LONG_SIDECAR = 1024 * 1024
_MANY_LINES = 100
"""A sidecar of more than both is truncated and rewritten: its content is at risk once in many runs only."""


def open_output(
    storage: Storage,
    paths: OutputPaths,
    *,
    scan: InputScan | None,
    line_format: LineFormat,
    recipe: Mapping[str, object],
    on_change: OnChange = "refuse",
    retry_failed: RetryFailed = "transient",
    endpoint: str = "",
    restart: str | None = None,
) -> OpenedOutput:
    """Open an output for this process, and find out what is left to do.

    ``scan``: None for an input that can be read only once. ``endpoint``: a digest of the server and the
    headers. ``restart``: first move the old files aside, to names that end with this. Raises `RunRefused`
    before anything is changed, or `StorageFailed`.
    """
    sidecar = _lock(storage, paths)
    notices: list[str] = []
    if restart is not None:
        notices += _move_aside(storage, paths, restart)
        sidecar = msgspec.structs.replace(sidecar, attempts={}, streaks={}, spent=0.0)
    digest = recipe_digest(recipe)
    known = _known_jobs(scan, digest, on_change)
    trusted = bool(sidecar.recipes)
    results = RecordFile(storage, paths.results, trusted)
    errors = RecordFile(storage, paths.errors, trusted)
    unfinished = Unfinished.of(sidecar, digest, endpoint)
    counts = read_results(results, known, unfinished)
    without_result = 0 if scan is None else scan.jobs - scan.index.count(State.DONE)
    streaks = read_streaks(RecordFile(storage, paths.errors, trusted), without_result)
    failures = read_failures(errors, known, retry_failed, unfinished, streaks)
    refuse_foreign_output(counts, paths.results)
    if on_change == "refuse":
        refuse_changes(counts, paths.results, sidecar, recipe)

    sidecar = _updated(sidecar, recipe, endpoint, counts, unfinished)
    # First, because it keeps what the error records say that are removed below.
    _write_sidecar(storage, paths.sidecar, sidecar)
    notices += _repair_results(storage, results, counts, on_change)
    notices += _repair_errors(storage, errors, failures)
    _check_writable(storage, paths.results)
    return OpenedOutput(
        results=LineFile(storage, paths.results, results.recovery.size),
        errors=LineFile(storage, paths.errors, errors.recovery.size),
        counts=_count(scan, counts, failures, on_change),
        decisions=_decisions(scan, line_format, known, unfinished),
        notices=notices,
        streaks=unfinished.streaks,
        pacing=sidecar.pacing,
        spent=sidecar.spent,
        save=partial(_save, storage, paths.sidecar, sidecar),
    )


def _check_writable(storage: Storage, path: Path) -> None:
    """Raise `StorageFailed` if the file cannot be written to, before anything is sent."""
    with storage_errors("write", path):
        storage.append(path, b"")


def _lock(storage: Storage, paths: OutputPaths) -> Sidecar:
    """Lock the output, record in the sidecar who holds it, and return the sidecar.

    Raises `RunRefused` if the output is unusable or locked, and `StorageFailed`.
    """
    for path in (paths.results, paths.errors, paths.sidecar):
        _refuse_unusable(storage, path)
    try:
        storage.lock(paths.sidecar)
    except BlockingIOError as error:
        holder = _read_sidecar(storage, paths.sidecar)
        who = f"process {holder.pid} on {holder.host}" if holder.pid else "another process"
        raise RunRefused(
            f"{paths.results} is in use by {who}: wait until it ends, or name another output"
        ) from error
    except FileNotFoundError as error:
        raise RunRefused(f"the directory of {paths.results} does not exist: create it first") from error
    except OSError as error:
        raise StorageFailed.of("lock", paths.sidecar, error) from error
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
        raise RunRefused(f"{path} is a directory: name a file with -o") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RunRefused(
                f"{path} is a symbolic link, which headrace does not follow: name the file itself"
            ) from error
        if error.errno == errno.EINVAL:
            raise RunRefused(f"{path} is not a regular file: name one with -o") from error
        raise StorageFailed.of("read", path, error) from error


def _move_aside(storage: Storage, paths: OutputPaths, suffix: str) -> list[str]:
    moves: list[tuple[Path, Path]] = []
    for path in (paths.results, paths.errors):
        aside = path.with_name(f"{path.name}.{suffix}")
        with storage_errors("read", path):
            if not exists(storage, path):
                continue
        with storage_errors("read", aside):
            if exists(storage, aside):
                raise RunRefused(f"cannot move the old output aside: {aside} already exists")
        moves.append((path, aside))
    for path, aside in moves:
        with storage_errors("rename", path):
            storage.rename(path, aside)
    return [f"{path} was moved to {aside}" for path, aside in moves]


def _known_jobs(scan: InputScan | None, recipe: str, on_change: OnChange) -> KnownJobs:
    if scan is None:
        return StreamedJobs(recipe, on_change)
    return ScannedJobs(scan.index, recipe, on_change)


def _decisions(
    scan: InputScan | None, line_format: LineFormat, known: KnownJobs, unfinished: Unfinished
) -> Decisions:
    return Decisions(
        line_format=line_format,
        identities=Identities(Ordinals(None), None) if scan is None else scan.identities(),
        known=known,
        earlier=unfinished.attempts,
        scanned=scan is not None,
    )


def _repair_results(
    storage: Storage, file: RecordFile, counts: ResultCounts, on_change: OnChange
) -> list[str]:
    path, recovery = file.path, file.recovery
    notices = repair_end(storage, path, recovery)
    removed = list(recovery.gaps)
    for gap in recovery.gaps:
        kept = backup(storage, path, [gap], f"torn-{gap.start}")
        notices.append(
            f"removed a gap that a crash left in {path} at byte {gap.start:,}; a copy is in {kept}"
        )
    if counts.changed and on_change == "rerun":
        kept = backup(storage, path, counts.changed, "superseded")
        notices.append(
            f"{len(counts.changed):,} finished jobs have changed and are sent again; old records: {kept}"
        )
        removed = list(heapq.merge(removed, counts.changed, key=_start))
    elif counts.changed:
        notices.append(f"{len(counts.changed):,} finished jobs have changed since, and count as done")
    if removed:
        recovery.size = remove(storage, path, removed, recovery.size)
    if unknown := counts.matches["unknown"]:
        notices.append(f"{unknown:,} records in {path} belong to no line of this input")
    if counts.again:
        notices.append(f"{counts.again:,} jobs have more than one record in {path}")
    return notices


def _repair_errors(storage: Storage, file: RecordFile, failures: FailureRecords) -> list[str]:
    notices = repair_end(storage, file.path, file.recovery)
    removed = list(heapq.merge(file.recovery.gaps, failures.tried_again, key=_start))
    if removed:
        file.recovery.size = remove(storage, file.path, removed, file.recovery.size)
    if failures.systemic:
        notices.append(
            f"{failures.systemic:,} jobs that failed like the one that stopped an earlier run are sent again"
        )
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
        if storage.read(path, max(_LONG_SIDECAR, _MANY_LINES * len(content)), 1):
            storage.truncate(path, 0)
        append_all(storage, path, content)
        # After a power failure, the sidecar shows that a file with nothing but a torn record is headrace's.
        storage.sync(path)


def _updated(
    sidecar: Sidecar,
    recipe: Mapping[str, object],
    endpoint: str,
    counts: ResultCounts,
    unfinished: Unfinished,
) -> Sidecar:
    """Return the sidecar as this run begins, without recipes that no record was made with."""
    used = {key: old for key, old in sidecar.recipes.items() if key in counts.recipes}
    return msgspec.structs.replace(
        sidecar,
        recipes=used | {recipe_digest(recipe): dict(recipe)},
        attempts=unfinished.attempts,
        endpoint=endpoint,
        streaks=unfinished.streaks,
    )


def _save(storage: Storage, path: Path, sidecar: Sidecar, levels: Mapping[str, object], spent: float) -> None:
    _write_sidecar(storage, path, msgspec.structs.replace(sidecar, pacing=dict(levels), spent=spent))
