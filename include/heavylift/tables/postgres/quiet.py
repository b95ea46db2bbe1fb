"""Writing as replication does: no trigger fires and no foreign key is checked for rows of a copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.tables.fences.port import PREFIX
from heavylift.tables.model import TableName
from heavylift.tables.postgres.state import names

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session


def quieten(session: Session) -> bool:
    """Make a session write as replication does, where its role may; tell whether it may.

    A superuser may, and from version 15 on whoever was given ``GRANT SET ON PARAMETER
    session_replication_role``; which of the services' administrators may, docs/reference/tables.md tells.
    Who may not passes Heavylift's own fences all the same, by a setting that these look at.
    """
    import psycopg

    pass_fences(session)
    try:
        session.execute("SET session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def pass_fences(session: Session) -> None:
    """Let a session write where Heavylift's own fences keep applications away."""
    session.execute("SELECT set_config('heavylift.applying', 'on', false)")


def demand_no_triggers(session: Session, tables: Iterable[TableName]) -> None:
    """Refuse to write rows that would fire triggers, where the role cannot keep these quiet.

    What a trigger does has been done on the other side already, and is in the rows that come from there.

    :raises ConflictError: a table has triggers that are on.
    """
    wanted = list(tables)
    rows = session.execute(
        "SELECT DISTINCT n.nspname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN unnest(%s::text[], %s::text[]) w(schema, name) ON w.schema = n.nspname AND w.name = c.relname"
        " WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND NOT starts_with(t.tgname, %s)"
        " ORDER BY 1, 2",
        [[name.schema for name in wanted], [name.name for name in wanted], PREFIX],
    ).fetchall()
    if rows:
        raise ConflictError(
            "writing as replication does",
            got="a role that may not set session_replication_role, and triggers that would fire on"
            f" {names([TableName(row[0], row[1]) for row in rows])}",
            expected="triggers that keep quiet: the other side's have done their work already",
            state="nothing of this batch was applied; what was committed before stays",
            remedy="GRANT SET ON PARAMETER session_replication_role TO the role (15 and newer), use the"
            " service's administrator, or DISABLE TRIGGER each by its name meanwhile (not USER, which would"
            " open Heavylift's fences, too); then run this again",
            code="6154",
        )
