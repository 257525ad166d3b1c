"""A worker's senders, one for each path of its jobs; redirects, waits and limits in their responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, Protocol

import attrs

from headrace.job import Failure
from headrace_client.lowlevel import (
    REDIRECTS,
    RateLimits,
    Response,
    Sender,
    is_lasting_redirect,
    rate_limits,
    redirect_refusal,
    redirect_target,
    retry_after_seconds,
)

MAX_REDIRECTS: Final = 5
"""Redirects that one attempt follows."""
SAMPLE_INTERVAL: Final = 0.05
"""Seconds between two responses for a model whose rate-limit headers are read.

Reading those of every response would cost more than sending a job. A 429 is always read.
"""


class SupportsOpenSender(Protocol):
    """What a worker needs of a client."""

    def open_sender(
        self, method: str, path: str, headers: Mapping[str, str], *, idle_timeout: float
    ) -> AbstractAsyncContextManager[Sender]:
        """Open a sender to one endpoint."""
        ...


class RedirectRefused(Exception):
    """A redirect is not followed; the message names its target and says what to do."""

    def __init__(self, reason: str, response: Response) -> None:
        super().__init__(reason)
        self.response = response


@attrs.define(kw_only=True)
class Senders:
    """Senders by the path of a job. ``redirects``: where paths have moved for good, shared by all workers."""

    client: SupportsOpenSender
    headers: Mapping[str, str] = attrs.field(repr=False)
    idle_timeout: float
    redirects: dict[str, str]
    stack: AsyncExitStack
    """Closes the senders."""
    by_path: dict[str, Sender] = attrs.field(factory=dict[str, Sender])
    """Those that are open."""

    async def open(self, path: str) -> Sender:
        """Open the sender for a path, or for where the path has moved."""
        target = self.redirects.get(path, path)
        sender = self.by_path[path] = await self.stack.enter_async_context(self._open(target))
        return sender

    async def follow(
        self, path: str, response: Response, send: Callable[[Sender], Awaitable[Response]]
    ) -> Response:
        """Follow redirects within the origin, 5 at most, and return the last response.

        ``path``: of the job. ``response``: the redirect that it got. Raises `RedirectRefused`, and what
        ``send`` raises.
        """
        here, lasting = self.by_path[path].url, True
        for _ in range(MAX_REDIRECTS):
            location = response.headers.get("location", "")
            if response.status not in REDIRECTS or not location:
                return response
            target = redirect_target(here, location)
            if reason := redirect_refusal(here, response.status, target):
                raise RedirectRefused(f"{reason}. {_advice(target, path)}", response)
            lasting = lasting and is_lasting_redirect(response.status, here, target)
            if lasting:
                self.redirects[path] = target
                response = await send(await self.open(path))
            else:
                async with self._open(target) as sender:
                    response = await send(sender)
            here = target
        if response.status in REDIRECTS:
            reason = f"gave up after {MAX_REDIRECTS} redirects, which lead nowhere"
            raise RedirectRefused(f"{reason}. {_advice(here, path)}", response)
        return response

    def _open(self, path: str) -> AbstractAsyncContextManager[Sender]:
        """Open a sender for a path, or for a URL of the same origin."""
        return self.client.open_sender("POST", path, self.headers, idle_timeout=self.idle_timeout)


def _advice(target: str, path: str) -> str:
    """Return what to do about a redirect that is not followed."""
    base, found, _ = target.partition("?")[0].rpartition(path)
    if found and base.startswith(("http://", "https://")) and "@" not in base:
        return f"If that is the right server, set --base-url {base} (base_url)."
    return "If that is the right server, set --base-url (base_url) to its address."


@attrs.define
class HeaderSampler:
    """Reads the rate-limit headers of a sample of the responses. Shared by the workers of a run."""

    _wall_clock: Callable[[], float]
    """Returns seconds since the epoch: a reset may be given as a date."""
    _due: dict[str, float] = attrs.field(factory=dict[str, float])

    def read(self, model: str, response: Response) -> RateLimits | None:
        """Return the rate limits in a response's headers; None if the last sample is too recent."""
        now = response.finished_at
        if response.status != 429 and now < self._due.get(model, now):
            return None
        self._due[model] = now + SAMPLE_INTERVAL
        return rate_limits(response.headers, self._wall_clock())


def requested_wait(response: Response, failure: Failure, now_wall: float) -> float | None:
    """Return for how many seconds the server asks to wait. ``now_wall``: seconds since the epoch.

    Of a 2xx body only the error is read: the rest may be an answer, whose text may say anything.
    """
    body = failure.body or b"" if 200 <= response.status < 300 else response.body
    return retry_after_seconds(response.headers, now_wall, body)
