"""Every test that takes ``face`` runs three times: synchronous, on trio in virtual time, on asyncio."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import trio.testing
from anyio import sleep as real_sleep
from sniffio import current_async_library

from tests.client.faces import Face

CANARY = "sk-ant-canary-5b1f0c"
"""The key of every client in these tests; it must never be seen in a log or on a terminal."""


@pytest.fixture(params=["sync", "trio", "asyncio"])
def face(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Face:
    """A face of the client; its waits between attempts are noted and take no real time."""
    face = Face(request.param)

    async def sleep(seconds: float) -> None:
        assert current_async_library() == face.name
        face.sleeps.append(seconds)
        await real_sleep(seconds if face.name == "trio" else 0)

    monkeypatch.setattr("headrace_client._base_client.sync_client.sleep", face.sleeps.append)
    monkeypatch.setattr("headrace_client._base_client.async_client.sleep", sleep)
    return face


@pytest.fixture
def anyio_backend(face: Face) -> tuple[str, dict[str, Any]]:
    """The event loop of the face; the synchronous one needs none, and its tests run on asyncio."""
    if face.name == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {}


@pytest.fixture(autouse=True)
def secret_canary(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[None]:
    """Plant a key as the environment's credential, and look for it in all logs and output afterwards."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_LOG"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG, logger="headrace_client")
    yield
    captured = capfd.readouterr()
    assert CANARY not in caplog.text + captured.out + captured.err


@pytest.fixture
def sent_by_httpx(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """The requests that went through a client of httpx."""
    sent: list[httpx.Request] = []
    send = httpx.AsyncClient.send

    async def noted(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        sent.append(request)
        return await send(client, request, **options)

    monkeypatch.setattr(httpx.AsyncClient, "send", noted)
    return sent
