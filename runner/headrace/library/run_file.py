"""`run_file`: what the command `headrace run` does, for programs."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterable, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypedDict, Unpack

import attrs
import trio
from sniffio import current_async_library

from headrace.actors.messages import Stop
from headrace.actors.statistics import Snapshot
from headrace.dialects import RequestOptions
from headrace.library._exception_groups import ungrouped
from headrace.library._trio_thread import await_on_trio_thread
from headrace.output.storage import DiskStorage
from headrace.pacing import StatedLimits
from headrace.policy.prices import PriceList
from headrace.run import execution as _run_file
from headrace.run.options import (
    Concurrency,
    Durability,
    InputFormat,
    OnBadLine,
    OnChange,
    OnDuplicate,
    RetryFailed,
    RunOptions,
)
from headrace.run.summary import Summary
from headrace.run.system import real_system

_log = logging.getLogger("headrace")


class RunFileOptions(TypedDict, total=False):
    """The options of ``headrace run``, by the names of `RunOptions` and `RequestOptions`."""

    input_format: InputFormat
    first: int | None
    max_line: int
    on_bad_line: OnBadLine
    on_duplicate: OnDuplicate

    model: str | None
    prompt: str | None
    system: str | None
    max_tokens: int | None
    set: Mapping[str, object]
    id_field: str | None
    stream: bool
    keep: tuple[str, ...]

    output: str | os.PathLike[str] | None
    on_change: OnChange
    retry_failed: RetryFailed
    restart: bool
    durability: Durability
    ordered: bool

    base_url: str | None
    api_key_file: Path | None
    environ: Mapping[str, str]
    no_auth: bool
    headers: tuple[str, ...]
    insecure_http: bool
    simulate: bool

    concurrency: Concurrency
    limits: StatedLimits
    max_cost: float | None
    prices: PriceList | None
    cache_prefix: bool
    max_failures: str | None
    grace: float
    max_attempts: int
    timeout: float
    idle_timeout: float
    max_wait: float
    seed: int | None


async def run_file(*inputs: str | os.PathLike[str], **options: Unpack[RunFileOptions]) -> Summary:
    """Run job files to their records, as ``headrace run`` does; under trio or asyncio.

    The options are the command's. Cancelled, it cuts off what is in flight; called again, it goes on where
    it ended. Raises `RunRefused` or `StorageFailed` before anything is sent; afterwards everything that goes
    wrong is in the summary.
    """
    work = partial(_run, _options(inputs, options))
    if current_async_library() == "trio":
        return await work()
    return await await_on_trio_thread(work)


def _options(inputs: tuple[str | os.PathLike[str], ...], given: RunFileOptions) -> RunOptions:
    shaping = {field.name for field in attrs.fields(RequestOptions)}
    options: dict[str, Any] = {"environ": os.environ, **given}
    if options.get("output") is not None:
        options["output"] = Path(options["output"])
    request = {name: options.pop(name) for name in shaping & options.keys()}
    return RunOptions(
        inputs=tuple(os.fspath(name) for name in inputs), request=RequestOptions(**request), **options
    )


async def _run(options: RunOptions) -> Summary:
    with ungrouped(deep=True), DiskStorage() as storage:
        return await _run_file.execute(
            options,
            system=real_system(storage),
            stops=_never,
            display=_hidden,
            notify=_log.info,
        )


def _never() -> AsyncIterable[Stop]:
    """No wishes: whoever wants the end cancels."""
    stops, receive = trio.open_memory_channel[Stop](0)
    stops.close()
    return receive


@contextmanager
def _hidden(_to_send: int | None) -> Generator[Callable[[Snapshot], None]]:
    yield lambda _: None
