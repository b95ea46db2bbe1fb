"""A MySQL or MariaDB database as rows to be staged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import c_float
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, HeavyliftError, IntegrityError
from heavylift.platforms.mysql.connect import quoted
from heavylift.registry.store.mysql_database import MysqlDatabase, MysqlTables, database_at_a_moment
from heavylift.registry.store.mysql_unfit import unfit_in_database

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.requests import RegistryRequest
    from heavylift.registry.store.catalog import StoreTable
    from heavylift.registry.store.unfit import Unfit


@contextmanager
def database_rows(connection: Connection) -> Iterator[MysqlRows]:
    """Lend a database's rows as of one moment.

    :raises ConnectionConfigError: the connection names no database.
    :raises CredentialError: the server refuses the login.
    :raises ServerUnavailableError: no answer, or none any more.
    """
    with database_at_a_moment(connection) as database:
        yield MysqlRows(database)


@dataclass
class MysqlRows:
    """A :class:`~heavylift.registry.store.rows.RowSource`."""

    database: MysqlDatabase
    keeps_references: bool = False
    _there: MysqlTables = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the database lies."""
        found = self.database.connection
        return f"{found.host}:{found.port or 3306}/{found.schema}"

    @property
    def moment(self) -> datetime:
        """The source's own time, just before its snapshot was taken."""
        return self.database.moment

    def tables(self, looked_for: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the columns that are written of each table.

        :raises CredentialError: the account may not read one that is there.
        :raises NotFoundError: there is no tracking store.
        :raises ConflictError: a table cannot be read as of one moment.
        """
        read = {*looked_for, "alembic_version"}
        self.database.demand_readable(read)
        self._there = self.database.tables(read)
        return {name: tuple(each.name for each in columns) for name, columns in self._there.items()}

    def others(self, names: Iterable[str]) -> set[str]:
        """Return all names: a server's own tables lie in other databases."""
        return set(names)

    def revision(self) -> str:
        """Return alembic's revision."""
        table = self.database.table("alembic_version")
        rows = self.database.ask(f"SELECT version_num FROM {table} ORDER BY 1")  # noqa: S608 - quoted
        return ",".join(str(row[0]) for row in rows)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield a table's rows as the server sends them."""
        kinds = {each.name: each.kind for each in self._there[table]}
        single = [at for at, name in enumerate(columns) if kinds[name] == "float"]
        # The server's text of a float has six digits; as a double it has all.
        listed = ", ".join(
            f"({quoted(name)} + 0e0)" if kinds[name] == "float" else quoted(name) for name in columns
        )
        query = f"SELECT {listed} FROM {self.database.table(table)}"  # noqa: S608 - quoted names
        return self._sent(table, query, single)

    def _sent(self, table: str, query: str, single: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        found = self.database.stream(query)
        try:
            yield from _shortened(found, single) if single else found
        except UnicodeDecodeError as error:
            raise IntegrityError(
                f"reading table {table} of {self.place}",
                got=f"a text that is not UTF-8: {error.reason}",
                expected="texts of the character set that their columns are declared with",
                state="what was staged is dropped; the target's own tables were not touched",
                remedy=f"find the rows of {table} by a column's bytes (HEX) and mend them, on the source or"
                " on a copy of it",
                code="9598",
            ) from None

    def unfit(self, tables: Mapping[str, StoreTable], required: Mapping[str, frozenset[str]]) -> list[Unfit]:
        """Return what the target's columns do not take."""
        return unfit_in_database(self.database, self._there, tables, required)

    def refused(self, found: Sequence[Unfit], request: RegistryRequest) -> HeavyliftError:
        """Return the error that names it."""
        return ConflictError(
            f"staging the source of registry {request.registry!r}",
            got="; ".join(map(str, found)),
            expected="values that the target's columns and references take: PostgreSQL has no zero dates and"
            " no NUL in texts, and tells texts apart that MySQL's collations hold for equal",
            state="what was staged is dropped; the target's own tables were not touched",
            remedy="mend these rows: a key that refers to another spelling of its row can be given that"
            " spelling (UPDATE; to MySQL both are one); where the source must stay as it is, restore a copy"
            " of it (mysqldump), mend that, and name it as the source's store; through the interface"
            " (--path api) all else arrives, and what the target's server refuses is named",
            code="9595",
        )

    def differs(self, got: str, request: RegistryRequest) -> HeavyliftError:
        """Return the error of other tables than the target's."""
        return ConflictError(
            f"staging the source of registry {request.registry!r}",
            got=f"the database's {got}",
            expected="the same tables on both sides",
            state="nothing was touched",
            remedy="bring both to one version of MLflow: where the target is older, run mlflow db upgrade on"
            " it; where the source is older, restore a copy of it (mysqldump) into a database of its own,"
            " run mlflow db upgrade with the target's MLflow on that copy, and name the copy as the source's"
            " store; tables that are not MLflow's stay behind where the account may not see them (GRANT"
            " SELECT on MLflow's tables alone); through the interface (--path api) the versions of the"
            " schemas are of no matter",
            code="9593",
        )

    def read_back_otherwise(self, table: str, sent: int, back: int) -> HeavyliftError:
        """Return the error of a table that is not what was sent."""
        return IntegrityError(
            f"staging table {table}",
            got=f"{back} rows that read back otherwise than they were sent",
            expected=f"the database's {sent} rows",
            state="what was staged is dropped; the target's own tables were not touched",
            remedy="look for values of a form that the target's columns change, such as numbers in a column"
            " of texts; compare the table's definition with MLflow's own",
            code="9594",
        )


def _shortened(rows: Iterator[tuple[Any, ...]], places: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        values = list(row)
        for at in places:
            if values[at] is not None:
                values[at] = shortest_single(values[at])
        yield tuple(values)


def shortest_single(value: float) -> float:
    """Return what was given to a single-precision column: the number of fewest digits that it holds so.

    0.1 is held as 0.10000000149011612, and the server shows 0.1.
    """
    for digits in range(1, 10):
        found = float(f"{value:.{digits}g}")
        if c_float(found).value == value:
            return found
    return value
