"""A progress bar for `fan_out`: HTML in a notebook, rich on a terminal, else nothing until the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sized
from contextlib import contextmanager
from importlib import import_module
from time import monotonic
from typing import Any

from headrace.library.values import Result
from headrace.run.progress_bar import open_bar

Advance = Callable[[Result[Any]], None]

_INTERVAL = 0.2
"""Seconds between two pictures."""


@contextmanager
def progress_bar(jobs: object, *, shown: bool) -> Generator[Advance]:
    """Give what is to be called with each result. ``jobs``: their number is known if they have a length."""
    if not shown:
        yield _ignore
        return
    total = len(jobs) if isinstance(jobs, Sized) else None
    with (_notebook if _in_notebook() else _terminal)(total) as draw:
        bar = _Bar(draw)
        yield bar.advance
        draw(bar.done, bar.failed)


def _ignore(result: Result[Any]) -> None:
    del result


Draw = Callable[[int, int], None]
"""Shows how many jobs are finished, and how many of them have failed."""


class _Bar:
    def __init__(self, draw: Draw) -> None:
        self.done = self.failed = 0
        self._draw = draw
        self._due = monotonic()

    def advance(self, result: Result[Any]) -> None:
        self.done += 1
        self.failed += result.error is not None
        if monotonic() >= self._due:
            self._draw(self.done, self.failed)
            self._due = monotonic() + _INTERVAL


def _in_notebook() -> bool:
    """Whether a kernel runs this: that its packages are imported says nothing."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _label(done: int, failed: int, total: int | None) -> str:
    of = "" if total is None else f"/{total:,}"
    return f"{done:,}{of} jobs" + (f", {failed:,} failed" if failed else "")


@contextmanager
def _notebook(total: int | None) -> Generator[Draw]:
    # Only a notebook has it; its functions are not typed.
    show: Any = import_module("IPython.display")

    def picture(done: int, failed: int) -> object:
        bar = f'<progress value="{done}" max="{total or max(done, 1)}" style="width:50%"></progress>'
        return show.HTML(f"{bar} {_label(done, failed, total)}")

    handle = show.display(picture(0, 0), display_id=True)
    yield lambda done, failed: handle.update(picture(done, failed))


@contextmanager
def _terminal(total: int | None) -> Generator[Draw]:
    text = _label(0, 0, total)
    with open_bar(total, sys.stderr, text=text, transient=False) as draw:
        yield lambda done, failed: draw(done, _label(done, failed, total))
