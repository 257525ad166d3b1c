"""Everything that is visible of an exchange, and the aspects in which two observations differ.

Aspects of the requests: ``attempts`` (their number), ``method``, ``url``, ``body``, ``timeout``, ``sni``,
``header:<name>``. Between them: ``sleeps``. Of the result: ``outcome`` (the class of the error, or
"returned"), ``value``, ``error.<attribute>``, ``warnings``.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
import pytest

from headrace_client.testing import ScriptedAPI, VirtualClock

from .exchange import Exchange, Side

NOW = 1_700_000_000.0
"""The wall clock when an exchange begins: 2023-11-14 22:13:20 UTC."""
JITTER = 0.5

NAMES = {
    "APIErrorObject": "ErrorObject",
    "BetaAPIError": "ErrorObject",
    "Delta": "MessageDelta",
    "ValidationError": "MismatchError",
}
"""The reference SDK's names of classes that have another name here."""

_ERROR_ATTRIBUTES = ("message", "body", "status_code", "request_id")


async def observe(exchange: Exchange, side: Side, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run an exchange against one package, in virtual time."""
    api, clock = ScriptedAPI(exchange.script), VirtualClock(now=NOW, jitter=JITTER)
    for name, value in exchange.environment.items():
        monkeypatch.setenv(name, value)
    if side.name == "anthropic":
        _take_over_reference(clock, monkeypatch)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcome = await _outcome(exchange, side, api, clock)
    return {
        **_requests(api.requests),
        "sleeps": clock.sleeps,
        **outcome,
        "warnings": sorted({warning.category.__name__ for warning in warned} - {"ResourceWarning"}),
    }


def _take_over_reference(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the clock to the reference, which has no parameter for one."""
    blocking = SimpleNamespace(time=clock.time, sleep=clock.sleep)
    monkeypatch.setattr("anthropic._base_client.time", blocking)
    monkeypatch.setattr("anthropic._base_client.random", clock.random)
    monkeypatch.setattr("anthropic._base_client.anyio", SimpleNamespace(sleep=clock.sleep_async))


async def _outcome(exchange: Exchange, side: Side, api: ScriptedAPI, clock: VirtualClock) -> dict[str, Any]:
    try:
        client = side.client(api, exchange.settings)
        if side.name != "anthropic":
            client.clock = clock
        value = await exchange.read(exchange.call(side, client))
    except Exception as error:  # noqa: BLE001  # its class is compared
        attributes = {f"error.{name}": plain(getattr(error, name, None)) for name in _ERROR_ATTRIBUTES}
        if not isinstance(error, side.package.AnthropicError):
            attributes = {}  # the wording of Python's own errors may differ
        return {"outcome": type(error).__name__, **attributes, "error.cause": _class_name(error.__cause__)}
    request_id = getattr(value, "_request_id", None)
    return {"outcome": "returned", "value": plain(value), "value.request_id": request_id}


def _requests(requests: Sequence[httpx.Request]) -> dict[str, Any]:
    return {"attempts": len(requests), "requests": [_request(request) for request in requests]}


def _request(request: httpx.Request) -> dict[str, object]:
    return {
        "method": request.method,
        "url": str(request.url),
        "body": _body(request),
        "timeout": request.extensions["timeout"],
        "sni": request.extensions.get("sni_hostname"),
        **{f"header:{name}": _values(request, name) for name in request.headers},
    }


def _values(request: httpx.Request, name: str) -> list[str]:
    return [_without_boundary(value, request) for value in request.headers.get_list(name)]


def _without_boundary(text: str, request: httpx.Request) -> str:
    """Replace the boundary that httpx generated, because it is random."""
    found = re.search("boundary=([0-9a-f]{32})", request.headers.get("content-type", ""))
    return text.replace(found[1], "BOUNDARY") if found else text


def _body(request: httpx.Request) -> object:
    """Return the body; for JSON its value and length, because the order of members may differ."""
    text = _without_boundary(request.content.decode("latin-1"), request)
    try:
        return msgspec.json.decode(request.content), len(request.content)
    except msgspec.DecodeError:
        return text


def differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the aspects in which two observations differ, ours first.

    Requests are compared as far as both made them, values and errors if they are of the same kind.
    """
    pairs = {name: (ours.get(name), theirs.get(name)) for name in ours.keys() | theirs.keys()}
    if ours["outcome"] != theirs["outcome"]:
        pairs = {
            name: pair for name, pair in pairs.items() if name.partition(".")[0] not in {"value", "error"}
        }
    del pairs["requests"]
    found = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    for mine, other in zip(ours["requests"], theirs["requests"], strict=False):
        found |= {
            name: (mine.get(name), other.get(name))
            for name in {*mine, *other}
            if mine.get(name) != other.get(name)
        }
    return found


def plain(value: Any) -> Any:
    """Return a value as builtins; a model as the name of its class and its fields that are not None."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, float) and math.isnan(value):
        return "NaN"  # it would differ from itself
    if isinstance(value, httpx.Response):
        return ["httpx.Response", value.status_code, value.text]
    if hasattr(value, "to_dict"):
        return [_class_name(value), _fields(value)]
    return value if isinstance(value, bytes | str | int | float | None) else repr(value)


def _class_name(value: object) -> str:
    """Return the name of a class without its parameters; parsed and beta variants are one class here."""
    name = type(value).__name__.partition("[")[0]
    return NAMES.get(name, name.removeprefix("Beta").removeprefix("Parsed"))


def _fields(model: Any) -> dict[str, Any]:
    cls = cast("Any", type(model))
    declared: Iterable[str] = getattr(cls, "__struct_fields__", None) or cls.model_fields
    values: dict[str, Any] = {name: getattr(model, name) for name in declared} | (model.model_extra or {})
    return {name: plain(value) for name, value in values.items() if value is not None}
