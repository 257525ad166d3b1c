"""One bad item never takes the others down: what is encoded, as what, and what is refused with its path.

The runner's library uses the same encoder; ``tests/library/test_bad_items.py`` shows what becomes of the job.
"""

from __future__ import annotations

import array
import collections
import copy
import dataclasses
import datetime as dt
import enum
import io
import json
import math
import pickle
import types
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_client import Anthropic
from headrace_client import types as api_types
from headrace_client._wire.encoding import _Converter, encode
from headrace_client.lowlevel import EncodingError
from headrace_client.testing import ScriptedAPI, reply

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pydantic = pytest.importorskip("pydantic")


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Role(enum.StrEnum):
    USER = "user"


class Colour(enum.Enum):
    RED = (1, "red")


class Level(enum.IntEnum):
    HIGH = 2


@attrs.frozen
class Attrs:
    a: int
    b: object = None


@dataclasses.dataclass
class Data:
    a: int
    b: object = None


class Model(pydantic.BaseModel):
    role: str = "user"
    at: dt.datetime | None = None


class Struct(msgspec.Struct, tag="s", rename="camel", omit_defaults=True):
    foo_bar: int
    left_out: list[int] = []
    also: object = msgspec.UNSET


class Line(msgspec.Struct, array_like=True, tag=True):
    a: int
    at: dt.date


class Lazy:
    """A tensor on another device, as numpy's protocol sees it."""

    def __array__(self) -> Any:
        return numpy.array([1, 2])


class Pair(NamedTuple):
    a: int
    b: int


UTC = dt.datetime(2026, 2, 15, 12, tzinfo=dt.UTC)

