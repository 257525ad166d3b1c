"""Send requests with the runner's sender alone: no files, no records.

python sender_alone.py BASE_URL COUNT IN_FLIGHT
"""

from __future__ import annotations

import gc
import sys

import msgspec
import trio

from headrace_client.lowlevel import ConnectionPool, Origin, connect_tcp, open_pooled_sender

BODY = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "x" * 900}]})
HEADERS = {"content-type": "application/json", "x-api-key": "k"}


async def main(base_url: str, count: int, in_flight: int) -> None:
    """Send ``count`` requests and print the number of correct responses."""
    scheme, _, rest = base_url.partition("://")
    host, _, port = rest.partition(":")
    origin = Origin(scheme, host, int(port))
    numbers = iter(range(count))
    right = 0

    async def work() -> None:
        nonlocal right
        async with open_pooled_sender(
            pool, origin, "POST", "/v1/messages", HEADERS, idle_timeout=120
        ) as sender:
            for _ in numbers:
                response = await sender.send(BODY, deadline=trio.current_time() + 600)
                right += response.status == 200 and response.body.endswith(b"}")

    pool = ConnectionPool(connect=connect_tcp)
    async with trio.open_nursery() as watching:
        watching.start_soon(pool.watchdog.run)
        async with trio.open_nursery() as working:
            for _ in range(in_flight):
                working.start_soon(work)
        watching.cancel_scope.cancel()
    pool.close()
    print(right)


if __name__ == "__main__":
    gc.set_threshold(50_000, 20, 100)  # as in a run
    trio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
