"""Importing is fast, and httpx is imported on first use."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import headrace_client
import headrace_client.transport

BASE = """
import sys, trio
from headrace_client import AsyncAPIClient, omit
client = AsyncAPIClient(version="1", base_url="http://h", custom_headers={"Authorization": "k"})
"""
OPEN_SENDER = """
async def main():
    async with client, client.open_sender("POST", "/v1/x"):
        pass
trio.run(main)
"""


def modules_after(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has imported after running ``code``."""
    report = "\nprint(*{name.partition('.')[0] for name in __import__('sys').modules})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True, env=environment
    )
    return set(run.stdout.split())


def test_the_package_imports_almost_nothing() -> None:
    """So importing takes less than 100 ms, unlike the reference SDK."""
    assert not modules_after("import headrace_client") & {
        "httpx",
        "trio",
        "anyio",
        "msgspec",
        "attrs",
        "asyncio",
    }


@pytest.mark.parametrize(
    "code",
    [
        "from headrace_client import Anthropic, AsyncAnthropic; Anthropic(api_key='k', timeout=3).api_key",
        "from headrace_client import APIError, RetryPolicy, rate_limits, not_given",
        BASE + OPEN_SENDER,
    ],
    ids=["client", "values", "sender"],
)
def test_httpx_is_imported_on_first_use(code: str) -> None:
    assert "httpx" not in modules_after(code)


def test_the_blocking_client_does_not_import_trio() -> None:
    assert "trio" not in modules_after("from headrace_client import Anthropic; Anthropic(api_key='k')")


def test_the_names_of_the_transport() -> None:
    for name in headrace_client.transport.__all__:
        assert getattr(headrace_client.transport, name) is not None

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        headrace_client.transport.nothing  # noqa: B018  # it is the look-up that fails


def test_the_names_of_the_package() -> None:
    for name in headrace_client.__all__:
        assert getattr(headrace_client, name) is not None

    assert set(headrace_client.__all__) <= set(dir(headrace_client))
    package: Any = headrace_client
    assert set(package.__all__) == {*package._MODULES, *package._ALIASES, "__version__", "types"}
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        headrace_client.nothing  # noqa: B018  # it is the look-up that fails
