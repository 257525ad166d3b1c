"""The base classes of all resources, and how the parameters of an endpoint become a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from headrace_client._base_client import AsyncAPIClient, SyncAPIClient
from headrace_client._requests.arguments import RequestArguments
from headrace_client._requests.options import (
    HeadersLike,
    NotGiven,
    TimeoutTypes,
    is_given,
    make_request_options,
    not_given,
)
from headrace_client._responses.raw_responses import RawResponses, StreamingResponses

EXTRAS = frozenset({"extra_headers", "extra_query", "extra_body", "timeout", "betas"})


class _Resource:
    """A group of endpoints of a client."""

    _asynchronous: ClassVar[bool]

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def with_raw_response(self) -> Any:
        """This resource, with methods that return an `APIResponse` whose body has been read.

        The methods of an asynchronous client return an `AsyncAPIResponse`.
        """
        return RawResponses(self)

    @property
    def with_streaming_response(self) -> Any:
        """This resource, with methods that return a context manager for an unread `APIResponse`.

        Those of an asynchronous client are for an `AsyncAPIResponse`.
        """
        return StreamingResponses(self, asynchronous=self._asynchronous)

    def with_options(
        self,
        *,
        timeout: TimeoutTypes | NotGiven = not_given,
        headers: HeadersLike | None = None,
        max_retries: float | NotGiven = not_given,
    ) -> Self:
        """Return the same resource of a client with other settings; see `copy` of the client."""
        return type(self)(
            self._client.with_options(timeout=timeout, headers=headers, max_retries=max_retries)
        )


class SyncAPIResource(_Resource):
    """A group of endpoints of a blocking client."""

    _client: SyncAPIClient
    _asynchronous = False


class AsyncAPIResource(_Resource):
    """A group of endpoints of an asynchronous client."""

    _client: AsyncAPIClient
    _asynchronous = True


def call_with_body(params: Mapping[str, Any]) -> RequestArguments:
    """Return the arguments of a verb for an endpoint that takes its parameters in a JSON body."""
    body = {name: value for name, value in params.items() if name not in EXTRAS and is_given(value)}
    extras = {name: params[name] for name in EXTRAS if name in params}
    return RequestArguments(body=body, options=make_request_options(**extras))


def check_names(method: str, params: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise `TypeError` if the endpoint does not have a parameter."""
    if unknown := params.keys() - known:
        raise TypeError(f"{method}() got an unexpected keyword argument {min(unknown)!r}")
