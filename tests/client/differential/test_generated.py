"""Generated exchanges, outside the known differences: both packages behave the same."""

from __future__ import annotations

from typing import Any, Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client.testing import Reply, reply

from .comparison import differences
from .exchange import OURS, THEIRS, Exchange, Side, items
from .streams import HEADERS, PROMPT, STREAMS

SIDES = (OURS, THEIRS)
EVERY = settings(deadline=None, derandomize=True, max_examples=100)

texts = st.text(st.characters(codec="utf-8"), max_size=8)
names = st.text("abcXYZ-_0", min_size=1, max_size=6)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
parameters = st.recursive(
    st.none() | st.booleans() | st.integers() | texts.filter(bool),  # empty text differs
    lambda inner: (
        st.lists(st.integers() | texts.filter(bool), max_size=3) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=6,
)


def _exchange(call: Any, answer: Reply, **more: Any) -> Exchange:
    return Exchange(name="generated", call=call, script=[answer] * 3, **more)


@EVERY
@given(body=st.dictionaries(texts, json_values, max_size=4) | st.lists(json_values, max_size=4))
def test_bodies(body: object) -> None:
    def call(side: Side, client: Any) -> Any:
        return client.post("/x", cast_to=object, body=body)

    assert differences(_exchange(call, reply(json=body)), SIDES) == {}


@EVERY
@given(
    params=st.dictionaries(names, parameters, max_size=3),
    defaults=st.dictionaries(names, parameters, max_size=2),
)
def test_queries(params: dict[str, Any], defaults: dict[str, Any]) -> None:
    def call(side: Side, client: Any) -> Any:
        return client.get("/x", cast_to=object, options={"params": params})

    assert differences(_exchange(call, reply(json={}), settings={"default_query": defaults}), SIDES) == {}


header_values = st.text("abc XYZ;=,/0", min_size=1, max_size=8).map(str.strip)
headers = st.dictionaries(
    st.sampled_from(["X-A", "X-B", "Accept", "User-Agent", "X-Stainless-Lang"]), header_values
)


@EVERY
@given(client_headers=headers, call_headers=headers)
def test_headers(client_headers: dict[str, str], call_headers: dict[str, str]) -> None:
    def call(side: Side, client: Any) -> Any:
        return client.get("/x", cast_to=object, options={"headers": call_headers})

    assert (
        differences(_exchange(call, reply(json={}), settings={"default_headers": client_headers}), SIDES)
        == {}
    )


@EVERY
@given(
    status=st.integers(400, 599).filter(lambda status: status not in {424, 425, 498, 499, 503, 504}),
    body=json_values,
    text=texts,
)
def test_failures(status: int, body: object, text: str) -> None:
    """503 and 504 have their own classes here, and 424, 425, 498 and 499 are retried."""

    def call(side: Side, client: Any) -> Any:
        return client.get("/x", cast_to=object)

    assert differences(_exchange(call, reply(status, json={"error": body})), SIDES) == {}
    assert differences(_exchange(call, reply(status, body=text)), SIDES) == {}


def _typed(side: Side, client: Any) -> Any:
    inner = side.model("GeneratedInner", c=int, d=Optional[str])  # noqa: UP045  # of a value
    # the reference looks at typing's own unions
    fields = {"a": int, "b": str, "inner": Optional[inner], "inners": Optional[list[inner]], "any": object}  # noqa: UP045
    return client.get("/x", cast_to=side.model("Generated", **fields))


shapes = st.fixed_dictionaries(
    {},
    optional={
        "a": json_values,
        "b": json_values,
        "inner": scalars | st.fixed_dictionaries({}, optional={"c": json_values, "d": json_values}),
        "inners": scalars | st.lists(st.fixed_dictionaries({"c": json_values}), max_size=2),
        "any": json_values,
        "unknown": json_values,
    },
)


@EVERY
@given(body=shapes)
def test_loose_answers(body: dict[str, Any]) -> None:
    assert differences(_exchange(_typed, reply(json=body)), SIDES) == {}


@EVERY
@given(name=st.sampled_from(["text", "tool", "thinking", "pings", "CRLF", "CR", "comments"]), data=st.data())
def test_streams_in_any_chunking(name: str, data: st.DataObject) -> None:
    whole = STREAMS[name].encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]

    def call(side: Side, client: Any) -> Any:
        return client.messages.create(**PROMPT, stream=True)

    assert differences(_exchange(call, Reply(headers=HEADERS, chunks=pieces), read=items), SIDES) == {}
