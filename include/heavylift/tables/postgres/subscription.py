"""PostgreSQL's own logical replication as the target sees it: one subscription, made, watched, dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from heavylift.errors import ConflictError
from heavylift.tables.model import Table, TableName
from heavylift.tables.postgres.catalog import holders
from heavylift.tables.postgres.connect import conninfo
from heavylift.tables.postgres.lsn import lsn_from_text
from heavylift.tables.postgres.slot import published
from heavylift.tables.postgres.state import names

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.tables.postgres.connect import Session


@dataclass(frozen=True)
class SubscriptionState:
    """A subscription now.

    :param copied: how many tables have been copied, of ``tables``.
    :param running: its worker lives.
    """

    enabled: bool
    running: bool
    tables: int
    copied: int


def address_for_target(source: Connection) -> str:
    """Return how the target reaches the source; a secret, for the password is in it.

    Where the two networks name the source differently, its connection's extra fields
    ``host_for_target`` and ``port_for_target`` say what the target must use.
    """
    parameters = conninfo(source, "subscription")
    parameters["host"] = source.text("host_for_target") or parameters["host"]
    parameters["port"] = source.text("port_for_target") or parameters["port"]
    return make_conninfo(**parameters)


def create_subscription(target: Session, name: str, source: Connection, publication: str) -> None:
    """Let the target subscribe, with a slot of the same name and a copy of what is there.

    The server's log takes the statement without the password where the role may keep it from it.

    :raises CredentialError: the role may not subscribe.
    """
    _keep_out_of_the_log(target)
    target.execute(
        sql.SQL(
            "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {}"
            " WITH (copy_data = true, create_slot = true, slot_name = {}, enabled = true)"
        ).format(
            sql.Identifier(name),
            sql.Literal(address_for_target(source)),
            sql.Identifier(publication),
            sql.Literal(name),
        )
    )


def _keep_out_of_the_log(target: Session) -> None:
    for setting, value in (("log_statement", "none"), ("log_min_duration_statement", "-1")):
        try:
            target.execute(sql.SQL("SET {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
        except errors.InsufficientPrivilege:
            continue  # told in docs/reference/tables.md: use a password file on the server instead


def drop_subscription(target: Session, name: str) -> bool:
    """Drop a subscription and its slot where they exist; tell whether there was one."""
    if subscription_state(target, name) is None:
        return False
    target.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(sql.Identifier(name)))
    target.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(name)))
    return True


def disable_subscription(target: Session, name: str) -> None:
    """Stop a subscription; its slot stays."""
    if subscription_state(target, name) is not None:
        target.execute(sql.SQL("ALTER SUBSCRIPTION {} DISABLE").format(sql.Identifier(name)))


def subscription_state(target: Session, name: str) -> SubscriptionState | None:
    """Return how a subscription stands, or None where there is none."""
    row = target.execute(
        "SELECT s.subenabled,"
        " EXISTS (SELECT FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.pid > 0),"
        " (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid),"
        " (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate = 'r')"
        " FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
        " WHERE s.subname = %s AND d.datname = current_database()",
        [name],
    ).fetchone()
    return None if row is None else SubscriptionState(*row)


def demand_subscribed(source: Session, target: Session, name: str, tables: Iterable[Table]) -> None:
    """Refuse to call a target complete that does not follow every table and partition.

    A subscription passes over what it does not know, without a word.

    :raises ConflictError: there are such tables.
    """
    wanted = {leaf for table in tables for leaf in holders(table)}
    rows = target.execute(
        "SELECT n.nspname, c.relname FROM pg_subscription s JOIN pg_subscription_rel r ON r.srsubid = s.oid"
        " JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()"
        " JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE s.subname = %s",
        [name],
    ).fetchall()
    followed = {TableName(row[0], row[1]) for row in rows} & published(source, name)
    missing = sorted(wanted - followed)
    if missing:
        raise ConflictError(
            f"following subscription {name}",
            got=f"tables or partitions that it does not follow: {names(missing)}",
            expected="every chosen table of the source to be published and subscribed to",
            state="what PostgreSQL has applied stays; changes of these tables do not arrive",
            remedy=f"make them on the target as on the source; ALTER PUBLICATION {name} ADD TABLE … on the"
            f" source, then ALTER SUBSCRIPTION {name} REFRESH PUBLICATION on the target, which copies"
            " them; or exclude them",
            code="6602",
        )


def confirmed(source: Session, slot: str) -> int:
    """Return up to where the target has told the source that it has applied everything."""
    row = source.execute(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s", [slot]
    ).fetchone()
    return lsn_from_text(row[0]) if row and row[0] else 0
