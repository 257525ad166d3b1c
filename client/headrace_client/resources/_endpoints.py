"""What the endpoints without a prompt share: parameters in the query, lists in pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from headrace_client._requests.arguments import RequestArguments
from headrace_client._requests.options import Omit, RequestExtras, given, make_request_options

from ._resource import EXTRAS, check_names


class ListParams(RequestExtras, total=False):
    """The parameters of every list: ``limit`` items per page, after or before the item with an id."""

    after_id: str | Omit
    before_id: str | Omit
    limit: int | Omit


_LIST_NAMES = frozenset(ListParams.__annotations__)


def call_with_query(params: Mapping[str, Any]) -> RequestArguments:
    """Return the arguments of a verb for an endpoint that takes its parameters in the query."""
    query = given({name: value for name, value in params.items() if name not in EXTRAS})
    extras = cast("RequestExtras", {name: value for name, value in params.items() if name in EXTRAS})
    return RequestArguments(options=make_request_options(**extras, query=query))


def list_call(params: Mapping[str, Any]) -> RequestArguments:
    """Return the arguments of a verb for a list. Raises `TypeError` for unknown parameters."""
    check_names("list", params, _LIST_NAMES)
    return call_with_query(params)
