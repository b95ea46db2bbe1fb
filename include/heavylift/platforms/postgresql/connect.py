"""Sessions with a PostgreSQL server, all with the same settings, so that values read alike everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from heavylift.errors import ConnectionConfigError
from heavylift.platforms.postgresql.faults import told_as

if TYPE_CHECKING:
    import psycopg

    from heavylift.connections import Connection

    Session: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"
else:
    # Importing psycopg costs a command that needs none of it a tenth of a second.
    Session = Any

TYPES = frozenset({"postgres", "postgresql", "gcpcloudsql", "azure_postgres"})
"""Connection types that lead here."""

_ALLOWED_EXTRA = frozenset(
    {
        "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "channel_binding",
        "gssencmode", "connect_timeout", "target_session_attrs", "hostaddr", "krbsrvname",
    }
)  # fmt: skip
"""What is taken from a connection's extra; anything else in it never reaches libpq."""

SETTINGS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    # A policy that hides rows is an error, not a shorter table.
    "row_security": "off",
    "lc_monetary": "C",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "0",
    # The server, too, notices within a minute and a half that we are gone without a word.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "5",
    # No name is looked up in a schema that somebody else may write to (CVE-2018-1058).
    "search_path": "pg_catalog",
}
"""Settings of every session: text forms are the same on both sides, and lose nothing."""

CONNECT_TIMEOUT = 15
"""Seconds to wait for a server that does not answer."""


def conninfo(connection: Connection, purpose: str) -> dict[str, Any]:
    """Return libpq's parameters for a connection; not to be shown: the password is among them.

    :param purpose: shows up in ``pg_stat_activity`` as ``heavylift <purpose>``.
    :raises ConnectionConfigError: not a PostgreSQL connection, or no host or database in it.
    """
    if connection.conn_type not in TYPES:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for PostgreSQL",
            got=f"the type {connection.conn_type!r}",
            expected=f"one of {', '.join(sorted(TYPES))}",
            state="nothing was touched",
            remedy="name a PostgreSQL connection",
            code="6003",
        )
    if not connection.host or not connection.schema:
        raise ConnectionConfigError(
            f"using connection {connection.conn_id!r} for PostgreSQL",
            got=f"no {'host' if not connection.host else 'database'}",
            expected="host, port, login, password, and the database's name in the field schema",
            state="nothing was touched",
            remedy=f"complete the connection {connection.conn_id!r}",
            code="6004",
        )
    extra = {name: str(connection.extra[name]) for name in _ALLOWED_EXTRA & set(connection.extra)}
    return {
        "connect_timeout": str(CONNECT_TIMEOUT),
        # A peer that vanished without a word is noticed within a minute and a half.
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "5",
        **extra,
        "host": connection.host,
        "port": str(connection.port or 5432),
        "dbname": connection.schema,
        **({"user": connection.login} if connection.login else {}),
        **({"password": connection.password} if connection.password else {}),
        "application_name": f"heavylift {purpose}"[:63],
    }


def connect(connection: Connection, purpose: str, *, autocommit: bool = True) -> Session:
    """Open a session with :data:`SETTINGS`; the caller closes it.

    :raises CredentialError: login refused.
    :raises ServerUnavailableError: no answer.
    """
    import psycopg

    parameters = conninfo(connection, purpose)
    with told_as(f"connecting to {where(connection)}", "nothing was touched"):
        session = psycopg.connect(**parameters, options=session_options(), autocommit=autocommit)
    session.prepare_threshold = None
    return session


def session_options() -> str:
    """Return :data:`SETTINGS` as libpq's ``options``, in force from the session's first moment."""
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in SETTINGS.items())


def where(connection: Connection) -> str:
    """Return which database a connection means, for messages; nothing secret."""
    return f"{connection.conn_id} ({connection.host}:{connection.port or 5432}/{connection.schema})"
