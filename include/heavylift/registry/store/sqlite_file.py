"""A tracking store in an SQLite file: read as of one moment, and never written to."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from heavylift.errors import IntegrityError, NotFoundError, TransientError

if TYPE_CHECKING:
    from heavylift.connections import Connection

_PAGES = 4096
_FETCHED = 5000


@contextmanager
def snapshot_of(connection: Connection) -> Iterator[sqlite3.Connection]:
    """Lend a copy of the file as of one moment, made by SQLite's own backup while a server goes on writing.

    :raises NotFoundError: there is no such file, or no tracking store in it.
    :raises TransientError: it is locked, or cannot be read.
    :raises IntegrityError: it is damaged, so that the block cannot read all of it.
    """
    path = Path(connection.host or "")
    if not path.is_file():
        raise _no_store(connection, "no file there")
    with tempfile.TemporaryDirectory(prefix="heavylift-sqlite-") as folder:
        copy = Path(folder) / "snapshot.db"
        try:
            with (
                closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)) as source,
                closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target, pages=_PAGES)
        except sqlite3.Error as error:
            raise TransientError(
                f"reading the tracking store {connection.conn_id!r}",
                got=f"{type(error).__name__}: {error}",
                expected="an SQLite file that can be read",
                state="nothing was touched",
                remedy="let the user that Heavylift runs as read the file and its folder (the -wal and -shm"
                " files beside it, too), then run this again",
                code="9540",
            ) from error
        with closing(sqlite3.connect(f"file:{quote(str(copy))}?mode=ro", uri=True)) as session:
            try:
                if not {"alembic_version", "experiments"} <= set(tables_in(session)):
                    raise _no_store(connection, "a file without MLflow's tables")
                yield session
            except sqlite3.Error as error:
                raise _damaged(connection, error) from error


def tables_in(session: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns that are written of each table, by name."""
    names = [row[0] for row in session.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    query = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"
    return {name: tuple(row[0] for row in session.execute(query, [name])) for name in names}


def rows_of(session: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield a table's rows."""
    listed = ", ".join(quoted(name) for name in columns)
    cursor = session.execute(f"SELECT {listed} FROM {quoted(table)}")  # noqa: S608 - quoted names
    while found := cursor.fetchmany(_FETCHED):
        yield from found


def quoted(name: str) -> str:
    """Return a name as the file's SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _no_store(connection: Connection, got: str) -> NotFoundError:
    return NotFoundError(
        f"reading the tracking store {connection.conn_id!r} ({connection.host})",
        got=got,
        expected="the SQLite file of an MLflow server, such as mlflow.db",
        state="nothing was touched",
        remedy=f"correct the field host of connection {connection.conn_id!r}: it is the file's path",
        code="9541",
    )


def _damaged(connection: Connection, error: sqlite3.Error) -> IntegrityError:
    return IntegrityError(
        f"reading the tracking store {connection.conn_id!r} ({connection.host})",
        # What SQLite says may quote a value after this.
        got=f"{type(error).__name__}: {str(error).partition(' with text ')[0]}",
        expected="a file of which every page can be read",
        state="nothing was touched",
        remedy="let SQLite say what is damaged (PRAGMA integrity_check); restore the file from a backup, or"
        " rescue it into a new one (.recover in SQLite's shell) and name that as the source's store",
        code="9556",
    )
