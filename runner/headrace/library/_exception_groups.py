"""Exception groups with one exception in them, which say less than that exception."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn, cast


@contextmanager
def ungrouped(*, deep: bool = False) -> Generator[None]:
    """Raise the only exception of a group instead of the group, which a nursery of ours made of it.

    ``deep``: also where that is a group of one itself. Groups of several stay as they are.
    """
    only: BaseException | None = None
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) != 1:
            raise
        only = _innermost(group) if deep else group.exceptions[0]
    if only is not None:
        _raise(only)


def _raise(error: BaseException) -> NoReturn:
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context  # else it would be the group


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        if len(group.exceptions) != 1:
            return group
        error = group.exceptions[0]
    return error
