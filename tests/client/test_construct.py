"""Typed responses from builtins: leniently, strictly, with unknown fields."""

# No `from __future__ import annotations` here: the models inside the tests must be resolvable.

import datetime as dt
import typing
from typing import Annotated, Any, Literal, Union

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client._models.base_model import BaseModel
from headrace_client._models.construct import construct

from .example_models import A, B, Basic, Box, Color, Everything, Place, Settings, Tree, Unknown, UserId

UTC = dt.UTC


# --- loosely --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["hello", 1, None, {"a": 1}, [1]])
def test_a_wrong_type_is_kept_as_it_is(value: object) -> None:
    assert construct({"foo": value}, Basic).foo == value


def test_a_missing_field_is_none_or_its_default() -> None:
    assert construct({}, Basic).foo is None
    settings_ = construct({}, Settings)
    assert (settings_.limit, settings_.note, settings_.tags, settings_.name) == (10, None, [], None)


def test_unknown_fields_are_attributes_and_stay_plain() -> None:
    model = construct({"foo": "a", "bar": {"deep": [1]}, "to_dict": 1, "__class__": "x", "_extra": 2}, Basic)

    assert model.bar == {"deep": [1]}
    assert type(model) is Basic
    assert model.to_dict()["to_dict"] == 1
    assert model.model_extra["__class__"] == "x"
    with pytest.raises(AttributeError, match="'Basic' object has no attribute 'nope'"):
        _ = model.nope


@pytest.mark.parametrize("value", ["hello", True, 1, [], None])
def test_a_nested_model_of_the_wrong_shape_is_kept(value: object) -> None:
    class Nested(BaseModel):
        nested: Basic

    assert construct({"nested": value}, Nested).nested == value
    assert construct({"nested": {"foo": 1}}, Nested).nested == Basic.construct(foo=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"foo": "a"}, None, False], [Basic(foo="a"), None, False]),
        (True, True),
        ({"foo": "a"}, {"foo": "a"}),
    ],
)
def test_lists(value: object, expected: object) -> None:
    assert construct(value, list[Basic | None]) == expected
    assert construct(value, typing.Iterable[Basic | None]) == expected


def test_dicts() -> None:
    assert construct({"x": {"foo": "a"}, "y": 1}, dict[str, Basic]) == {"x": Basic(foo="a"), "y": 1}
    assert construct([1], dict[str, Basic]) == [1]
    assert construct({"x": [1]}, dict) == {"x": [1]}


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 5.0), (2**53 + 1, 2**53 + 1), (10**400, 10**400), (True, True), ("5", "5")]
)
def test_an_integer_becomes_a_float_only_if_exact(value: object, expected: object) -> None:
    result = construct(value, float)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("value", [5.0, 5.5, "5", True])
def test_other_values_do_not_become_integers(value: object) -> None:
    result = construct(value, int)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2019-12-27T18:11:19.117Z", dt.datetime(2019, 12, 27, 18, 11, 19, 117000, UTC)),
        ("2019-12-27T18:11:19+02:00", dt.datetime(2019, 12, 27, 16, 11, 19, tzinfo=UTC)),
        ("20191227T181119Z", dt.datetime(2019, 12, 27, 18, 11, 19, tzinfo=UTC)),
        ("soon", "soon"),
        (5, 5),
    ],
)
def test_iso_datetimes_are_read(text: object, moment: object) -> None:
    assert construct(text, dt.datetime) == moment


def test_dates_enums_and_literals() -> None:
    assert construct("2019-12-27", dt.date) == dt.date(2019, 12, 27)
    assert construct("red", Color) is Color.red
    assert construct("blue", Color) == "blue"
    assert construct("blue", Literal["red"]) == "blue"
    assert construct({"city": 1, "more": 2}, Place) == {"city": 1, "more": 2}


def test_annotated_new_type_and_alias_are_unwrapped() -> None:
    alias = typing.cast("Any", type("Alias", (), {}))()  # stands for what `type X = ...` makes since 3.12
    alias.__value__ = Annotated[list[UserId], "unhashable", []]

    assert construct([{"foo": "a"}], Annotated[list[Annotated[Basic, []]], {}]) == [Basic(foo="a")]
    assert construct(["a"], alias) == ["a"]


def test_generic_and_recursive_models() -> None:
    assert construct({"content": [{"foo": "a"}]}, Box[Basic]).content == [Basic(foo="a")]
    assert construct({"content": [{"foo": "a"}]}, Box).content == [{"foo": "a"}]
    tree = construct({"name": "r", "children": [{"name": "c", "children": []}]}, Tree)
    assert tree.children[0].name == "c"


def test_a_model_that_is_built_already_is_kept() -> None:
    inner = Basic(foo="a")

    assert construct([inner], list[Basic])[0] is inner


# --- unions ---------------------------------------------------------------------------------------


