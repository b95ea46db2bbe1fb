"""The preflight's rules about the target: what it allows, what it lacks, and what it already holds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
from psycopg import sql

from heavylift.evidence.records import Finding
from heavylift.tables.model import Table
from heavylift.tables.postgres.catalog import holders, read_catalog
from heavylift.tables.postgres.preflight_common import (
    Checked,
    ask,
    blocker,
    listed,
    of,
    quoted,
    remark,
    rows,
    setting,
    warning,
)

_LOCALE = "SELECT to_jsonb(d) FROM pg_database d WHERE datname = current_database()"

_EXTENSION_TYPES = """
SELECT DISTINCT e.extname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_depend d ON d.classid = 'pg_type'::regclass
    AND d.objid = coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0), t.oid) AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid
WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""

_OCCUPIED = """
SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def check_target_server(checked: Checked) -> Iterator[Finding]:
    """Look at the target's version and whether it can be written to."""
    source, target = checked.source.info.server_version, checked.target.info.server_version
    if target // 10000 < source // 10000:
        yield blocker(
            "target-version",
            "target",
            f"PostgreSQL {target // 10000} is older than the source's {source // 10000}",
            f"move to PostgreSQL {source // 10000} or newer",
        )
    if (
        ask(checked.target, "SELECT pg_is_in_recovery()")
        or setting(checked.target, "transaction_read_only") == "on"
    ):
        yield blocker(
            "target-read-only", "target", "it cannot be written to",
            "connect to the primary, and switch default_transaction_read_only off",
        )  # fmt: skip
    if _is_same_database(checked):
        yield blocker(
            "same-database", "target", "source and target are one database", "name another target connection"
        )


def _is_same_database(checked: Checked) -> bool:
    """Tell by a lock that only the same database would show: addresses and identifiers can deceive."""
    key = secrets.randbits(31)
    checked.source.execute("SELECT pg_advisory_lock(%s, %s)", [0x48454156, key])
    try:
        seen = ask(
            checked.target,
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND datname = current_database()",
            [0x48454156, key],
        )
    finally:
        checked.source.execute("SELECT pg_advisory_unlock(%s, %s)", [0x48454156, key])
    return bool(seen)


def check_target_rights(checked: Checked) -> Iterator[Finding]:
    """Try what the role must be able to do on the target."""
    target = checked.target
    role = str(ask(target, "SELECT current_user"))
    if not ask(target, "SELECT has_database_privilege(current_database(), 'CREATE')"):
        database = str(ask(target, "SELECT current_database()"))
        yield blocker(
            "create-right", f"role {role}", "it may not create schemas in the target database",
            f"GRANT CREATE ON DATABASE {quoted(database)} TO {quoted(role)}",
        )  # fmt: skip
    missing = [
        schema
        for schema in sorted({table.name.schema for table in checked.tables})
        if ask(
            target,
            "SELECT NOT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = %s",
            [schema],
        )
    ]
    if missing:
        yield blocker(
            "create-right", listed(missing), f"role {role} may not create tables in these schemas",
            f"GRANT CREATE, USAGE ON SCHEMA {', '.join(map(quoted, missing))} TO {quoted(role)}",
        )  # fmt: skip
    if not _may_be_quiet(checked):
        yield warning(
            "session-replication-role",
            f"role {role}",
            "it may not set session_replication_role: foreign keys and triggers would act on what is copied"
            " and applied, so they are made only after the drain",
            f"GRANT SET ON PARAMETER session_replication_role TO {quoted(role)} (15 and newer), or use the"
            " administrator's role of the service",
        )
    if not ask(target, "SELECT has_function_privilege('pg_replication_origin_create(text)', 'EXECUTE')"):
        yield warning(
            "replication-origin",
            f"role {role}",
            "it may not mark its changes with an origin; the reverse stream then tells them apart by the"
            " stream's own row, which comes first in each of its transactions",
        )


