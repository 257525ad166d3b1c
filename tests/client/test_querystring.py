"""Query strings in every format."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from headrace_client._requests.options import not_given, omit
from headrace_client._requests.querystring import Querystring


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, ""),
        ({"a": {}}, ""),
        ({"a": 1}, "a=1"),
        ({"a": "b c&d"}, "a=b+c%26d"),
        ({"a": True, "b": False}, "a=true&b=false"),
        ({"a": 1.25}, "a=1.25"),
        ({"a": None, "b": omit, "c": not_given, "d": 1}, "d=1"),
        ({"a": ""}, "a="),
        ({"a": {"b": {"c": "d"}}}, "a[b][c]=d"),
        ({"a": ["x", "y"]}, "a=x&a=y"),
        ({"a": []}, ""),
        ({"a": ["x", {"b": {"c": ["d", "e"]}}]}, "a=x&a[b][c]=d&a[b][c]=e"),
    ],
)
def test_default_style(params: dict[str, object], query: str) -> None:
    encoded = Querystring().stringify(params)

    assert (encoded if "%" in query else unquote(encoded)) == query


@pytest.mark.parametrize(
    ("style", "params", "query"),
    [
        ({"array_format": "comma"}, {"in": ["foo", "bar"]}, "in=foo,bar"),
        ({"array_format": "comma"}, {"a": {"b": [True, False, None, True]}}, "a[b]=true,false,true"),
        ({"array_format": "comma"}, {"f": []}, "f="),
        ({"array_format": "brackets"}, {"in": ["foo", "bar"]}, "in[]=foo&in[]=bar"),
        ({"array_format": "brackets"}, {"in": ["foo", {"b": ["c"]}]}, "in[]=foo&in[][b][]=c"),
        ({"nested_format": "dots"}, {"a": {"b": {"c": 1}}}, "a.b.c=1"),
    ],
)
def test_other_styles(style: dict[str, str], params: dict[str, object], query: str) -> None:
    assert unquote(Querystring(**style).stringify(params)) == query


def test_a_style_that_does_not_exist() -> None:
    with pytest.raises(
        NotImplementedError, match="Unknown array_format value: foo, choose from comma, repeat"
    ):
        Querystring(array_format="foo").stringify({"a": ["b"]})
    with pytest.raises(NotImplementedError, match="indices"):
        Querystring(array_format="indices").stringify({"a": ["b"]})
