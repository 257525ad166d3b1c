"""Plant a bug: replace one piece of code in one symbol, found in its syntax tree.

1. A bug names its place as ``module:Class.method``, and what is there as a small piece of code. Line breaks,
   quotes, comments and the code around it do not matter: a bug survives whatever leaves its place alone.
2. The piece must occur exactly once in the symbol. Choose the smallest one that does.
3. If the piece and its replacement are both expressions, the expression is replaced wherever it stands.
   Otherwise the piece is one or more whole statements in a row.
4. ``...`` stands for any one expression; in the replacement, for the expression that was found there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, cast

import attrs

_FOLDERS: Final = {"headrace": "runner", "headrace_client": "client"}


@attrs.frozen
class Bug:
    """One wrong piece of code. ``tests``: names of test files, without ``.py``, that should notice it."""

    name: str
    symbol: str
    good: str
    bad: str
    tests: tuple[str, ...]

    @property
    def module(self) -> str:
        return self.symbol.partition(":")[0]

    def path(self, tree: Path) -> Path:
        """The file of the bug's module in a copy of the tree."""
        path = (tree / _FOLDERS[self.module.partition(".")[0]]).joinpath(*self.module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def bugs_in(module: str, tests: str, *rows: tuple[str, str, str, str]) -> tuple[Bug, ...]:
    """The bugs of one module, given as rows of (name, symbol in the module, code, replacement)."""
    named = tuple(tests.split())
    return tuple(Bug(name, f"{module}:{symbol}", good, bad, named) for name, symbol, good, bad in rows)


def with_bug(bug: Bug, source: str) -> str:
    """The source of the bug's module with the bug in it.

    Raises `LookupError` if the symbol does not exist, or does not have the code exactly once.
    """
    tree = ast.parse(source)
    places = _definitions(tree, bug.symbol.partition(":")[2])
    swap = _Swap(ast.parse(bug.good).body, ast.parse(bug.bad).body)
    for place in places:
        swap.generic_visit(place)
    if swap.count != 1:
        found = f"{swap.count} places for {bug.good!r}" if places else "no such symbol"
        raise LookupError(f"{bug.name}: {found} in {bug.symbol}")
    return ast.unparse(ast.fix_missing_locations(tree))


def _definitions(tree: ast.AST, symbol: str) -> list[ast.AST]:
    """All definitions of a dotted name: a property and its setter have the same one."""
    nodes = [tree]
    for name in symbol.split("."):
        nodes = [found for node in nodes for found in _defined(node, name)]
    return nodes


def _defined(node: ast.AST, name: str) -> Iterator[ast.AST]:
    """What defines a name in a block, `if` and `try` included, but not in functions and classes within."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found) | ast.ClassDef(name=found):
                if found == name:
                    yield child
            case ast.Assign(targets=[ast.Name(id=found)]) | ast.AnnAssign(target=ast.Name(id=found)):
                if found == name:
                    yield child
            case _:
                yield from _defined(child, name)


class _Swap(ast.NodeTransformer):
    """Replaces a piece of code wherever it occurs below a node, and counts how often it does."""

    def __init__(self, good: list[ast.stmt], bad: list[ast.stmt]) -> None:
        self.count = 0
        self._statements = good, bad
        match good, bad:
            case [ast.Expr(found)], [ast.Expr(replacement)]:
                self._expressions = found, replacement
            case _:
                self._expressions = None

    def visit(self, node: ast.AST) -> ast.AST:
        if self._expressions is not None and (matched := _matched(self._expressions[0], node)) is not None:
            self.count += 1
            return _filled(self._expressions[1], matched)
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if self._expressions is None:
            for name in ("body", "orelse", "finalbody"):
                block: Any = getattr(node, name, None)
                if isinstance(block, list):  # the body of a lambda is an expression
                    self._swap_statements(cast("list[ast.AST]", block))
        return super().generic_visit(node)

    def _swap_statements(self, block: list[ast.AST]) -> None:
        good, bad = self._statements
        for start in range(len(block) - len(good) + 1):
            run = slice(start, start + len(good))
            if (matched := _matched(good, block[run])) is not None:
                self.count += 1
                block[run] = [_filled(statement, matched) for statement in bad]


def _matched(pattern: Any, found: Any) -> list[ast.AST] | None:
    """What stands at each ``...`` of a pattern, in order; None if the code does not match it."""
    if isinstance(pattern, ast.Constant) and pattern.value is ... and isinstance(found, ast.expr):
        return [found]
    if type(pattern) is not type(found):
        return None
    if isinstance(pattern, ast.AST):
        return _matched(
            *([getattr(node, name, None) for name in pattern._fields] for node in (pattern, found))
        )
    if not isinstance(pattern, list):
        return [] if pattern == found else None
    pairs = zip_longest(cast("list[Any]", pattern), found)
    parts = [_matched(one, other) for one, other in pairs]
    return None if None in parts else [node for part in parts for node in part or ()]


def _filled(replacement: ast.AST, matched: list[ast.AST]) -> ast.AST:
    """The replacement with what was found in the place of its ``...``, which are in the same order."""
    return _Filler(iter(matched)).visit(replacement)


@attrs.define
class _Filler(ast.NodeTransformer):
    _found: Iterator[ast.AST]

    def visit_Constant(self, node: ast.Constant) -> ast.AST:  # ast calls it by this name
        return next(self._found) if node.value is ... else node
