"""Errors as the caller sees them."""

from __future__ import annotations

import pickle
from typing import Any

import httpx
import pytest

import headrace_client
from headrace_client import (
    APIConnectionError,
    APIError,
    APIRedirectError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    InternalServerError,
    OverloadedError,
    RateLimitError,
    RequestTooLargeError,
)
from headrace_client._responses.errors import event_error
from headrace_client.testing import reply
from headrace_client.transport import AttemptTimedOut, ConnectionLost
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio

STATUSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    402: "APIStatusError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    405: "APIStatusError",
    408: "APIStatusError",
    409: "ConflictError",
    413: "RequestTooLargeError",
    418: "APIStatusError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "InternalServerError",
    503: "ServiceUnavailableError",
    504: "DeadlineExceededError",
    529: "OverloadedError",
    301: "APIStatusError",
}


async def failure(client: Any, **call: Any) -> Any:
    with pytest.raises(APIError) as caught:
        await settle(client.post("/foo", cast_to=httpx.Response, body={"secret": "s"}, **call))
    return caught.value


@pytest.mark.parametrize(("status", "name"), STATUSES.items())
async def test_each_status_has_its_class(backend: Backend, status: int, name: str) -> None:
    client, _ = backend.scripted(
        reply(status, json={"type": "error"}, headers={"request-id": "req_1"}), max_retries=0
    )

    error = await failure(client)

    assert type(error) is getattr(headrace_client, name)
    assert error.status_code == error.response.status_code == status
    assert error.request_id == "req_1"
    assert error.request is error.response.request
    assert error.__cause__ is None
    assert isinstance(error, InternalServerError) is (status >= 500)


def test_the_tree() -> None:
    assert issubclass(APITimeoutError, APIConnectionError)
    for error in (APIConnectionError, APIStatusError, APIResponseValidationError, APIRedirectError):
        assert issubclass(error, APIError)
    assert issubclass(APIError, headrace_client.AnthropicError)


@pytest.mark.parametrize(
    ("answer", "message", "body"),
    [
        (
            reply(400, json={"error": {"type": "x"}}),
            "Error code: 400 - {'error': {'type': 'x'}}",
            {"error": {"type": "x"}},
        ),
        (reply(400, body="  plain words\n"), "plain words", "plain words"),
        (reply(400), "Error code: 400", ""),
        (reply(400, body="null"), "Error code: 400 - None", None),
        (reply(400, body=b"\xff\xfe"), "\ufffd\ufffd", "\ufffd\ufffd"),
        (reply(400, body='{"a": "\\ud800"}'), "Error code: 400 - {'a': '\ufffd'}", {"a": "\ufffd"}),
    ],
)
async def test_message_and_body(backend: Backend, answer: Any, message: str, body: object) -> None:
    client, _ = backend.scripted(answer)

    error = await failure(client)

    assert str(error) == error.message == message
    assert error.body == body


async def test_the_body_of_a_failed_stream_is_read(backend: Backend) -> None:
    """So its connection is free again."""
    client, api = backend.scripted(reply(400, json={"a": 1}))

    error = await failure(client, stream=True)

    assert error.body == {"a": 1}
    assert api.open_responses == 0


@pytest.mark.parametrize(
    "cause",
    [
        httpx.ConnectTimeout("t"),
        httpx.ReadTimeout("t"),
        httpx.PoolTimeout("t"),
        TimeoutError("t"),
        AttemptTimedOut("t"),
    ],
)
async def test_timeouts(backend: Backend, cause: Exception) -> None:
    client, api = backend.scripted(cause, cause)

    error = await failure(client, options={"max_retries": 1})

    assert type(error) is APITimeoutError
    assert error.__cause__ is cause
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    "cause",
    [
        httpx.ConnectError("c"),
        httpx.ReadError("c"),
        httpx.RemoteProtocolError("c"),
        httpx.ProxyError("c"),
        httpx.DecodingError("c"),
        OSError("c"),
        ConnectionLost("c"),
    ],
)
async def test_failures_of_the_network(backend: Backend, cause: Exception) -> None:
    client, api = backend.scripted(cause, cause)

    error = await failure(client, options={"max_retries": 1})

    assert type(error) is APIConnectionError
    assert str(error) == "Connection error."
    assert error.__cause__ is cause
    assert error.request is api.requests[1]


async def test_errors_of_the_fork_of_httpx(backend: Backend) -> None:
    """They are recognized by name."""
    fork = type(
        "ReadTimeout",
        (type("TimeoutException", (Exception,), {"__module__": "httpx2"}),),
        {"__module__": "httpx2"},
    )
    client, _ = backend.scripted(fork("slow"), max_retries=0)

    assert type(await failure(client)) is APITimeoutError


