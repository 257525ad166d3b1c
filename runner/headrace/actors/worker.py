"""The worker: takes an admitted job, makes one attempt, and says what came of it.

It waits for nothing but the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from functools import partial
from typing import Protocol

import attrs
import trio
from msgspec import structs

from headrace.dialects import Assembler, Dialect, failure_from_transport, redact
from headrace.job import Failure, Recipient, Success
from headrace_client.lowlevel import Response, Sender, TransportError, retry_after_seconds, should_retry

from ._notes import note_of
from ._sampling import HeaderSampler
from .messages import Began, Failed, Finished, Inbox, Interrupted, Pending

OnData = Callable[[bytes], None]
"""Takes the pieces of an answer's body as they arrive."""


class SupportsOpenSender(Protocol):
    """What a worker needs of a client."""

    def open_sender(
        self, method: str, path: str, headers: Mapping[str, str], *, idle_timeout: float
    ) -> AbstractAsyncContextManager[Sender]:
        """Open a sender to one endpoint."""
        ...


@attrs.frozen(kw_only=True)
class AttemptSettings:
    """How attempts are made: the same for all workers of a run. Times in seconds."""

    client: SupportsOpenSender
    dialect: Dialect
    headers: Mapping[str, str]
    recipe: str
    """The digest of the recipe, for the records."""
    secrets: tuple[str, ...] = ()
    timeout: float = 600.0
    idle_timeout: float = 120.0
    wall_clock: Callable[[], float]
    """Seconds since the epoch: a Retry-After may be a date."""
    sampler: HeaderSampler = attrs.field(
        default=attrs.Factory(lambda self: HeaderSampler(self.wall_clock), takes_self=True)
    )


@attrs.frozen(kw_only=True)
class WorkerChannels:
    """A worker's ends, its own clones."""

    jobs: trio.MemoryReceiveChannel[Pending]
    results: trio.MemorySendChannel[Finished]
    inbox: trio.MemorySendChannel[Inbox]

    def clone(self) -> WorkerChannels:
        """The same ends for one more worker."""
        return WorkerChannels(jobs=self.jobs.clone(), results=self.results.clone(), inbox=self.inbox.clone())


async def worker(channels: WorkerChannels, settings: AttemptSettings) -> None:
    """Work until the jobs channel is closed."""
    with channels.jobs, channels.results, channels.inbox:
        while True:
            with trio.CancelScope() as scope:  # cancelled when the job in hand is withdrawn
                await _work(channels, settings, scope)
            if not scope.cancel_called:
                return


async def _work(channels: WorkerChannels, settings: AttemptSettings, scope: trio.CancelScope) -> None:
    """Work until the jobs channel is closed, or ``scope`` is cancelled."""
    async with AsyncExitStack() as senders:
        session = _Worker(channels=channels, settings=settings, stack=senders, scope=scope)
        async for pending in channels.jobs:
            if pending.job.recipient is None:
                await session.work(pending)
            else:
                await session.work_for(pending.job.recipient, pending)


