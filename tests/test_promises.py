"""docs/promises.md says which tests hold which promise: they must exist, name it, and not all be long."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/promises.md"
_ROW = re.compile(r"^\| P(\d+) [^|]+\| ([^|]+) \| [^|]+ \| [^|]*\|$", re.MULTILINE)
_NAMED = re.compile(r"((?:\w+/)*(?:\w+\.py)?)(?:::)?(test_\w+(?:\.\.\.)?)?")
_LABEL = re.compile(r"\bP(\d+)(?:-P(\d+))?\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen
class Named:
    """Tests that the page names: those of a file or folder, or those whose names begin like ``test``."""

    path: Path
    test: str | None

    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.py")) if self.path.is_dir() else [self.path]

    def exists(self) -> bool:
        return self.path.exists() and bool(self.tests())

    def tests(self) -> list[Function]:
        return [test for file in self.files() for test in functions_in(file) if self._names(test.name)]

    def promises(self) -> set[int]:
        """The promises that the files name."""
        labels = [label for file in self.files() for label in _LABEL.findall(file.read_text())]
        return {number for first, last in labels for number in range(int(first), int(last or first) + 1)}

    def _names(self, function: str) -> bool:
        if self.test is None:
            return True
        start = self.test.removesuffix("...")
        return function == start if start == self.test else function.startswith(start)


def functions_in(file: Path) -> list[Function]:
    """The test functions of a file, those of classes included."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return [node for node in nodes if isinstance(node, Function) and node.name.startswith("test_")]


def is_long(test: Function) -> bool:
    """Whether `just test` leaves out the test with all its parameters."""
    return any(ast.unparse(decorator) == "pytest.mark.long" for decorator in test.decorator_list)


def rows() -> dict[int, list[Named]]:
    return {int(number): list(named_in(tests)) for number, tests in _ROW.findall(PAGE.read_text())}


def named_in(cell: str) -> Iterator[Named]:
    """The tests that a cell names. One without a file is in the file that was named last."""
    path = TESTS
    for quoted in re.findall("`([^`]+)`", cell):
        found = _NAMED.fullmatch(quoted)
        if found is None:
            raise AssertionError(f"{quoted} does not name a test")
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


@pytest.mark.parametrize("number", range(1, 26))
def test_each_promise_has_a_test_that_is_not_long(number: int) -> None:
    quick = [test.name for each in rows()[number] for test in each.tests() if not is_long(test)]

    assert quick
