"""One page of many: which page comes next (pure), and the two faces that fetch it.

A page knows its successor by `BasePage.next_page_info`, as a URL, as parameters of the query or as
members of the body; how that becomes the next request is the same for all pages and both faces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, get_origin

import attrs

from headrace_client._models.base_model import BaseModel
from headrace_client._requests.options import RAW_RESPONSE_HEADER, FinalRequestOptions

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
PageT = TypeVar("PageT", bound="BaseAsyncPage[Any]")


@attrs.frozen(kw_only=True)
class PageInfo:
    """Where the next page is: exactly one of the three.

    ``url``: its URL. ``params``: parameters that replace those of this page's query. ``json``: members
    that replace those of this page's body.
    """

    url: str | httpx.URL | None = None
    params: Mapping[str, object] | None = None
    json: Mapping[str, object] | None = None

    def __attrs_post_init__(self) -> None:
        if sum(place is not None for place in (self.url, self.params, self.json)) != 1:
            raise TypeError("a PageInfo takes exactly one of url, params and json")


class BasePage(BaseModel, Generic[T]):
    """What all pages have. A page of another API says what its items and its successor are."""

    def next_page_info(self) -> PageInfo | None:
        """Return where the next page is, None after the last."""
        raise NotImplementedError

    def _get_page_items(self) -> list[T]:
        raise NotImplementedError

    def has_next_page(self) -> bool:
        """Tell whether to go on: this page has items and names its successor."""
        return bool(self._get_page_items()) and self.next_page_info() is not None

    def attach(self, client: Any, cast_to: Any, options: FinalRequestOptions) -> None:
        """Note where the page comes from, which its successor is asked for in the same way."""
        vars(self).update(_client=client, _cast_to=cast_to, _options=options)

    def _next_options(self) -> FinalRequestOptions:
        info = self.next_page_info()
        if info is None or not self.has_next_page():
            raise RuntimeError("No next page expected; ask `.has_next_page()` before `.get_next_page()`.")
        return _following(self._options, info)


def _following(options: FinalRequestOptions, info: PageInfo) -> FinalRequestOptions:
    """Return the options of the next page's request. Raises `TypeError` if a body cannot take members."""
    headers = {
        name: value
        for name, value in options.header_layer.items()
        if name.lower() != RAW_RESPONSE_HEADER.lower()
    }
    options = options.replace(headers=headers)
    if info.params is not None:
        return options.replace(params={**options.params, **info.params})
    if info.url is not None:
        return options.replace(url=str(info.url))
    body = options.json_data
    if not isinstance(body, Mapping):
        raise TypeError("Pagination is only supported with mappings")
    return options.replace(json_data={**cast("Mapping[str, object]", body), **(info.json or {})})


class BaseSyncPage(BasePage[T]):
    """A page of a blocking client: iterating it goes over its items and those of all pages after it."""

    def __iter__(self) -> Iterator[T]:
        for page in self.iter_pages():
            yield from page._get_page_items()  # noqa: SLF001  # a page like this one

    def iter_pages(self) -> Iterator[Self]:
        """Go over this page and all after it."""
        page = self
        while True:
            yield page
            if not page.has_next_page():
                return
            page = page.get_next_page()

    def get_next_page(self) -> Self:
        """Fetch the next page. Raises `RuntimeError` after the last."""
        return self._client.request(self._cast_to, self._next_options())


class BaseAsyncPage(BasePage[T]):
    """A page of an asynchronous client: iterating it goes over its items and those of all pages after it."""

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.iter_pages())

    def iter_pages(self) -> AsyncIterator[Self]:
        """Go over this page and all after it."""
        return _Pages(self)

    async def get_next_page(self) -> Self:
        """Fetch the next page. Raises `RuntimeError` after the last."""
        return await self._client.request(self._cast_to, self._next_options())


