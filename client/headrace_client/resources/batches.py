"""``client.messages.batches``: requests that the provider processes within 24 hours, at half the price."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack, cast

from headrace_client._exceptions import AnthropicError
from headrace_client._requests.arguments import RequestArguments
from headrace_client._requests.options import RequestExtras
from headrace_client._requests.urls import path_segment
from headrace_client._responses.jsonl import AsyncJSONLDecoder, JSONLDecoder
from headrace_client._responses.list_pages import AsyncPage, SyncPage
from headrace_client._responses.pagination import AsyncPaginator
from headrace_client.types import (
    BatchRequest,
    DeletedMessageBatch,
    MessageBatch,
    MessageBatchIndividualResponse,
)

from ._endpoints import ListParams, call_with_query, list_call
from ._resource import AsyncAPIResource, SyncAPIResource, call_with_body

BATCHES = "/v1/messages/batches"


class Batches(SyncAPIResource):
    """The batches of a blocking client."""

    def create(self, *, requests: Iterable[BatchRequest], **extras: Unpack[RequestExtras]) -> MessageBatch:
        """Submit a batch of at most 100,000 requests or 256 MB. Raises `APIError`."""
        call = call_with_body({"requests": list(requests), **extras})
        return self._client.post(BATCHES, cast_to=MessageBatch, **call)

    def retrieve(self, message_batch_id: str, **extras: Unpack[RequestExtras]) -> MessageBatch:
        """Return the state of a batch. Raises `APIError`, and `ValueError` for an invalid id."""
        return self._client.get(_path(message_batch_id), cast_to=MessageBatch, **call_with_query(extras))

    def list(self, **params: Unpack[ListParams]) -> SyncPage[MessageBatch]:
        """Return the first page of the batches, newest first; iterate it for all. Raises `APIError`."""
        page = SyncPage[MessageBatch]
        return self._client.get_api_list(BATCHES, model=MessageBatch, page=page, **list_call(params))

    def delete(self, message_batch_id: str, **extras: Unpack[RequestExtras]) -> DeletedMessageBatch:
        """Delete a batch that has ended, with its results. Raises as `retrieve` does."""
        path, call = _path(message_batch_id), call_with_query(extras)
        return self._client.delete(path, cast_to=DeletedMessageBatch, **call)

    def cancel(self, message_batch_id: str, **extras: Unpack[RequestExtras]) -> MessageBatch:
        """Cancel a batch; requests that are being processed are still finished. Raises as `retrieve` does."""
        path = _path(message_batch_id) + "/cancel"
        return self._client.post(path, cast_to=MessageBatch, **call_with_query(extras))

    def results(
        self, message_batch_id: str, **extras: Unpack[RequestExtras]
    ) -> JSONLDecoder[MessageBatchIndividualResponse]:
        """Return an iterator over the results of a batch that has ended, in any order, as they arrive.

        Close it, or use it in a ``with`` block. Raises `AnthropicError` if the batch has not ended.
        """
        url = _results_url(self.retrieve(message_batch_id, **extras))
        return self._client.get(
            url, cast_to=JSONLDecoder[MessageBatchIndividualResponse], **_results_call(extras)
        )


class AsyncBatches(AsyncAPIResource):
    """The batches of an asynchronous client."""

    async def create(
        self, *, requests: Iterable[BatchRequest], **extras: Unpack[RequestExtras]
    ) -> MessageBatch:
        """Submit a batch of at most 100,000 requests or 256 MB. Raises `APIError`."""
        call = call_with_body({"requests": list(requests), **extras})
        return await self._client.post(BATCHES, cast_to=MessageBatch, **call)

    async def retrieve(self, message_batch_id: str, **extras: Unpack[RequestExtras]) -> MessageBatch:
        """Return the state of a batch. Raises `APIError`, and `ValueError` for an invalid id."""
        path = _path(message_batch_id)
        return await self._client.get(path, cast_to=MessageBatch, **call_with_query(extras))

    def list(self, **params: Unpack[ListParams]) -> AsyncPaginator[MessageBatch, AsyncPage[MessageBatch]]:
        """Return the batches, newest first: await it for the first page, or iterate it for all of them."""
        page = AsyncPage[MessageBatch]
        return self._client.get_api_list(BATCHES, model=MessageBatch, page=page, **list_call(params))

    async def delete(self, message_batch_id: str, **extras: Unpack[RequestExtras]) -> DeletedMessageBatch:
        """Delete a batch that has ended, with its results. Raises as `retrieve` does."""
        path, call = _path(message_batch_id), call_with_query(extras)
        return await self._client.delete(path, cast_to=DeletedMessageBatch, **call)

    async def cancel(self, message_batch_id: str, **extras: Unpack[RequestExtras]) -> MessageBatch:
        """Cancel a batch; requests that are being processed are still finished. Raises as `retrieve` does."""
        path = _path(message_batch_id) + "/cancel"
        return await self._client.post(path, cast_to=MessageBatch, **call_with_query(extras))

    async def results(
        self, message_batch_id: str, **extras: Unpack[RequestExtras]
    ) -> AsyncJSONLDecoder[MessageBatchIndividualResponse]:
        """Return an iterator over the results of a batch that has ended, in any order, as they arrive.

        Close it, or use it in an ``async with`` block. Raises `AnthropicError` if the batch has not ended.
        """
        url = _results_url(await self.retrieve(message_batch_id, **extras))
        cast_to = AsyncJSONLDecoder[MessageBatchIndividualResponse]
        return await self._client.get(url, cast_to=cast_to, **_results_call(extras))


def _path(message_batch_id: str) -> str:
    return f"{BATCHES}/{path_segment(message_batch_id, 'message_batch_id')}"


def _results_url(batch: MessageBatch) -> str:
    if not batch.results_url:
        raise AnthropicError(
            f"No `results_url` for the given batch; Has it finished processing? {batch.processing_status}"
        )
    return batch.results_url


def _results_call(extras: RequestExtras) -> RequestArguments:
    headers = {"Accept": "application/binary", **(extras.get("extra_headers") or {})}
    call = call_with_query(cast("Any", {**extras, "extra_headers": headers}))
    call["stream"] = True
    return call
