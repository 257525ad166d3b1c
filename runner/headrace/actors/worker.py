"""The worker: takes an admitted job, makes one attempt, and reports its outcome.

It waits for nothing but the API.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial

import attrs
import trio
from msgspec import structs

from headrace.dialects import (
    Assembler,
    Dialect,
    failure_from_redirect,
    judge_any_form,
    judge_cut,
    redact,
)
from headrace.job import Failure, Recipient, Success
from headrace.policy.options import RetryOptions
from headrace.policy.systemic import ResultCount
from headrace.policy.unconfirmed import unreported_tokens
from headrace_client.lowlevel import (
    REDIRECTS,
    Response,
    Sender,
    TransportError,
    should_retry,
)

from ._senders import HeaderSampler, RedirectRefused, Senders, SupportsOpenSender, requested_wait
from .messages import Began, Failed, Finished, Inbox, Interrupted, Pending

OnData = Callable[[bytes], object]
"""Takes the chunks of a response body as they arrive; returns True once it needs no more of them."""


@attrs.frozen(kw_only=True)
class AttemptSettings:
    """How attempts are made: the same for all workers of a run. Times in seconds."""

    client: SupportsOpenSender
    dialect: Dialect
    headers: Mapping[str, str] = attrs.field(repr=False)
    recipe: str
    """The recipe's digest, for the records."""
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Removed from error messages."""
    retry_options: RetryOptions = attrs.field(factory=RetryOptions)
    """How long an attempt may take."""
    wall_clock: Callable[[], float]
    """Returns seconds since the epoch: a Retry-After may be a date."""
    redirects: dict[str, str] = attrs.field(factory=dict[str, str])
    """Where the server has moved paths for good: found by one worker, used by all."""
    sampler: HeaderSampler = attrs.field(
        default=attrs.Factory(lambda self: HeaderSampler(self.wall_clock), takes_self=True)
    )
    results: Counter[str] = attrs.field(factory=Counter[str])
    """By model, the results of the workers so far: failures in a row are those with no result in between."""


@attrs.frozen(kw_only=True)
class WorkerChannels:
    """One worker's ends of the channels, its own clones."""

    jobs: trio.MemoryReceiveChannel[Pending]
    results: trio.MemorySendChannel[Finished]
    inbox: trio.MemorySendChannel[Inbox]

    def clone(self) -> WorkerChannels:
        """Return clones for one more worker."""
        return WorkerChannels(jobs=self.jobs.clone(), results=self.results.clone(), inbox=self.inbox.clone())


async def worker(channels: WorkerChannels, settings: AttemptSettings) -> None:
    """Work until the jobs channel is closed."""
    with channels.jobs, channels.results, channels.inbox:
        while True:
            with trio.CancelScope() as scope:  # cancelled when its job is withdrawn
                await _work(channels, settings, scope)
            if not scope.cancel_called:
                return


async def _work(channels: WorkerChannels, settings: AttemptSettings, scope: trio.CancelScope) -> None:
    """Work until the jobs channel is closed, or ``scope`` is cancelled."""
    async with AsyncExitStack() as senders:
        state = _Worker(channels=channels, settings=settings, stack=senders, scope=scope)
        async for pending in channels.jobs:
            if pending.job.recipient is None:
                await state.work(pending)
            else:
                await state.work_for(pending.job.recipient, pending)


