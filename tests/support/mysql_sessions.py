"""Sessions with a MySQL server as an application opens them, for tests."""

from __future__ import annotations

from typing import Any

import pymysql

from heavylift.connections import Connection

Rows = list[tuple[Any, ...]]


def open_session(connection: Connection) -> Any:
    """Open a session; the caller closes it."""
    session = pymysql.connect(
        host=connection.host,
        port=connection.port or 3306,
        user=connection.login,
        password=connection.password or "",
        database=connection.schema,
        charset="utf8mb4",
        autocommit=True,
    )
    with session.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00', sql_mode = ''")
    return session


def run_all(connection: Connection, *statements: str) -> Rows:
    """Run statements in a session of their own; return the last one's rows."""
    with open_session(connection) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())
