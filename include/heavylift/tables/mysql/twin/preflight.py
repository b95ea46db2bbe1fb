"""What stands in the way on a MySQL target, and of an equal schema there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from heavylift.errors import UnsupportedError
from heavylift.evidence.records import Finding
from heavylift.tables.model import TableName
from heavylift.tables.mysql.connect import ask, connect, is_mariadb, one, where
from heavylift.tables.mysql.preflight import SOURCE_RULES, TargetChecks, check_log
from heavylift.tables.mysql.preflight import check_rights as check_source_rights
from heavylift.tables.mysql.preflight_tables import Checked, check_kinds
from heavylift.tables.mysql.twin.definers import CURRENT, keeps_definers
from heavylift.tables.mysql.twin.programs import find_program
from heavylift.tables.postgres.preflight_common import blocker, listed, remark, warning

if TYPE_CHECKING:
    from heavylift.tables.mysql.connect import Session
    from heavylift.tables.mysql.target import Target
    from heavylift.tables.mysql.twin.target import TwinTarget

_RIGHTS = ("CREATE", "ALTER", "INDEX", "DROP", "INSERT", "UPDATE", "DELETE", "SELECT", "REFERENCES")
_IDENTITY = "SELECT @@hostname, @@port, @@datadir, @@server_id"
_DEFINERS = """
SELECT 'trigger', trigger_schema, trigger_name, definer FROM information_schema.triggers
WHERE LEFT(trigger_name, 16) <> 'heavylift_fence_'
UNION ALL SELECT 'view', table_schema, table_name, definer FROM information_schema.views
UNION ALL SELECT LOWER(routine_type), routine_schema, routine_name, definer FROM information_schema.routines
UNION ALL SELECT 'event', event_schema, event_name, definer FROM information_schema.events
"""


def check_types(checked: Checked) -> Iterator[Finding]:
    """Look for columns whose values the log holds in a form that cannot be read."""
    for table in checked.tables:
        for column in table.unmapped:
            yield blocker(
                "column-type", f"{table.name}.{column.name}",
                f"the log's values of {column.column_type} cannot be read",
                "leave the table out, or change the column's type first",
            )  # fmt: skip


def check_program(checked: Checked) -> Iterator[Finding]:
    """Look for the program that writes the schema down."""
    try:
        find_program(mariadb=is_mariadb(checked.source))
    except UnsupportedError as error:
        yield blocker("dump-program", "this machine", error.got or "none", error.remedy or "install it")


def check_server(checked: Checked) -> Iterator[Finding]:
    """Look at whether the target can be what the source is."""
    session = _session(checked.target)
    if ask(session, _IDENTITY) == ask(checked.source, _IDENTITY):
        yield blocker(
            "same-server", "target", "it is the source's own server, where databases keep their names",
            "name another server as the target",
        )  # fmt: skip
        return
    if is_mariadb(session) != is_mariadb(checked.source):
        yield warning(
            "other-product", "target", "one side is MySQL, the other MariaDB: definitions may be refused",
            "try the schema first: mariadb-dump or mysqldump --no-data, into an empty server",
        )  # fmt: skip
    ours, theirs = (int(one(each, "SELECT @@lower_case_table_names")) for each in (checked.source, session))
    if ours != theirs:
        yield blocker(
            "letter-case", "lower_case_table_names", f"it is {ours} on the source and {theirs} on the target",
            "set up the target with the source's value: it cannot be changed later",
        )  # fmt: skip
    schema = checked.request.target.connection.schema
    if schema and any(table.name.schema != schema for table in checked.tables):
        yield remark(
            "target-database",
            schema,
            "databases keep their names; that of the target's connection is not used",
        )
    yield from _check_settings(checked, session)


def _check_settings(checked: Checked, session: Session) -> Iterator[Finding]:
    if one(session, "SELECT @@log_bin") and one(session, "SELECT @@binlog_format") == "STATEMENT":
        yield blocker(
            "target-log", "binlog_format", "the target writes its own log by statement",
            "SET GLOBAL binlog_format = 'ROW' on the target",
        )  # fmt: skip
    ours, theirs = (
        int(one(each, "SELECT @@global.max_allowed_packet")) for each in (checked.source, session)
    )
    if theirs < ours:
        yield warning(
            "packet-size", "max_allowed_packet", f"the target takes {theirs:,} bytes, the source {ours:,}",
            f"SET GLOBAL max_allowed_packet = {ours} on the target",
        )  # fmt: skip


def check_rights(checked: Checked) -> Iterator[Finding]:
    """Look at what the target's account may do, as far as its grants on everything tell."""
    grants = " ".join(str(row[0]).upper() for row in ask(_session(checked.target), "SHOW GRANTS"))
    missing = [right for right in _RIGHTS if right not in grants]
    if missing and "ALL PRIVILEGES" not in grants:
        yield blocker(
            "target-right", "target", f"the account has no {', '.join(missing)}",
            "GRANT ALL on the moved databases and on heavylift.* to it",
        )  # fmt: skip


