"""The marker `long`, for tests that repeat what a quicker one shows, with more seeds, jobs or processes.

``pytest -m 'not long'`` leaves them out. CI runs all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")


def long_if(is_long: Callable[[T], bool], values: Iterable[T]) -> list[object]:
    """Parameters for a test, some of them marked `long`."""
    return [pytest.param(value, marks=pytest.mark.long) if is_long(value) else value for value in values]
