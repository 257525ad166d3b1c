"""The headers of a request, merged from layers (pure).

Names are compared case-insensitively, in all layers. A later layer wins, and `omit` in it removes the header.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import attrs

from headrace_client.transport.headers import encode_field

from .options import HeadersLike, NotGiven, Omit


@attrs.frozen(eq=False)
class MergedHeaders:
    """The result of merging layers: the headers to send, and the lower-case names of the omitted ones.

    Equal layers give the same object while it is cached. So these are compared and hashed by identity, which
    takes no time.
    """

    sent: Mapping[str, str]
    omitted: frozenset[str]
    values: Mapping[str, str]
    """The headers to send, by lower-case name."""

    @classmethod
    def of(cls, sent: Mapping[str, str], omitted: frozenset[str]) -> MergedHeaders:
        """Make one; ``values`` follow from ``sent``."""
        return cls(sent, omitted, {name.lower(): value for name, value in sent.items()})

    def without(self, name: str) -> MergedHeaders:
        """Return the headers without one; ``name`` in lower case."""
        return _without(self, name)

    def replaced(self, name: str, value: str) -> MergedHeaders:
        """Return the headers with another value of one; ``name`` in lower case."""
        return MergedHeaders.of({**_without(self, name).sent, name: value}, self.omitted)


@lru_cache(maxsize=256)
def _without(headers: MergedHeaders, name: str) -> MergedHeaders:
    kept = {key: value for key, value in headers.sent.items() if key.lower() != name}
    return MergedHeaders.of(kept, headers.omitted)


def merge_headers(*layers: HeadersLike) -> MergedHeaders:
    """Merge layers of headers, lowest first; a `NotGiven` value keeps that of the layers below.

    Raises `TypeError` or `ValueError` for a value that cannot be sent.
    """
    return _merged(tuple([tuple(layer.items()) for layer in layers]))


@lru_cache(maxsize=256)
def _merged(layers: tuple[tuple[tuple[str, str | Omit | NotGiven], ...], ...]) -> MergedHeaders:
    """Merge layers given as fields; a client has few combinations (cached: 2 us instead of 7)."""
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
    """Return the value without surrounding white space.

    Raises `TypeError` or `ValueError` if it cannot be sent. The error names the header but not the value,
    which may be a key; the HTTP libraries would show it.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be wrong
        raise TypeError(f"the value of the header {name!r} must be a str, not {type(value).__name__}")
    if not value.isascii():
        raise ValueError(f"the value of the header {name!r} has characters outside ASCII")
    encode_field(name, value)
    return value.strip(" \t")


def combine_headers(base: HeadersLike, added: HeadersLike) -> dict[str, str | Omit | NotGiven]:
    """Merge two layers into one: ``added`` replaces headers of the same name, in any case."""
    replaced = {name.lower() for name in added}
    return {**{name: value for name, value in base.items() if name.lower() not in replaced}, **added}


def find_header(headers: Mapping[str, str], name: str) -> str | None:
    """Return the value of the header with this name, in any case, or None."""
    lower = name.lower()
    return next((value for key, value in headers.items() if key.lower() == lower), None)
