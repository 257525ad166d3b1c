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
