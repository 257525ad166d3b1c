"""Opening an output: lock it, mend what a crash left, compare it with the input, and take up where it ends.

The order is what makes it safe. First everything is read and every refusal is given; only then is anything
changed, and each change loses nothing if the program dies in its middle: what is cut off or moved is
synced elsewhere first, and files are replaced by a rename.
"""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import attrs
import msgspec

from headrace._exceptions import RunRefused, StorageFailed
from headrace._mending import keep, mend_end, read_all, take_out
from headrace.dialects import BadRecord, RecordIdentity, read_identity
from headrace.journal import (
    Damaged,
    Identities,
    KnownJobs,
    OnChange,
    Ordinals,
    Recovery,
    RetryFailed,
    ScannedJobs,
    Sidecar,
    Span,
    Spans,
    State,
    StreamedJobs,
    Tally,
    is_tried_again,
    read_sidecar,
    recipe_changes,
    recipe_digest,
    records,
    write_sidecar,
)
from headrace.output import Counts, OpenedOutput, OutputPaths
from headrace.scanning import InputScan, ReadsJobs
from headrace.storage import LineFile, Storage, append_all, storage_errors


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
    sidecar = _hold(storage, paths)
    notices = [] if restart is None else _move_aside(storage, paths, restart)
    known = _known_jobs(scan, recipe_digest(recipe), on_change)
    results = _survey_results(storage, paths.results, known)
    errors = _survey_errors(storage, paths.errors, known, retry_failed)
    _refuse_strangers(results.tally, paths.results)
    if on_change == "refuse":
        _refuse_changes(results.tally, paths.results, sidecar, recipe)

    notices += _mend_results(storage, paths.results, results, on_change)
    notices += _mend_errors(storage, paths.errors, errors)
    sidecar = _with_recipe(sidecar, recipe, results.tally)
    _write_sidecar(storage, paths.sidecar, sidecar)
    with storage_errors("write", paths.results):
        storage.append(paths.results, b"")  # before anything is sent: can it be written?
    return OpenedOutput(
        results=LineFile(storage, paths.results, results.recovery.size),
        errors=LineFile(storage, paths.errors, errors.recovery.size),
        counts=_count(scan, results.tally, errors),
        notices=notices,
        pacing=sidecar.pacing,
        dialect=dialect,
        identities=Identities(Ordinals(None), None) if scan is None else scan.identities(),
        known=known,
        earlier=errors.earlier,
        scanned=scan is not None,
        save_pacing=partial(_save_pacing, storage, paths.sidecar, sidecar),
    )


@attrs.frozen
class _Results:
    recovery: Recovery
    tally: Tally


@attrs.frozen
class _Errors:
    recovery: Recovery
    tried_again: Spans
    """Records that leave the file."""
    kept: int
    earlier: Mapping[str, tuple[int, int]]


def _hold(storage: Storage, paths: OutputPaths) -> Sidecar:
    """Lock the output, say who holds it, and return the sidecar as the last run left it."""
    for path in (paths.results, paths.errors, paths.sidecar):
        _refuse_unusable(storage, path)
    try:
        storage.lock(paths.sidecar)
    except BlockingIOError as error:
        holder = _read_sidecar(storage, paths.sidecar)
        who = f"process {holder.pid} on {holder.host}" if holder.pid else "another process"
        raise RunRefused(f"{paths.results} is in use by {who}: let it end, or name another -o") from error
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


def _survey_results(storage: Storage, path: Path, known: KnownJobs) -> _Results:
    recovery, tally = Recovery(), Tally()
    for span, record in _records(storage, path, recovery):
        match, first = known.take(record)
        tally.take(match, record, span, first=first)
    return _Results(recovery, tally)


def _survey_errors(storage: Storage, path: Path, known: KnownJobs, retry_failed: RetryFailed) -> _Errors:
    recovery, tried_again = Recovery(), Spans()
    earlier: dict[str, tuple[int, int]] = {}
    kept = 0
    for span, record in _records(storage, path, recovery):
        again = is_tried_again(record.failed, retry_failed)
        if record.failed != "bad_line" and known.take_failure(record, again=again):
            kept += 1
            continue
        tried_again.append(span)
        if record.id is not None and record.attempts:
            earlier[record.id] = record.attempts, record.maybe_billed
    return _Errors(recovery, tried_again, kept, earlier)


def _records(storage: Storage, path: Path, recovery: Recovery) -> Iterator[tuple[Span, RecordIdentity]]:
    try:
        yield from records(read_all(storage, path), _read_record, recovery)
    except Damaged as damage:
        if recovery.size == 0:
            raise RunRefused(f"{path} is no output of headrace: name another -o") from damage
        raise StorageFailed(
            f"{path} is damaged at byte {damage.offset:,}, and nothing was changed: "
            f"mend that line or move the file away"
        ) from damage


