"""A request to stop that arrives as the run ends, for example a Ctrl-C or a `close` at the last moment."""

from __future__ import annotations

import pytest
import trio

from headrace.actors.messages import Inbox, Stop
from headrace.actors.supervisor import _forward  # pyright: ignore[reportPrivateUsage]  # no way in is as exact
from headrace.policy.stop import ExitCode, StopReason

pytestmark = pytest.mark.trio


async def test_a_stop_that_finds_the_dispatcher_gone_is_not_an_error() -> None:
    inbox, dispatcher = trio.open_memory_channel[Inbox](1)
    dispatcher.close()
    send, stops = trio.open_memory_channel[Stop](1)

    with send, stops:
        send.send_nowait(Stop(StopReason(ExitCode.STOPPED, "closed")))
        await _forward(stops, inbox)