def test_a_union_without_a_tag_is_decided_by_the_fit() -> None:

    class Model1(BaseModel):
        foo: int

    class Model2(BaseModel):
        foo: str

    for union in (Model1 | Model2, Model2 | Model1, Model1 | Model2):
        assert isinstance(construct({"foo": 1}, union), Model1)
        assert isinstance(construct({"foo": "1"}, union), Model2)
    assert isinstance(construct({"foo": None}, Model1 | Model2), Model1)
    assert isinstance(construct({"foo": None}, Model2 | Model1), Model2)


@pytest.mark.parametrize("value", [True, 5, "x", None])
def test_the_tag_wins_over_the_fit(value: object) -> None:
    """A tag decides, whatever the other fields are."""
    model = construct({"type": "b", "data": value}, A | B)

    assert isinstance(model, B)
    assert model.data == value


def test_an_unknown_tag_takes_the_first_or_an_open_member() -> None:
    value = {"type": "c", "data": None, "new_thing": "bar"}

    first = construct(value, A | B)
    open_ = construct(value, A | B | Unknown)

    assert isinstance(first, A)
    assert (first.type, first.data, first.new_thing) == ("c", None, "bar")
    assert isinstance(open_, Unknown)
    assert (open_.type, open_.new_thing) == ("c", "bar")


def test_members_that_share_a_tag_are_decided_by_the_fit() -> None:
    class A2(BaseModel):
        type: Literal["a"]
        data: str

    assert isinstance(construct({"type": "a", "data": True}, A | A2), A)
    assert isinstance(construct({"type": "a", "data": "x"}, A | A2), A2)
    assert isinstance(construct({"type": "a", "data": 5}, A | A2), A2)


def test_a_tag_may_have_any_name() -> None:
    class C(BaseModel):
        kind: Literal["c", "cc"]
        data: int

    class D(BaseModel):
        kind: Literal["d"]
        data: str

    assert isinstance(construct({"kind": "cc", "data": "x"}, C | D), C)
    assert isinstance(construct({"kind": "d", "data": 1}, C | D), D)


@pytest.mark.parametrize(
    "type_",
    [str | list[A | B] | None, Union[str, list[Union[A, B]], None]],  # noqa: UP007  # both spellings
    ids=["bar", "typing"],
)
def test_unions_of_scalars_and_containers(type_: Any) -> None:
    assert construct("text", type_) == "text"
    assert construct(None, type_) is None
    assert construct([{"type": "a", "data": True}], type_) == [A(type="a", data=True)]
    (misfit,) = construct([{"type": "b", "data": "wrong"}], type_)
    assert isinstance(misfit, B)
    assert construct(5, type_) == 5


def test_a_tag_that_is_not_text() -> None:
    assert isinstance(construct({"type": ["a"], "data": 1}, A | B), A)


# --- strictly -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    list[tuple[Any, Any, str]](
        [
            ({"foo": 1}, Basic, "Expected `str`, got `int` - at `$.foo`"),
            ({"other": 1}, Basic, "Object missing required field `foo`"),
            (["x"], Basic, "Expected `object`, got `list`"),
            ({"a": 1}, list[int], "Expected `array`, got `dict`"),
            ([1, 2, "x"], list[int], r"Expected `int`, got `str` - at `$\[2\]`"),
            ({"a": {"foo": None}}, dict[str, Basic], r"- at `$.a.foo`"),
            ({"type": "a", "data": "x"}, A | B, r"Expected `bool`, got `str` - at `$.data`"),
            ({"type": "c", "data": 1}, A | B, "Expected `A | B`, got `dict`"),
            ({"foo": 1}, Basic | None, "Expected `Basic | NoneType`"),
            (2**53 + 1, float, "Expected `float`"),
            ({"city": 1}, Place, "Expected `str`"),
            (
                {"name": "r", "children": [{"name": "a", "children": list[Tree]()}, {"name": 1}]},
                Tree,
                r"at `$.children\[1\].name`",
            ),
        ]
    ),
)
def test_strictly_a_mismatch_raises_and_says_where(value: Any, type_: Any, text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=text.replace("$", r"\$").replace("|", r"\|")):
        construct(value, type_, strict=True)


def test_strictly_what_fits_is_the_same_and_unknown_fields_are_kept() -> None:
    value = {"name": "x", "limit": 3, "more": [1]}

    model = construct(value, Settings, strict=True)

    assert model.to_dict() == value
    assert model.more == [1]


def test_strictly_a_number_without_a_fraction_is_an_int() -> None:
    """JSON does not distinguish 3.0 from 3."""
    built = construct(3.0, int, strict=True)

    assert (built, type(built)) == (3, int)


keys = st.text(max_size=3) | st.sampled_from(
    ["type", "data", "foo", "name", "children", "content", "limit", "tags", "to_dict", "__dict__", "_unset"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(value=json_values | st.dictionaries(keys, json_values, max_size=8))
@pytest.mark.parametrize("type_", [Everything, Basic, Tree, A | B, list[A | B | str], dict[str, Tree]])
def test_any_json_survives(value: Any, type_: Any) -> None:
    """Lenient construction loses nothing of what the API sends."""
    built = construct(value, type_)

    assert Box.construct(content=[built]).to_dict()["content"] == [value]