def check_way_back(checked: Checked) -> Iterator[Finding]:
    """Look at whether the target's own log could be read, should changes have to flow back."""
    if not checked.request.options.reverse:
        return
    there = replace(checked, source=_session(checked.target))
    for found in (*check_log(there), *check_source_rights(there)):
        if found.rule in {"binary-log", "binary-log-filter", "account-right"} and found.subject != "snapshot":
            remedy = f"on the target, before the switch: {found.remedy}; or set reverse: false"
            yield warning("way-back", found.subject, f"on the target: {found.detail}", remedy)


def check_names(checked: Checked) -> Iterator[Finding]:
    """Look for tables that are there, and for collations that are not."""
    session = _session(checked.target)
    there = {
        TableName(row[0], row[1])
        for row in ask(session, "SELECT table_schema, table_name FROM information_schema.tables")
    }
    taken = [table.name for table in checked.tables if table.name in there - checked.ours]
    if taken:
        yield blocker(
            "target-occupied", listed(taken), "something of that name is there, and is never written over",
            "rename or drop it on the target, or leave the table out",
        )  # fmt: skip
    known = {str(row[0]) for row in ask(session, "SHOW COLLATION")}
    used = {c.source.collation for table in checked.tables for c in table.columns if c.source.collation}
    if used - known:
        yield blocker(
            "collation", listed(sorted(used - known)), "the target does not know it",
            "change it on the source first, or take a target of the same product and version",
        )  # fmt: skip


def check_code(checked: Checked) -> Iterator[Finding]:
    """Look at routines, views, triggers and events: whose they are, and when they come."""
    schemas = {table.name.schema for table in checked.tables}
    objects = [row for row in ask(checked.source, _DEFINERS) if row[1] in schemas]
    last = [f"{row[1]}.{row[2]}" for row in objects if row[0] in {"trigger", "event"}]
    if last:
        yield remark(
            "made-last", listed(last), "triggers and events are made by the drain, events switched off:"
            " until then their effects come as rows",
        )  # fmt: skip
    if not keeps_definers(checked.request.target.connection):
        return
    with closing(connect(checked.request.target.connection)) as session:
        accounts = _accounts(session)
    if accounts is None:
        return
    missing = sorted({str(row[3]) for row in objects} - accounts)
    if missing:
        yield blocker(
            "definer", listed(missing), "routines, views, triggers or events belong to an account that the"
            " target does not have: they would fail where they are used",
            "make the account on the target; or set \"definers\": \"" + CURRENT + "\" in the extra of its"
            " connection: they then belong to that account",
        )  # fmt: skip


def _accounts(session: Session) -> set[str] | None:
    """Return the target's accounts; None where we may not see them, and the target will say so later."""
    import pymysql

    try:
        return {f"{row[0]}@{row[1]}" for row in ask(session, "SELECT user, host FROM mysql.user")}
    except pymysql.MySQLError:
        return None


def _session(target: Target) -> Session:
    return cast("TwinTarget", target).session


TWIN_CHECKS = TargetChecks(
    where=where,
    version=lambda target: str(_session(target).get_server_info()),
    rules=(check_types, check_program, check_server, check_rights, check_way_back, check_names, check_code),
)
BACK_CHECKS = TargetChecks(
    where=where,
    version=TWIN_CHECKS.version,
    source=tuple(rule for rule in SOURCE_RULES if rule is not check_kinds),
    rules=(check_types, check_server, check_rights),
)
"""What is asked before changes flow back: the tables are on both sides already."""
