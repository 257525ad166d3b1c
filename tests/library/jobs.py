"""Jobs, and simulators that respond to them at once."""

from __future__ import annotations

from typing import Any

import anyio

from headrace.simulator import FaultKind, Profile, RequestLog, Simulator


def params(number: int, **more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"job {number}"}
    return {"model": "m", "max_tokens": 4, "messages": [message], **more}


def simulator(*, ttft: float = 0.0, seed: int = 0, **faults: float) -> Simulator:
    """A simulator that responds after ``ttft`` seconds. ``faults``: their shares, such as ``f500=0.1``."""
    # keyword names begin with a letter, so "f500" stands for the fault "500"
    shares: dict[FaultKind, float] = {name.removeprefix("f"): share for name, share in faults.items()}  # type: ignore[misc]  # pyright: ignore[reportAssignmentType]
    profile = Profile(ttft=ttft, ttft_jitter=0.0, tokens_per_second=1e9, faults=shares)
    return Simulator(profile, seed=seed, log=RequestLog(keep=False))


def received(api: Simulator) -> int:
    """The number of requests that a simulator has finished."""
    return sum(api.log.statuses.values())


async def settled(api: Simulator) -> int:
    """Wait until no more requests arrive, and return their number."""
    before, now = -1, received(api)
    while now != before:
        await anyio.sleep(0.05)
        before, now = now, received(api)
    return now
