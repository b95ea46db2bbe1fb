"""An SQLite file as rows to be staged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, HeavyliftError, IntegrityError
from heavylift.registry.store.sqlite_file import rows_of, snapshot_of, tables_in
from heavylift.registry.store.sqlite_unfit import unfit_in_file

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.store.catalog import StoreTable
    from heavylift.registry.store.unfit import Unfit


@contextmanager
def file_rows(connection: Connection) -> Iterator[SqliteRows]:
    """Lend the file's rows as of one moment.

    :raises NotFoundError: there is no such file, or no tracking store in it.
    :raises TransientError: it is locked, or cannot be read.
    :raises IntegrityError: it is damaged.
    """
    moment = datetime.now(UTC)
    with snapshot_of(connection) as session:
        yield SqliteRows(session, connection.host or "", moment)


@dataclass(frozen=True)
class SqliteRows:
    """A :class:`~heavylift.registry.store.rows.RowSource`."""

    session: sqlite3.Connection
    place: str
    moment: datetime
    keeps_references: bool = True

    def tables(self, looked_for: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the columns that are written of each table; all that there are can be read."""
        del looked_for
        return tables_in(self.session)

    def others(self, names: Iterable[str]) -> set[str]:
        """Return the names that are not SQLite's own."""
        return {name for name in names if not name.startswith("sqlite_")}

    def revision(self) -> str:
        """Return alembic's revision."""
        rows = self.session.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
        return ",".join(str(row[0]) for row in rows)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield a table's rows."""
        return rows_of(self.session, table, tuple(columns))

    def unfit(self, tables: Mapping[str, StoreTable], required: Mapping[str, frozenset[str]]) -> list[Unfit]:
        """Return what the target's columns do not take, references to nothing among it."""
        return unfit_in_file(self.session, tables, required)

    def refused(self, found: Sequence[Unfit], request: RegistryRequest) -> HeavyliftError:
        """Return the error that names it."""
        return ConflictError(
            f"staging the source of registry {request.registry!r}",
            got="; ".join(map(str, found)),
            expected="values that the target's columns take: SQLite does not check what it is given",
            state="nothing was touched",
            remedy="make a copy of the file (VACUUM INTO 'copy.db' in SQLite's shell), shorten, mend or"
            " delete these rows in the copy, and name the copy as the source's store; through the interface"
            " (--path api) all else arrives, and what the target's server refuses is named",
            code="9555",
        )

    def differs(self, got: str, request: RegistryRequest) -> HeavyliftError:
        """Return the error of other tables than the target's."""
        return ConflictError(
            f"staging the source of registry {request.registry!r}",
            got=f"the file's {got}",
            expected="the same tables on both sides",
            state="nothing was touched",
            remedy="bring both to one version of MLflow: where the target is older, run mlflow db upgrade on"
            " it; where the file is older, make a copy of it (VACUUM INTO 'copy.db' in SQLite's shell), run"
            " mlflow db upgrade sqlite:///copy.db with the target's MLflow, and name the copy as the source's"
            " store; through the interface (--path api) the versions of the schemas are of no matter",
            code="9543",
        )

    def read_back_otherwise(self, table: str, sent: int, back: int) -> HeavyliftError:
        """Return the error of a table that is not what was sent."""
        return IntegrityError(
            f"staging table {table}",
            got=f"{back} rows that read back otherwise than they were sent",
            expected=f"the file's {sent} rows",
            state="what was staged is dropped; the target's own tables were not touched",
            remedy="look for values that SQLite takes and PostgreSQL does not, such as texts in a column of"
            " numbers; mend them on a copy of the file, and name that as the source's store",
            code="9544",
        )
