"""Exchanges about requests: settings, headers, URLs, queries, bodies, timeouts."""

from __future__ import annotations

import datetime as dt
import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from headrace_client.testing import reply

from .exchange import Exchange, Side

OK = reply(json={"ok": True})
Call = Callable[[Side, Any], Any]


def _get(**options: Any) -> Call:
    return lambda side, client: client.get("/x", cast_to=object, options=options)


def _post(**arguments: Any) -> Call:
    return lambda side, client: client.post("/x", cast_to=object, **arguments)


def _sent(name: str, call: Call, **settings: Any) -> Exchange:
    return Exchange(name=name, call=call, script=[OK] * 3, settings=settings)


def verbs() -> Iterator[Exchange]:
    for verb, body in itertools.product(("post", "put", "patch", "delete"), (None, {}, {"a": None})):

        def call(side: Side, client: Any, verb: str = verb, body: Any = body) -> Any:
            return getattr(client, verb)("/x", cast_to=object, body=body)

        yield _sent(f"verb {verb} {body}", call)
    yield _sent("verb get", _get())


def headers() -> Iterator[Exchange]:
    """The layers of headers, in the same and in other spellings."""
    names = ("X-Foo", "x-foo", "User-Agent", "user-agent", "anthropic-version", "Accept", "content-type")
    for name in (
        *names,
        "X-Api-Key",
        "x-api-key",
        "Authorization",
        "X-Stainless-Lang",
        "x-stainless-retry-count",
    ):
        yield _sent(f"headers client {name}", _post(), default_headers={name: "mine"})
        yield _sent(f"headers call {name}", _post(options={"headers": {name: "mine"}}))
    for client_name, call_name in itertools.product(("X-Foo", "x-foo"), repeat=2):
        yield _sent(
            f"headers both {client_name} {call_name}",
            _post(options={"headers": {call_name: "call"}}),
            default_headers={client_name: "client"},
        )
    for name in (
        "X-Foo",
        "x-foo",
        "X-Stainless-Lang",
        "Accept",
        "X-Api-Key",
        "x-api-key",
        "x-stainless-read-timeout",
    ):
        yield _sent(f"headers omitted {name}", _omitting(name), default_headers={"X-Foo": "client"})
    get_type = _get(headers={"Content-Type": "text/x"})
    yield _sent("headers content type of a get", get_type)


def _omitting(name: str) -> Call:
    return lambda side, client: client.post(
        "/x", cast_to=object, options={"headers": {name: side.package.Omit()}}
    )


def credentials() -> Iterator[Exchange]:
    """Keys and tokens, given and in the environment; the tests' environment has a key."""
    given: tuple[Mapping[str, str], ...] = (
        {},
        {"api_key": "k"},
        {"auth_token": "t"},
        {"api_key": "k", "auth_token": "t"},
    )
    for settings in given:
        for environment in ({}, {"ANTHROPIC_AUTH_TOKEN": "e"}, {"ANTHROPIC_API_KEY": ""}):
            name = f"credentials {'+'.join(settings) or 'none'} in {'+'.join(environment) or 'nothing'}"
            yield Exchange(name=name, call=_get(), script=[OK], settings=settings, environment=environment)
    for name in ("X-Api-Key", "x-api-key", "Authorization", "authorization"):
        nothing = {"ANTHROPIC_API_KEY": ""}
        yield Exchange(
            name=f"credentials omitted {name}", call=_omitting(name), script=[OK], environment=nothing
        )
        call = _post(options={"headers": {name: "Bearer mine"}})
        yield Exchange(name=f"credentials by header {name}", call=call, script=[OK], environment=nothing)


BASE_URLS = (
    *(
        "http://h",
        "http://h/",
        "http://h/v1",
        "http://h/v1/",
        "http://h:8080/a/b",
        "http://h_i.test/",
        "http://[::1]:9/",
    ),
    *("", "http://h/p?k=1"),
)
PATHS = (
    "/x",
    "x",
    "/x/",
    "/x/y",
    "/x?q=1",
    "x?q=a%20b",
    "http://other.test/x",
    "https://a_b.test/z",
    "/a b",
    "/ü",
    "/x#f",
)


def urls() -> Iterator[Exchange]:
    for base, path in itertools.product(BASE_URLS, PATHS):

        def call(side: Side, client: Any, path: str = path) -> Any:
            return client.get(path, cast_to=object)

        yield _sent(f"url {base!r} {path}", call, base_url=base)
        if base and base != BASE_URLS[-1]:
            continue
        environment = {"ANTHROPIC_BASE_URL": base}
        yield Exchange(
            name=f"url of environment {base!r} {path}", call=call, script=[OK] * 3, environment=environment
        )


QUERIES: tuple[Mapping[str, object], ...] = (
    {},
    {"a": 1, "b": 2.5, "c": "x y&z=ü"},
    {"a": True, "b": False},
    {"a": None, "b": 1},
    {"a": ""},
    {"a": [1, 2, "x,y"]},
    {"a": [True, None]},
    {"a": []},
    {"a": (1, 2)},
    {"a": {"b": {"c": 1}, "d": [1, 2]}},
    {"a": {}},
    {"a": [{"b": 1}]},
    {"a": {"b": None}},
    {"a[b]": 1},
)