@pytest.mark.parametrize("mistake", [ValueError("m"), RuntimeError("m"), KeyError("m")])
async def test_mistakes_are_neither_retried_nor_masked(backend: Backend, mistake: Exception) -> None:
    client, api = backend.scripted(mistake)

    with pytest.raises(type(mistake)) as caught:
        await settle(client.post("/foo", cast_to=httpx.Response))

    assert caught.value is mistake
    assert len(api.requests) == 1


async def test_an_unknown_scheme(backend: Backend) -> None:
    """It fails at once."""
    http_client = httpx.AsyncClient() if backend.is_async else httpx.Client()
    client = backend.client_class(
        base_url="htp://h", http_client=http_client, default_headers={"x-api-key": "k"}
    )
    client.clock = backend.clock

    error = await failure(client)

    assert isinstance(error.__cause__, httpx.UnsupportedProtocol)
    assert backend.clock.sleeps == []


async def test_a_body_that_breaks_off_is_retried(backend: Backend) -> None:
    """A body that is not streamed is read as part of the attempt."""
    client, api = backend.scripted(reply(body=[b"{", httpx.ReadError("broken")]), reply(json={"ok": 1}))

    response = await settle(client.get("/foo", cast_to=httpx.Response))

    assert response.json() == {"ok": 1}
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("invalid_request_error", "BadRequestError", 400),
        ("authentication_error", "AuthenticationError", 401),
        ("permission_error", "PermissionDeniedError", 403),
        ("not_found_error", "NotFoundError", 404),
        ("request_too_large", "RequestTooLargeError", 413),
        ("rate_limit_error", "RateLimitError", 429),
        ("api_error", "InternalServerError", 500),
        ("timeout_error", "DeadlineExceededError", 504),
        ("overloaded_error", "OverloadedError", 529),
        ("new_error", "APIStatusError", 200),
    ],
)
def test_error_events_in_streams(kind: str, error: str, status: int) -> None:
    """The type in the event decides the class."""
    request = httpx.Request("POST", "https://h/")
    response = httpx.Response(200, headers={"request-id": "r"}, request=request)

    made = event_error(response, f'{{"error": {{"type": "{kind}"}}}}')

    assert type(made) is getattr(headrace_client, error)
    assert made.status_code == status
    assert made.body == {"error": {"type": kind}}
    assert made.request_id == "r"


@pytest.mark.parametrize("data", ["not json", "[1]", '{"error": "flat"}', '{"error": {"type": 7}}'])
def test_error_events_without_details(data: str) -> None:
    response = httpx.Response(200, request=httpx.Request("POST", "https://h/"))

    assert type(event_error(response, data)) is APIStatusError


@pytest.mark.parametrize(
    "answer",
    [
        reply(429, json={"error": "e"}, headers={"request-id": "r", "set-cookie": "session=canary-cookie"}),
        reply(413, body="big"),
        httpx.ReadTimeout("t"),
        httpx.ConnectError("c"),
        reply(302, headers={"location": "https://other.test/"}),
    ],
)
async def test_errors_can_be_pickled_without_their_secrets(backend: Backend, answer: Any) -> None:
    client, _ = backend.scripted(answer, max_retries=0, api_key="canary-key", auth_token="canary-token")
    error = await failure(client)

    pickled = pickle.dumps(error)
    copy = pickle.loads(pickled)

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.body == error.body
    assert copy.request.url == error.request.url
    assert getattr(copy, "status_code", None) == getattr(error, "status_code", None)
    if isinstance(error, APIStatusError):
        assert copy.response.json() == error.response.json() if error.body != "big" else True
        assert copy.request_id == error.request_id
    assert b"canary" not in pickled
    assert b"secret" not in pickled


def test_errors_are_made_as_in_the_reference() -> None:
    """Tests of users make errors by hand."""
    request = httpx.Request("POST", "https://h/")
    response = httpx.Response(429, request=request)

    assert RateLimitError("m", response=response, body=None).status_code == 429
    assert APIConnectionError(request=request).message == "Connection error."
    assert APIConnectionError(message="m", request=request).message == "m"
    assert APITimeoutError(request).request is request
    assert APITimeoutError(request=request).message == "Request timed out."
    assert APIError("m", request, body={"a": 1}).body == {"a": 1}
    assert APIResponseValidationError(response, None).status_code == 429
    assert issubclass(OverloadedError, APIStatusError)
    assert issubclass(RequestTooLargeError, APIStatusError)
