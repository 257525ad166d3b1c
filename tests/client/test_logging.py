"""What is logged, and what never is (P21, P22). The fixture `secret_canary` checks the log of every test."""

from __future__ import annotations

import logging

import httpx
import pytest

from headrace_client import AnthropicError
from headrace_client._base_client.logging import setup_logging
from headrace_client.testing import reply
from tests.client.backends import Backend, settle
from tests.client.conftest import CANARY

pytestmark = pytest.mark.anyio


async def test_debug_logs_everything_but_secrets(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    """It never contains credentials, bodies, queries or passwords in URLs."""
    client, _ = backend.scripted(
        reply(500, body="body-canary", headers={"set-cookie": "cookie-canary"}),
        reply(json={"answer": "answer-canary"}, headers={"request-id": "req_7"}),
        auth_token="token-canary",
        base_url="https://user:password-canary@h.test",
    )

    await settle(
        client.post(
            "/foo",
            cast_to=httpx.Response,
            body={"prompt": "prompt-canary"},
            options={"headers": {"Cookie": "c-canary"}, "params": {"key": "query-canary"}},
        )
    )

    assert "Sending POST https://h.test/foo" in caplog.text
    assert "Received 500" in caplog.text
    assert "Retrying request to /foo in 0." in caplog.text
    assert "Received 200" in caplog.text
    assert "req_7" in caplog.text
    assert "canary" not in caplog.text
    assert {record.name for record in caplog.records if record.name.startswith("headrace")} == {
        "headrace_client"
    }


async def test_info_logs_only_retries(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="headrace_client")
    client, _ = backend.scripted(reply(429), reply(400))

    with pytest.raises(AnthropicError):
        await settle(client.get("/foo", cast_to=httpx.Response))

    messages = [record.getMessage() for record in caplog.records if record.name == "headrace_client"]
    assert len(messages) == 1
    assert messages[0].startswith("Retrying request to /foo in ")


async def test_debug_logs_why_nothing_is_retried(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    client, _ = backend.scripted(reply(404))

    with pytest.raises(AnthropicError):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert "Not retrying: NotFoundError" in caplog.text


@pytest.mark.parametrize(
    ("value", "level"),
    [("debug", logging.DEBUG), ("info", logging.INFO), ("DEBUG", logging.NOTSET), ("", logging.NOTSET)],
)
def test_the_environment_sets_the_level(monkeypatch: pytest.MonkeyPatch, value: str, level: int) -> None:
    """Other words, and other cases, are ignored."""
    for name in ("headrace_client", "httpx"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    monkeypatch.setenv("ANTHROPIC_LOG", value)

    setup_logging()

    assert logging.getLogger("headrace_client").level == logging.getLogger("httpx").level == level
    for name in ("headrace_client", "httpx"):
        logging.getLogger(name).setLevel(logging.NOTSET)


async def test_the_canary_is_what_would_be_sent(backend: Backend) -> None:
    """Otherwise the fixture would prove nothing."""
    client, api = backend.scripted(reply(json={}))

    await settle(client.get("/foo", cast_to=httpx.Response))

    assert api.requests[0].headers["x-api-key"] == CANARY
    assert CANARY not in repr(client)
