"""Comparing tables of two test databases."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.connections import Connection
from heavylift.evidence.table_records import TableComparison
from heavylift.tables.model import Table
from heavylift.tables.postgres.catalog import read_catalog
from heavylift.tables.postgres.connect import connect
from heavylift.tables.verify.postgres_side import PostgresSide
from heavylift.tables.verify.sessions import Sessions
from heavylift.tables.verify.tables import CompareOptions, compare_tables
from tests.support.two_databases import TwoDatabases


def read_table(connection: Connection, name: str, schema: str = "public") -> Table | None:
    """Return a table as its server has it, None where there is none."""
    with connect(connection, "test") as session:
        return next(iter(read_catalog(session, [f"{schema}.{name}"])), None)


Difference = tuple[str, str, dict[str, str | None]]
"""Kind, table and key."""


@dataclass(frozen=True)
class Outcome:
    """What a comparison gave: by table, and every difference out of the file."""

    tables: dict[str, TableComparison]
    differences: list[Difference]
    listed: int
    told: list[str]

    @property
    def one(self) -> TableComparison:
        """Return the only table's comparison."""
        (found,) = self.tables.values()
        return found

    def kinds(self) -> dict[tuple[str | None, ...], str]:
        """Return the kind of each difference by its key's values, where no key has two."""
        return {tuple(key.values()): kind for kind, _, key in self.differences}


def sides(databases: TwoDatabases) -> tuple[PostgresSide, PostgresSide]:
    """Return both databases as sides of a comparison."""
    return (
        PostgresSide(Sessions("source", databases.source)),
        PostgresSide(Sessions("target", databases.target)),
    )


def compare(
    databases: TwoDatabases,
    *names: str,
    options: CompareOptions | None = None,
    stop: threading.Event | None = None,
    change: Callable[[Table], Table] = lambda table: table,
) -> Outcome:
    """Compare tables of the schema ``public``."""
    pairs = []
    for name in names:
        source = read_table(databases.source, name)
        target = read_table(databases.target, name)
        assert source is not None
        pairs.append((change(source), change(target) if target else None))
    told: list[str] = []
    with _file() as file:
        compared, differences = compare_tables(
            pairs,
            *sides(databases),
            options=options,
            stop=stop or threading.Event(),
            tell=told.append,
            file=file,
        )
        rows: list[Difference] = [(kind, table, key) for table, kind, key in differences.rows()]
    return Outcome({each.table: each for each in compared}, rows, len(differences.listed), told)


@contextmanager
def _file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="heavylift-tests-") as folder:
        yield Path(folder) / "rows.parquet"


def on_both(databases: TwoDatabases, statement: str, *values: Any) -> None:
    """Run statements on both sides."""
    databases.on_source(statement, *values)
    databases.on_target(statement, *values)
