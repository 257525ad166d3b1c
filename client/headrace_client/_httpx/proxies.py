"""The proxies of the environment by URL pattern: ``HTTPS_PROXY``, ``NO_PROXY`` and the like.

httpx follows the same rules, but has no public way to set socket options on connections to these proxies.
"""

from __future__ import annotations

import ipaddress
from urllib.request import getproxies


def environment_proxies() -> dict[str, str | None]:
    """Return the proxy of each URL pattern, None for direct connections (``NO_PROXY``)."""
    return proxy_patterns(getproxies())


def proxy_patterns(proxies: dict[str, str]) -> dict[str, str | None]:
    """Turn ``{"https": url, "no": hosts}`` into URL patterns, the most general first."""
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
        return f"all://*{host}"  # a domain and its subdomains
    return f"all://[{address}]" if address.version == 6 else f"all://{address}"
