"""Streams in memory behave like sockets."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from headrace_client.transport import memory_stream_pair

pytestmark = pytest.mark.trio


async def test_what_one_end_sends_the_other_receives(autojump_clock: MockClock) -> None:
    one, other = memory_stream_pair()
    await one.send_all(b"to you")
    await other.send_all(b"to me")

    assert await other.receive_some() == b"to you"
    assert await one.receive_some() == b"to me"


async def test_a_sender_waits_while_the_peer_does_not_read(autojump_clock: MockClock) -> None:
    one, other = memory_stream_pair()
    sent = False

    async def send() -> None:
        nonlocal sent
        await one.send_all(b"x" * 1_000_000)
        sent = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        assert not sent
        size = 0
        while size < 1_000_000:
            size += len(await other.receive_some())

    assert (sent, size) == (True, 1_000_000)


async def test_an_end_is_read_after_what_was_sent(autojump_clock: MockClock) -> None:
    one, other = memory_stream_pair()
    await one.send_all(b"last words")
    one.close()
    one.close()

    assert not other.probe()
    assert [await other.receive_some() for _ in range(3)] == [b"last words", b"", b""]
    with pytest.raises(BrokenPipeError):
        other.send_nowait(b"too late")


async def test_closing_wakes_waiting_tasks(autojump_clock: MockClock) -> None:
    reading, _ = memory_stream_pair()
    unread, sending = memory_stream_pair()

    async def receive_closed() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await reading.receive_some()

    async def send_broken() -> None:
        with pytest.raises(BrokenPipeError):
            await sending.send_all(b"x" * 1_000_000)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive_closed)
        nursery.start_soon(send_broken)
        await wait_all_tasks_blocked()
        reading.close()
        unread.close()


async def test_only_a_silent_open_stream_can_be_reused(autojump_clock: MockClock) -> None:
    one, other = memory_stream_pair()
    assert one.probe()
    other.send_nowait(b"!")
    assert not one.probe()
    await one.receive_some()
    assert one.probe()
    other.close()

    assert not one.probe()
