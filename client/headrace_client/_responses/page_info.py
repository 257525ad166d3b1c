"""Where the next page of a list is, and whether a list goes round in circles. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    import httpx

_RECENT: Final = 16
"""A circle of at most this many pages is seen as soon as it closes, a longer one in its third round."""


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


@attrs.frozen
class Trail:
    """The places of the pages that led to a page, in bounded memory.

    It keeps the most recent ones, and one earlier place that moves on after 1, 2, 4, 8, ... pages, so that a
    circle of any length comes back to it (Brent, "An improved Monte Carlo factorization algorithm", 1980).
    """

    _recent: tuple[PageInfo, ...] = ()
    _earlier: PageInfo | None = None
    _pages: int = 0
    """How many pages came after the earlier place."""
    _moves_after: int = 1

    def __contains__(self, info: PageInfo) -> bool:
        """Whether a page from this place is known to have been fetched."""
        return info in self._recent or info == self._earlier

    def followed_by(self, info: PageInfo) -> Trail:
        """Return the trail of the page that is fetched from a place."""
        recent = (*self._recent, info)[-_RECENT:]
        if self._earlier is None or self._pages == self._moves_after:
            return Trail(recent, info, 0, 2 * self._moves_after)
        return Trail(recent, self._earlier, self._pages + 1, self._moves_after)


def says_more(has_more: Any) -> bool | None:
    """Return whether a list says that there are more pages, as a boolean, a number or text; None: neither."""
    if isinstance(has_more, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(has_more.strip().lower())
    return bool(has_more) if isinstance(has_more, bool | int | float) else None


def cursor(value: Any) -> str | int | None:
    """Return an id or a token if it can stand for a place in a list, else None."""
    if isinstance(value, str):
        return value or None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
