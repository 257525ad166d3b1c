"""Every test that takes ``backend`` runs three times: blocking, on trio in virtual time, and on asyncio."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import trio.testing

from tests.client.backends import Backend

CANARY = "sk-ant-canary-5b1f0c"
"""The API key of every client in these tests; it must never appear in a log or on a terminal."""


@pytest.fixture(params=["sync", "trio", "asyncio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return Backend(request.param)


@pytest.fixture
def anyio_backend(backend: Backend) -> tuple[str, dict[str, Any]]:
    """The event loop of the backend. The blocking client needs none; its tests run on asyncio."""
    if backend.name == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {}


@pytest.fixture(autouse=True)
def secret_canary(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[None]:
    """Set the canary as the environment's API key; afterwards, search all logs and output for it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_LOG"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG, logger="headrace_client")
    yield
    captured = capfd.readouterr()
    assert CANARY not in caplog.text + captured.out + captured.err


@pytest.fixture
def sent_by_httpx(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """The requests that went through an httpx client."""
    sent: list[httpx.Request] = []
    send = httpx.AsyncClient.send

    async def recorded(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        sent.append(request)
        return await send(client, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", recorded)
    return sent
