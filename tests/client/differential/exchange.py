"""A scripted exchange: the call on a client, and the responses of the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

import attrs

from headrace_client.testing import ScriptedAPI, Step
from tests.client.backends import settle

Json: TypeAlias = Any


@attrs.frozen
class Side:
    """One of the two packages, as an exchange needs it. ``package``: its module."""

    name: str
    asynchronous: bool = False
    models: dict[str, Any] = attrs.field(factory=dict[str, Any], eq=False)

    @property
    def package(self) -> Any:
        return import_module(self.name)

    def client(self, api: ScriptedAPI, settings: Mapping[str, Any]) -> Any:
        """Return a client of this package whose requests go to ``api``."""
        if self.asynchronous:
            return self.package.AsyncAnthropic(**{"http_client": api.async_http_client(), **settings})
        return self.package.Anthropic(**{"http_client": api.http_client(), **settings})

    def model(self, name: str, **fields: Any) -> Any:
        """Return a model with these annotations, based on the package's base class, always the same one."""
        if name not in self.models:
            members = {"__annotations__": fields, "__module__": __name__}
            self.models[name] = type(name, (self.package.BaseModel,), members)
        return self.models[name]


OURS, THEIRS = Side("headrace_client"), Side("anthropic")
ASYNC_OURS, ASYNC_THEIRS = Side("headrace_client", asynchronous=True), Side("anthropic", asynchronous=True)


async def whole(result: Any) -> object:
    """Return the result of a call."""
    return await settle(result)


async def items(result: Any) -> object:
    """Return the items of a list, or the events of a stream."""
    found = await settle(result)
    return [item async for item in found] if hasattr(found, "__aiter__") else list(found)


@attrs.frozen(kw_only=True)
class Exchange:
    """``call`` is made on a client with ``settings``; ``read`` turns its result into what is compared.

    ``script`` has the responses to the attempts; not all of them have to be used.
    """

    name: str
    call: Callable[[Side, Any], Any]
    script: Sequence[Step] = ()
    settings: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    environment: Mapping[str, str] = attrs.field(factory=dict[str, str])
    read: Callable[[Any], Awaitable[object]] = whole
