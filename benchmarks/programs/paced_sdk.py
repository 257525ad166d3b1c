"""Send a job file with the reference SDK under a semaphore. A job that fails for good gets no record.

python paced_sdk.py BASE_URL INPUT OUTPUT IN_FLIGHT RETRIES
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO


async def work(jobs: Iterator[Any], client: Any, error: type[Exception], output: BinaryIO) -> None:
    """Send one job after another and write each answer."""
    for job in jobs:
        try:
            # Without a timeout the SDK rejects a max_tokens of 64,000 that is not streamed
            message = await client.messages.create(**job["params"], timeout=600)
        except error as problem:
            print(job["custom_id"], type(problem).__name__)
            continue
        result = {"type": "succeeded", "message": message.to_dict(mode="json")}
        output.write(json.dumps({"custom_id": job["custom_id"], "result": result}).encode() + b"\n")
        output.flush()


async def send_all(
    base_url: str, jobs: Iterator[Any], output: BinaryIO, in_flight: int, retries: int
) -> None:
    """Share the jobs among workers."""
    sdk: Any = import_module("anthropic")  # in the peer's own environment
    async with sdk.AsyncAnthropic(api_key="k", base_url=base_url, max_retries=retries) as client:
        await asyncio.gather(*(work(jobs, client, sdk.APIError, output) for _ in range(in_flight)))


def main(base_url: str, source: str, target: str, in_flight: str, retries: str) -> None:
    """Open the files and send."""
    with Path(source).open("rb") as lines, Path(target).open("wb") as output:
        asyncio.run(send_all(base_url, map(json.loads, lines), output, int(in_flight), int(retries)))


if __name__ == "__main__":
    main(*sys.argv[1:])
