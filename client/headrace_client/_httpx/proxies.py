"""The proxies that the environment names, as patterns of URLs: ``HTTPS_PROXY``, ``NO_PROXY`` and the like.

httpx has the same rules, but keeps them private, and gives no way to set socket options on
the connections to those proxies.
"""

from __future__ import annotations

import ipaddress
from urllib.request import getproxies


def environment_proxies() -> dict[str, str | None]:
    """Return the proxy of each URL pattern; None where ``NO_PROXY`` demands a direct connection."""
    return proxy_patterns(getproxies())


def proxy_patterns(proxies: dict[str, str]) -> dict[str, str | None]:
    """Turn ``{"https": url, "no": hosts}`` into URL patterns, most general first."""
    exempt = [host.strip() for host in proxies.get("no", "").split(",") if host.strip()]
    if "*" in exempt:
        return {}
    patterns: dict[str, str | None] = {
        f"{scheme}://": url if "://" in url else f"http://{url}"
        for scheme in ("http", "https", "all")
        if (url := proxies.get(scheme))
    }
    return patterns | dict.fromkeys(map(_pattern, exempt)) if patterns else {}


def _pattern(host: str) -> str:
    if "://" in host:
        return host
    if host.lower() == "localhost":
        return f"all://{host}"
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return f"all://*{host}"  # a domain and what lies under it
    return f"all://[{address}]" if address.version == 6 else f"all://{address}"
