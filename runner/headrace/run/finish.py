"""What is done when the last record of a run is written."""

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
    """Bring what a run has written to the platter, at its end; return what went wrong."""
    try:
        await system.in_thread(opened.sync)
    except StorageFailed as error:
        return [StopReason(ExitCode.STORAGE, str(error))]
    return []


def rescue(unsaved: list[Finished], system: System, paths: OutputPaths) -> tuple[str, ...]:
    """Put answers that the output could not take where there may be room; say where."""
    answers = [finished.record for finished in unsaved if finished.failure is None]
    if not answers:
        return ()
    what = f"{len(answers):,} answers that {paths.results} could not take"
    try:
        append_all(system.storage, system.rescue_file, b"".join(answers))
    except OSError as error:
        return (
            f"{what} are lost, and will be paid for again: {system.rescue_file}: {error.strerror or error}",
        )
    return (
        f"{what} are in {system.rescue_file}: append them with 'cat {system.rescue_file} >> {paths.results}'",
    )


def order(
    storage: Storage, paths: OutputPaths, prepared: Prepared, scan: InputScan
) -> tuple[tuple[str, ...], list[StopReason]]:
    """Write the output's ordered twin; say where it is, or why there is none."""
    try:
        twin = write_ordered(storage, paths, prepared.inputs, prepared.dialect.lines, scan.identities())
    except StorageFailed as error:
        return (), [StopReason(ExitCode.STORAGE, str(error))]
    return (f"in the order of the input: {twin}",), []
