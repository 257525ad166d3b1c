"""SIGINT and SIGTERM as requests to stop: the first lets jobs in flight finish, the second aborts them."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator

import trio

from headrace.actors.messages import Stop
from headrace.policy.stop import ExitCode, StopReason

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


async def stops_by_signal() -> AsyncIterator[Stop]:
    """Yield a `Stop` for each signal that arrives during the iteration."""
    with trio.open_signal_receiver(*_CODES) as arriving:
        already = False
        async for number in arriving:
            name = signal.Signals(number).name
            message = f"stopped by {name}; run the same command again to resume"
            yield Stop(StopReason(_CODES[signal.Signals(number)], message), at_once=already)
            already = True
