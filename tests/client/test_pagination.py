"""Pages of lists."""

from __future__ import annotations

import inspect
import json
from typing import Any, TypeVar

import httpx
import pytest

from headrace_client import (
    AsyncPage,
    AsyncPaginator,
    BaseAsyncPage,
    BaseModel,
    BaseSyncPage,
    PageInfo,
    SyncPage,
)
from headrace_client._responses.list_pages import (
    AsyncPageCursor,
    AsyncTokenPage,
    SyncPageCursor,
    SyncTokenPage,
)
from headrace_client._responses.pagination import BasePage
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import ASYNC_ONLY, Backend, each, settle

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Item(BaseModel):
    id: str


class Linked(BasePage[Item]):
    """A page class of a user, for one type of items."""

    data: list[Item]
    next: str | None = None

    def _get_page_items(self) -> list[Item]:
        return self.data

    def next_page_info(self) -> PageInfo | None:
        return PageInfo(url=httpx.URL(self.next)) if self.next else None


class SyncLinked(Linked, BaseSyncPage[Item]): ...


class AsyncLinked(Linked, BaseAsyncPage[Item]): ...


class Posted(BasePage[T]):
    """A page class of a user, for any type of items."""

    data: list[T]

    def _get_page_items(self) -> list[T]:
        return self.data

    def next_page_info(self) -> PageInfo:
        return PageInfo(json={"page": 2})


class SyncPosted(Posted[T], BaseSyncPage[T]): ...


class AsyncPosted(Posted[T], BaseAsyncPage[T]): ...


def items(*names: str, **fields: Any) -> Any:
    return reply(json={"data": [{"id": name} for name in names], **fields})


FIRST = items("a", "b", has_more=True, first_id="a", last_id="b")
SECOND = items("c", has_more=False, first_id="c", last_id="c")


async def ask(backend: Backend, *script: Any, page: Any = None, **call: Any) -> tuple[Any, ScriptedAPI]:
    """Return what `get_api_list` returns: a page, or a paginator."""
    client, api = backend.scripted(*script)
    page_cls = page or (AsyncPage[Item] if backend.is_async else SyncPage[Item])
    return client.get_api_list("/items", model=Item, page=page_cls, **call), api


async def test_iterating_goes_over_all_pages(backend: Backend) -> None:
    """The first page need not be awaited."""
    listing, api = await ask(
        backend, FIRST, SECOND, options={"params": {"limit": 2}, "headers": {"X-Mine": "1"}}
    )

    found = [item async for item in each(listing)]

    assert found == [Item(id="a"), Item(id="b"), Item(id="c")]
    assert [dict(request.url.params) for request in api.requests] == [
        {"limit": "2"},
        {"limit": "2", "after_id": "b"},
    ]
    assert [request.headers["x-mine"] for request in api.requests] == ["1", "1"]


@ASYNC_ONLY
async def test_an_asynchronous_list_is_not_requested_until_awaited(backend: Backend) -> None:
    listing, api = await ask(backend, FIRST)

    assert AsyncPaginator in type(listing).__mro__
    assert (len(api.requests), inspect.isawaitable(listing)) == (0, True)
    page = await listing
    assert (type(page), page.has_more, page.last_id) == (AsyncPage, True, "b")


async def test_iter_pages_and_get_next_page(backend: Backend) -> None:
    listing, _ = await ask(backend, FIRST, SECOND, SECOND)
    page = await settle(listing)

    pages = [page async for page in each(page.iter_pages())]
    following = await settle(page.get_next_page())

    assert [[item.id for item in page.data] for page in pages] == [["a", "b"], ["c"]]
    assert following.data == [Item(id="c")]
    assert type(following) is type(page)
    with pytest.raises(RuntimeError, match=r"^No next page expected"):
        await settle(following.get_next_page())


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"data": [{"id": "a"}], "has_more": True, "last_id": "a"}, True),
        ({"data": [{"id": "a"}], "has_more": False, "last_id": "a"}, False),
        ({"data": [{"id": "a"}], "last_id": "a"}, True),
        ({"data": [{"id": "a"}], "last_id": None}, False),
        ({"data": [], "has_more": True, "last_id": "a"}, True),
        ({"data": [], "last_id": "a"}, False),
    ],
    ids=["more", "no more", "not said", "no id", "empty", "empty, and not said"],
)
async def test_whether_there_is_a_next_page(backend: Backend, fields: dict[str, Any], more: bool) -> None:
    listing, _ = await ask(backend, reply(json=fields))

    assert (await settle(listing)).has_next_page() is more


