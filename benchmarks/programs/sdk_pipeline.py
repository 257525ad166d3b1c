"""Send a job file with the `AsyncAnthropic` of a module: the reference SDK's, or ours.

python sdk_pipeline.py BASE_URL INPUT OUTPUT IN_FLIGHT MODULE LOOP HTTP_CLIENT

LOOP is trio or asyncio. HTTP_CLIENT: ``default``, ``aiohttp`` (the SDK's own adapter), ``httpx`` (a user's
`httpx.AsyncClient`, on trio over the module's transport).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import anyio


def http_client(kind: str, module: Any) -> Any:
    """Return the HTTP client of this kind, or None for the SDK's default."""
    if kind == "aiohttp":
        return module.DefaultAioHttpClient()
    if kind == "httpx":
        return module.DefaultAsyncHttpxClient()
    return None


async def work(jobs: Iterator[Any], client: Any, output: BinaryIO) -> None:
    """Send one job after another and write each answer."""
    for job in jobs:
        message = await answer(client, job["params"])
        result = {"type": "succeeded", "message": message.to_dict(mode="json")}
        output.write(json.dumps({"custom_id": job["custom_id"], "result": result}).encode() + b"\n")
        output.flush()


async def answer(client: Any, params: dict[str, Any]) -> Any:
    """Return the message, read from a stream if the job asks for one."""
    if not params.pop("stream", False):
        return await client.messages.create(**params)
    async with client.messages.stream(**params) as stream:
        return await stream.get_final_message()


async def send_all(
    base_url: str, jobs: Iterator[Any], output: BinaryIO, in_flight: int, sdk: Any, kind: str
) -> None:
    """Share the jobs among workers."""
    options = {"http_client": http_client(kind, sdk)} if kind != "default" else {}
    async with (
        sdk.AsyncAnthropic(api_key="k", base_url=base_url, **options) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(in_flight):
            group.start_soon(work, jobs, client, output)


def main(base_url: str, source: str, target: str, in_flight: str, module: str, loop: str, kind: str) -> None:
    """Open the files and send."""
    with Path(source).open("rb") as lines, Path(target).open("wb") as output:
        jobs = map(json.loads, lines)
        sdk = import_module(module)
        anyio.run(send_all, base_url, jobs, output, int(in_flight), sdk, kind, backend=loop)


if __name__ == "__main__":
    main(*sys.argv[1:])
