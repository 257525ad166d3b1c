"""``client.beta``: the same endpoints with ``?beta=true`` and the betas that they require.

No endpoint is described twice: the resources are those of the client, over a client that marks its requests
as beta. Every method takes ``betas=[...]``, the beta features to enable.
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
"""The betas under which these endpoints were introduced, by the start of the path."""


class Beta(SyncAPIResource):
    """The endpoints with beta features, of a blocking client."""

    @cached_property
    def messages(self) -> Messages:
        """The Messages endpoints with beta features."""
        return Messages(cast("Any", _BetaClient(self._client)))

    @cached_property
    def models(self) -> Models:
        """The models that are available."""
        return Models(cast("Any", _BetaClient(self._client)))


class AsyncBeta(AsyncAPIResource):
    """The endpoints with beta features, of an asynchronous client."""

    @cached_property
    def messages(self) -> AsyncMessages:
        """The Messages endpoints with beta features."""
        return AsyncMessages(cast("Any", _BetaClient(self._client)))

    @cached_property
    def models(self) -> AsyncModels:
        """The models that are available."""
        return AsyncModels(cast("Any", _BetaClient(self._client)))


class _BetaClient:
    """A client, blocking or asynchronous, whose verbs mark their requests as beta."""

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
    """Add the beta that the endpoint requires to those of the caller."""
    path = urlsplit(path).path  # the results of a batch have an absolute URL
    needed = next((beta for start, beta in _NEEDED.items() if path.startswith(start)), None)
    options: dict[str, Any] = call.get("options", {})
    headers: dict[str, Any] = dict(options.get("headers") or {})
    requested = find_header(headers, BETA_HEADER)
    if needed is None or isinstance(requested, Omit):
        return call
    others = {name: value for name, value in headers.items() if name.lower() != BETA_HEADER}
    marked = {**others, BETA_HEADER: f"{requested},{needed}" if requested else needed}
    return {**call, "options": {**options, "headers": marked}}
