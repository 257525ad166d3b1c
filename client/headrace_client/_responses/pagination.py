"""Pages of lists: which page comes next (pure), and how the two clients fetch it.

A page gives its successor in `BasePage.next_page_info`: as a URL, as query parameters or as members of the
body. How that becomes the next request is the same for all pages and both clients.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, get_origin

from headrace_client._exceptions import APIResponseValidationError
from headrace_client._models.base_model import BaseModel
from headrace_client._requests.options import RAW_RESPONSE_HEADER, FinalRequestOptions

from .page_info import PageInfo, Trail

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
PageT = TypeVar("PageT", bound="BaseAsyncPage[Any]")


class BasePage(BaseModel, Generic[T]):
    """The base class of all pages. A page of another API defines its items and its successor."""

    def next_page_info(self) -> PageInfo | None:
        """Return where the next page is, None after the last one."""
        raise NotImplementedError

    def _get_page_items(self) -> list[T]:
        raise NotImplementedError

    def has_next_page(self) -> bool:
        """Return whether there is a next page: this one has items and names its successor.

        Raises `APIResponseValidationError` if that is a page that led to this one.
        """
        return bool(self._get_page_items()) and self._next_place() is not None

    def check(self, response: httpx.Response) -> None:
        """Raise `APIResponseValidationError` if the body is not that of a page."""

    def attach(
        self, client: Any, cast_to: Any, options: FinalRequestOptions, response: httpx.Response | None = None
    ) -> None:
        """Remember how the page was requested: its successor is requested in the same way."""
        vars(self).update(_client=client, _cast_to=cast_to, _options=options, _response=response)

    def _next_place(self) -> PageInfo | None:
        """Return where the next page is. Raises `APIResponseValidationError` if pages would come again."""
        info = self.next_page_info()
        if info is not None and (info in self._trail or _is_same(self._options, info)):
            raise self._invalid(
                "it names a page that has been fetched before, so that the list would not end"
            )
        return info

    @property
    def _trail(self) -> Trail:
        return vars(self).get("_trail_so_far", Trail())

    def _invalid(self, problem: str) -> Exception:
        """Return the error for a page that does not say how to reach the rest of its list."""
        message = f"The next page of this list cannot be requested: {problem}."
        response: httpx.Response | None = vars(self).get("_response")
        if response is None:  # a page that was not built from a response
            return ValueError(message)
        return APIResponseValidationError(response, self.to_dict(mode="json"), message=message)

    def _next_request(self) -> tuple[FinalRequestOptions, Trail]:
        """Return how to request the next page, and its trail. Raises `RuntimeError` after the last page."""
        info = self._next_place() if self.has_next_page() else None
        if info is None:
            raise RuntimeError("No next page expected; ask `.has_next_page()` before `.get_next_page()`.")
        return _following(self._options, info), self._trail.followed_by(info)


def attached(
    parsed: Any, cast_to: Any, client: Any, options: FinalRequestOptions, response: httpx.Response
) -> Any:
    """Return a page that knows how it was requested; what is not a page, where none was requested, as it is.

    Raises `APIResponseValidationError` if a page was requested and the body is not one.
    """
    page_cls: Any = get_origin(cast_to) or cast_to
    if isinstance(parsed, BasePage):
        page = cast("BasePage[Any]", parsed)
        page.check(response)
        page.attach(client, cast_to, options, response)
        return page
    if isinstance(page_cls, type) and issubclass(page_cls, BasePage):
        kind = type(parsed).__name__
        raise APIResponseValidationError(
            response, parsed, message=f"Expected a page of a list, but the body is of the type {kind}."
        )
    return parsed


def _is_same(options: FinalRequestOptions, info: PageInfo) -> bool:
    """Return whether a page's successor is the page itself."""
    following = _following(options, info)
    return (following.url, following.params, following.json_data) == (
        options.url,
        options.params,
        options.json_data,
    )


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
        options, trail = self._next_request()
        page: Self = self._client.request(self._cast_to, options)
        vars(page)["_trail_so_far"] = trail
        return page


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
        options, trail = self._next_request()
        page: Self = await self._client.request(self._cast_to, options)
        vars(page)["_trail_so_far"] = trail
        return page


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
