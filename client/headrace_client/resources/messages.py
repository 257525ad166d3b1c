"""``client.messages``: send a prompt to a model, or count its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, TypeVar, Unpack, overload

from headrace_client._base_client.base import BaseClient
from headrace_client._requests.arguments import RequestArguments
from headrace_client._requests.options import NotGiven, Omit, not_given, omit
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
        """Many prompts at once, processed within 24 hours."""
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
        """Send a prompt; return the whole message or, with ``stream=True``, its events as they arrive.

        ``model``, ``max_tokens`` and ``messages`` are required; `MessageParams` has the other parameters of
        the API. Like every method, this also takes ``extra_headers``, ``extra_query``, ``extra_body``,
        ``betas`` and ``timeout`` (seconds).

        Raises `APIError`, `TypeError` for missing or unknown parameters, and `ValueError` if the answer may
        take too long without a stream.
        """
        call = create_call(self._client, stream, Stream[RawMessageStreamEvent], params)
        return self._client.post(MESSAGES, cast_to=Message, **call)

    def stream(self, **params: Unpack[StreamParams]) -> MessageStreamManager:
        """Return a context manager that sends a prompt and gives the message as it arrives.

        It takes the parameters of `create`, and ``idle_timeout`` and ``total_timeout`` (seconds) of
        `MessageStream.limit`. Raises `TypeError` for missing or unknown parameters; entering it raises
        `APIError`.
        """
        call, limits = stream_call(self._client, MessageStream, params)
        return MessageStreamManager(
            lambda: self._client.post(MESSAGES, cast_to=MessageStream, **call), **limits
        )

    def parse(self, *, output_format: type[T], **params: Unpack[MessageParams]) -> ParsedMessage[T]:
        """Send a prompt for an answer of a given type; ``parsed_output`` of the message has that type.

        The other parameters are those of `create`. Raises as `create` does, and `TypeError` for a type that
        JSON schema cannot describe.
        """
        call = create_call(self._client, omit, Stream, parse_params(params, output_format))
        return parsed(self._client.post(MESSAGES, cast_to=Message, **call), output_format)

    def count_tokens(self, **params: Unpack[CountTokensParams]) -> MessageTokensCount:
        """Return the number of input tokens of a prompt.

        ``model`` and ``messages`` are required; `CountTokensParams` has the others. Raises `APIError`, and
        `TypeError` for missing or unknown parameters.
        """
        return self._client.post(COUNT_TOKENS, cast_to=MessageTokensCount, **count_call(params))


class AsyncMessages(AsyncAPIResource):
    """The Messages endpoints of an asynchronous client."""

    @cached_property
    def batches(self) -> AsyncBatches:
        """Many prompts at once, processed within 24 hours."""
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
        """Send a prompt; return the whole message or, with ``stream=True``, its events as they arrive.

        ``model``, ``max_tokens`` and ``messages`` are required; `MessageParams` has the other parameters of
        the API. Like every method, this also takes ``extra_headers``, ``extra_query``, ``extra_body``,
        ``betas`` and ``timeout`` (seconds).

        Raises `APIError`, `TypeError` for missing or unknown parameters, and `ValueError` if the answer may
        take too long without a stream.
        """
        call = create_call(self._client, stream, AsyncStream[RawMessageStreamEvent], params)
        return await self._client.post(MESSAGES, cast_to=Message, **call)

    def stream(self, **params: Unpack[StreamParams]) -> AsyncMessageStreamManager:
        """Return a context manager that sends a prompt and gives the message as it arrives.

        It takes the parameters of `create`, and ``idle_timeout`` and ``total_timeout`` (seconds) of
        `AsyncMessageStream.limit`. Raises `TypeError` for missing or unknown parameters; entering it raises
        `APIError`.
        """
        call, limits = stream_call(self._client, AsyncMessageStream, params)
        return AsyncMessageStreamManager(
            lambda: self._client.post(MESSAGES, cast_to=AsyncMessageStream, **call), **limits
        )

    async def parse(self, *, output_format: type[T], **params: Unpack[MessageParams]) -> ParsedMessage[T]:
        """Send a prompt for an answer of a given type; ``parsed_output`` of the message has that type.

        The other parameters are those of `create`. Raises as `create` does, and `TypeError` for a type that
        JSON schema cannot describe.
        """
        call = create_call(self._client, omit, AsyncStream, parse_params(params, output_format))
        return parsed(await self._client.post(MESSAGES, cast_to=Message, **call), output_format)

    async def count_tokens(self, **params: Unpack[CountTokensParams]) -> MessageTokensCount:
        """Return the number of input tokens of a prompt.

        ``model`` and ``messages`` are required; `CountTokensParams` has the others. Raises `APIError`, and
        `TypeError` for missing or unknown parameters.
        """
        return await self._client.post(COUNT_TOKENS, cast_to=MessageTokensCount, **count_call(params))


def create_call(
    client: BaseClient, stream: bool | Omit, stream_cls: type[Any], params: Mapping[str, Any]
) -> RequestArguments:
    """Return the arguments of a verb for a message. Raises as `Messages.create` does."""
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
    """Return the arguments of a verb for a message as a ``stream_cls``, and the limits of the stream."""
    limits = {name: params.get(name) for name in ("idle_timeout", "total_timeout")}
    prompt = {name: value for name, value in params.items() if name not in limits}
    prompt["extra_headers"] = {**_STREAM_HELPER, **(params.get("extra_headers") or {})}
    return create_call(client, stream=True, stream_cls=stream_cls, params=prompt), limits


def count_call(params: Mapping[str, Any]) -> RequestArguments:
    """Return the arguments of a verb for a count of tokens. Raises `TypeError`."""
    check_names("count_tokens", params, _COUNT_NAMES)
    for name in ("messages", "model"):
        if name not in params:
            raise TypeError(f"Missing required argument: {name!r}")
    return call_with_body(params)
