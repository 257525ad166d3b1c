"""Serve a scenario's simulator on a port, in its own process, and log each request.

python -m benchmarks.pacing.serving SCENARIO SEED PORT LOG
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import trio

from headrace.simulator import RequestLog, Simulator, serve

from .sockets import SCENARIOS


async def main(scenario_name: str, seed: int, port: int, log: Path) -> None:
    """Serve until the process is terminated."""
    scenario = SCENARIOS[scenario_name]()
    with log.open("wb", buffering=0) as file:
        simulator = Simulator(
            scenario.profile,
            schedule=scenario.schedule,
            seed=seed,
            log=RequestLog(file, keep=False),
            epoch=time.time() - trio.current_time(),
        )
        await serve(simulator, port=port)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
