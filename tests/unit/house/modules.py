"""Finds the project's modules, so that a new one is under the house rules from its first day."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sandbox.error_catalogue import Site, find_sites
from tests.support.layers import TESTS

REPOSITORY = TESTS.parent
LIBRARY = REPOSITORY / "include" / "heavylift"
INTEGRATION = REPOSITORY / "plugins" / "heavylift_airflow"
DAGS = REPOSITORY / "dags"


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
