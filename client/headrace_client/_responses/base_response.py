"""What `APIResponse` and `AsyncAPIResponse` share: everything except reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin

from headrace_client._exceptions import AnthropicError, APIConnectionError
from headrace_client._httpx.errors import connection_error

from .binary import HttpxBinaryResponseContent
from .cast import cast_response, is_strict
from .jsonl import AsyncJSONLDecoder, JSONLDecoder
from .pagination import attached
from .stream import Stream, chunk_type, is_stream_class

if TYPE_CHECKING:
    import datetime as dt

    import httpx

    from headrace_client._requests.options import FinalRequestOptions

R = TypeVar("R")


class StreamAlreadyConsumed(AnthropicError):  # the reference's name
    """The body has been streamed and can be neither read nor streamed again."""

    def __init__(self) -> None:
        super().__init__(
            "The body of this response has already been streamed. To stream and keep it, "
            "collect the chunks while iterating."
        )


class BaseAPIResponse(Generic[R]):
    """What both classes share: everything except reading.

    ``retries_taken``: how many retries came before this response.
    """

    _default_stream_cls: type[Any] = Stream

    def __init__(
        self,
        *,
        raw: httpx.Response,
        cast_to: Any,
        client: Any,
        options: FinalRequestOptions | Any = None,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
        retries_taken: int = 0,
    ) -> None:
        self.http_response = raw
        self.retries_taken = retries_taken
        self._cast_to = cast_to
        self._client = client
        self._options = options
        self._stream = stream
        self._stream_cls = stream_cls
        self._parsed: dict[int, tuple[Any, Any]] = {}

    @property
    def headers(self) -> httpx.Headers:
        """The headers of the response, by case-insensitive name."""
        return self.http_response.headers

    @property
    def http_request(self) -> httpx.Request:
        """The request as it was sent."""
        return self.http_response.request

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.http_response.status_code

    @property
    def url(self) -> httpx.URL:
        """The URL of the request."""
        return self.http_response.url

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.http_request.method

    @property
    def http_version(self) -> str:
        """The version of HTTP, such as ``HTTP/1.1``."""
        return self.http_response.http_version

    @property
    def elapsed(self) -> dt.timedelta:
        """The time from sending the request to the end of the body, available once that is read or closed."""
        return self.http_response.elapsed

    @property
    def is_closed(self) -> bool:
        """Whether the body has been closed, so that nothing more can be read."""
        return self.http_response.is_closed

    @property
    def request_id(self) -> str | None:
        """The API's id of the request."""
        return self.http_response.headers.get("request-id")

    @property
    def content(self) -> bytes:
        """The body. It must have been read."""
        return self.http_response.content

    def __repr__(self) -> str:
        status = f"{self.status_code} {self.http_response.reason_phrase}".rstrip()
        return f"<{type(self).__name__} [{status}] type={self._cast_to}>"

    def _lazy_form(self, cast_to: Any, *, explicit: bool) -> Any:
        """Return the result if its type reads the body itself, else None."""
        origin: Any = get_origin(cast_to) or cast_to
        if _is_kind(origin, JSONLDecoder):
            return self._lines(origin, cast_to, self.http_response.iter_bytes())
        if _is_kind(origin, AsyncJSONLDecoder):
            return self._lines(origin, cast_to, self.http_response.aiter_bytes())
        if _is_kind(origin, HttpxBinaryResponseContent):
            return origin(self.http_response)
        if _is_kind(origin, BaseAPIResponse):
            return self._as_response(cast_to, origin)
        return self._as_stream(cast_to, explicit=explicit) if self._stream else None

    def _lines(self, decoder: Any, cast_to: Any, chunks: Any) -> Any:
        line_type = get_args(cast_to)[0]
        return decoder(raw_iterator=chunks, line_type=line_type, http_response=self.http_response)

    def _as_response(self, cast_to: Any, origin: Any) -> Any:
        if type(self) is origin:
            return self
        return origin(
            raw=self.http_response,
            cast_to=extract_response_type(cast_to),
            client=self._client,
            options=self._options,
            stream=self._stream,
            stream_cls=self._stream_cls,
            retries_taken=self.retries_taken,
        )

    def _as_stream(self, cast_to: Any, *, explicit: bool) -> Any:
        if explicit and not is_stream_class(cast_to):
            raise TypeError(f"Expected `to` to be a stream such as `Stream[T]`, not {cast_to!r}")
        stream_cls: Any = cast_to if explicit else self._stream_cls or self._default_stream_cls
        item = chunk_type(stream_cls) or (None if explicit else cast_to)
        if item is None:
            raise TypeError(f"Expected {stream_cls!r} to have a type argument, as `Stream[T]` does")
        make = get_origin(stream_cls) or stream_cls
        return make(cast_to=item, response=self.http_response, client=self._client, options=self._options)

    def _from_body(self, cast_to: Any) -> Any:
        parsed: Any = cast_response(self.http_response, cast_to, strict=is_strict(self._client))
        return attached(parsed, cast_to, self._client, self._options, self.http_response)

    def _failure(self, error: Exception | None) -> Exception:
        """Return the caller's error for a failure to read the body; None: it was left before its end."""
        if error is None:
            message = "The body was closed, or broke off, before its end."
            return APIConnectionError(message=message, request=self.http_response.request)
        if type(error).__name__ == "StreamConsumed":  # by name: httpx or its fork
            return StreamAlreadyConsumed()
        return connection_error(error, self.http_response.request) or error


def extract_response_type(cls: Any) -> Any:
    """Return the ``T`` of ``APIResponse[T]`` or of a subclass. Raises `RuntimeError` if it has none."""
    if arguments := get_args(cls):
        return arguments[0]
    for base in getattr(cls, "__orig_bases__", ()):
        arguments = get_args(base)
        if arguments and not isinstance(arguments[0], TypeVar):
            return arguments[0]
    raise RuntimeError(f"Expected type {cls} to have a type argument at index 0 but it did not")


def _is_kind(cls: Any, base: type[Any]) -> bool:
    return isinstance(cls, type) and issubclass(cls, base)
