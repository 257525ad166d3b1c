"""What it costs to start: the import, the first client, a second client, the first sender.

    python -m benchmarks.startup

Each import is timed in fresh interpreters. The best of several rounds counts, because other work on the
machine can only add to it. To measure what users get, install the package instead of running from the source
tree.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import attrs

_ROUNDS: Final = 7

_TIMED: Final = """
import sys, time
{setup}
started = time.perf_counter()
{code}
elapsed = time.perf_counter() - started
print(elapsed, "httpx" in sys.modules)
"""

_SENDER: Final = """
async def main():
    client = AsyncAPIClient(version="1", base_url="http://127.0.0.1:9", custom_headers={"x-api-key": "k"})
    async with client, client.open_sender("POST", "/v1/messages", {}):
        pass
trio.run(main)
"""


@attrs.frozen
class Start:
    """A way to start: ``code`` is timed, ``setup`` is not. ``limit``: the promised milliseconds."""

    name: str
    code: str
    setup: str = ""
    limit: float | None = None


STARTS: Final = (
    Start("import headrace_client", "import headrace_client", limit=100),
    Start("from headrace_client import Anthropic", "from headrace_client import Anthropic"),
    Start("import httpx", "import httpx"),
    Start("first client", "Anthropic(api_key='k')", "from headrace_client import Anthropic"),
    Start(
        "second client",
        "Anthropic(api_key='k')",
        "from headrace_client import Anthropic; Anthropic(api_key='k')",
        limit=1,
    ),
    Start(
        "second client with its HTTP client",
        "Anthropic(api_key='k')._client",
        "from headrace_client import Anthropic; first = Anthropic(api_key='k')._client",
        limit=1,
    ),
    Start(
        "second asynchronous HTTP client",
        "AsyncAnthropic(api_key='k')._client",
        "from headrace_client import AsyncAnthropic; first = AsyncAnthropic(api_key='k')._client",
        limit=1,
    ),
    Start("client and sender on trio", _SENDER, "import trio; from headrace_client import AsyncAPIClient"),
    Start("headrace --help", "import headrace.cli"),
)


def measure(start: Start) -> tuple[float, bool]:
    """Return the best time in milliseconds, and whether httpx was imported."""
    program = _TIMED.format(setup=start.setup, code=start.code)
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(_ROUNDS)
    ]
    words = [run.split() for run in runs]
    return min(float(elapsed) for elapsed, _ in words) * 1000, words[0][1] == "True"


def main() -> None:
    """Print the table."""
    print(f"{'':40} {'ms':>8} {'promised':>9}  httpx")
    for start in STARTS:
        milliseconds, imported = measure(start)
        promised = "" if start.limit is None else f"< {start.limit:g}"
        print(f"{start.name:40} {milliseconds:8.2f} {promised:>9}  {'imported' if imported else '-'}")


if __name__ == "__main__":
    main()
