"""A job file through `headrace.run_file`: the runner called from a program.

python library_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import sys

import trio

from headrace.library import run_file


async def main(base_url: str, source: str, target: str, in_flight: int) -> None:
    """Run the file."""
    await run_file(source, output=target, base_url=base_url, concurrency=in_flight)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:4], int(sys.argv[4]))
