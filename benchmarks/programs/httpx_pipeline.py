"""Send a job file with plain httpx on asyncio: workers that share one client.

python httpx_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx
import msgspec


class Job(msgspec.Struct):
    """A line of the input."""

    custom_id: str
    params: msgspec.Raw


async def work(jobs: Iterator[Job], client: httpx.AsyncClient, url: str, output: BinaryIO) -> None:
    """Send one job after another and write each answer."""
    for job in jobs:
        response = (await client.post(url, content=bytes(job.params))).raise_for_status()
        record = b'{"custom_id":%b,"result":{"type":"succeeded","message":%b}}\n'
        output.write(record % (msgspec.json.encode(job.custom_id), response.content))
        output.flush()


async def send_all(url: str, jobs: Iterator[Job], output: BinaryIO, in_flight: int) -> None:
    """Share the jobs among workers."""
    headers = {"content-type": "application/json", "x-api-key": "k"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=600) as client:
        await asyncio.gather(*(work(jobs, client, url, output) for _ in range(in_flight)))


def main(base_url: str, source: str, target: str, in_flight: str) -> None:
    """Open the files and send."""
    with Path(source).open("rb") as lines, Path(target).open("wb") as output:
        jobs = map(msgspec.json.Decoder(Job).decode, lines)
        asyncio.run(send_all(base_url + "/v1/messages", jobs, output, int(in_flight)))


if __name__ == "__main__":
    main(*sys.argv[1:])
