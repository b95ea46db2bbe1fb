"""What stands in the way on a PostgreSQL target of a MySQL database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from heavylift.evidence.records import Finding
from heavylift.tables.mysql import preflight_tables as of_tables
from heavylift.tables.mysql.connect import ask
from heavylift.tables.mysql.preflight import TargetChecks
from heavylift.tables.mysql.preflight_tables import Checked, inexact
from heavylift.tables.postgres.connect import where
from heavylift.tables.postgres.preflight_common import blocker, listed, setting, warning

if TYPE_CHECKING:
    from heavylift.tables.mysql.target import Target
    from heavylift.tables.mysql.to_postgres import PostgresTarget
    from heavylift.tables.postgres.connect import Session


def check_target(checked: Checked) -> Iterator[Finding]:
    """Look at what the target allows and what it already holds."""
    session = _session(checked.target)
    if setting(session, "server_encoding") != "UTF8":
        yield blocker(
            "encoding", "target", "its encoding is not UTF8", "make the target database with ENCODING 'UTF8'"
        )
    allowed = session.execute("SELECT has_database_privilege(current_database(), 'CREATE')").fetchone()
    if not (allowed and allowed[0]):
        yield blocker(
            "create-right", "target", "the role may not create schemas",
            "GRANT CREATE ON DATABASE … TO …",
        )  # fmt: skip
    taken = [
        table.name
        for table in checked.tables
        if table.name not in checked.ours
        and session.execute(
            "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relname = %s",
            [table.name.schema, table.name.name],
        ).fetchone()
    ]
    if taken:
        yield blocker(
            "target-occupied", listed(taken), "something of that name is there, and is never written over",
            "rename or drop it on the target, or leave the table out",
        )  # fmt: skip


def check_rest(checked: Checked) -> Iterator[Finding]:
    """List what is not carried over: triggers, views, routines, events."""
    schemas = sorted({table.name.schema for table in checked.tables})
    marks = ", ".join(["%s"] * len(schemas))
    for kind, query in _OTHERS.items():
        names = [f"{row[0]}.{row[1]}" for row in ask(checked.source, query.format(marks), schemas)]
        if names:
            yield warning(
                "not-carried", kind, f"{len(names)} {kind}: {listed(names)}",
                "write them anew for PostgreSQL; triggers only after the switch: the rows show their effects",
            )  # fmt: skip


def check_way_back(checked: Checked) -> Iterator[Finding]:
    """Look for what PostgreSQL could not give back as MySQL had it, should changes have to flow back."""
    if checked.request.options.reverse:
        for found in inexact(checked.tables, checked.policy.zero_dates):
            yield warning("way-back", found.subject, f"after a switch: {found.detail}", found.remedy or "")


_OTHERS = {
    "triggers": "SELECT trigger_schema, trigger_name FROM information_schema.triggers"
    " WHERE LEFT(trigger_name, 16) <> 'heavylift_fence_' AND trigger_schema IN ({})",
    "views": "SELECT table_schema, table_name FROM information_schema.views WHERE table_schema IN ({})",
    "routines": "SELECT routine_schema, routine_name FROM information_schema.routines"
    " WHERE routine_schema IN ({})",
    "events": "SELECT event_schema, event_name FROM information_schema.events WHERE event_schema IN ({})",
}


def _session(target: Target) -> Session:
    return cast("PostgresTarget", target).session


POSTGRES_CHECKS = TargetChecks(
    where=where,
    version=lambda target: setting(_session(target), "server_version"),
    rules=(
        of_tables.check_types,
        of_tables.check_names,
        of_tables.check_values,
        check_target,
        check_rest,
        check_way_back,
    ),
)
