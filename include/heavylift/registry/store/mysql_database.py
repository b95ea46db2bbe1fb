"""A tracking store in a MySQL or MariaDB database: read as of one moment, and never written to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, ConnectionConfigError, CredentialError, NotFoundError
from heavylift.evidence.wording import enumeration
from heavylift.platforms.mysql.connect import ask, connect, execute, is_mariadb, one, quoted, where
from heavylift.platforms.mysql.faults import number_of, told_as

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.platforms.mysql.connect import Session

_FETCHED = 2_000
_OF_ONE_MOMENT = frozenset({"innodb", "rocksdb"})
"""Engines whose tables a snapshot holds still; those of others are read as they are by then."""
_NO_LIMITS = "SET SESSION max_execution_time = 0"
_NO_LIMITS_MARIADB = (
    "SET SESSION max_statement_time = 0, idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0"
)
"""A server may end statements that take long, and transactions that wait while the target works."""
_DENIED, _NOT_THERE = {1044, 1142, 1143}, {1049, 1109, 1146}
_COLUMNS = """
SELECT c.table_name, t.engine, c.column_name, c.data_type, c.column_type, c.character_maximum_length
FROM information_schema.columns c JOIN information_schema.tables t
ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = %s AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
    AND COALESCE(c.generation_expression, '') = ''
ORDER BY c.table_name, c.ordinal_position
"""
_STATE = "nothing was touched"


@dataclass(frozen=True)
class MysqlColumn:
    """A column that is written.

    :param kind: without length, such as ``varchar``.
    :param type_name: with everything, such as ``int(10) unsigned``.
    :param length: in characters, of texts.
    """

    name: str
    kind: str
    type_name: str
    length: int | None


MysqlTables = dict[str, tuple[MysqlColumn, ...]]


@dataclass(frozen=True)
class MysqlDatabase:
    """A database in a read-only transaction that sees one moment of it."""

    session: Session
    connection: Connection
    moment: datetime

    @property
    def name(self) -> str:
        """Return the database's own name."""
        return self.connection.schema or ""

    def table(self, name: str) -> str:
        """Return a table's full name, quoted."""
        return quoted(self.name, name)

    def demand_readable(self, names: Iterable[str]) -> None:
        """Ask for every table by its name: the server's own lists do not show what an account may not read.

        :raises CredentialError: it may not read some of them, which are named.
        """
        denied = [name for name in sorted(set(names)) if not self._may_read(name)]
        if denied:
            raise CredentialError(
                f"reading the tracking store in {where(self.connection)}",
                got=f"no right to read {enumeration(denied)}",
                expected="SELECT on all of MLflow's tables",
                state=_STATE,
                remedy=f"on the source: GRANT SELECT ON {quoted(self.name)}.* TO the account of connection"
                f" {self.connection.conn_id!r}; or correct the connection",
                code="9591",
            )

    def _may_read(self, name: str) -> bool:
        import pymysql

        try:
            ask(self.session, f"SELECT * FROM {self.table(name)} LIMIT 0")  # noqa: S608 - quoted
        except pymysql.MySQLError as error:
            if number_of(error) in _DENIED:
                return False
            if number_of(error) not in _NOT_THERE:
                raise
        return True

    def tables(self, read: Collection[str]) -> MysqlTables:
        """Return the columns that are written of each table that shows.

        :param read: tables whose rows are going to be read.
        :raises NotFoundError: there is no tracking store.
        :raises ConflictError: a table is of an engine that holds no moment still.
        """
        found: dict[str, list[MysqlColumn]] = {}
        engines: dict[str, str] = {}
        for table, engine, *column in ask(self.session, _COLUMNS, [self.name]):
            found.setdefault(table, []).append(MysqlColumn(*column))
            engines[table] = str(engine)
        if not {"alembic_version", "experiments"} <= set(found):
            raise _no_store(self.connection)
        moving = [
            f"{name} ({engine})"
            for name, engine in engines.items()
            if name in read and engine.lower() not in _OF_ONE_MOMENT
        ]
        if moving:
            raise ConflictError(
                f"reading the tracking store in {where(self.connection)}",
                got=f"tables of engines without transactions: {', '.join(moving)}",
                expected="InnoDB, whose tables can all be read as of one moment",
                state=_STATE,
                remedy="ALTER TABLE … ENGINE = InnoDB for each of them, or do so in a copy of the database"
                " (mysqldump) and name that as the source's store",
                code="9592",
            )
        return {name: tuple(columns) for name, columns in found.items()}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the few rows of a query."""
        return ask(self.session, query)

    def stream(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the many rows of a query as they come; who stops before the last loses the session."""
        from pymysql.cursors import SSCursor

        cursor = self.session.cursor(SSCursor)
        try:
            cursor.execute(query)
            while batch := cursor.fetchmany(_FETCHED):
                yield from batch
        except BaseException:
            _abandon(self.session, cursor)
            raise
        cursor.close()


@contextmanager
def database_at_a_moment(connection: Connection) -> Iterator[MysqlDatabase]:
    """Lend a database as of one moment, while its servers go on writing; it takes no lock that they wait for.

    :raises ConnectionConfigError: the connection names no database.
    :raises CredentialError: the server refuses the login.
    :raises ServerUnavailableError: no answer, or none any more.
    """
    if not connection.schema:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} as a tracking store",
            got="no database",
            expected="the name of MLflow's database in the field schema",
            state=_STATE,
            remedy=f"complete the connection {connection.conn_id!r}",
            code="9589",
        )
    session = connect(connection)
    try:
        with told_as(f"reading the tracking store in {where(connection)}", "what was staged is dropped"):
            execute(session, _NO_LIMITS_MARIADB if is_mariadb(session) else _NO_LIMITS)
            moment = one(session, "SELECT UTC_TIMESTAMP(6)").replace(tzinfo=UTC)
            execute(session, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield MysqlDatabase(session, connection, moment)
    finally:
        if session.open:
            session.close()


def _abandon(session: Session, cursor: Any) -> None:
    """Leave an answer that is not wanted any more: the driver would read the rest of it first."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
    cursor.connection = None
    if session.open:
        session.close()


def _no_store(connection: Connection) -> NotFoundError:
    return NotFoundError(
        f"reading the tracking store in {where(connection)}",
        got="a database without MLflow's tables",
        expected="the database of an MLflow server: it has the tables alembic_version and experiments",
        state=_STATE,
        remedy=f"correct the fields of connection {connection.conn_id!r}: schema is the database's name",
        code="9590",
    )
