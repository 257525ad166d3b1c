"""docs/promises.md says which test holds which promise: what it names must be there, and say so, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/promises.md"
_ROW = re.compile(r"^\| P(\d+) [^|]+\| ([^|]+) \| [^|]+ \| [^|]*\|$", re.MULTILINE)
_NAMED = re.compile(r"((?:\w+/)*(?:\w+\.py)?)(?:::)?(test_\w+(?:\.\.\.)?)?")
_LABEL = re.compile(r"\bP(\d+)(?:-P(\d+))?\b")


@attrs.frozen
class Named:
    """A test that the page names, or all tests of a file or folder."""

    path: Path
    test: str | None

    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.py")) if self.path.is_dir() else [self.path]

    def exists(self) -> bool:
        if not self.path.exists():
            return False
        if self.test is None:
            return True
        begin = self.test.removesuffix("...")
        name = begin if begin == self.test else rf"{begin}\w*"
        return any(re.search(rf"def {name}\(", file.read_text()) for file in self.files())

    def promises(self) -> set[int]:
        """What the files say that they are about."""
        labels = [label for file in self.files() for label in _LABEL.findall(file.read_text())]
        return {number for first, last in labels for number in range(int(first), int(last or first) + 1)}


def rows() -> dict[int, list[Named]]:
    return {int(number): list(named_in(tests)) for number, tests in _ROW.findall(PAGE.read_text())}


def named_in(cell: str) -> Iterator[Named]:
    """A test without a file is of the file that was named last."""
    path = TESTS
    for quoted in re.findall("`([^`]+)`", cell):
        found = _NAMED.fullmatch(quoted)
        if found is None:
            raise AssertionError(f"{quoted} names no test")
        name, test = found.groups()
        if name:
            path = TESTS / name if (TESTS / name.partition("/")[0]).is_dir() else TESTS / "runner" / name
        yield Named(path, test)


@pytest.mark.parametrize("number", range(1, 26))
def test_each_promise_has_tests_that_exist_and_name_it(number: int) -> None:
    named = rows()[number]

    assert named
    assert [each for each in named if not each.exists()] == []
    assert number in set[int]().union(*(each.promises() for each in named))
