"""Opening the source's binary log: one connection, from one place on, and never a second one quietly."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from heavylift.tables.mysql.connect import parameters
from heavylift.tables.mysql.faults import told_as
from heavylift.tables.mysql.position import Place

if TYPE_CHECKING:
    from heavylift.connections import Connection

    Events = Any
    """A ``pymysqlreplication.BinLogStreamReader``: the library has no annotations."""

READ_SECONDS = 120
"""Seconds after which a server that is asked for its log and says nothing is given up."""
_SILENT = "nothing of what was read since the last commit was applied; the position stays"


@contextmanager
def open_log(connection: Connection, place: Place) -> Iterator[Events]:
    """Open the log at a place, to be read to its present end.

    The library would connect again, from wherever it believes to be, each time a connection is lost, and
    after the end of the log too; here a second connection is an error.

    :raises ServerUnavailableError: no answer.
    """
    import pymysql
    from pymysqlreplication import BinLogStreamReader

    opened: list[Any] = []

    def once(**given: Any) -> Any:
        if given.get("cursorclass") is None:
            if opened:
                raise pymysql.OperationalError(2013, "the connection that sent the log was lost")
            opened.append(True)
        if "db" in given:  # by its old name, at which PyMySQL warns
            given["database"] = given.pop("db")
        return pymysql.connect(**given)

    settings = {**parameters(connection), "read_timeout": READ_SECONDS}
    with told_as("reading the source's binary log", _SILENT):
        events = BinLogStreamReader(
            connection_settings=settings,
            # Two readers with one number throw each other out.
            server_id=0x68000000 + secrets.randbelow(1 << 24),
            blocking=False,
            resume_stream=True,
            log_file=place.file_name,
            log_pos=place.offset,
            filter_non_implemented_events=False,
            enable_logging=False,
            pymysql_wrapper=once,
            # The library's own way with MariaDB takes no position; see reference/tables-mysql.md.
            is_mariadb=False,
        )
        try:
            yield events
        finally:
            events.close()


def birth_of(connection: Connection, place: Place) -> str:
    """Return what tells the file of a place from another one of the same name: who began it, and when."""
    with open_log(connection, Place(place.base, place.file, 4, place.digits)) as events:
        while (event := events.fetchone()) is not None:
            if type(event).__name__ == "FormatDescriptionEvent":
                return birth_from(event)
    return ""


def birth_from(event: Any) -> str:
    """Return the same from the file's first event."""
    return f"{event.packet.server_id}@{event.timestamp}"
