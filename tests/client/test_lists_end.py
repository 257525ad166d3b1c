"""Lists end: with all their items, or with an error, but neither short nor never.

A list that says that there is more (`has_more`), but not where, or names a page that has been fetched
already, is an error. An empty page in the middle is not the end.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_client import APIResponseValidationError, AsyncPage, BaseModel, PageInfo, SyncPage
from headrace_client._responses.list_pages import (
    AsyncPageCursor,
    AsyncTokenPage,
    SyncPageCursor,
    SyncTokenPage,
)
from headrace_client._responses.page_info import Trail, cursor, says_more
from headrace_client.testing import Reply, ScriptedAPI, reply
from tests.client.backends import Backend, each, settle

pytestmark = pytest.mark.anyio


class Item(BaseModel):
    id: str


def page(*ids: str, **fields: Any) -> Reply:
    return reply(json={"data": [{"id": name} for name in ids], **fields})


PAGES = {
    "id": (SyncPage[Item], AsyncPage[Item], "last_id", "after_id"),
    "token": (SyncTokenPage[Item], AsyncTokenPage[Item], "next_page", "page_token"),
    "cursor": (SyncPageCursor[Item], AsyncPageCursor[Item], "next_page", "page"),
}
KINDS = pytest.mark.parametrize("kind", PAGES)


def ask(backend: Backend, *script: Any, kind: str = "id", **params: Any) -> tuple[Any, ScriptedAPI]:
    client, api = backend.scripted(*script)
    page_cls = PAGES[kind][backend.is_async]
    return client.get_api_list("/items", model=Item, page=page_cls, options={"params": params}), api


async def read(listing: Any) -> tuple[list[str], Exception | None]:
    """Return the ids of all items, and the error that ended the list."""
    found: list[str] = []
    try:
        async for item in each(await settle(listing)):
            found.append(item.id)  # noqa: PERF401  # an error may end it
    except APIResponseValidationError as error:
        return found, error
    return found, None


# -- has_more without a place


@KINDS
@pytest.mark.parametrize("place", [(), (None,), ("",), ([],), ({"id": "a"},), (True,)])
@pytest.mark.parametrize("ids", [(), ("a", "b")])
async def test_more_without_a_place_is_an_error(
    backend: Backend, kind: str, place: tuple[Any, ...], ids: tuple[str, ...]
) -> None:
    name = PAGES[kind][2]
    fields = dict.fromkeys([name] * len(place), *place)
    listing, api = ask(backend, page(*ids, has_more=True, **fields), kind=kind)

    found, error = await read(listing)

    assert found == list(ids)
    assert f"has_more is true, but {name} does not say where" in str(error)
    assert len(api.requests) == 1


async def test_all_ways_to_ask_agree(backend: Backend) -> None:
    listing, _ = ask(backend, page("a", has_more=True))
    first = await settle(listing)

    ways: list[Callable[[], Any]] = [first.next_page_info, first.has_next_page, first.get_next_page]
    for ask_again in ways:
        with pytest.raises(APIResponseValidationError, match="has_more is true") as caught:
            await settle(ask_again())
        assert caught.value.body == {"data": [{"id": "a"}], "has_more": True}
        assert caught.value.status_code == 200


async def test_backwards_the_first_id_is_the_place(backend: Backend) -> None:
    script = [
        page("c", has_more=True, first_id="c", last_id="c"),
        page("b", has_more=True, last_id="b"),
    ]
    listing, api = ask(backend, *script, before_id="d")

    found, error = await read(listing)

    assert found == ["c", "b"]
    assert "first_id does not say where" in str(error)
    assert [request.url.params["before_id"] for request in api.requests] == ["d", "c"]


# -- circles


def circle(length: int, start: int = 0) -> Callable[[httpx.Request], Reply]:
    """A server whose pages go round: after ``start`` pages, the last ``length`` come again and again."""
    places = itertools.count()

    def respond(_: httpx.Request) -> Reply:
        number = next(places)
        place = number if number < start else start + (number - start) % length
        return page(f"m{number}", has_more=True, last_id=f"m{place}", next_page=f"m{place}")

    return respond


@KINDS
@pytest.mark.parametrize(("length", "start"), [(1, 0), (2, 0), (3, 0), (2, 5), (1, 7), (16, 0), (16, 30)])
async def test_a_short_circle_is_seen_when_it_closes(
    backend: Backend, kind: str, length: int, start: int
) -> None:
    listing, api = ask(backend, *itertools.repeat(circle(length, start), 200), kind=kind)

    found, error = await read(listing)

    assert "has been fetched before" in str(error)
    assert len(api.requests) == len(found) == start + length + 1


@pytest.mark.parametrize(("length", "start"), [(17, 0), (40, 3), (100, 64)])
async def test_a_long_circle_is_seen_in_its_third_round(backend: Backend, length: int, start: int) -> None:
    listing, api = ask(backend, *itertools.repeat(circle(length, start), 1_000))

    _, error = await read(listing)

    assert "has been fetched before" in str(error)
    assert len(api.requests) <= 3 * (start + length) + 2


async def test_a_server_that_knows_no_cursor_gives_its_page_again(backend: Backend) -> None:
    """Without ``has_more`` the same page would come for ever."""
    listing, api = ask(backend, *[page("a", "b", last_id="b")] * 9)

    found, error = await read(listing)

    assert found == ["a", "b", "a", "b"]
    assert "has been fetched before" in str(error)
    assert len(api.requests) == 2


async def test_a_page_that_names_itself_is_an_error_at_once(backend: Backend) -> None:
    listing, api = ask(backend, page("a", has_more=True, last_id="z"), after_id="z")

    found, error = await read(listing)

    assert (found, len(api.requests)) == (["a"], 1)
    assert "has been fetched before" in str(error)


async def test_a_circle_is_seen_by_a_loop_over_get_next_page(backend: Backend) -> None:
    listing, api = ask(backend, *itertools.repeat(circle(2), 20))
    current = await settle(listing)

    current = await settle(current.get_next_page())
    current = await settle(current.get_next_page())

    with pytest.raises(APIResponseValidationError, match="has been fetched before"):
        current.has_next_page()
    assert len(api.requests) == 3


async def test_the_next_page_can_be_requested_twice(backend: Backend) -> None:
    """After an error, or by two tasks: that is no circle."""
    script = [page("a", has_more=True, last_id="a"), *[page("b", has_more=True, last_id="b")] * 2, page("c")]
    listing, _ = ask(backend, *script)
    first = await settle(listing)

    second = await settle(first.get_next_page())
    again = await settle(first.get_next_page())
    third = await settle(again.get_next_page())

    assert [item.id for each_page in (first, second, again, third) for item in each_page.data] == list("abbc")


@given(st.integers(0, 200), st.integers(1, 200))
def test_a_trail_sees_every_circle_and_nothing_else(start: int, length: int) -> None:
    def place(number: int) -> PageInfo:
        at = number if number < start else start + (number - start) % length
        return PageInfo(params={"after_id": at})

    trail, seen = Trail(), 0
    while place(seen) not in trail:
        trail = trail.followed_by(place(seen))
        seen += 1

    assert seen >= start + length  # not before the circle closes
    assert seen <= 3 * (start + length) + 1
    assert len(trail._recent) <= 16


# -- lists that go on, and lists that end


@KINDS
@pytest.mark.parametrize("empty", [{"data": []}, {"data": None}, {}])
async def test_an_empty_page_with_more_goes_on(backend: Backend, kind: str, empty: dict[str, Any]) -> None:
    name, parameter = PAGES[kind][2:]
    script = [
        page("a", has_more=True, **{name: "1"}),
        reply(json={**empty, "has_more": True, name: "2"}),
        reply(json={**empty, "has_more": True, name: "3"}),
        page("b", has_more=False, **{name: None}),
    ]
    listing, api = ask(backend, *script, kind=kind)

    assert await read(listing) == (["a", "b"], None)
    assert [request.url.params.get(parameter) for request in api.requests] == [None, "1", "2", "3"]


@KINDS
@pytest.mark.parametrize(
    "last",
    [
        {"data": [{"id": "b"}], "has_more": False},
        {"data": [{"id": "b"}], "has_more": False, "last_id": "b", "next_page": "b"},
        {"data": [{"id": "b"}], "has_more": "false", "last_id": "b", "next_page": "b"},
        {"data": [{"id": "b"}], "has_more": 0, "last_id": "a", "next_page": "a"},
        {"data": [{"id": "b"}]},
        {"data": [{"id": "b"}], "has_more": None, "last_id": None, "next_page": None},
    ],
)
async def test_the_last_page_ends_the_list(backend: Backend, kind: str, last: dict[str, Any]) -> None:
    first = page("a", has_more="true", last_id="a", next_page="a")
    listing, api = ask(backend, first, reply(json=last), kind=kind)

    assert await read(listing) == (["a", "b"], None)
    assert len(api.requests) == 2


@pytest.mark.parametrize("fields", [{"data": None, "has_more": False}, {"data": []}, {"data": None}])
async def test_null_is_an_empty_list(backend: Backend, fields: dict[str, Any]) -> None:
    listing, _ = ask(backend, reply(json=fields))

    only = await settle(listing)

    assert (only.data, only.has_next_page(), only.next_page_info()) == ([], False, None)


async def test_the_list_of_another_api_ends_without_has_more(backend: Backend) -> None:
    listing, _ = ask(backend, reply(json={"object": "list", "data": [{"id": "a", "object": "model"}]}))

    assert await read(listing) == (["a"], None)


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "a"}],
        "a",
        5,
        {},
        {"error": {"message": "no"}},
        {"data": {"id": "a"}, "has_more": False},
        {"data": "a"},
        {"models": [{"id": "a"}]},
    ],
    ids=json.dumps,
)
async def test_what_is_not_a_page_is_an_error(backend: Backend, body: object) -> None:
    with pytest.raises(APIResponseValidationError, match="Expected a page of a list"):
        await settle(ask(backend, reply(json=body))[0])


@pytest.mark.parametrize(
    ("has_more", "more"),
    [
        (True, True),
        (1, True),
        ("true", True),
        (" True ", True),
        ("1", True),
        (False, False),
        (0, False),
        ("False", False),
        ("0", False),
        (None, None),
        ("", None),
        ("perhaps", None),
        ([], None),
        ({}, None),
    ],
    ids=repr,
)
def test_what_a_list_says_about_more(has_more: object, more: bool | None) -> None:
    assert says_more(has_more) is more


@pytest.mark.parametrize(
    ("value", "place"),
    [("a", "a"), (5, 5), (0, 0), ("", None), (None, None), (True, None), ([], None), (1.5, None)],
)
def test_what_can_stand_for_a_place(value: object, place: object) -> None:
    assert cursor(value) == place
