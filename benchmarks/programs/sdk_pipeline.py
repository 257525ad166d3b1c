"""A job file through the `AsyncAnthropic` of the module named: the reference SDK's, or ours.

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
    """Make the http client that is named; None leaves it to the SDK."""
    if kind == "aiohttp":
        return module.DefaultAioHttpClient()
    if kind == "httpx":
        return module.DefaultAsyncHttpxClient()
    return None


async def work(jobs: Iterator[Any], client: Any, output: BinaryIO) -> None:
    """Send one job after another and write each answer."""
    for job in jobs:
        message = await client.messages.create(**job["params"])
        result = {"type": "succeeded", "message": message.to_dict(mode="json")}
        output.write(json.dumps({"custom_id": job["custom_id"], "result": result}).encode() + b"\n")
        output.flush()


async def main(base_url: str, source: str, target: str, in_flight: int, module: str, kind: str) -> None:
    """Share the jobs among workers."""
    sdk: Any = import_module(module)
    with Path(source).open("rb") as lines, Path(target).open("wb") as output:
        jobs = map(json.loads, lines)
        options = {"http_client": http_client(kind, sdk)} if kind != "default" else {}
        async with (
            sdk.AsyncAnthropic(api_key="k", base_url=base_url, **options) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(in_flight):
                group.start_soon(work, jobs, client, output)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:4], int(sys.argv[4]), sys.argv[5], sys.argv[7], backend=sys.argv[6])
