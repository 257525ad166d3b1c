"""Pages of lists: which page comes next (pure), and how the two clients fetch it.

A page gives its successor in `BasePage.next_page_info`: as a URL, as query parameters or as members of the
body. How that becomes the next request is the same for all pages and both clients.
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
    """Where the next page is. Raises `TypeError` unless exactly one of the three is given.

    ``url``: its URL. ``params``: parameters that replace those of this page's query. ``json``: members that
    replace those of this page's body.
    """

    url: str | httpx.URL | None = None
    params: Mapping[str, object] | None = None
    json: Mapping[str, object] | None = None

    def __attrs_post_init__(self) -> None:
        if sum(place is not None for place in (self.url, self.params, self.json)) != 1:
            raise TypeError("a PageInfo takes exactly one of url, params and json")


class BasePage(BaseModel, Generic[T]):
    """The base class of all pages. A page of another API defines its items and its successor."""

    def next_page_info(self) -> PageInfo | None:
        """Return where the next page is, None after the last one."""
        raise NotImplementedError

    def _get_page_items(self) -> list[T]:
        raise NotImplementedError

    def has_next_page(self) -> bool:
        """Return whether there is a next page: this one has items and names its successor."""
        return bool(self._get_page_items()) and self.next_page_info() is not None

    def attach(self, client: Any, cast_to: Any, options: FinalRequestOptions) -> None:
        """Remember how the page was requested: its successor is requested in the same way."""
        vars(self).update(_client=client, _cast_to=cast_to, _options=options)

    def _next_options(self) -> FinalRequestOptions:
        info = self.next_page_info()
        if info is None or not self.has_next_page():
            raise RuntimeError("No next page expected; ask `.has_next_page()` before `.get_next_page()`.")
        return _following(self._options, info)


def _following(options: FinalRequestOptions, info: PageInfo) -> FinalRequestOptions:
    """Return the options for the next page. Raises `TypeError` if it needs a mapping as body."""
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
    """A page of a blocking client. Iterate it for its items and those of all later pages.

    Fetching a page raises `APIError`.
    """

    def __iter__(self) -> Iterator[T]:
        for page in self.iter_pages():
            yield from page._get_page_items()  # noqa: SLF001  # a page like this one

    def iter_pages(self) -> Iterator[Self]:
        """Iterate over this page and all later ones. Raises `APIError`."""
        page = self
        while True:
            yield page
            if not page.has_next_page():
                return
            page = page.get_next_page()

    def get_next_page(self) -> Self:
        """Fetch the next page. Raises `APIError`, and `RuntimeError` after the last page."""
        return self._client.request(self._cast_to, self._next_options())


class BaseAsyncPage(BasePage[T]):
    """A page of an asynchronous client. Iterate it for its items and those of all later pages.

    Fetching a page raises `APIError`.
    """

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.iter_pages())

    def iter_pages(self) -> AsyncIterator[Self]:
        """Iterate over this page and all later ones. Raises `APIError`."""
        return _Pages(self)

    async def get_next_page(self) -> Self:
        """Fetch the next page. Raises `APIError`, and `RuntimeError` after the last page."""
        return await self._client.request(self._cast_to, self._next_options())


class _Pages(AsyncIterator[PageT]):
    """Successive pages. A class, because a generator that is left early would have to be closed."""

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
    """A list that has not been requested yet: await it for its first page, or iterate it for all items.

    Both raise `APIError`.
    """

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
    """Return the type of pages with items of type ``model``, if the class is generic."""
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
        """Return whether there is a next page; without ``has_more`` there may be one."""
        return self.has_more is not False and super().has_next_page()


class _IdFields(_ListFields[T], kw_only=True):
    first_id: str | None = None
    last_id: str | None = None

    def next_page_info(self) -> PageInfo | None:
        """Return the page before this one if this was requested with ``before_id``, else the one after it."""
        backwards = self._options.params.get("before_id")
        name, value = ("before_id", self.first_id) if backwards else ("after_id", self.last_id)
        return PageInfo(params={name: value}) if value else None


class _TokenFields(_ListFields[T], kw_only=True):
    next_page: str | None = None

    def next_page_info(self) -> PageInfo | None:
        """Return the token as ``page_token``."""
        return PageInfo(params={"page_token": self.next_page}) if self.next_page else None


class _CursorFields(_ListFields[T], kw_only=True):
    next_page: str | None = None

    def next_page_info(self) -> PageInfo | None:
        """Return the cursor as ``page``."""
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
