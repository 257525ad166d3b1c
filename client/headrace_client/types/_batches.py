"""Message batches and their results."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal, Required, TypeAlias, TypedDict

from headrace_client._models.base_model import BaseModel

from ._message import Message


class BatchRequest(TypedDict, total=False):
    """One request of a batch: an id of 1 to 64 letters, digits, ``-`` and ``_``, and a Messages body."""

    custom_id: Required[str]
    params: Required[Mapping[str, object]]


class MessageBatchRequestCounts(BaseModel, kw_only=True):
    """The requests of a batch by state. All counts but ``processing`` are 0 until the batch has ended."""

    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int


class MessageBatch(BaseModel, kw_only=True):
    """A batch of requests, processed within 24 hours."""

    id: str
    type: Literal["message_batch"]
    processing_status: Literal["in_progress", "canceling", "ended"]
    request_counts: MessageBatchRequestCounts
    created_at: dt.datetime
    expires_at: dt.datetime
    ended_at: dt.datetime | None = None
    cancel_initiated_at: dt.datetime | None = None
    archived_at: dt.datetime | None = None
    results_url: str | None = None


class DeletedMessageBatch(BaseModel, kw_only=True):
    """A deleted batch."""

    id: str
    type: Literal["message_batch_deleted"]


class ErrorObject(BaseModel, kw_only=True):
    """An error: ``type`` is one of the API's error types, such as ``invalid_request_error``."""

    type: str
    message: str


class ErrorResponse(BaseModel, kw_only=True):
    """An error response of the API."""

    type: Literal["error"]
    error: ErrorObject
    request_id: str | None = None


class MessageBatchSucceededResult(BaseModel, kw_only=True):
    """A request that succeeded."""

    type: Literal["succeeded"]
    message: Message


class MessageBatchErroredResult(BaseModel, kw_only=True):
    """A request that failed. It is not billed."""

    type: Literal["errored"]
    error: ErrorResponse


class MessageBatchCanceledResult(BaseModel, kw_only=True):
    """A request that was not processed because the batch was canceled."""

    type: Literal["canceled"]


class MessageBatchExpiredResult(BaseModel, kw_only=True):
    """A request that was not processed within the 24 hours of the batch."""

    type: Literal["expired"]


MessageBatchResult: TypeAlias = (
    MessageBatchSucceededResult
    | MessageBatchErroredResult
    | MessageBatchCanceledResult
    | MessageBatchExpiredResult
)


class MessageBatchIndividualResponse(BaseModel, kw_only=True):
    """The result of one request. Results come in any order."""

    custom_id: str
    result: MessageBatchResult
