"""Finds the project's modules, so that a new one is under the house rules from its first day."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.error_catalogue import Site, find_sites
from tests.support.layers import TESTS

REPOSITORY = TESTS.parent
LIBRARY = REPOSITORY / "include" / "heavylift"
INTEGRATION = REPOSITORY / "plugins" / "heavylift_airflow"
DAGS = REPOSITORY / "dags"
# Whatever text lacks these has no name for the pair but source and target: its names need not be looked at,
# which takes most of the time.
SUSPECT = re.compile("src|dst|dest", re.IGNORECASE)


def modules_below(package: Path) -> list[str]:
    """Return the dotted names of a package and all its modules, sorted."""
    root = package.parent
    names = set()
    for path in package.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(names)


def source_files(*roots: Path) -> list[Path]:
    """Return every Python file below *roots*, sorted."""
    return sorted(path for root in roots for path in root.rglob("*.py"))


def dag_files() -> list[Path]:
    """Return the DAG files."""
    return sorted(DAGS.glob("*.py"))


@cache
def code_sites() -> tuple[Site, ...]:
    """Return every site of an error code in the source, which takes seconds to find: once for all tests."""
    return tuple(find_sites())


def names_given(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield each name that the source gives: of functions, classes, parameters and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


@dataclass(frozen=True)
class Module:
    """What the rules ask of a module; it is kept, for its tree would be large.

    :param names: where each name is given; none of a module whose text has nothing suspect.
    :param silent: the public names without a docstring, the module itself as "".
    :param imports: what it imports from elsewhere, by full names.
    """

    lines: int
    names: tuple[tuple[int, str], ...]
    silent: tuple[str, ...]
    imports: frozenset[str]


@cache
def module(path: Path) -> Module:
    """Return what the rules ask of a file; read once for all tests, which takes seconds for all files."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    nodes = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    silent = [node.name for node in nodes if not ast.get_docstring(node)]
    if not ast.get_docstring(tree):
        silent.insert(0, "")
    names = tuple(names_given(tree)) if SUSPECT.search(text) else ()
    return Module(len(text.splitlines()), names, tuple(silent), frozenset(_imports(tree)))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
