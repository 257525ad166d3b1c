"""Closing clients, and dropping them without closing."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import httpx
import pytest

from headrace_client import Anthropic, AsyncAnthropic
from headrace_client.testing import reply
from tests.client.backends import Backend, entered, settle

pytestmark = pytest.mark.anyio


async def test_the_context_manager_yields_the_client_and_closes_it(backend: Backend) -> None:
    client, _ = backend.scripted(reply(json={}))

    async with entered(client) as same:
        assert same is client
        assert not client.is_closed()
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert client.is_closed()
    assert client._client.is_closed


async def test_closing_a_copy_closes_the_original(backend: Backend) -> None:
    client, _ = backend.scripted()

    await settle(client.copy().close())

    assert client.is_closed()


async def test_a_closed_client_raises_at_once(backend: Backend) -> None:
    client, _ = backend.scripted()
    await settle(client.close())

    with pytest.raises(RuntimeError, match="closed"):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert backend.clock.sleeps == []


async def test_a_client_closed_before_its_first_request(backend: Backend) -> None:
    client = backend.client_class()
    await settle(client.close())
    await settle(client.close())

    assert client.is_closed()
    with pytest.raises(RuntimeError, match="closed"):
        await settle(client.get("/foo", cast_to=httpx.Response))


def test_dropping_a_client_closes_its_own_http_client() -> None:
    client: Any = Anthropic()
    http_client = client._client
    closed: list[bool] = []
    http_client.close = lambda: closed.append(True)

    del client, http_client
    gc.collect()

    assert closed == [True]


def test_dropping_a_copy_closes_nothing() -> None:
    client: Any = Anthropic()
    copy = client.copy()

    del copy
    gc.collect()

    assert not client._client.is_closed


@pytest.mark.parametrize("backend", ["asyncio"], indirect=True)
async def test_dropping_an_asynchronous_client(backend: Backend) -> None:
    """On asyncio, a task closes it."""
    client: Any = AsyncAnthropic()
    closed: list[bool] = []

    async def aclose() -> None:
        closed.append(True)

    client._client.aclose = aclose
    del client
    gc.collect()
    await asyncio.sleep(0)

    assert closed == [True]


@pytest.mark.parametrize("backend", ["asyncio"], indirect=True)
async def test_dropping_a_client_that_trio_used(backend: Backend) -> None:
    """Its connections are trio's, which asyncio cannot close."""
    client: Any = AsyncAnthropic()
    closed: list[bool] = []

    async def aclose() -> None:
        closed.append(True)

    client._client.aclose = aclose
    client._client._transport.library = "trio"
    del client
    gc.collect()
    await asyncio.sleep(0)

    assert closed == []
