"""``client.messages``: send a prompt and get the model's answer, or count its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar, Unpack, overload

from headrace_client._base_client.base import BaseClient
from headrace_client._requests.options import NotGiven, Omit, not_given, omit
from headrace_client._requests.verbs import RequestArguments
from headrace_client._responses.message_stream import (
    AsyncMessageStream,
    AsyncMessageStreamManager,
    MessageStream,
    MessageStreamManager,
)
from headrace_client._responses.stream import AsyncStream, Stream
from headrace_client.types import Message, MessageTokensCount, RawMessageStreamEvent

from ._message_params import (
    CountTokensParams,
    MessageParams,
    StreamParams,
    check_duration,
    check_required,
    warn_of_model,
)
from ._resource import AsyncAPIResource, SyncAPIResource, call_with_body, check_names
from ._structured import ParsedMessage, parse_params, parsed
from .batches import AsyncBatches, Batches

T = TypeVar("T")

MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"

_STREAM_HELPER = {"X-Stainless-Helper-Method": "stream", "X-Stainless-Stream-Helper": "messages"}

_CREATE_NAMES = frozenset(MessageParams.__annotations__)
_COUNT_NAMES = frozenset(CountTokensParams.__annotations__)


class Messages(SyncAPIResource):
    """The Messages endpoints of a blocking client."""

    @cached_property
    def batches(self) -> Batches:
        """Many prompts at once, answered in the provider's own time."""
        return Batches(self._client)

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

        ``model``, ``max_tokens`` and ``messages`` are required. ``system``, ``temperature``, ``tools`` and so
        on are the API's: see `MessageParams`. As to every method, ``extra_headers``, ``extra_query``,
        ``extra_body``, ``betas`` and ``timeout`` (seconds) may be passed.

        Raises `APIError`, and `ValueError` for an answer too long to be waited for without a stream.
        """
        call = create_call(self._client, stream, Stream[RawMessageStreamEvent], params)
        return self._client.post(MESSAGES, cast_to=Message, **call)

    def stream(self, **params: Unpack[StreamParams]) -> MessageStreamManager:
        """Send a prompt on entering the context that is returned; it gives the answer as it arrives.

        The parameters are those of `create`; ``idle_timeout`` and ``total_timeout``, in seconds, those of
        `MessageStream.limit`.
        """
        call, limits = stream_call(self._client, MessageStream, params)
        return MessageStreamManager(
            lambda: self._client.post(MESSAGES, cast_to=MessageStream, **call), **limits
        )

    def parse(self, *, output_format: type[T], **params: Unpack[MessageParams]) -> ParsedMessage[T]:
        """Send a prompt whose answer shall be of a form; ``parsed_output`` of the message is of that type.

        The other parameters are those of `create`.
        """
        call = create_call(self._client, omit, Stream, parse_params(params, output_format))
        return parsed(self._client.post(MESSAGES, cast_to=Message, **call), output_format)

    def count_tokens(self, **params: Unpack[CountTokensParams]) -> MessageTokensCount:
        """Return how many input tokens a prompt takes.

        ``model`` and ``messages`` are required; `CountTokensParams` has the others.
        """
        return self._client.post(COUNT_TOKENS, cast_to=MessageTokensCount, **count_call(params))


class AsyncMessages(AsyncAPIResource):
    """The Messages endpoints of an asynchronous client."""

    @cached_property
    def batches(self) -> AsyncBatches:
        """Many prompts at once, answered in the provider's own time."""
        return AsyncBatches(self._client)

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

        ``model``, ``max_tokens`` and ``messages`` are required. ``system``, ``temperature``, ``tools`` and so
        on are the API's: see `MessageParams`. As to every method, ``extra_headers``, ``extra_query``,
        ``extra_body``, ``betas`` and ``timeout`` (seconds) may be passed.

        Raises `APIError`, and `ValueError` for an answer too long to be waited for without a stream.
        """
        call = create_call(self._client, stream, AsyncStream[RawMessageStreamEvent], params)
        return await self._client.post(MESSAGES, cast_to=Message, **call)

    def stream(self, **params: Unpack[StreamParams]) -> AsyncMessageStreamManager:
        """Send a prompt on entering the context that is returned; it gives the answer as it arrives.

        The parameters are those of `create`; ``idle_timeout`` and ``total_timeout``, in seconds, those of
        `AsyncMessageStream.limit`.
        """
        call, limits = stream_call(self._client, AsyncMessageStream, params)
        return AsyncMessageStreamManager(
            lambda: self._client.post(MESSAGES, cast_to=AsyncMessageStream, **call), **limits
        )

    async def parse(self, *, output_format: type[T], **params: Unpack[MessageParams]) -> ParsedMessage[T]:
        """Send a prompt whose answer shall be of a form; ``parsed_output`` of the message is of that type.

        The other parameters are those of `create`.
        """
        call = create_call(self._client, omit, AsyncStream, parse_params(params, output_format))
        return parsed(await self._client.post(MESSAGES, cast_to=Message, **call), output_format)

    async def count_tokens(self, **params: Unpack[CountTokensParams]) -> MessageTokensCount:
        """Return how many input tokens a prompt takes.

        ``model`` and ``messages`` are required; `CountTokensParams` has the others.
        """
        return await self._client.post(COUNT_TOKENS, cast_to=MessageTokensCount, **count_call(params))


def create_call(
    client: BaseClient, stream: bool | Omit, stream_cls: type[Any], params: Mapping[str, Any]
) -> RequestArguments:
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


def stream_call(
    client: BaseClient, stream_cls: type[Any], params: Mapping[str, Any]
) -> tuple[RequestArguments, dict[str, Any]]:
    """Return the request for a message that arrives as a ``stream_cls``, and the limits of that."""
    limits = {name: params.get(name) for name in ("idle_timeout", "total_timeout")}
    prompt = {name: value for name, value in params.items() if name not in limits}
    prompt["extra_headers"] = {**_STREAM_HELPER, **(params.get("extra_headers") or {})}
    return create_call(client, stream=True, stream_cls=stream_cls, params=prompt), limits


def count_call(params: Mapping[str, Any]) -> RequestArguments:
    """Return the request for the number of a prompt's tokens."""
    check_names("count_tokens", params, _COUNT_NAMES)
    for name in ("messages", "model"):
        if name not in params:
            raise TypeError(f"Missing required argument: {name!r}")
    return call_with_body(params)
