"""The methods of every typed response."""

import copy
import datetime as dt
import json
import pickle
from typing import Any

import pytest

from headrace_client._models.base_model import BaseModel, with_request_id
from headrace_client._models.construct import construct

from .example_models import Basic, Renamed, Settings, Tree

UTC = dt.UTC


def test_to_dict_leaves_out_unset_fields() -> None:
    model = Settings.construct(name="x", note=None, extra=1)

    assert model.to_dict() == {"name": "x", "note": None, "extra": 1}
    assert model.to_dict(exclude_unset=False) == {
        "limit": 10,
        "note": None,
        "tags": [],
        "name": "x",
        "extra": 1,
    }
    assert model.to_dict(exclude_none=True) == {"name": "x", "extra": 1}
    assert model.to_dict(exclude_defaults=True) == {"name": "x", "extra": 1}
    assert Settings(name="x", limit=10, tags=["a"]).to_dict() == {"name": "x", "tags": ["a"]}


def test_to_dict_modes_and_names() -> None:

    class Event(BaseModel):
        at: dt.datetime
        inner: list[Renamed]

    model = construct({"at": "2024-01-01T00:00:00Z", "inner": [{"from": "x"}]}, Event)

    assert model.to_dict() == {"at": dt.datetime(2024, 1, 1, tzinfo=UTC), "inner": [{"from": "x"}]}
    assert model.to_dict(mode="json") == {"at": "2024-01-01T00:00:00Z", "inner": [{"from": "x"}]}
    assert model.to_dict(use_api_names=False)["inner"] == [{"from_": "x"}]


def test_to_json() -> None:
    model = construct({"foo": "ü", "more": {"a": [1]}}, Basic)

    assert model.to_json(indent=None) == '{"foo":"ü","more":{"a":[1]}}'
    assert model.to_json() == json.dumps({"foo": "ü", "more": {"a": [1]}}, indent=2, ensure_ascii=False)


def test_fields_set() -> None:
    assert construct({"name": "x", "more": 1}, Settings).model_fields_set == {"name", "more"}
    assert Settings(name="x").model_fields_set == {"name"}
    assert Settings.construct(_fields_set={"limit"}, name="x").model_fields_set == {"limit"}


def test_repr_shows_unknown_fields() -> None:
    assert repr(construct({"foo": "a", "bar": 1}, Basic)) == "Basic(foo='a', bar=1)"


def pickled(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_copies_keep_unknown_fields(copied: Any) -> None:
    model = construct({"name": "x", "bar": {"a": 1}}, Settings)

    twin = copied(model)

    assert twin == model
    assert (twin.bar, twin.model_fields_set) == ({"a": 1}, {"name", "bar"})


def test_only_the_response_itself_has_a_request_id() -> None:
    tree = with_request_id(construct({"name": "r", "children": [{"name": "c"}]}, Tree), "req_1")

    assert tree._request_id == "req_1"
    assert tree.to_dict() == {"name": "r", "children": [{"name": "c"}]}
    with pytest.raises(AttributeError):
        _ = tree.children[0]._request_id
