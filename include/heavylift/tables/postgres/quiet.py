"""Writing as replication does: no trigger fires and no foreign key is checked for rows of a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session


def quieten(session: Session) -> bool:
    """Make a session write as replication does, where its role may; tell whether it may.

    A superuser may, so may the administrator's role of RDS, Cloud SQL and Azure, and from version 15 on
    whoever was given ``GRANT SET ON PARAMETER session_replication_role``.
    """
    import psycopg

    try:
        session.execute("SET session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