@attrs.define(kw_only=True)
class _Worker:
    """One worker's senders, by path, and what it does with a job."""

    channels: WorkerChannels
    settings: AttemptSettings
    stack: AsyncExitStack
    scope: trio.CancelScope
    """Cuts off what is being done."""
    senders: dict[str, Sender] = attrs.field(factory=dict[str, Sender])

    async def work_for(self, recipient: Recipient, pending: Pending) -> None:
        if recipient.withdrawn:
            self.channels.inbox.send_nowait(Interrupted(pending, sent=False))
            return
        recipient.take_up(self.scope)
        try:
            await self.work(pending)
        finally:
            recipient.put_down(self.scope)

    async def work(self, pending: Pending) -> None:
        started_at = trio.current_time()
        try:
            sender = self.senders.get(pending.job.request.path) or await self._open(pending.job.request.path)
            outcome = await self._attempt(sender, pending, started_at)
        except trio.Cancelled:
            with suppress(trio.BrokenResourceError):  # the dispatcher is gone when a bug takes down the run
                self.channels.inbox.send_nowait(Interrupted(pending, sent=True))
            raise
        if isinstance(outcome, Finished):
            self.channels.results.send_nowait(outcome)
        else:
            self.channels.inbox.send_nowait(outcome)

    async def _open(self, path: str) -> Sender:
        settings = self.settings
        sender = await self.stack.enter_async_context(
            settings.client.open_sender("POST", path, settings.headers, idle_timeout=settings.idle_timeout)
        )
        self.senders[path] = sender
        return sender

    async def _attempt(self, sender: Sender, pending: Pending, started_at: float) -> Finished | Failed:
        request = pending.job.request
        watch = _FirstTokenTimer(self.settings.dialect.assembler()) if request.stream else None
        on_data = watch and watch.feed
        try:
            answer = await sender.send(
                request.body,
                retries_taken=pending.attempts,
                deadline=started_at + self.settings.timeout,
                on_data=self._first_byte_hook(pending, on_data) if pending.warms_cache else on_data,
            )
        except TransportError as error:
            return self._failed(pending, failure_from_transport(error), started_at)
        # A server that knows no streaming answers with the whole message as JSON.
        if watch is None or not 200 <= answer.status < 300 or _is_json(answer):
            outcome = self.settings.dialect.judge(answer)
        else:
            outcome = watch.assembler.finish()
        if isinstance(outcome, Failure):
            return self._failed(pending, outcome, started_at, answer)
        return self._finished(pending, outcome, started_at, answer, watch and watch.first_token_at)

    def _first_byte_hook(self, pending: Pending, on_data: OnData | None) -> OnData:
        """Tell the dispatcher when the answer begins."""
        began = Began(pending.job.request.model)
        return _FirstByteHook(partial(self.channels.inbox.send_nowait, began), on_data)

    def _failed(
        self, pending: Pending, failure: Failure, started_at: float, answer: Response | None = None
    ) -> Failed:
        return Failed(
            pending=pending,
            failure=redact(_identified(failure, answer), self.settings.secrets),
            started_at=started_at,
            retry_after=answer and retry_after_seconds(answer.headers, self.settings.wall_clock()),
            should_retry=answer and should_retry(answer.headers),
            limits=answer and self.settings.sampler.read(pending.job.request.model, answer),
        )

    def _finished(
        self,
        pending: Pending,
        success: Success,
        started_at: float,
        answer: Response,
        first_token_at: float | None,
    ) -> Finished:
        job = pending.job
        latency = answer.finished_at - started_at
        ttft = None if first_token_at is None else first_token_at - started_at
        note = note_of(
            pending,
            self.settings.recipe,
            started_at,
            answer.request_id,
            attempts=pending.attempts + 1,
            latency=latency,
            ttft=ttft,
        )
        return Finished(
            record=self.settings.dialect.success_record(job, success, note),
            started_at=started_at,
            attempts=note.attempts,
            maybe_billed=note.maybe_billed,
            usage=success.usage,
            stop_reason=success.stop_reason,
            latency=latency,
            ttft=ttft,
            request=job.request,
            limits=self.settings.sampler.read(job.request.model, answer),
            recipient=job.recipient,
            success=success,
            note=note,
        )


def _identified(failure: Failure, answer: Response | None) -> Failure:
    """Name the attempt in failures that were found inside a stream, away from its head."""
    if answer is None or failure.request_id is not None:
        return failure
    return structs.replace(failure, request_id=answer.request_id)


def _is_json(answer: Response) -> bool:
    return answer.headers.get("content-type", "").startswith("application/json")


@attrs.define
class _FirstByteHook:
    """Calls ``announce`` with the first piece of an answer, and passes all of them on."""

    announce: Callable[[], None]
    on_data: OnData | None
    announced: bool = False

    def __call__(self, data: bytes) -> None:
        if not self.announced:
            self.announced = True
            self.announce()
        if self.on_data is not None:
            self.on_data(data)


@attrs.define
class _FirstTokenTimer:
    """Feeds an assembler and notes when the first token came."""

    assembler: Assembler
    first_token_at: float | None = None

    def feed(self, data: bytes) -> None:
        self.assembler.feed(data)
        if self.first_token_at is None and self.assembler.has_token:
            self.first_token_at = trio.current_time()
