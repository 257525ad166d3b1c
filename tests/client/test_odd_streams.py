"""The kind "what decides is whether the answer is there and whole": odd frames and errors in streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace_client import APIResponseValidationError, RateLimitError
from headrace_client._responses.stream import IncompleteStreamError
from headrace_client.testing import reply
from tests.client.backends import Backend, entered, settle
from tests.client.stream_events import PING, SSE, WHOLE, body

pytestmark = pytest.mark.anyio

PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
STREAM = body(*WHOLE)
OPEN = body(*WHOLE[:3])
ERROR = b'{"error":{"code":429,"message":"slow down"}}'


def delta(text: str) -> bytes:
    """A delta with a text as it stands in JSON."""
    return (
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"%b"}}\n\n' % text.encode()
    )


async def final_text(backend: Backend, *chunks: bytes, kind: str = "text/event-stream") -> str:
    client, _ = backend.scripted(
        reply(body=list(chunks), headers={**SSE, "content-type": kind}), max_retries=0
    )
    async with entered(client.messages.stream(**PROMPT)) as stream:
        return await settle(stream.get_final_text())


@pytest.mark.parametrize(
    "stream",
    [STREAM.replace(b"\n\n", b"\n"), STREAM.replace(b"data: ", b"data: data: ")],
    ids=["no blank lines", "framed twice"],
)
async def test_events_are_read_however_they_are_framed(backend: Backend, stream: bytes) -> None:
    assert await final_text(backend, stream) == "Hi"


async def test_events_without_blank_lines_end_at_message_stop(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_client._httpx.lingering.LINGER", 0.01)
    client, _ = backend.scripted(
        reply(body=[STREAM.replace(b"\n\n", b"\n"), 1000.0], headers=SSE), max_retries=0
    )

    async with entered(client.messages.stream(**PROMPT)) as stream:
        assert await settle(stream.get_final_text()) == "Hi"


@pytest.mark.parametrize(
    "stream",
    [
        OPEN + ERROR + b"\n",
        b": working\n\n" + ERROR,
        OPEN + json.dumps(json.loads(ERROR), indent=2).encode() + b"\n\n",
        b'{"code":429,"message":"slow down"}\n',
        OPEN + b"event: error\ndata: 429 Too many requests\n\n",
    ],
    ids=["between the events", "instead of events", "on several lines", "a body", "a text"],
)
async def test_an_error_counts_in_any_form_in_which_it_stands_in_a_stream(
    backend: Backend, stream: bytes
) -> None:
    with pytest.raises(RateLimitError):
        await final_text(backend, stream)


async def test_a_page_instead_of_events_is_kept_for_the_error(backend: Backend) -> None:
    with pytest.raises(IncompleteStreamError) as caught:
        await final_text(backend, b"<html>down</html>", kind="text/html")

    assert caught.value.body == "<html>down</html>"


DEEP = b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"a","x":%b}}\n\n' % (
    b"[" * 300 + b"]" * 300
)


async def test_an_event_that_is_too_deep_is_an_error_and_not_a_hole_in_the_answer(backend: Backend) -> None:
    with pytest.raises(APIResponseValidationError, match="deeper than"):
        await final_text(backend, body(*WHOLE[:-1]), DEEP, body(WHOLE[-1]))


async def test_events_that_were_not_asked_for_may_not_be_too_deep_either(backend: Backend) -> None:
    stream = body(*WHOLE[:-1]) + DEEP + body(WHOLE[-1])
    client, _ = backend.scripted(reply(body=[stream], headers=SSE), max_retries=0)

    with pytest.raises(APIResponseValidationError):
        await settle(client.messages.create(**PROMPT))


async def test_halves_of_a_character_meet_although_each_event_is_seen(backend: Backend) -> None:
    halves = (delta(r"\ud83d"), delta(r"\ude00"))

    assert await final_text(backend, body(*WHOLE[:4]), *halves, body(PING, *WHOLE[4:])) == "Hi\U0001f600"
