"""The pages of this API's lists: which fields say where the next page is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from headrace_client._exceptions import APIResponseValidationError

from .page_info import PageInfo, cursor, says_more
from .pagination import BaseAsyncPage, BasePage, BaseSyncPage

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class _ListFields(BasePage[T], kw_only=True):
    """A list that says with ``has_more`` whether there are more pages, and names the next one by a cursor.

    Without ``has_more``, a cursor says that there are more. An empty page is not the end of a list.
    """

    data: list[T]
    has_more: bool | None = None

    def _get_page_items(self) -> list[T]:
        return self.data or []

    def check(self, response: httpx.Response) -> None:
        """Raise `APIResponseValidationError` if the body is not that of a list. Null is an empty one."""
        items: Any = self.data  # a model is built without validation
        given = self.model_fields_set
        if items is None and ("data" in given or "has_more" in given):
            self.data = []
        elif not isinstance(items, list):
            message = "Expected a page of a list, but the body has no array `data`."
            raise APIResponseValidationError(response, self.to_dict(mode="json"), message=message)

    def has_next_page(self) -> bool:
        """Return whether there is a next page.

        Raises `APIResponseValidationError` if ``has_more`` says so, but no cursor says where it is, or one
        that has been used before.
        """
        return self._next_place() is not None

    def _cursor(self) -> tuple[str, str, object]:
        """Return the parameter of the next request, and the name and value of the field that holds it."""
        raise NotImplementedError

    def next_page_info(self) -> PageInfo | None:
        """Return where the next page is, None after the last one.

        Raises `APIResponseValidationError` if there is one, but the page does not say where.
        """
        more = says_more(self.has_more)
        if more is False:
            return None
        parameter, field, given = self._cursor()
        value = cursor(given)
        if value is None and more:
            raise self._invalid(f"has_more is true, but {field} does not say where it begins")
        return None if value is None else PageInfo(params={parameter: value})


class _IdFields(_ListFields[T], kw_only=True):
    first_id: str | None = None
    last_id: str | None = None

    def _cursor(self) -> tuple[str, str, object]:
        """Return the page before this one if this was requested with ``before_id``, else the one after it."""
        if self._options.params.get("before_id"):
            return "before_id", "first_id", self.first_id
        return "after_id", "last_id", self.last_id

    def next_page_info(self) -> PageInfo | None:
        """Return where the next page is, None after the last one.

        Without ``has_more``, it comes after an empty page: its ids belong to no item. Raises
        `APIResponseValidationError` if there is one, but the page does not say where.
        """
        if says_more(self.has_more) is None and not self._get_page_items():
            return None
        return super().next_page_info()


class _TokenFields(_ListFields[T], kw_only=True):
    next_page: str | None = None

    def _cursor(self) -> tuple[str, str, object]:
        return "page_token", "next_page", self.next_page


class _CursorFields(_ListFields[T], kw_only=True):
    next_page: str | None = None

    def _cursor(self) -> tuple[str, str, object]:
        return "page", "next_page", self.next_page


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