def _may_be_quiet(checked: Checked) -> bool:
    try:
        with checked.target.transaction(force_rollback=True):
            checked.target.execute("SET LOCAL session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def check_extensions(checked: Checked) -> Iterator[Finding]:
    """Look for extensions of the source that the target does not offer."""
    have = dict(
        rows(checked.source, "SELECT extname, extversion FROM pg_extension WHERE extname <> 'plpgsql'")
    )
    offered = {
        row[0]
        for row in rows(
            checked.target, "SELECT name FROM pg_available_extensions UNION SELECT extname FROM pg_extension"
        )
    }
    used = {row[0] for row in rows(checked.source, _EXTENSION_TYPES, [checked.oids])}
    for name in sorted(set(have) - offered):
        remedy = f"install {name} on the target, or a service version that offers it"
        detail = f"the source has {name} {have[name]}, the target does not offer it"
        if name in used:
            yield blocker(
                "extension", name, f"{detail}, and columns of chosen tables are of its types", remedy
            )
        else:
            yield warning("extension", name, detail, remedy)


def check_locale(checked: Checked) -> Iterator[Finding]:
    """Compare encodings and collations."""
    source, target = setting(checked.source, "server_encoding"), setting(checked.target, "server_encoding")
    if source == "SQL_ASCII":
        yield warning(
            "encoding", "source", "SQL_ASCII holds bytes of any encoding; what is not UTF-8 is refused",
            "find and correct such values first",
        )  # fmt: skip
    if source != target:
        detail = f"{source} on the source, {target} on the target"
        if target == "UTF8":
            yield remark("encoding", "target", f"{detail}: every character has its place there")
        else:
            yield blocker(
                "encoding", "target", f"{detail}, which cannot hold every character",
                "make the target database with ENCODING 'UTF8'",
            )  # fmt: skip
    ours, theirs = ask(checked.source, _LOCALE), ask(checked.target, _LOCALE)
    names = ("datcollate", "datctype", "datlocprovider", "daticulocale", "datlocale", "datcollversion")
    differing = [
        f"{name[3:]}: {ours.get(name)} and {theirs.get(name)}"
        for name in names
        if ours.get(name) != theirs.get(name) and ours.get(name) is not None and theirs.get(name) is not None
    ]
    if differing:
        yield warning(
            "collation",
            "target",
            f"source and target sort texts by different rules ({'; '.join(differing)}): queries may give"
            " another order, ranges over texts other rows",
            "make the target database with the source's locale and provider, where both offer it",
        )


def check_occupied(checked: Checked) -> Iterator[Finding]:
    """Look for relations that are already there under the chosen names: nothing of them is written over."""
    there = {table.name: table for table in read_catalog(checked.target, ("*.*",))}
    for table in checked.tables:
        if table.name in checked.ours:
            continue
        found = there.get(table.name)
        if found is None:
            kind = ask(checked.target, _OCCUPIED, [table.name.schema, table.name.name])
            if kind is not None:
                yield blocker(
                    "target-occupied", str(table.name), f"something else has the name there (relkind {kind})",
                    "rename or drop it, or leave the table out",
                )  # fmt: skip
        elif _has_rows(checked, found):
            yield blocker(
                "target-occupied",
                str(table.name),
                "the target's table holds rows that Heavylift did not write, and they are never written over",
                f"rename, drop or TRUNCATE {of(table.name)} on the target, or leave it out",
            )
        elif found.signature != table.signature:
            yield blocker(
                "target-columns", str(table.name), "the target's empty table has other columns",
                f"DROP TABLE {of(table.name)} on the target: the snapshot makes it",
            )  # fmt: skip
        else:
            yield remark("target-table", str(table.name), "an empty table is there already, and is used")


def _has_rows(checked: Checked, table: Table) -> bool:
    for leaf in holders(table):
        query = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(sql.Identifier(leaf.schema, leaf.name))
        row = checked.target.execute(query).fetchone()
        if row and row[0]:
            return True
    return False