async def test_going_backwards(backend: Backend) -> None:
    listing, api = await ask(
        backend,
        items("y", "z", has_more=True, first_id="y", last_id="z"),
        items("x", has_more=False, first_id="x", last_id="x"),
        options={"params": {"before_id": "end", "limit": 2}},
    )

    assert [item.id async for item in each(listing)] == ["y", "z", "x"]
    assert dict(api.requests[1].url.params) == {"before_id": "y", "limit": "2"}


@pytest.mark.parametrize(
    ("sync_page", "async_page", "name"),
    [(SyncTokenPage, AsyncTokenPage, "page_token"), (SyncPageCursor, AsyncPageCursor, "page")],
)
async def test_tokens_and_cursors(backend: Backend, sync_page: Any, async_page: Any, name: str) -> None:
    page = async_page if backend.is_async else sync_page
    listing, api = await ask(backend, items("a", next_page="t1"), items("b", next_page=None), page=page[Item])

    assert [item.id async for item in each(listing)] == ["a", "b"]
    assert dict(api.requests[1].url.params) == {name: "t1"}


async def test_the_next_page_may_be_a_url(backend: Backend) -> None:
    """Its parameters are merged with those of the request."""
    url = "https://api.anthropic.com/elsewhere?cursor=x&limit=1"
    page = AsyncLinked if backend.is_async else SyncLinked
    listing, api = await ask(
        backend, items("a", next=url), items("b"), page=page, options={"params": {"limit": 5}}
    )

    assert [item.id async for item in each(listing)] == ["a", "b"]
    assert api.requests[1].url.path == "/elsewhere"
    assert dict(api.requests[1].url.params) == {"cursor": "x", "limit": "5"}


@pytest.mark.parametrize("body", [{"q": 1, "page": 1}, ["no mapping"]], ids=["mapping", "list"])
async def test_the_next_page_may_be_requested_in_the_body(backend: Backend, body: object) -> None:
    page = AsyncPosted[Item] if backend.is_async else SyncPosted[Item]
    listing, api = await ask(backend, items("a"), items(), page=page, method="post", body=body)

    if isinstance(body, dict):
        assert [item.id async for item in each(listing)] == ["a"]
        assert json.loads(api.requests[1].content) == {"q": 1, "page": 2}
    else:
        page = await settle(listing)
        with pytest.raises(TypeError, match="Pagination is only supported with mappings"):
            await settle(page.get_next_page())


async def test_following_pages_are_not_raw(backend: Backend) -> None:
    """The header for a raw response applies to the first page only."""
    client, api = backend.scripted(FIRST, SECOND)

    raw = await settle(client.models.with_raw_response.list(limit=2))
    page = await settle(raw.parse())
    found = [model.id async for model in each(page)]

    assert found == ["a", "b", "c"]
    assert "x-stainless-raw-response" in api.requests[0].headers
    assert "x-stainless-raw-response" not in api.requests[1].headers


@pytest.mark.parametrize("places", [{}, {"url": "/x", "params": {}}])
def test_a_page_info_has_exactly_one_place(places: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="exactly one"):
        PageInfo(**places)


async def test_a_page_keeps_unknown_fields_and_has_a_request_id(backend: Backend) -> None:
    listing, _ = await ask(backend, reply(json={"data": [], "odd": 1}, headers={"request-id": "r"}))

    page = await settle(listing)

    assert (page.odd, page._request_id) == (1, "r")
    assert page.to_dict() == {"data": [], "odd": 1}
