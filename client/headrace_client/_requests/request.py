"""From options to what goes over the wire: header merging, URLs, bodies. Pure.

Header names are compared without regard to case, whatever layer they come from; a later layer
wins, and `omit` in it takes the header away.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

import attrs

from headrace_client.transport.headers import encode_field

from .options import HeadersLike, NotGiven, Omit, Query
from .querystring import Querystring

_PATH_SAFE = "/%:@!$&'()*+,;=~"
"""What may stand in a path unencoded (RFC 3986 section 3.3); ``%`` because it is encoded already."""


@attrs.frozen(eq=False)
class MergedHeaders:
    """What the layers of headers come to: those to be sent, and the (lower-case) names taken away.

    Merged of the same layers they are the same object, as long as it is remembered: so they are compared
    and hashed as objects, which takes no time.
    """

    sent: Mapping[str, str]
    omitted: frozenset[str]
    values: Mapping[str, str]
    """What is sent, by lower-case name."""

    @classmethod
    def of(cls, sent: Mapping[str, str], omitted: frozenset[str]) -> MergedHeaders:
        """Return them."""
        return cls(sent, omitted, {name.lower(): value for name, value in sent.items()})

    def without(self, name: str) -> MergedHeaders:
        """Return the headers but this one; ``name`` in lower case."""
        return _without(self, name)


@lru_cache(maxsize=256)
def _without(headers: MergedHeaders, name: str) -> MergedHeaders:
    kept = {key: value for key, value in headers.sent.items() if key.lower() != name}
    return MergedHeaders.of(kept, headers.omitted)


def merge_headers(*layers: HeadersLike) -> MergedHeaders:
    """Merge layers of headers, lowest first; a `NotGiven` value leaves what the layers below say."""
    return _merged(tuple([tuple(layer.items()) for layer in layers]))


@lru_cache(maxsize=256)
def _merged(layers: tuple[tuple[tuple[str, str | Omit | NotGiven], ...], ...]) -> MergedHeaders:
    """Merge the fields of layers; those of a client's requests differ in few ways (cached: 2 us, not 7)."""
    merged: dict[str, tuple[str, str | Omit]] = {}
    for layer in layers:
        for name, value in layer:
            if not isinstance(value, NotGiven):
                merged[name.lower()] = (name, value)
    return MergedHeaders.of(
        sent={name: _checked(name, value) for name, value in merged.values() if not isinstance(value, Omit)},
        omitted=frozenset(lower for lower, (_, value) in merged.items() if isinstance(value, Omit)),
    )


def _checked(name: str, value: str) -> str:
    """Return the value as it can be sent.

    Raises `TypeError` or `ValueError` that names the header, but not the value, which may be a key: the HTTP
    libraries would show it.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be wrong
        raise TypeError(f"the value of the header {name!r} must be a str, not {type(value).__name__}")
    if not value.isascii():
        raise ValueError(f"the value of the header {name!r} has characters outside ASCII")
    encode_field(name, value)
    return value.strip(" \t")


def combine_headers(present: HeadersLike, added: HeadersLike) -> dict[str, str | Omit | NotGiven]:
    """Return one layer of two: ``added`` replaces what has the same name in any spelling."""
    replaced = {name.lower() for name in added}
    return {**{name: value for name, value in present.items() if name.lower() not in replaced}, **added}


def find_header(headers: Mapping[str, str], name: str) -> str | None:
    """Return the value of the header with this name, in any case."""
    lower = name.lower()
    return next((value for key, value in headers.items() if key.lower() == lower), None)


def is_absolute(url: str) -> bool:
    """Tell whether ``url`` names its own scheme and host."""
    parts = urlsplit(url)
    return bool(parts.scheme and parts.netloc)


def with_trailing_slash(base_url: str) -> str:
    """Return the base URL with its path ending in a slash, its query kept."""
    parts = urlsplit(base_url)
    path = parts.path if parts.path.endswith("/") else parts.path + "/"
    return urlunsplit(parts._replace(path=path))


def build_url(base_url: str, path: str, params: Query, style: Querystring) -> str:
    """Join ``path`` to ``base_url`` with exactly one slash and merge all queries.

    The base URL's own query, the path's and ``params`` are merged; ``params`` win by name. An absolute
    ``path`` stands for itself.
    """
    return _joined(base_url, path, style.stringify(params) if params else "")


@lru_cache(maxsize=256)
def _joined(base_url: str, path: str, pairs: str) -> str:
    """Join base URL, path and the pairs of a query (cached: 4 us a request)."""
    base, target = urlsplit(base_url), urlsplit(path)
    names = {unquote_plus(pair.partition("=")[0]) for pair in pairs.split("&")}
    if is_absolute(path):
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
    """Return path and query of a URL as they stand in a request line (RFC 9112 section 3.2.1)."""
    parts = urlsplit(url)
    path, query = quote(parts.path or "/", safe=_PATH_SAFE), quote(parts.query, safe=_PATH_SAFE + "?")
    return f"{path}?{query}" if query else path


def path_segment(value: str, name: str) -> str:
    """Encode one parameter of a path, so that it stays one segment whatever it holds.

    Raises `ValueError` when it is empty or a dot segment, which would name another path.
    """
    if not value:
        raise ValueError(f"Expected a non-empty value for `{name}` but received {value!r}")
    if value in {".", ".."}:
        raise ValueError(f"Expected a name for `{name}` but received the path segment {value!r}")
    return quote(value, safe="")
