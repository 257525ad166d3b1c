"""Exchanges about responses: types, strictness, raw and streaming responses, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, Optional, Union

import httpx

from headrace_client.testing import Reply, reply
from tests.client.backends import each, entered, settle

from .exchange import Exchange, Side, items

JSON = {"content-type": "application/json", "request-id": "req_9"}


def _answer(body: str | bytes, **headers: str) -> Reply:
    return reply(body=body, headers=JSON | headers)


BODIES: dict[str, Reply] = {
    "object": _answer('{"a": 1, "b": "x", "new": [1, {"deep": null}]}'),
    "misfit": _answer('{"a": "no number", "b": 7}'),
    "partial": _answer('{"b": "x"}'),
    "float": _answer('{"a": 3.0, "b": "x"}'),
    "nested": _answer('{"a": 1, "b": "x", "inner": {"c": 1, "more": 2}, "list": [{"c": 2}, {"c": "x"}, 3]}'),
    "list": _answer("[1, 2]"),
    "string": _answer('"words"'),
    "number": _answer("17"),
    "true": _answer("true"),
    "null": _answer("null"),
    "broken": _answer('{"a":'),
    "empty": _answer(""),
    "text": reply(body="plain words", headers={"content-type": "text/plain"}),
    "True": reply(body="True", headers={"content-type": "text/plain"}),
    "object as text": reply(body='{"a": 1, "b": "x"}', headers={"content-type": "text/plain"}),
    "object untyped": reply(body='{"a": 1, "b": "x"}'),
    "problem": _answer('{"a": 1, "b": "x"}', **{"content-type": "application/problem+json; charset=utf-8"}),
    "no content": reply(204),
}


def _inner(side: Side) -> Any:
    return side.model("Inner", c=int)


def _flat(side: Side) -> Any:
    return side.model("Flat", a=int, b=str)


def _rich(side: Side) -> Any:
    inner = _inner(side)
    return side.model("Rich", a=int, b=str, inner=Optional[inner], list=Optional[list[inner]])  # noqa: UP045  # of a value


TYPES: dict[str, Callable[[Side], Any]] = {
    "model": _flat,
    "rich model": _rich,
    "object": lambda side: object,
    "str": lambda side: str,
    "bytes": lambda side: bytes,
    "int": lambda side: int,
    "float": lambda side: float,
    "bool": lambda side: bool,
    "None": lambda side: type(None),
    "dict": lambda side: dict[str, object],
    "list": lambda side: list[int],
    "list of models": lambda side: list[_inner(side)],
    "union": lambda side: Union[_inner(side), _flat(side)],  # noqa: UP007  # of values
    "union with str": lambda side: Union[_flat(side), str],  # noqa: UP007  # of values
    "httpx.Response": lambda side: httpx.Response,
}


def typed() -> Iterator[Exchange]:
    for (kind, make), (name, body) in ((t, b) for t in TYPES.items() for b in BODIES.items()):

        def call(side: Side, client: Any, make: Callable[[Side], Any] = make) -> Any:
            return client.get("/x", cast_to=make(side))

        for strict in (False, True):
            yield Exchange(
                name=f"{'strict' if strict else 'loose'} {kind} of {name}",
                call=call,
                script=[body],
                settings={"_strict_response_validation": strict, "max_retries": 0},
            )


def _tagged(side: Side) -> Any:
    one = side.model("One", type=Literal["one"], value=int)
    two = side.model("Two", type=Literal["two"], value=str)
    return side.model("Holder", item=Union[one, two])  # noqa: UP007  # of values


def _by_fit(side: Side) -> Any:
    number = side.model("Number", foo=int)
    text = side.model("Text", foo=str)
    return Union[number, text]  # noqa: UP007  # of values


def unions() -> Iterator[Exchange]:
    for value in (
        '{"type": "one", "value": 1}',
        '{"type": "two", "value": "x"}',
        '{"type": "two", "value": 1}',
    ):
        body = _answer(f'{{"item": {value}}}')
        yield Exchange(
            name=f"union tagged {value}",
            call=lambda side, client: client.get("/x", cast_to=_tagged(side)),
            script=[body],
        )
    for value in ("1", '"x"', "1.5", "null", "[]"):
        body = _answer(f'{{"foo": {value}}}')
        yield Exchange(
            name=f"union by fit {value}",
            call=lambda side, client: client.get("/x", cast_to=_by_fit(side)),
            script=[body],
        )


async def raw(result: Any) -> object:
    """Return everything that is visible of a raw response, and what it is parsed to."""
    response = await settle(result)
    names = ("status_code", "method", "http_version", "is_closed", "request_id", "retries_taken")
    shown = {name: getattr(response, name) for name in names} | {"url": str(response.url)}
    return shown | {
        "headers": dict(response.headers),
        "parsed": await settle(response.parse()),
        "content": response.content,
    }


async def chunks(manager: Any) -> object:
    """Read a streaming response in all ways that can follow each other."""
    async with entered(manager) as response:
        before = response.is_closed
        lines = [line async for line in each(response.iter_lines())]
    return {"before": before, "lines": lines, "after": response.is_closed, "request_id": response.request_id}


async def read_whole(manager: Any) -> object:
    async with entered(manager) as response:
        data = await settle(response.read())
        text, value = await settle(response.text()), await settle(response.json())
        return {"data": data, "text": text, "json": value, "parsed": await settle(response.parse())}


async def read_after_streaming(manager: Any) -> object:
    async with entered(manager) as response:
        async for _ in each(response.iter_bytes()):
            pass
        return await settle(response.read())


MODEL_INFO = '{"id": "m", "type": "model", "display_name": "M", "created_at": "2026-01-02T03:04:05Z"}'


def views() -> Iterator[Exchange]:
    for status in (200, 201, 404):
        body = Reply(status=status, headers=JSON, chunks=[MODEL_INFO.encode()])
        for name, read in (("lines", chunks), ("whole", read_whole), ("consumed", read_after_streaming)):
            yield Exchange(
                name=f"streaming response {name} {status}",
                call=lambda side, client: client.models.with_streaming_response.retrieve("m"),
                script=[body],
                read=read,
            )
        for retries in (0, 1):
            yield Exchange(
                name=f"raw response {status} after {retries}",
                call=lambda side, client: client.models.with_raw_response.retrieve("m"),
                script=[*[reply(500)] * retries, body],
                read=raw,
            )
    yield Exchange(
        name="raw response of client",
        call=lambda side, client: client.with_raw_response.models.retrieve("m"),
        script=[_answer(MODEL_INFO)],
        read=raw,
    )


def _page(ids: str, **fields: object) -> Reply:
    data = [
        {"id": name, "type": "model", "display_name": name.upper(), "created_at": "2026-01-02T03:04:05Z"}
        for name in ids
    ]
    return reply(
        json={"data": data, "first_id": ids[:1] or None, "last_id": ids[-1:] or None, **fields}, headers=JSON
    )


async def pages(result: Any) -> object:
    """Return the items of each page and whether there are more."""
    first = await settle(result)
    return [(page.data, page.has_next_page()) async for page in each(first.iter_pages())]


async def past_the_end(result: Any) -> object:
    return await settle((await settle(result)).get_next_page())


LISTS: dict[str, tuple[Reply, ...]] = {
    "one page": (_page("ab", has_more=False),),
    "three pages": (_page("ab", has_more=True), _page("cd", has_more=True), _page("e", has_more=False)),
    "unsaid": (_page("ab"), _page("c", has_more=False)),
    "unsaid to the end": (_page("ab"), _page("")),
    "empty": (_page("", has_more=True),),
    "without ids": (reply(json={"data": [{"id": "a"}], "has_more": True}),),
    "null data": (reply(json={"data": None, "has_more": True}),),
    "failing later": (_page("ab", has_more=True), reply(404)),
    "retried later": (_page("ab", has_more=True), reply(500), _page("c", has_more=False)),
}
QUERIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "limited": {"limit": 2},
    "after": {"after_id": "z"},
    "before": {"before_id": "z", "limit": 3},
    "extra": {"extra_query": {"q": 1}, "extra_headers": {"X-A": "1"}, "timeout": 3},
}


def lists() -> Iterator[Exchange]:
    for name, script in LISTS.items():
        for how, read in (("items", items), ("pages", pages), ("past the end", past_the_end)):
            for what, query in QUERIES.items():
                yield Exchange(
                    name=f"list {name} {how} {what}",
                    call=lambda side, client, query=query: client.models.list(**query),
                    script=script,
                    read=read,
                )


EXCHANGES = (*typed(), *unions(), *views(), *lists())
