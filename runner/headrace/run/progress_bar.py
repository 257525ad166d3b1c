"""A progress bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO

Draw = Callable[[int, str], None]
"""Shows how many jobs are finished, and a text."""


@contextmanager
def open_bar(total: int | None, stream: TextIO, *, text: str, transient: bool) -> Generator[Draw]:
    """Give what draws the bar. It draws when called, and never by itself.

    ``total``: None if unknown. ``text``: what to show first. ``transient``: erase the bar at the end.
    Drawing raises `OSError` if nothing reads the stream any more.
    """
    # Imported here because rich costs 40 ms, and only a terminal needs it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    class QuietConsole(Console):
        def on_broken_pipe(self) -> None:
            """Raise the error to the caller: rich would exit the process, and close standard output."""
            raise  # rich calls this while it handles the error

    progress = Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%" if total else ""),
        TextColumn("{task.description}"),
        console=QuietConsole(file=stream),
        auto_refresh=False,
        transient=transient,
        expand=True,
    )
    task = progress.add_task(text, total=total)
    with suppress(OSError):  # the first call to draw reports it
        progress.start()
    try:
        yield lambda done, text: progress.update(task, completed=done, description=text, refresh=True)
    finally:
        with suppress(OSError):
            progress.stop()
