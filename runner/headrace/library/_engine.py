"""The runner on trio: one dispatcher with its actors, for as long as the session is open."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial

import attrs
import trio

from headrace._exceptions import StorageFailed
from headrace.actors.monitor import RunCounts, watch_attempts
from headrace.actors.supervisor import Outcome, Setup, supervise
from headrace.actors.worker import SupportsOpenSender
from headrace.input.identity import recipe_digest
from headrace.library._bridges import Bridge
from headrace.library._exception_groups import ungrouped
from headrace.library._recorded import RecordedResults
from headrace.library._session import CLOSED, Session, SubmissionParser
from headrace.library._settings import SessionSettings
from headrace.library._submissions import Submission
from headrace.output.opened_output import NoOutput, OpenedOutput
from headrace.output.paths import OutputPaths, output_paths
from headrace.output.resume import open_output
from headrace.output.storage import DiskStorage
from headrace.policy.options import Durability
from headrace.policy.stop import ExitCode, StopReason, most_severe
from headrace.run.assembly import attempt_settings, build_rules, open_client
from headrace.run.endpoint import endpoint_digest
from headrace.run.finish import last_sync, rescue
from headrace.run.system import System, real_system

_log = logging.getLogger("headrace")


@asynccontextmanager
async def open_session(settings: SessionSettings, bridge: Bridge) -> AsyncGenerator[Session]:
    """Open a runner, and yield its session. Leaving the block cuts off the requests in flight.

    Raises `RunRefused` or `StorageFailed` before anything is sent. Later, a `StorageFailed` or an internal
    error cancels the block.
    """
    with DiskStorage() as storage, ungrouped():
        system = real_system(storage)
        output = _open_output(settings, system)
        session = Session(
            intake=SubmissionParser(
                dialect=settings.dialect,
                recipe=recipe_digest(settings.recipe),
                decisions=output and output.files.decisions,
                recorded=output and output.recorded,
            ),
            counts=RunCounts(started_at=trio.current_time()),
            on_event=settings.on_attempt and watch_attempts(partial(bridge.to_caller, settings.on_attempt)),
        )
        async with _open_senders(settings, system) as senders:
            setup = partial(_setup, settings, system, session, senders, output)
            with ungrouped():
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_serve, session, setup, system, output)
                    try:
                        yield session
                    finally:
                        session.close()


async def _serve(
    session: Session, setup: Callable[[], Setup[Submission]], system: System, output: _Output | None
) -> None:
    """Supervise until the session is closed. A stop ends all open jobs; later jobs get a new supervisor."""
    with trio.CancelScope(shield=True), ungrouped(deep=True):
        try:
            while True:
                outcome = await supervise(setup())
                reason = most_severe(outcome.reasons) or CLOSED
                if reason.exit_code is ExitCode.STORAGE:
                    raise StorageFailed(_storage_failure_message(reason, outcome, system, output))
                if CLOSED in outcome.reasons:
                    break
                _log.warning("stopped: %s", reason.message)
                session.stop(reason)
                if session.is_closing:
                    break
            if output is not None and (failed := most_severe(await output.close(system))):
                raise StorageFailed(failed.message)
        finally:
            session.end()


def _setup(
    settings: SessionSettings,
    system: System,
    session: Session,
    senders: SupportsOpenSender,
    output: _Output | None,
) -> Setup[Submission]:
    return Setup(
        source=session,
        item_of=session.intake.item_of,
        settings=attempt_settings(
            settings.options,
            dialect=settings.dialect,
            endpoint=settings.endpoint,
            recipe=session.intake.recipe,
            client=senders,
            wall_clock=system.wall_clock,
        ),
        rules=build_rules(
            settings.options,
            settings.dialect,
            jobs=None,
            max_connections=system.max_connections,
            random=system.random,
            earlier=None if output is None else output.files.streaks,
        ),
        output=NoOutput() if output is None else output.files,
        sync=None if output is None else output.sync_in(system),
        stops=session.stops,
        watch=session.watch,
        counts=session.counts,
    )


@asynccontextmanager
async def _open_senders(settings: SessionSettings, system: System) -> AsyncGenerator[SupportsOpenSender]:
    own = open_client(settings.endpoint, system, settings.simulator)
    async with own if settings.client is None else nullcontext(settings.client) as client:
        yield client


@attrs.frozen(kw_only=True)
class _Output:
    paths: OutputPaths
    files: OpenedOutput
    recorded: RecordedResults
    durability: Durability

    def sync_in(self, system: System) -> Callable[[], Awaitable[None]] | None:
        """Return what a result waits for after its write, before it is delivered; None: nothing."""
        return partial(system.in_thread, self.files.sync) if self.durability == "fsync" else None

    async def close(self, system: System) -> list[StopReason]:
        """Sync what was written. Returns the failures."""
        return [] if self.durability == "none" else await last_sync(self.files, system)


def _open_output(settings: SessionSettings, system: System) -> _Output | None:
    options = settings.options
    if options.output.path is None:
        return None
    paths = output_paths(options.output.path)
    files = open_output(
        system.storage,
        paths,
        scan=None,
        line_format=settings.dialect.lines,
        recipe=settings.recipe,
        on_change=options.resume.on_change,
        retry_failed=options.resume.retry_failed,
        endpoint=endpoint_digest(settings.endpoint),
    )
    for notice in files.notices:
        _log.warning("%s", notice)
    recorded = RecordedResults.scan(system.storage, paths)
    return _Output(paths=paths, files=files, recorded=recorded, durability=options.output.durability)


def _storage_failure_message(
    reason: StopReason, outcome: Outcome, system: System, output: _Output | None
) -> str:
    rescued = () if output is None else rescue(outcome.unsaved, system, output.paths)
    return "; ".join((reason.message, *rescued))
