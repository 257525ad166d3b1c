"""Exchanges that fail: statuses, error bodies, requested waits, broken connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import httpx

from headrace_client.testing import Reply, Step, reply

from .exchange import Exchange, Side
from .observation import NOW

STATUSES = (
    *(
        300,
        304,
        400,
        401,
        402,
        403,
        404,
        405,
        406,
        408,
        409,
        410,
        413,
        415,
        418,
        422,
        423,
        425,
        429,
        451,
        499,
    ),
    *(500, 501, 502, 503, 504, 507, 520, 524, 529, 598),
)
TRANSIENT = (408, 409, 429, 500, 502, 503, 504, 529)

JSON = {"content-type": "application/json", "request-id": "req_7"}
ERROR_BODIES: dict[str, Reply] = {
    "object": reply(body=b'{"type":"error","error":{"type":"x_error","message":"no"}}', headers=JSON),
    "list": reply(body=b"[1,2.5,null,true]", headers=JSON),
    "string": reply(body=b'"just words"', headers=JSON),
    "number": reply(body=b"17", headers=JSON),
    "null": reply(body=b"null", headers=JSON),
    "broken": reply(body=b'{"type":', headers=JSON),
    "text": reply(body="  no capacity\n", headers={"content-type": "text/plain"}),
    "html": reply(body="<html>Bad gateway</html>", headers={"content-type": "text/html; charset=utf-8"}),
    "latin": reply(
        body="gr\xfc\xdfe".encode("latin-1"), headers={"content-type": "text/plain; charset=latin-1"}
    ),
    "empty": reply(),
}


def _with(answer: Reply, status: int, **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers={**answer.headers, **fields}, chunks=answer.chunks)


def _get(side: Side, client: Any) -> Any:
    return client.get("/x", cast_to=object)


def _post(side: Side, client: Any) -> Any:
    return client.post("/x", cast_to=object, body={"a": 1})


OK = reply(json={"ok": True})


def statuses() -> Iterator[Exchange]:
    for status in STATUSES:
        for name, body in ERROR_BODIES.items():
            yield Exchange(
                name=f"status {status} {name}",
                call=_post,
                script=[_with(body, status)],
                settings={"max_retries": 0},
            )
    for status in TRANSIENT:
        for failures in (1, 2, 3):
            script = [_with(ERROR_BODIES["object"], status)] * failures + [OK]
            yield Exchange(name=f"transient {status} x{failures}", call=_post, script=script)


def verdicts_of_the_server() -> Iterator[Exchange]:
    """``x-should-retry`` overrides the status."""
    for status in (200, 400, 404, 418, 429, 500):
        for word in ("true", "false", "True", "1", ""):
            script = [_with(ERROR_BODIES["object"], status, x_should_retry=word), OK]
            yield Exchange(name=f"x-should-retry {status} {word!r}", call=_get, script=script)


RETRY_AFTER = (
    "0",
    "-1",
    "0.001",
    "1",
    "2.5",
    "59.9",
    "60",
    "60.5",
    "61",
    "171",
    "601",
    "junk",
    "nan",
    "inf",
    "",
    " 7 ",
)
DATES = (-30, 0, 20, 60, 90)


def waits() -> Iterator[Exchange]:
    for status in (429, 503):
        for asked in RETRY_AFTER:
            script = [_with(ERROR_BODIES["object"], status, retry_after=asked), OK]
            yield Exchange(name=f"retry-after {status} {asked!r}", call=_get, script=script)
    for seconds in DATES:
        script = [_with(ERROR_BODIES["object"], 429, retry_after=formatdate(NOW + seconds, usegmt=True)), OK]
        yield Exchange(name=f"retry-after date {seconds}", call=_get, script=script)
    for asked in ("0", "1500", "1500.5", "60000", "90000", "-5", "junk", ""):
        for beside in ("", "9"):
            headers = {"retry_after_ms": asked, **({"retry_after": beside} if beside else {})}
            script = [_with(ERROR_BODIES["object"], 429, **headers), OK]
            yield Exchange(name=f"retry-after-ms {asked!r} beside {beside!r}", call=_get, script=script)


CONNECTION_ERRORS: tuple[type[httpx.RequestError], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.PoolTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.ProxyError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.DecodingError,
)
MISTAKES = (RuntimeError("a bug"), ValueError("a bug"), OSError("no route"), TypeError("a bug"))


def broken_connections() -> Iterator[Exchange]:
    for kind in CONNECTION_ERRORS:
        for failures in (1, 3):
            script: list[Step] = [*[kind("it broke")] * failures, OK]
            yield Exchange(name=f"broken {kind.__name__} x{failures}", call=_post, script=script)
    for mistake in MISTAKES:
        yield Exchange(name=f"mistake {type(mistake).__name__}", call=_post, script=[mistake, OK])
    torn = reply(body=[b'{"ok":', httpx.ReadError("torn")], headers={"content-type": "application/json"})
    yield Exchange(name="broken body x1", call=_post, script=[torn, OK])
    yield Exchange(name="broken body x3", call=_post, script=[torn, torn, torn, OK])


def retry_settings() -> Iterator[Exchange]:
    script = [_with(ERROR_BODIES["empty"], 500)] * 7 + [OK]
    for retries in (0, 1, 3, 5, 6, 7):
        yield Exchange(
            name=f"max_retries {retries} of client",
            call=_get,
            script=script,
            settings={"max_retries": retries},
        )
        yield Exchange(name=f"max_retries {retries} of call", call=_retried(retries), script=script)
    for bad in (None, -1):
        yield Exchange(
            name=f"max_retries {bad} of client", call=_get, script=[OK], settings={"max_retries": bad}
        )
        yield Exchange(name=f"max_retries {bad} of call", call=_retried(bad), script=[OK])
    yield Exchange(
        name="max_retries inf of client", call=_get, script=script, settings={"max_retries": float("inf")}
    )


def _retried(retries: object) -> Callable[[Side, Any], Any]:
    return lambda side, client: client.get("/x", cast_to=object, options={"max_retries": retries})


def redirects() -> Iterator[Exchange]:
    for status in (301, 302, 303, 307, 308):
        for place in ("/y", "https://api.anthropic.com/y?q=1", "y", "https://elsewhere.test/y"):
            script = [reply(status, headers={"location": place}), OK]
            yield Exchange(name=f"redirect {status} {place}", call=_post, script=script)
        yield Exchange(name=f"redirect {status} nowhere", call=_post, script=[reply(status)])
        yield Exchange(
            name=f"redirect {status} refused",
            call=_unfollowed,
            script=[reply(status, headers={"location": "/y"})],
        )
    loop = [reply(302, headers={"location": "/x"})] * 25
    yield Exchange(name="redirect in circles", call=_get, script=loop, settings={"max_retries": 0})


def _unfollowed(side: Side, client: Any) -> Any:
    return client.get("/x", cast_to=object, options={"follow_redirects": False})


EXCHANGES = (
    *statuses(),
    *verdicts_of_the_server(),
    *waits(),
    *broken_connections(),
    *retry_settings(),
    *redirects(),
)
