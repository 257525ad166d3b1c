"""Merging layers of headers."""

from __future__ import annotations

from headrace_client._requests.headers import combine_headers, merge_headers
from headrace_client._requests.options import not_given, omit


def test_merging_layers() -> None:
    merged = merge_headers({"A": "1", "B": "1"}, {"a": "2", "b": omit}, {"A": not_given})

    assert merged.sent == {"a": "2"}
    assert merged.omitted == {"b"}
    assert merge_headers({"A": omit}, {"a": "1"}).omitted == frozenset()


def test_combining_layers_for_a_copy() -> None:
    assert combine_headers({"A": "1", "B": "1"}, {"a": omit}) == {"B": "1", "a": omit}
