"""The headers that tell the API which client is calling, and on which platform."""

from __future__ import annotations

import platform
import sys
from functools import cache

from headrace_client._version import __version__

_SYSTEMS = {
    "darwin": "MacOS",
    "linux": "Linux",
    "windows": "Windows",
    "freebsd": "FreeBSD",
    "openbsd": "OpenBSD",
}
_MACHINES = {
    "aarch64": "arm64",
    "arm64": "arm64",
    "arm": "arm",
    "x86_64": "x64",
    "amd64": "x64",
    "i386": "x32",
}


@cache
def platform_headers(version: str = __version__) -> dict[str, str]:
    """Return the telemetry headers, computed once per process. Nothing here blocks."""
    return {
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": version,
        "X-Stainless-OS": os_name(sys.platform, platform.system(), platform.platform()),
        "X-Stainless-Arch": architecture(platform.machine(), bits=64 if sys.maxsize > 2**32 else 32),
        "X-Stainless-Runtime": platform.python_implementation(),
        "X-Stainless-Runtime-Version": platform.python_version(),
    }


def os_name(python_platform: str, system: str, description: str) -> str:
    """Return the name of an operating system in the header's vocabulary."""
    description = description.lower()
    if python_platform == "ios" or "iphone" in description or "ipad" in description:
        return "iOS"
    if python_platform == "android" or "android" in description:
        return "Android"
    if not system:
        return "Unknown"
    return _SYSTEMS.get(system.lower(), f"Other:{system.lower()}")


def architecture(machine: str, *, bits: int) -> str:
    """Return the name of a processor architecture in the header's vocabulary. ``bits``: 32 or 64."""
    machine = machine.lower()
    if machine in _MACHINES:
        return _MACHINES[machine]
    if not machine:
        return "unknown"
    return f"other:{machine}" if bits == 64 else "x32"


def loop_name() -> str:
    """Return the value of ``X-Stainless-Async``: the running event loop, or ``async:false`` outside one."""
    from sniffio import AsyncLibraryNotFoundError, current_async_library  # only async clients need it

    try:
        return f"async:{current_async_library()}"
    except AsyncLibraryNotFoundError:
        return "async:false"