class _Pages(AsyncIterator[PageT]):
    """Pages one after the other; a class and not a generator, because one left early would need closing."""

    def __init__(self, first: PageT) -> None:
        self._page = first
        self._started = False

    async def __anext__(self) -> PageT:
        if not self._started:
            self._started = True
        elif self._page.has_next_page():
            self._page = await self._page.get_next_page()
        else:
            raise StopAsyncIteration
        return self._page


class _Items(AsyncIterator[T]):
    def __init__(self, pages: AsyncIterator[BaseAsyncPage[T]]) -> None:
        self._pages = pages
        self._items: Iterator[T] = iter(())

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            page = await self._pages.__anext__()
            self._items = iter(page._get_page_items())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a page's own iterator


class AsyncPaginator(Generic[T, PageT]):
    """A list that has not been asked for yet: await it for its first page, or iterate it for all items."""

    def __init__(
        self, *, client: Any, options: FinalRequestOptions, page_cls: type[PageT], model: type[T]
    ) -> None:
        self._client = client
        self._options = options
        self._cast_to = page_type(page_cls, model)

    async def _first_page(self) -> PageT:
        return await self._client.request(self._cast_to, self._options)

    def __await__(self) -> Generator[Any, None, PageT]:
        return self._first_page().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(_FirstPages(self))


def page_type(page_cls: Any, model: Any) -> Any:
    """Return the type of pages whose items are of type ``model``, where the class leaves that open."""
    page_cls = get_origin(page_cls) or page_cls
    return page_cls[model] if getattr(page_cls, "__parameters__", ()) else page_cls


class _FirstPages(AsyncIterator[Any]):
    def __init__(self, paginator: AsyncPaginator[Any, Any]) -> None:
        self._paginator = paginator
        self._pages: AsyncIterator[Any] | None = None

    async def __anext__(self) -> Any:
        pages = self._pages = self._pages or (await self._paginator).iter_pages()
        return await pages.__anext__()


class _ListFields(BasePage[T], kw_only=True):
    data: list[T]
    has_more: bool | None = None

    def _get_page_items(self) -> list[T]:
        return self.data or []

    def has_next_page(self) -> bool:
        """Tell whether to go on; a server that does not say whether there is more may have more."""
        return self.has_more is not False and super().has_next_page()


class _IdFields(_ListFields[T], kw_only=True):
    first_id: str | None = None
    last_id: str | None = None

    def next_page_info(self) -> PageInfo | None:
        """Go backwards if this page was asked for with ``before_id``, else forwards."""
        backwards = self._options.params.get("before_id")
        name, value = ("before_id", self.first_id) if backwards else ("after_id", self.last_id)
        return PageInfo(params={name: value}) if value else None


class _TokenFields(_ListFields[T], kw_only=True):
    next_page: str | None = None

    def next_page_info(self) -> PageInfo | None:
        """Hand the token back as ``page_token``."""
        return PageInfo(params={"page_token": self.next_page}) if self.next_page else None


class _CursorFields(_ListFields[T], kw_only=True):
    next_page: str | None = None

    def next_page_info(self) -> PageInfo | None:
        """Hand the cursor back as ``page``."""
        return PageInfo(params={"page": self.next_page}) if self.next_page else None


class SyncPage(_IdFields[T], BaseSyncPage[T], kw_only=True):
    """A page that names its successor by the ids of its first and last items."""


class AsyncPage(_IdFields[T], BaseAsyncPage[T], kw_only=True):
    """A page that names its successor by the ids of its first and last items."""


class SyncTokenPage(_TokenFields[T], BaseSyncPage[T], kw_only=True):
    """A page that names its successor by a token."""


class AsyncTokenPage(_TokenFields[T], BaseAsyncPage[T], kw_only=True):
    """A page that names its successor by a token."""


class SyncPageCursor(_CursorFields[T], BaseSyncPage[T], kw_only=True):
    """A page that names its successor by a cursor."""


class AsyncPageCursor(_CursorFields[T], BaseAsyncPage[T], kw_only=True):
    """A page that names its successor by a cursor."""
