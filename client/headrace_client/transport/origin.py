"""Origins: where a request is sent, and for what a connection may be reused (RFC 9110 section 4.3.1)."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

import attrs

_DEFAULT_PORTS = {"http": 80, "https": 443}


@attrs.frozen(cache_hash=True)
class Origin:
    """Scheme, host and port of a server."""

    scheme: str
    """``"http"`` or ``"https"``."""
    host: str
    """A host name in ASCII form, or an IP address without brackets."""
    port: int

    @classmethod
    def parse(cls, url: str) -> Origin:
        """Return the origin of ``url``, whatever its path. Raises `ValueError` if it has none."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"the URL {_without_userinfo(url)!r} must begin with http:// or https://")
        if not parts.hostname:
            raise ValueError(f"the URL {_without_userinfo(url)!r} has no host")
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
        return _interned(parts.scheme, _ascii_host(parts.hostname), port)

    @property
    def authority(self) -> str:
        """Host and port in the format of the ``host`` header: without the scheme's default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@lru_cache(maxsize=256)
def _interned(scheme: str, host: str, port: int) -> Origin:
    """Return the same object for equal origins, so a pool finds connections without comparing fields."""
    return Origin(scheme, host, port)


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is not a valid host name") from error


def _without_userinfo(url: str) -> str:
    """Return the URL without the part before an ``@``: no error may show a password."""
    return url.rpartition("@")[2]
