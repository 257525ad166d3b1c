"""Redirects, followed within one origin only (pure): the rules are in `_wire.redirects`.

A response with a ``Location`` becomes the options of the next request, or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace_client._exceptions import APIRedirectError
from headrace_client._requests.options import FinalRequestOptions
from headrace_client._wire.redirects import REDIRECTS, redirect_target, same_origin, shown_url

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 20


def is_redirect(response: httpx.Response) -> bool:
    """Return whether the response names another location."""
    return response.status_code in REDIRECTS and "location" in response.headers


def redirected(
    options: FinalRequestOptions, response: httpx.Response, hops: int, *, repeatable: bool
) -> FinalRequestOptions:
    """Return the request that follows a redirect. ``hops``: the number of redirects of this call, from 1.

    Raises `APIRedirectError` if the redirect leads to another origin, after 20 of them, and if the body would
    have to be sent again but is not ``repeatable``.
    """
    here, location = str(response.request.url), response.headers["location"]
    following = options.replace(
        url=redirect_target(here, location),
        params={},
        redirected=True,
        **_changes(response.status_code, options.method),
    )
    if problem := _problem(here, following, hops, repeatable):
        raise APIRedirectError(problem, response.request, status_code=response.status_code, location=location)
    return following


def _problem(here: str, following: FinalRequestOptions, hops: int, repeatable: bool) -> str | None:
    if not same_origin(here, following.url):
        return (
            f"Refused to follow a redirect to another origin ({shown_url(following.url)}):"
            " it gets neither credentials nor body. If it is the right server, set it as the base URL."
        )
    if not repeatable and (following.content is not None or following.files is not None):
        return "Cannot follow a redirect with a body that can be read only once"
    return f"Gave up after {MAX_REDIRECTS} redirects" if hops > MAX_REDIRECTS else None


def _changes(status: int, method: str) -> dict[str, object]:
    """Return the other changes: a 303, and as in browsers a 301 or 302 after a POST, leads to a GET."""
    method = method.upper()
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        return {"method": "get", "json_data": None, "extra_json": None, "content": None, "files": None}
    return {}
