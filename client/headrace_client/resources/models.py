"""``client.models``: the models that are available."""

from __future__ import annotations

from typing import Unpack

from headrace_client._requests.options import RequestExtras
from headrace_client._requests.urls import path_segment
from headrace_client._responses.list_pages import AsyncPage, SyncPage
from headrace_client._responses.pagination import AsyncPaginator
from headrace_client.types import ModelInfo

from ._endpoints import ListParams, call_with_query, list_call
from ._resource import AsyncAPIResource, SyncAPIResource

MODELS = "/v1/models"


class Models(SyncAPIResource):
    """The models of a blocking client."""

    def list(self, **params: Unpack[ListParams]) -> SyncPage[ModelInfo]:
        """Return the first page of the models, newest first; iterate it for all. Raises `APIError`."""
        page = SyncPage[ModelInfo]
        return self._client.get_api_list(MODELS, model=ModelInfo, page=page, **list_call(params))

    def retrieve(self, model_id: str, **extras: Unpack[RequestExtras]) -> ModelInfo:
        """Return a model by its id or alias. Raises `APIError`, and `ValueError` for an invalid id."""
        return self._client.get(_path(model_id), cast_to=ModelInfo, **call_with_query(extras))


class AsyncModels(AsyncAPIResource):
    """The models of an asynchronous client."""

    def list(self, **params: Unpack[ListParams]) -> AsyncPaginator[ModelInfo, AsyncPage[ModelInfo]]:
        """Return the models, newest first: await it for the first page, or iterate it for all of them."""
        page = AsyncPage[ModelInfo]
        return self._client.get_api_list(MODELS, model=ModelInfo, page=page, **list_call(params))

    async def retrieve(self, model_id: str, **extras: Unpack[RequestExtras]) -> ModelInfo:
        """Return a model by its id or alias. Raises `APIError`, and `ValueError` for an invalid id."""
        return await self._client.get(_path(model_id), cast_to=ModelInfo, **call_with_query(extras))


def _path(model_id: str) -> str:
    return f"{MODELS}/{path_segment(model_id, 'model_id')}"