ENCODED: dict[str, tuple[Any, str]] = {
    "str subclass": (Text("é"), '"é"'),
    "int subclass": (Whole(5), "5"),
    "float subclass": (Real(0.5), "0.5"),
    "an int of any size": ([2**80, Text("a")], '[1208925819614629174706176,"a"]'),
    "negative zero": ([-0.0, Text("a")], '[-0.0,"a"]'),
    "enum of text": ({"role": Role.USER, Role.USER: 1}, '{"role":"user","user":1}'),
    "enum of numbers": (Level.HIGH, "2"),
    "enum": (Colour.RED, '[1,"red"]'),
    "datetime": (UTC, '"2026-02-15T12:00:00+00:00"'),
    "date and time": ([UTC.date(), dt.time(1, 2)], '["2026-02-15","01:02:00"]'),
    "timedelta": (dt.timedelta(days=1, seconds=1), '"P1DT1S"'),
    "UUID": (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    "Decimal": ([Decimal("0.10"), Decimal("1E+3")], "[0.10,1E+3]"),
    "path": (PurePosixPath("/a/b"), '"/a/b"'),
    "UserString": (collections.UserString("ab"), '"ab"'),
    "halves of a pair that belong together": ("a\ud83d\ude00", '"a😀"'),
    "tuple": ((1, (2,)), "[1,[2]]"),
    "named tuple": (Pair(1, 2), "[1,2]"),
    "set": ({"b", "a", "c"}, '["a","b","c"]'),
    "deque": (collections.deque([1]), "[1]"),
    "generator": ((n for n in [1, Text("a")]), '[1,"a"]'),
    "range": (range(3), "[0,1,2]"),
    "array": (array.array("d", [1.5]), "[1.5]"),
    "read-only mapping": (types.MappingProxyType({"a": {1}}), '{"a":[1]}'),
    "ordered dict": (collections.OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
    "keys that are no text": ({7: 1, 2.5: 2, True: 3, None: 4}, '{"7":1,"2.5":2,"true":3,"null":4}'),
    "keys that become text": ({UUID(int=0): 1}, '{"00000000-0000-0000-0000-000000000000":1}'),
    "dataclass": (Data(1, Data(2)), '{"a":1,"b":{"a":2,"b":null}}'),
    "attrs": (Attrs(1, Attrs(2)), '{"a":1,"b":{"a":2,"b":null}}'),
    "pydantic": ([Model(at=UTC)], '[{"role":"user","at":"2026-02-15T12:00:00Z"}]'),
    "pydantic inside": (Data(1, Model()), '{"a":1,"b":{"role":"user","at":null}}'),
    "Struct": (Struct(1), '{"type":"s","fooBar":1}'),
    "Struct with more": (Struct(1, [2], Text("x")), '{"type":"s","fooBar":1,"leftOut":[2],"also":"x"}'),
    "Struct as array": (Line(1, UTC.date()), '["Line",1,"2026-02-15"]'),
    "model of the client": (
        api_types.TextBlock.construct(type="text", text="a"),
        '{"type":"text","text":"a"}',
    ),
    "raw JSON": ({"a": msgspec.Raw(b'{"b": 1}')}, '{"a":{"b":1}}'),
    "numpy float": (numpy.float32(0.5), "0.5"),
    "numpy float64": ({"temperature": numpy.float64(0.5)}, '{"temperature":0.5}'),
    "numpy integer": ({numpy.int64(5): numpy.uint8(5)}, '{"5":5}'),
    "numpy bool": (numpy.bool_(True), "true"),  # noqa: FBT003  # its constructor
    "numpy text": (numpy.str_("a"), '"a"'),
    "numpy array": (numpy.array([[1, 2], [3, 4]]), "[[1,2],[3,4]]"),
    "numpy array without dimensions": (numpy.array(1.5), "1.5"),
    "numpy array of objects": (numpy.array([Text("a"), None], dtype=object), '["a",null]'),
    "numpy date": (numpy.datetime64("2026-02-15", "ns"), '"2026-02-15T00:00:00.000000000"'),
    "numpy dates": (numpy.array(["2026-02-15"], dtype="datetime64[D]"), '["2026-02-15"]'),
    "what has __array__": (Lazy(), "[1,2]"),
    "pandas Timestamp": (pandas.Timestamp(UTC), '"2026-02-15T12:00:00+00:00"'),
    "pandas Series": (pandas.Series([1, 2]), "[1,2]"),
    "pandas row": (pandas.Series({"a": 1}).to_dict(), '{"a":1}'),
}


@pytest.mark.parametrize(("value", "text"), ENCODED.values(), ids=ENCODED)
def test_what_is_encoded(value: object, text: str) -> None:
    assert encode(value) == text.encode()


def circular() -> list[object]:
    value: list[object] = []
    value.append({"again": value})
    return value


def failing() -> Any:
    yield 1
    raise LookupError("no\nmore\x1b rows \udce9")


class Odd:
    def tolist(self) -> Odd:
        return self


class Endless:
    def tolist(self) -> list[Endless]:
        return [Endless()]


REFUSED: dict[str, tuple[Any, str]] = {
    "bytes": (b"abc", "bytes cannot be sent as JSON; encode it (base64) first"),
    "bytes inside": (
        {"messages": [{"content": b"a"}]},
        "messages[0].content: bytes cannot be sent as JSON; encode it (base64) first",
    ),
    "bytearray": ([bytearray(b"a")], "[0]: bytes cannot be sent as JSON"),
    "memoryview": ({"a": memoryview(b"a")}, "a: bytes cannot be sent as JSON"),
    "numpy bytes": ({"a": numpy.bytes_(b"a")}, "a: bytes cannot be sent as JSON"),
    "bytes in a dataclass": ({"a": Data(1, b"")}, "a.b: bytes cannot be sent as JSON"),
    "bytes in an attrs instance": (Attrs(1, [b""]), "b[0]: bytes cannot be sent as JSON"),
    "bytes in a Struct": (Struct(1, also={"x": b""}), "also.x: bytes cannot be sent as JSON"),
    "NaN": (
        {"a b": {"c": math.nan}},
        "['a b'].c: NaN cannot be sent as JSON; leave the key out or send None",
    ),
    "infinity": ([1, -math.inf], "[1]: infinity cannot be sent as JSON"),
    "numpy NaN": ({"a": numpy.float64("nan")}, "a: NaN cannot be sent as JSON"),
    "numpy NaN in an array": ({"a": numpy.array([1.0, math.nan])}, "a[1]: NaN cannot be sent as JSON"),
    "NaN in a dataclass": (Data(1, math.nan), "b: NaN cannot be sent as JSON"),
    "NaN in a Struct": (Struct(1, also=math.nan), "also: NaN cannot be sent as JSON"),
    "Decimal NaN": (Decimal("NaN"), "NaN cannot be sent as JSON"),
    "NaT": ({"a": pandas.NaT}, "a: NaT cannot be sent as JSON"),
    "NaT in an array": ({"a": numpy.array([["NaT"]], dtype="datetime64[ns]")}, "it contains NaT"),
    "pandas NA": ({"a": pandas.NA}, "NAType cannot be sent as JSON"),
    "numpy duration": (numpy.timedelta64(1, "ns"), "durations"),
    "complex": ({"a": [1j]}, "a[0]: complex cannot be sent as JSON"),
    "numpy complex": ({"a": numpy.complex64(1)}, "a: complex cannot be sent as JSON"),
    "half a surrogate pair": ({"a": ["b \ud83d"]}, "a[0]: the text contains half a surrogate pair"),
    "the other half": ({"a": "\ude00 b"}, "a: the text contains half a surrogate pair"),
    "undecodable text": (Text("caf\udce9"), "the text contains half a surrogate pair"),
    "half a pair in a key": ({"a": {"\ud83d": 1}}, "a: a key of this object: the text contains half"),
    "a key that is a tuple": ({"a": {(1,): 1}}, "a: a key of this object is a tuple"),
    "a key that is bytes": ({b"a": 1}, "a key of this object: bytes cannot be sent"),
    "a key that is NaN": ({math.nan: 1}, "a key of this object: NaN cannot be sent"),
    "a key that is an object": ({object(): 1}, "a key of this object: object cannot be sent as JSON"),
    "a key that becomes an object": ({Attrs(1): 1}, "a key of this object is a "),
    "equal keys": ({"a": {1: 1, "1": 1}}, "a: two keys are '1' in JSON; remove one of them"),
    "an object": ({"a": object()}, "a: object cannot be sent as JSON"),
    "a class": ({"a": Model}, "ModelMetaclass cannot be sent as JSON"),
    "a function": ({"a": len}, "a: builtin_function_or_method cannot be sent as JSON"),
    "a file": ({"a": io.StringIO("line\n")}, "a: _io.StringIO cannot be sent as JSON"),
    "itself": (circular(), "[0].again: the list contains itself"),
    "a method that returns its object": ({"a": Odd()}, "a: "),
    "a method that never ends": (Endless(), "nested too deeply"),
    "an iterator that fails": (
        {"a": failing()},
        "a: the generator cannot be sent as JSON: LookupError: no more",
    ),
    "raw text that is not JSON": ({"a": msgspec.Raw(b"{")}, "a: the msgspec.Raw cannot be sent as JSON"),
}


@pytest.mark.parametrize(("value", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(value: object, problem: str) -> None:
    with pytest.raises(EncodingError) as caught:
        encode(value)

    message = str(caught.value)
    assert problem in message
    assert message.isprintable()
    assert message.encode()
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == message


@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
@pytest.mark.parametrize("innermost", [Text("text"), b"bytes", None])
def test_deep_nesting_is_an_error_of_its_own(depth: int, innermost: object) -> None:
    value: Any = {"a": innermost}
    for _ in range(depth):
        value = [value]
    if depth < 900 and innermost is None:
        assert json.loads(encode(value)) == value
        return

    with pytest.raises(EncodingError, match="nested too deeply"):
        encode(value)


def test_a_set_is_encoded_in_the_same_order_in_every_process() -> None:
    """Jobs without ids are identified by their content, and text hashes differently in every process."""
    assert encode({"a": frozenset({"x", "y", 1, None})}) == b'{"a":["x","y",1,null]}'


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(JSON)
def test_the_quick_way_and_the_thorough_way_agree(value: Any) -> None:
    before = copy.deepcopy(value)

    encoded = encode(value)

    assert encoded == msgspec.json.encode(_Converter().convert(value, ()))
    assert json.loads(encoded) == value == before


def test_the_client_sends_what_the_encoder_writes() -> None:
    api = ScriptedAPI([reply(json={})])
    with Anthropic(api_key="k", http_client=api.http_client()) as client:
        body = {"temperature": numpy.float32(0.5), "role": Role.USER}
        client.post("/v1/messages", cast_to=object, body=body)
        with pytest.raises(EncodingError, match=r"messages\[0\]: bytes"):
            client.post("/v1/messages", cast_to=object, body={"messages": [b"a"]})

    assert [request.content for request in api.requests] == [b'{"temperature":0.5,"role":"user"}']
