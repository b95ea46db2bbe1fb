"""Sessions with a MySQL or MariaDB server, all with the same settings, so that values read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavylift.errors import ConnectionConfigError
from heavylift.platforms.mysql.faults import told_as

if TYPE_CHECKING:
    from heavylift.connections import Connection

    Session = Any
    """A ``pymysql.connections.Connection``: the library has no annotations."""
else:
    Session = Any

TYPES = frozenset({"mysql", "mariadb"})
"""Connection types that lead here, for MySQL and MariaDB alike."""
CONNECT_TIMEOUT = 15
READ_TIMEOUT = 3600
"""Seconds after which a server that says nothing is given up; a statement may take long."""

_FILES = {"ssl_ca", "ssl_cert", "ssl_key"}
_INIT = (
    "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 600, wait_timeout = 28800,"
    " transaction_isolation = 'REPEATABLE-READ'"
)
_INIT_MARIADB = (
    "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 600, wait_timeout = 28800,"
    " tx_isolation = 'REPEATABLE-READ'"
)


def parameters(connection: Connection) -> dict[str, Any]:
    """Return PyMySQL's parameters for a connection; not to be shown: the password is among them.

    From the extra come ``ssl_ca``, ``ssl_cert``, ``ssl_key``, ``ssl_disabled`` and
    ``ssl_verify_identity``; everything else in it stays where it is.

    :raises ConnectionConfigError: not a MySQL connection, or no host in it.
    """
    if connection.conn_type not in TYPES:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for MySQL",
            got=f"the type {connection.conn_type!r}",
            expected="mysql, for MySQL and MariaDB",
            state="nothing was touched",
            remedy="name a MySQL connection",
            code="6400",
        )
    if not connection.host:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for MySQL",
            got="no host",
            expected="host, port, login and password",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="6401",
        )
    given: dict[str, Any] = {name: connection.text(name) for name in _FILES if connection.text(name)}
    if connection.flag("ssl_disabled"):
        given["ssl_disabled"] = True
    if connection.flag("ssl_verify_identity"):
        given |= {"ssl_verify_cert": True, "ssl_verify_identity": True}
    return {
        **given,
        "host": connection.host,
        "port": connection.port or 3306,
        "user": connection.login or "",
        "password": connection.password or "",
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        "write_timeout": 600,
        "autocommit": True,
    }


def connect(connection: Connection, *, raw: bool = False) -> Session:
    """Open a session; the caller closes it.

    :param raw: values of results stay the bytes that the server sends.
    :raises CredentialError: login refused.
    :raises ServerUnavailableError: no answer.
    """
    import pymysql

    given = parameters(connection)
    with told_as(f"connecting to {where(connection)}", "nothing was touched"):
        session = pymysql.connect(**given, use_unicode=not raw)
        try:
            execute(session, _INIT_MARIADB if is_mariadb(session) else _INIT)
        except BaseException:
            session.close()
            raise
    if raw:
        session.decoders = {}
    return session


def is_mariadb(session: Session) -> bool:
    """Tell which of the two products it is."""
    return "mariadb" in str(session.get_server_info()).lower()


def execute(session: Session, statement: str, values: Any = None) -> None:
    """Run a statement whose result does not matter."""
    with session.cursor() as cursor:
        cursor.execute(statement, values)


def ask(session: Session, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    with session.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())


def one(session: Session, query: str, values: Any = None) -> Any:
    """Return the first column of the first row; None where there is no row."""
    rows = ask(session, query, values)
    return rows[0][0] if rows else None


def quoted(*names: str) -> str:
    """Return a name as a statement writes it."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def text_literal(text: str) -> str:
    """Return a text as a statement writes it that a person runs."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def where(connection: Connection) -> str:
    """Return which server a connection means, for messages; nothing secret."""
    return f"{connection.conn_id} ({connection.host}:{connection.port or 3306}/{connection.schema or '*'})"