def queries() -> Iterator[Exchange]:
    for number, params in enumerate(QUERIES):
        yield _sent(f"query of call {number}", _get(params=params))
        yield _sent(f"query of client {number}", _get(), default_query=params)
        yield _sent(f"query of both {number}", _get(params=params), default_query={"a": "client", "z": 26})

        def call(side: Side, client: Any, params: Mapping[str, object] = params) -> Any:
            return client.get("/x?beta=true", cast_to=object, options={"params": params})

        yield _sent(f"query beside path {number}", call)


BODIES: dict[str, object] = {
    "dict": {"a": 1, "b": [1.5, None, True], "c": {"d": "ü \u2028 \U0001f600"}},
    "list": [1, {"a": 2}],
    "text": "words",
    "number": 3,
    "false": False,
    "zero": 0,
    "empty dict": {},
    "empty list": [],
    "tuple": {"a": (1, 2)},
    "date": {"a": dt.date(2026, 1, 2), "b": dt.datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=dt.UTC)},
    "naive date": {"a": dt.datetime(2026, 1, 2, 3, 4, 5)},  # noqa: DTZ001  # what a careless user passes
    "big": {"a": 2**70, "b": 1e300, "c": -0.0, "d": 1e16, "e": 1.0},
    "nan": {"a": float("nan")},
    "inf": {"a": float("inf")},
    "set": {"a": {1}},
    "object": {"a": object()},
    "bytes inside": {"a": b"x"},
    "number as key": {1: 2},
    "controls": {"a": '\x00\x1f\x7f"\\/'},
}


def bodies() -> Iterator[Exchange]:
    for name, body in BODIES.items():
        yield _sent(f"body {name}", _post(body=body))
        yield _sent(
            f"body {name} + extra", _post(body=body, options={"extra_json": {"a": "extra", "z": None}})
        )
    yield _sent("body extra alone", _post(options={"extra_json": {"a": 1}}))
    yield _sent("body bytes", _post(body=b"raw"))
    yield _sent("body + content", _post(body={}, content=b"x"))
    yield _sent(
        "body model", lambda side, client: client.post("/x", cast_to=object, body={"m": _model(side)})
    )
    retried = [reply(500), OK]
    yield Exchange(name="body twice", call=_post(body={"a": 1}), script=retried)


def _model(side: Side) -> Any:
    return side.model("Sent", a=int, b="str | None").construct(a=1)


def contents() -> Iterator[Exchange]:
    makers: dict[str, Callable[[], Any]] = {
        "bytes": lambda: b"raw",
        "bytearray": lambda: bytearray(b"raw"),
        "text": lambda: "raw",
        "empty": lambda: b"",
        "file": lambda: io.BytesIO(b"raw"),
        "iterator": lambda: iter([b"r", b"aw"]),
        "list": lambda: [b"r", b"aw"],
    }
    typed = {"headers": {"Content-Type": "text/plain"}}
    for name, make in makers.items():
        yield _sent(f"content {name}", _with_content(make))
        yield _sent(f"content {name} typed", _with_content(make, options=typed))


def _with_content(make: Callable[[], Any], **arguments: Any) -> Call:
    return lambda side, client: client.post("/x", cast_to=object, content=make(), **arguments)


FORM = {"headers": {"Content-Type": "multipart/form-data"}}
BOUNDED = {"headers": {"Content-Type": "multipart/form-data; boundary=b"}}


def forms() -> Iterator[Exchange]:
    fields = {"a": 1, "b": [1, "x"], "c": {"d": True, "e": None}, "f": "ü"}
    files: dict[str, Any] = {
        "bytes": {"file": b"raw"},
        "tuple": {"file": ("n.txt", b"raw", "text/plain")},
        "pairs": [("file", b"1"), ("file", b"2")],
        "headers": {"file": ("n.txt", b"raw", "text/plain", {"X-A": "1"})},
        "empty": {},
        "text": {"file": "words"},
    }
    for kind, given in files.items():
        for name, options in (("form", FORM), ("bounded", BOUNDED)):
            yield _sent(f"files {kind} {name}", _post(body=fields, files=given, options=options))
        yield _sent(f"files {kind} alone", _post(files=given, options=FORM))
        yield _sent(f"files {kind} unsaid", _post(body=fields, files=given))
    yield _sent("files + content", _post(files={"f": b"x"}, content=b"x"))


TIMEOUTS: dict[str, object] = {
    "number": 7,
    "fraction": 0.25,
    "none": None,
    "zero": 0,
    "httpx": httpx.Timeout(10, read=3.5),
    "httpx without read": httpx.Timeout(10, read=None),
    "600": 600,
}


def timeouts() -> Iterator[Exchange]:
    for name, timeout in TIMEOUTS.items():
        yield _sent(f"timeout of client {name}", _get(), timeout=timeout)
        yield _sent(f"timeout of call {name}", _get(timeout=timeout))
        yield _sent(f"timeout of both {name}", _get(timeout=timeout), timeout=11)


EXCHANGES = (
    *verbs(),
    *headers(),
    *credentials(),
    *urls(),
    *queries(),
    *bodies(),
    *contents(),
    *forms(),
    *timeouts(),
)
