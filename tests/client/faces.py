"""What makes one test run on both faces: the synchronous one answers at once, the other is awaited."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any, TypeAlias, cast

import attrs
import pytest

from headrace_client._client import Anthropic, AsyncAnthropic
from headrace_client.testing import ScriptedAPI, Step

ASYNC_ONLY = pytest.mark.parametrize("face", ["trio", "asyncio"], indirect=True)
"""Marks a test that makes sense on the asynchronous face only."""

AnyClient: TypeAlias = "Any"
"""`Anthropic` or `AsyncAnthropic`; what its methods return goes through `settle`, `each` or `entered`."""


async def settle(value: Any) -> Any:
    """Return what a method of either face comes to."""
    return await value if inspect.isawaitable(value) else value


async def each(items: Any) -> AsyncGenerator[Any]:
    """Iterate over what either face gives to iterate over (a coroutine that gives it is awaited first)."""
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
    """Enter the context manager of either face."""
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


@attrs.frozen
class Face:
    """One of the three ways to run a test, and the clients that belong to it.

    ``sleeps``: the waits between attempts, in seconds, as they happen.
    """

    name: str
    sleeps: list[float] = attrs.field(factory=list[float])

    @property
    def client_class(self) -> Callable[..., AnyClient]:
        return Anthropic if self.name == "sync" else AsyncAnthropic

    def subclass(self, **members: Any) -> Callable[..., AnyClient]:
        """Return a subclass of the client's class."""
        return type("Mine", (cast("type", self.client_class),), members)

    @property
    def is_async(self) -> bool:
        return self.name != "sync"

    def connect(self, api: ScriptedAPI, **settings: Any) -> AnyClient:
        """Return a client of this face whose requests go to ``api``."""
        http_client = api.async_http_client() if self.is_async else api.http_client()
        return self.client_class(**{"http_client": http_client, **settings})

    def scripted(self, *script: Step, **settings: Any) -> tuple[AnyClient, ScriptedAPI]:
        """Return a client of this face and the API that will answer it by ``script``."""
        api = ScriptedAPI(script)
        return self.connect(api, **settings), api
