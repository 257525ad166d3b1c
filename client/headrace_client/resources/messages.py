"""``client.messages``: send a prompt and get the model's answer, or count its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Unpack, overload

from headrace_client._configuration import BaseClient
from headrace_client._options import NotGiven, Omit, not_given, omit
from headrace_client._streaming import AsyncStream, Stream
from headrace_client._verbs import Call
from headrace_client.types import Message, MessageTokensCount, RawMessageStreamEvent

from ._message_params import (
    CountTokensParams,
    MessageParams,
    check_duration,
    check_required,
    warn_of_model,
)
from ._resource import AsyncAPIResource, SyncAPIResource, call_with_body, check_names

MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"

_CREATE_NAMES = frozenset(MessageParams.__annotations__)
_COUNT_NAMES = frozenset(CountTokensParams.__annotations__)


class Messages(SyncAPIResource):
    """The Messages endpoints of a blocking client."""

    @overload
    def create(self, *, stream: Literal[False] | Omit = omit, **params: Unpack[MessageParams]) -> Message: ...
    @overload
    def create(
        self, *, stream: Literal[True], **params: Unpack[MessageParams]
    ) -> Stream[RawMessageStreamEvent]: ...
    @overload
    def create(
        self, *, stream: bool, **params: Unpack[MessageParams]
    ) -> Message | Stream[RawMessageStreamEvent]: ...
    def create(
        self, *, stream: bool | Omit = omit, **params: Unpack[MessageParams]
    ) -> Message | Stream[RawMessageStreamEvent]:
        """Send a prompt; return the whole answer, or its events as they arrive with ``stream=True``.

        Raises `APIError`, and `ValueError` for an answer too long to be waited for without a stream.
        """
        call = create_call(self._client, stream, Stream[RawMessageStreamEvent], params)
        return self._client.post(MESSAGES, cast_to=Message, **call)

    def count_tokens(self, **params: Unpack[CountTokensParams]) -> MessageTokensCount:
        """Return how many input tokens a prompt takes."""
        return self._client.post(COUNT_TOKENS, cast_to=MessageTokensCount, **count_call(params))


class AsyncMessages(AsyncAPIResource):
    """The Messages endpoints of an asynchronous client."""

    @overload
    async def create(
        self, *, stream: Literal[False] | Omit = omit, **params: Unpack[MessageParams]
    ) -> Message: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[MessageParams]
    ) -> AsyncStream[RawMessageStreamEvent]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[MessageParams]
    ) -> Message | AsyncStream[RawMessageStreamEvent]: ...
    async def create(
        self, *, stream: bool | Omit = omit, **params: Unpack[MessageParams]
    ) -> Message | AsyncStream[RawMessageStreamEvent]:
        """Send a prompt; return the whole answer, or its events as they arrive with ``stream=True``.

        Raises `APIError`, and `ValueError` for an answer too long to be waited for without a stream.
        """
        call = create_call(self._client, stream, AsyncStream[RawMessageStreamEvent], params)
        return await self._client.post(MESSAGES, cast_to=Message, **call)

    async def count_tokens(self, **params: Unpack[CountTokensParams]) -> MessageTokensCount:
        """Return how many input tokens a prompt takes."""
        return await self._client.post(COUNT_TOKENS, cast_to=MessageTokensCount, **count_call(params))


def create_call(
    client: BaseClient, stream: bool | Omit, stream_cls: type[Any], params: Mapping[str, Any]
) -> Call:
    """Return the request for a message."""
    check_names("create", params, _CREATE_NAMES)
    check_required(params)
    warn_of_model(params["model"], params.get("thinking"))
    timeout = params.get("timeout", not_given)
    if not stream and isinstance(timeout, NotGiven) and client.has_default_timeout:
        check_duration(params["model"], params["max_tokens"])
    call = call_with_body({**params, "stream": stream})
    call["stream"], call["stream_cls"] = bool(stream), stream_cls
    return call


def count_call(params: Mapping[str, Any]) -> Call:
    """Return the request for the number of a prompt's tokens."""
    check_names("count_tokens", params, _COUNT_NAMES)
    for name in ("messages", "model"):
        if name not in params:
            raise TypeError(f"Missing required argument: {name!r}")
    return call_with_body(params)