_FOREIGN = RecordIdentity(id=None, succeeded=False)


def _read_record(line: bytes) -> RecordIdentity | None:
    try:
        return read_identity(line)
    except BadRecord:
        try:
            msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        return _FOREIGN


def _refuse_strangers(tally: Tally, path: Path) -> None:
    if tally.records and tally.matches["stranger"] == tally.records:
        raise RunRefused(
            f"{path} holds {tally.records:,} records and none is of this input: "
            f"name another -o, or move it aside by --restart"
        )


def _refuse_changes(tally: Tally, path: Path, sidecar: Sidecar, recipe: Mapping[str, object]) -> None:
    changes: list[str] = []
    for old_digest, count in tally.recipes.items():
        named = recipe_changes(sidecar.recipes.get(old_digest, recipe), recipe)
        what = "; ".join(named) or "the prompt, model or parameters changed"
        changes.append(f"{what} ({count:,} finished jobs)")
    if changed_lines := tally.matches["line changed"]:
        ids = ", ".join(ascii(job_id[:60]) for job_id in tally.changed_ids)
        changes.append(
            f"the lines of {changed_lines:,} finished jobs changed ({ids}{', ...' * (changed_lines > 3)})"
        )
    if changes:
        raise RunRefused(
            f"{path} was made from something else: {'; '.join(changes)}. "
            f"Do them again by --on-change rerun, keep them by --on-change skip, or start over by --restart"
        )


def _mend_results(storage: Storage, path: Path, results: _Results, on_change: OnChange) -> list[str]:
    recovery, tally = results.recovery, results.tally
    notices = mend_end(storage, path, recovery)
    holes, changed = list(recovery.holes), tally.changed
    for hole in holes:
        kept = keep(storage, path, [hole], f"torn-{hole.start}")
        notices.append(f"a crash lost part of {path} at byte {hole.start:,}; what is left there: {kept}")
    if changed and on_change == "rerun":
        kept = keep(storage, path, changed, "superseded")
        notices.append(f"{len(changed):,} finished jobs changed and are sent again; their records: {kept}")
    elif changed:
        notices.append(f"{len(changed):,} finished jobs changed since, and count as done")
        changed = Spans()
    if holes or changed:
        recovery.size = take_out(storage, path, heapq.merge(holes, changed, key=_start), recovery.size)
    if strangers := tally.matches["stranger"]:
        notices.append(f"{strangers:,} records of {path} are of no line of this input")
    if tally.again:
        notices.append(f"{tally.again:,} jobs have more than one record in {path}")
    return notices


def _mend_errors(storage: Storage, path: Path, errors: _Errors) -> list[str]:
    recovery = errors.recovery
    notices = mend_end(storage, path, recovery)
    leaving = list(heapq.merge(recovery.holes, errors.tried_again, key=_start))
    if leaving:
        recovery.size = take_out(storage, path, leaving, recovery.size)
    return notices


def _start(span: Span) -> int:
    return span.start


def _count(scan: InputScan | None, tally: Tally, errors: _Errors) -> Counts:
    if scan is None:
        return Counts(done=tally.records - tally.matches["stranger"], failed=errors.kept, to_send=None)
    done, failed = scan.index.count(State.DONE), scan.index.count(State.FAILED)
    return Counts(done=done, failed=failed, to_send=scan.jobs - done - failed, bad_lines=scan.bad_lines)


def _read_sidecar(storage: Storage, path: Path) -> Sidecar:
    return read_sidecar(b"".join(read_all(storage, path)))


def _write_sidecar(storage: Storage, path: Path, sidecar: Sidecar) -> None:
    with storage_errors("write", path):
        storage.truncate(path, 0)
        append_all(storage, path, write_sidecar(sidecar))


def _with_recipe(sidecar: Sidecar, recipe: Mapping[str, object], tally: Tally) -> Sidecar:
    """The sidecar with this run's recipe, and without those that no record was made by."""
    used = {key: old for key, old in sidecar.recipes.items() if key in tally.recipes}
    return msgspec.structs.replace(sidecar, recipes=used | {recipe_digest(recipe): dict(recipe)})


def _save_pacing(storage: Storage, path: Path, sidecar: Sidecar, levels: Mapping[str, object]) -> None:
    _write_sidecar(storage, path, msgspec.structs.replace(sidecar, pacing=dict(levels)))
