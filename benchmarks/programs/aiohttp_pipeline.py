"""Send a job file with aiohttp on uvloop, as a careful programmer would: workers, raw bytes, msgspec.

python aiohttp_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import msgspec


class Job(msgspec.Struct):
    """A line of the input."""

    custom_id: str
    params: msgspec.Raw


class Message(msgspec.Struct):
    """The fields that an answer must have."""

    id: str
    stop_reason: str


def jobs_of(path: Path) -> Iterator[Job]:
    """Yield the jobs, read on demand."""
    decoder = msgspec.json.Decoder(Job)
    with path.open("rb", buffering=256 * 1024) as file:
        for line in file:
            yield decoder.decode(line)


async def work(jobs: Iterator[Job], session: aiohttp.ClientSession, url: str, output: BinaryIO) -> None:
    """Send one job after another and write each answer that is a message."""
    decoder = msgspec.json.Decoder(Message)
    for job in jobs:
        async with session.post(url, data=bytes(job.params)) as response:
            body = await response.read()
        response.raise_for_status()
        decoder.decode(body)
        record = b'{"custom_id":%b,"result":{"type":"succeeded","message":%b}}\n'
        output.write(record % (msgspec.json.encode(job.custom_id), body))
        output.flush()


async def send_all(url: str, jobs: Iterator[Job], output: BinaryIO, in_flight: int) -> None:
    """Share the jobs among workers."""
    headers = {"content-type": "application/json", "x-api-key": "k", "anthropic-version": "2023-06-01"}
    trust = os.environ.get("SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=trust) if trust else True
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        await asyncio.gather(*(work(jobs, session, url, output) for _ in range(in_flight)))


def main(base_url: str, source: str, target: str, in_flight: str) -> None:
    """Open the files and send."""
    uvloop: Any = import_module("uvloop")  # in the peer's own environment
    with Path(target).open("wb") as output:
        jobs = jobs_of(Path(source))
        uvloop.run(send_all(base_url + "/v1/messages", jobs, output, int(in_flight)))


if __name__ == "__main__":
    main(*sys.argv[1:])
