"""``client.beta``: the same endpoints with ``?beta=true`` and the betas that they need.

An endpoint is not described twice: the resources are those of the client itself, made over a client
that marks what goes through it. Which betas a request asks for is said by ``betas=[...]``, which
every method takes.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast
from urllib.parse import urlsplit

from headrace_client._requests.headers import find_header
from headrace_client._requests.options import Omit
from headrace_client.resources._resource import AsyncAPIResource, SyncAPIResource
from headrace_client.resources.messages import AsyncMessages, Messages
from headrace_client.resources.models import AsyncModels, Models

BETA_HEADER = "anthropic-beta"

_NEEDED = {
    "/v1/messages/batches": "message-batches-2024-09-24",
    "/v1/messages/count_tokens": "token-counting-2024-11-01",
}
"""The betas that came before their endpoints left beta, by the beginning of the path."""


class Beta(SyncAPIResource):
    """What is not final yet, of a blocking client."""

    @cached_property
    def messages(self) -> Messages:
        """The Messages endpoints with betas."""
        return Messages(cast("Any", _BetaClient(self._client)))

    @cached_property
    def models(self) -> Models:
        """Which models there are."""
        return Models(cast("Any", _BetaClient(self._client)))


class AsyncBeta(AsyncAPIResource):
    """What is not final yet, of an asynchronous client."""

    @cached_property
    def messages(self) -> AsyncMessages:
        """The Messages endpoints with betas."""
        return AsyncMessages(cast("Any", _BetaClient(self._client)))

    @cached_property
    def models(self) -> AsyncModels:
        """Which models there are."""
        return AsyncModels(cast("Any", _BetaClient(self._client)))


class _BetaClient:
    """A client of either face whose verbs mark their requests as beta."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def with_options(self, **changes: Any) -> _BetaClient:
        return _BetaClient(self._client.with_options(**changes))

    def get(self, path: str, **call: Any) -> Any:
        return self._client.get(_beta_path(path), **_with_needed(path, call))

    def post(self, path: str, **call: Any) -> Any:
        return self._client.post(_beta_path(path), **_with_needed(path, call))

    def delete(self, path: str, **call: Any) -> Any:
        return self._client.delete(_beta_path(path), **_with_needed(path, call))

    def get_api_list(self, path: str, **call: Any) -> Any:
        return self._client.get_api_list(_beta_path(path), **_with_needed(path, call))


def _beta_path(path: str) -> str:
    return f"{path}?beta=true" if path.startswith("/") else path


def _with_needed(path: str, call: dict[str, Any]) -> dict[str, Any]:
    """Add the beta that the endpoint itself needs to those that the caller asks for."""
    path = urlsplit(path).path  # the results of a batch have an absolute URL
    needed = next((beta for start, beta in _NEEDED.items() if path.startswith(start)), None)
    options: dict[str, Any] = call.get("options", {})
    headers: dict[str, Any] = dict(options.get("headers") or {})
    asked = find_header(headers, BETA_HEADER)
    if needed is None or isinstance(asked, Omit):
        return call
    others = {name: value for name, value in headers.items() if name.lower() != BETA_HEADER}
    marked = {**others, BETA_HEADER: f"{asked},{needed}" if asked else needed}
    return {**call, "options": {**options, "headers": marked}}