@attrs.define(kw_only=True)
class _Worker:
    """One worker's senders, by path, and what it does with a job."""

    channels: WorkerChannels
    settings: AttemptSettings
    stack: AsyncExitStack
    """Closes the senders."""
    scope: trio.CancelScope
    """Cancels the current attempt."""
    senders: Senders = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        self.senders = Senders(
            client=settings.client,
            headers=settings.headers,
            idle_timeout=settings.retry_options.idle_timeout,
            redirects=settings.redirects,
            stack=self.stack,
        )

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
            path = pending.job.request.path
            sender = self.senders.by_path.get(path) or await self.senders.open(path)
            outcome = await self._attempt(sender, pending, started_at)
        except trio.Cancelled:
            with suppress(
                trio.BrokenResourceError
            ):  # the dispatcher has gone if an internal error ends the run
                self.channels.inbox.send_nowait(Interrupted(pending, sent=True))
            raise
        if isinstance(outcome, Finished):
            self.channels.results.send_nowait(outcome)
        else:
            self.channels.inbox.send_nowait(outcome)

    async def _attempt(self, sender: Sender, pending: Pending, started_at: float) -> Finished | Failed:
        request = pending.job.request
        dialect = self.settings.dialect
        timer = _FirstTokenTimer(dialect.assembler(request)) if request.stream else None
        on_data = timer and timer.feed
        if pending.warms_cache:
            on_data = self._first_byte_hook(pending, on_data)
        try:
            response = await self._send(pending, started_at, on_data, sender)
            if response.status in REDIRECTS:
                send = partial(self._send, pending, started_at, on_data)
                response = await self.senders.follow(request.path, response, send)
        except RedirectRefused as refused:
            failure = failure_from_redirect(refused.response, str(refused))
            return self._failed(pending, failure, started_at, refused.response)
        except TransportError as error:
            stale = error.stale and not pending.resent  # once: the next connection is new
            judged = judge_cut(dialect, request, error, timer and timer.assembler)
            if isinstance(judged, Failure):
                return self._failed(pending, judged, started_at, is_stale=stale)
            outcome, response = judged
        else:
            outcome = judge_any_form(dialect, request, response, timer and timer.assembler)
            if isinstance(outcome, Failure):
                return self._failed(pending, outcome, started_at, response)
        return self._finished(pending, outcome, started_at, response, timer and timer.first_token_at)

    def _send(
        self, pending: Pending, started_at: float, on_data: OnData | None, sender: Sender
    ) -> Awaitable[Response]:
        return sender.send(
            pending.job.request.body,
            retries_taken=pending.attempts,
            deadline=started_at + self.settings.retry_options.timeout,
            on_data=on_data,
            new_connection=pending.resent,
        )

    def _first_byte_hook(self, pending: Pending, on_data: OnData | None) -> OnData:
        """Return what tells the dispatcher when the response begins."""
        began = Began(pending.job.request.model)
        return _FirstByteHook(partial(self.channels.inbox.send_nowait, began), on_data)

    def _failed(
        self,
        pending: Pending,
        failure: Failure,
        started_at: float,
        response: Response | None = None,
        *,
        is_stale: bool = False,
    ) -> Failed:
        settings, model = self.settings, pending.job.request.model
        return Failed(
            pending=pending,
            failure=redact(_identified(failure, response), settings.secrets),
            started_at=started_at,
            retry_after=response and requested_wait(response, failure, settings.wall_clock()),
            should_retry=response and should_retry(response.headers),
            is_stale=is_stale,
            limits=response and settings.sampler.read(model, response),
            results=ResultCount(settings.results.total(), settings.results[model]),
        )

    def _finished(
        self,
        pending: Pending,
        success: Success,
        started_at: float,
        response: Response,
        first_token_at: float | None,
    ) -> Finished:
        job = pending.job
        self.settings.results[job.request.model] += 1
        note = pending.note(
            self.settings.recipe,
            attempts=pending.attempts + 1,
            started_at=started_at,
            request_id=response.request_id,
            latency=response.finished_at - started_at,
            ttft=None if first_token_at is None else first_token_at - started_at,
        )
        if not success.usage.is_known:
            note = structs.replace(note, unreported_tokens=unreported_tokens(job.request, success.usage))
        return Finished(
            record=self.settings.dialect.success_record(job, success, note),
            outcome=success,
            note=note,
            request=job.request,
            recipient=job.recipient,
            started_at=started_at,
            limits=self.settings.sampler.read(job.request.model, response),
        )


def _identified(failure: Failure, response: Response | None) -> Failure:
    """Add the request id to a failure found inside a stream, where the response's head is not known."""
    if response is None or failure.request_id is not None:
        return failure
    return structs.replace(failure, request_id=response.request_id)


@attrs.define
class _FirstByteHook:
    """Calls ``announce`` at the first chunk of a response, and passes every chunk on."""

    announce: Callable[[], None]
    on_data: OnData | None
    announced: bool = False

    def __call__(self, data: bytes) -> object:
        if not self.announced:
            self.announced = True
            self.announce()
        return self.on_data and self.on_data(data)


@attrs.define
class _FirstTokenTimer:
    """Feeds an assembler and notes when the first token arrives."""

    assembler: Assembler
    first_token_at: float | None = None

    def feed(self, data: bytes) -> bool:
        is_over = self.assembler.feed(data)
        if self.first_token_at is None and self.assembler.has_token:
            self.first_token_at = trio.current_time()
        return is_over
