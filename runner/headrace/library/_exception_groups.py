"""Unwrapping of exception groups that hold a single exception."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn, cast


@contextmanager
def ungrouped(*, deep: bool = False) -> Generator[None]:
    """Raise the only exception of a group instead of the group.

    A nursery of ours made the group, and callers do not know about it. ``deep``: also unwrap groups of one
    within it. A group of several exceptions is raised unchanged.
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
        error.__context__ = context  # otherwise it would be the group


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        if len(group.exceptions) != 1:
            return group
        error = group.exceptions[0]
    return error
