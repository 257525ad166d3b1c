"""Streams in memory behave as sockets do."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from headrace_client.transport import memory_stream_pair

pytestmark = pytest.mark.trio


async def test_what_one_end_sends_the_other_receives(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    await ours.send_all(b"to you")
    await theirs.send_all(b"to me")

    assert await theirs.receive_some() == b"to you"
    assert await ours.receive_some() == b"to me"


async def test_a_sender_waits_while_nobody_reads(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    sent = False

    async def send() -> None:
        nonlocal sent
        await ours.send_all(b"x" * 1_000_000)
        sent = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        assert not sent
        size = 0
        while size < 1_000_000:
            size += len(await theirs.receive_some())

    assert (sent, size) == (True, 1_000_000)


async def test_an_end_is_read_after_what_was_sent(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    await ours.send_all(b"last words")
    ours.close()
    ours.close()

    assert not theirs.probe()
    assert [await theirs.receive_some() for _ in range(3)] == [b"last words", b"", b""]
    with pytest.raises(BrokenPipeError):
        theirs.send_nowait(b"too late")


async def test_closing_wakes_who_waits(autojump_clock: MockClock) -> None:
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


async def test_only_a_silent_open_stream_is_fit_for_reuse(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()
    assert ours.probe()
    theirs.send_nowait(b"!")
    assert not ours.probe()
    await ours.receive_some()
    assert ours.probe()
    theirs.close()

    assert not ours.probe()
