"""The errors that the client raises on purpose.

    AnthropicError
    ├── APIError                            a request failed
    │   ├── APIConnectionError              no usable response; the cause is kept
    │   │   └── APITimeoutError
    │   ├── APIRedirectError                a redirect to another origin, or one too many
    │   ├── APIResponseValidationError      the response does not have the requested type
    │   └── APIStatusError                  the response is an error; in streams, an error event
    │       ├── BadRequestError             400  invalid_request_error
    │       ├── AuthenticationError         401  authentication_error
    │       ├── PermissionDeniedError       403  permission_error
    │       ├── NotFoundError               404  not_found_error
    │       ├── ConflictError               409
    │       ├── RequestTooLargeError        413  request_too_large
    │       ├── UnprocessableEntityError    422
    │       ├── RateLimitError              429  rate_limit_error
    │       └── InternalServerError         5xx  api_error
    │           ├── ServiceUnavailableError 503
    │           ├── DeadlineExceededError   504  timeout_error
    │           └── OverloadedError         529  overloaded_error
    └── StreamAlreadyConsumed               see `_responses/base_response.py`

`IncompleteStreamError`, an `APIConnectionError`, is defined in `_responses/event_reader.py`. The errors for
responses are made in `_responses/errors.py`.

All can be pickled. Because pickles travel to other processes and disks, requests lose their credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import httpx

SENSITIVE_HEADERS = frozenset(
    {"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie", "set-cookie"}
)
"""Headers whose values are never logged, pickled or sent to another origin; lower case."""


class AnthropicError(Exception):
    """The base class of the errors that the client raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild without ``__init__``, whose arguments cannot be recovered from the attributes."""
        return _rebuild, (type(self), self.args, _picklable(self.__dict__))


class APIError(AnthropicError):
    """A request failed. ``body``: the decoded JSON of the response, its text, or None if there was none."""

    message: str
    request: httpx.Request
    body: object | None

    def __init__(self, message: str, request: httpx.Request, *, body: object | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.request = request
        self.body = body


class APIConnectionError(APIError):
    """No usable response arrived. ``__cause__`` is the error of the HTTP library."""

    def __init__(self, *, message: str = "Connection error.", request: httpx.Request) -> None:
        super().__init__(message, request)


class APITimeoutError(APIConnectionError):
    """The request, or a step of it (connecting, reading, waiting for a connection), took too long."""

    def __init__(self, request: httpx.Request, *, message: str = "Request timed out.") -> None:
        super().__init__(message=message, request=request)


class APIRedirectError(APIError):
    """The client does not follow a redirect.

    It leads to another origin, which gets neither credentials nor body; it is one too many; or the body would
    have to be sent again, but can be read only once. ``request`` is a copy without credentials and body.
    """

    def __init__(self, message: str, request: httpx.Request, *, status_code: int, location: str) -> None:
        super().__init__(message, without_secrets(request))
        self.status_code = status_code
        self.location = location


class APIResponseValidationError(APIError):
    """The response does not have the requested type: invalid JSON, or in strict mode wrong types."""

    def __init__(self, response: httpx.Response, body: object | None, *, message: str | None = None) -> None:
        message = message or "Data returned by API invalid for expected schema."
        super().__init__(message, response.request, body=body)
        self.response = response
        self.status_code = response.status_code


class APIStatusError(APIError):
    """The API responded with an error status, or with an error inside a 2xx response or a stream.

    ``status_code``: that of the error. An error inside a 2xx response names its own, or stands for one;
    ``response.status_code`` is the 2xx.
    """

    def __init__(
        self, message: str, *, response: httpx.Response, body: object | None, status_code: int | None = None
    ) -> None:
        super().__init__(message, response.request, body=body)
        self.response = response
        self.status_code = response.status_code if status_code is None else status_code
        self.request_id: str | None = response.headers.get("request-id")

    def explain(self, why: str) -> None:
        """Add to the message what the client made of the response."""
        self.message = f"{self.message} ({why})"
        self.args = (self.message,)


class BadRequestError(APIStatusError):
    """400: the request is not valid."""


class AuthenticationError(APIStatusError):
    """401: the credentials are missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """403: the credentials do not allow this."""


class NotFoundError(APIStatusError):
    """404: the model, batch or path does not exist."""


class ConflictError(APIStatusError):
    """409: the request conflicts with another one."""


class RequestTooLargeError(APIStatusError):
    """413: the request is too large."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is well formed but cannot be processed."""


class RateLimitError(APIStatusError):
    """429: a rate limit or quota is used up."""


class InternalServerError(APIStatusError):
    """5xx: the server failed."""


class ServiceUnavailableError(InternalServerError):
    """503: the server does not accept requests at the moment."""


class DeadlineExceededError(InternalServerError):
    """504: the server timed out."""


class OverloadedError(InternalServerError):
    """529: the API is overloaded."""


_BY_STATUS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    503: ServiceUnavailableError,
    504: DeadlineExceededError,
    529: OverloadedError,
}

STATUS_BY_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""By error type (https://docs.anthropic.com/en/api/errors): an error in a stream has no status of its own."""


def error_class(status: int) -> type[APIStatusError]:
    """Return the error class for a status."""
    return _BY_STATUS.get(status, InternalServerError if status >= 500 else APIStatusError)


def without_secrets(request: httpx.Request) -> httpx.Request:
    """Return a copy of ``request`` with neither credentials nor a body."""
    headers = [(name, value) for name, value in request.headers.items() if name not in SENSITIVE_HEADERS]
    return type(request)(request.method, request.url, headers=headers)


def _rebuild(kind: type[AnthropicError], args: tuple[object, ...], state: dict[str, Any]) -> AnthropicError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _picklable(state: Mapping[str, object]) -> dict[str, object]:
    state = dict(state)
    if "request" in state:
        state["request"] = without_secrets(cast("httpx.Request", state["request"]))
    if "response" in state:
        state["response"] = _without_request(cast("httpx.Response", state["response"]))
    return state


def _without_request(response: httpx.Response) -> httpx.Response:
    headers = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name not in SENSITIVE_HEADERS and name not in _BODY_HEADERS
    ]
    try:
        body = response.content
    except RuntimeError:  # httpx: the body was never read
        body = None
    copy = type(response)(response.status_code, headers=headers, content=body)
    copy.request = without_secrets(response.request)
    return copy


_BODY_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""They describe the encoded body; the copy has the decoded one."""
