"""The three ways to run a client, and what lets one test cover all of them.

The methods of a blocking client return their result, those of an asynchronous client have to be awaited;
`settle`, `each` and `entered` do whichever is needed.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any, TypeAlias, cast

import attrs
import pytest

from headrace_client._client import Anthropic, AsyncAnthropic
from headrace_client.testing import ScriptedAPI, Step, VirtualClock

ASYNC_ONLY = pytest.mark.parametrize("backend", ["trio", "asyncio"], indirect=True)
"""Marks a test that makes sense for asynchronous clients only."""

TRIO_ONLY = pytest.mark.parametrize("backend", ["trio"], indirect=True)
"""Marks a test that needs virtual time, or that is about trio."""

AnyClient: TypeAlias = "Any"
"""`Anthropic` or `AsyncAnthropic`; what its methods return goes through `settle`, `each` or `entered`."""


async def settle(value: Any) -> Any:
    """Return the result of a client's method, awaiting it if necessary."""
    return await value if inspect.isawaitable(value) else value


async def each(items: Any) -> AsyncGenerator[Any]:
    """Iterate over an iterable or asynchronous iterable, or over one that a coroutine returns."""
    if inspect.iscoroutine(items):
        items = await items
    if hasattr(items, "__iter__"):
        for item in items:
            yield item
    else:
        async for item in items:
            yield item


@asynccontextmanager
async def entered(
    manager: AbstractContextManager[Any] | AbstractAsyncContextManager[Any],
) -> AsyncGenerator[Any]:
    """Enter a context manager, asynchronous or not."""
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


@attrs.frozen
class Backend:
    """A way to run a client: ``"sync"``, ``"trio"`` or ``"asyncio"``.

    ``clock``: the clock of the clients made here, so waits between attempts take no time.
    """

    name: str
    clock: VirtualClock = attrs.field(factory=lambda: VirtualClock(jitter=0.5))

    @property
    def client_class(self) -> Callable[..., AnyClient]:
        return Anthropic if self.name == "sync" else AsyncAnthropic

    def subclass(self, **members: Any) -> Callable[..., AnyClient]:
        """Return a subclass of the client's class."""
        return type("Mine", (cast("type", self.client_class),), {"clock": self.clock, **members})

    @property
    def is_async(self) -> bool:
        return self.name != "sync"

    def connect(self, api: ScriptedAPI, **settings: Any) -> AnyClient:
        """Return a client whose requests go to ``api``."""
        http_client = api.async_http_client() if self.is_async else api.http_client()
        client = self.client_class(**{"http_client": http_client, **settings})
        client.clock = self.clock
        return client

    def scripted(self, *script: Step, **settings: Any) -> tuple[AnyClient, ScriptedAPI]:
        """Return a client, and the API that answers it from ``script``.

        Pauses of the script take virtual time, except on asyncio.
        """
        api = ScriptedAPI(script, clock=None if self.is_async else self.clock)
        return self.connect(api, **settings), api
