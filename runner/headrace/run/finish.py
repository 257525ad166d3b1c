"""What remains to be done after the last record of a run."""

from __future__ import annotations

from headrace._exceptions import StorageFailed
from headrace.actors.messages import Finished
from headrace.input.scan import InputScan
from headrace.output.opened_output import OpenedOutput
from headrace.output.ordered import write_ordered
from headrace.output.paths import OutputPaths
from headrace.output.storage import Storage, append_all
from headrace.policy.stop import ExitCode, StopReason
from headrace.run.preparation import Prepared
from headrace.run.system import System


async def last_sync(opened: OpenedOutput, system: System) -> list[StopReason]:
    """Sync everything that a run has written to the disk; return what went wrong."""
    try:
        await system.in_thread(opened.sync)
    except StorageFailed as error:
        return [StopReason(ExitCode.STORAGE, str(error))]
    return []


def rescue(unsaved: list[Finished], system: System, paths: OutputPaths) -> tuple[str, ...]:
    """Write answers that the output could not take to the rescue file; return notices about them."""
    answers = [finished.record for finished in unsaved if finished.failure is None]
    if not answers:
        return ()
    what, file = f"{len(answers):,} answers that could not be written to {paths.results}", system.rescue_file
    try:
        append_all(system.storage, file, b"".join(answers))
    except OSError as error:
        return (f"{what} are lost, and will be billed again: {file}: {error.strerror or error}",)
    return (f"{what} are in {file}: append them with 'cat {file} >> {paths.results}'",)


def order(
    storage: Storage, paths: OutputPaths, prepared: Prepared, scan: InputScan
) -> tuple[tuple[str, ...], list[StopReason]]:
    """Write the ordered copy of the output; return notices about it, and what went wrong."""
    try:
        copy = write_ordered(storage, paths, prepared.inputs, prepared.dialect.lines, scan.identities())
    except StorageFailed as error:
        return (), [StopReason(ExitCode.STORAGE, str(error))]
    return (f"in the order of the input: {copy}",), []
