"""Every test that takes ``loop`` runs three times: on trio, on asyncio, on uvloop. No socket is opened."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio
import pytest

T = TypeVar("T")

CANARY = "sk-ant-canary-library"


class Loop(Protocol):
    """Runs an async function on one of the event loops, and returns its result."""

    def __call__(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T: ...


BACKENDS: dict[str, dict[str, Any]] = {
    "trio": {"backend": "trio"},
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
}


@pytest.fixture(params=BACKENDS)
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """Run on one of the loops. Afterwards, no thread of the library may be left."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    yield partial(anyio.run, **BACKENDS[request.param])
    assert not [thread for thread in threading.enumerate() if thread.name == "headrace"]


@pytest.fixture(autouse=True)
def secret_canary(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Put a key into the environment, and check that it is never logged."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    caplog.set_level(logging.DEBUG, logger="headrace")
    yield
    assert CANARY not in caplog.text
