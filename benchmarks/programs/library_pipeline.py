"""Send a job file with `headrace.run_file`: the runner called from a program.

python library_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import sys

import trio

from headrace import run_file


async def main(base_url: str, source: str, target: str, in_flight: str) -> None:
    """Run the file."""
    await run_file(source, output=target, base_url=base_url, concurrency=int(in_flight))


if __name__ == "__main__":
    base_url, source, target, in_flight = sys.argv[1:]
    trio.run(main, base_url, source, target, in_flight)
