"""The ``http_client`` argument: whether it is valid, and the timeout that it brings along."""

from __future__ import annotations

from typing import Any

from headrace_client._requests.options import NotGiven, TimeoutTypes, not_given

_HTTPX_DEFAULT = 5.0
"""Seconds. An httpx client with this timeout was not given one of its own."""


def check_http_client(http_client: object, name: str) -> None:
    """Raise `TypeError` unless ``http_client`` is an httpx (or httpx2) client of class ``name``."""
    if any(
        cls.__name__ == name and cls.__module__.partition(".")[0] in {"httpx", "httpx2"}
        for cls in type(http_client).__mro__
    ):
        return
    raise TypeError(
        f"Invalid `http_client` argument; Expected an instance of `httpx.{name}` but got {type(http_client)}"
    )


def inherited_timeout(http_client: Any, timeout: TimeoutTypes | NotGiven) -> TimeoutTypes | NotGiven:
    """Return ``timeout`` if given, else the HTTP client's, unless that is httpx's default."""
    if not isinstance(timeout, NotGiven):
        return timeout
    own = http_client.timeout
    return not_given if own == type(own)(_HTTPX_DEFAULT) else own
