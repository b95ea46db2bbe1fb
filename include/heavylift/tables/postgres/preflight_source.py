"""The preflight's rules about the source's server: may its log be read, and can it bear that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from heavylift.errors import HeavyliftError
from heavylift.evidence.records import Finding
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
from heavylift.tables.postgres.replication import identify
from heavylift.tables.postgres.slot import publishable, published, slot_name

if TYPE_CHECKING:
    from heavylift.tables.postgres.connect import Session

OLDEST = 130000
"""publish_via_partition_root and pg_current_snapshot came with 13."""

_SLOTS_WANTED = 2
_LONG = "60 seconds"


def check_server(checked: Checked) -> Iterator[Finding]:
    """Look at the source's version, its log, and the slots and senders that are free."""
    source = checked.source
    version = source.info.server_version
    if version < OLDEST:
        yield blocker(
            "source-version", "source", f"PostgreSQL {version // 10000}", "upgrade the source to 13 or newer"
        )
    elif version < 140000:
        yield remark(
            "source-version-13",
            "source",
            "PostgreSQL 13 reads no range of pages by itself: a table is copied as one range for each"
            " partition, and resumes only between tables and partitions",
        )
    if ask(source, "SELECT pg_is_in_recovery()"):
        yield blocker("source-is-standby", "source", "it is a standby", "connect to the primary")
    if setting(source, "wal_level") != "logical":
        yield blocker(
            "wal-level",
            "source",
            f"wal_level is {setting(source, 'wal_level')}",
            "set wal_level = logical and restart the server (RDS and Aurora: rds.logical_replication = 1;"
            " Cloud SQL: cloudsql.logical_decoding = on; AlloyDB: alloydb.logical_decoding = on; Azure:"
            " server parameter wal_level)",
        )
    yield from _room(source, "max_replication_slots", "SELECT count(*) FROM pg_replication_slots")
    yield from _room(
        source, "max_wal_senders", "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'"
    )


def _room(source: Session, name: str, used_query: str) -> Iterator[Finding]:
    most, used = int(setting(source, name)), int(ask(source, used_query))
    if most - used >= _SLOTS_WANTED:
        return
    rule = name.replace("_", "-")
    detail = f"{used} of {most} are in use; the stream needs one, and a resumed snapshot another"
    remedy = f"raise {name} to {used + _SLOTS_WANTED} or more and restart the server, or drop unused ones"
    yield blocker(rule, "source", detail, remedy) if most == used else warning(rule, "source", detail, remedy)


def check_rights(checked: Checked) -> Iterator[Finding]:
    """Try what the role must be able to do on the source."""
    source = checked.source
    role = str(ask(source, "SELECT current_user"))
    try:
        identify(checked.request.source.connection)
    except HeavyliftError as error:
        yield blocker(
            "replication-right",
            f"role {role}",
            f"the source refuses a replication connection: {error.got}",
            f"ALTER ROLE {quoted(role)} REPLICATION (RDS and Aurora: GRANT rds_replication TO"
            f" {quoted(role)}), admit it in pg_hba.conf where that is yours, and connect to the server"
            " itself: a connection pooler passes no replication",
        )
    if published(source, slot_name(checked.request.stream)) >= set(publishable(checked.tables)):
        # Somebody with more rights has made the publication for us.
        return
    if not ask(source, "SELECT has_database_privilege(current_database(), 'CREATE')"):
        database = str(ask(source, "SELECT current_database()"))
        yield blocker(
            "publication-right",
            f"role {role}",
            "it may not create a publication: CREATE on the database is missing",
            f"GRANT CREATE ON DATABASE {quoted(database)} TO {quoted(role)}",
        )
    yield from _ownership(checked, role)


def _ownership(checked: Checked, role: str) -> Iterator[Finding]:
    foreign = rows(
        checked.source,
        "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class"
        " WHERE oid = ANY(%s) AND NOT pg_has_role(relowner, 'USAGE') ORDER BY 1",
        [checked.oids],
    )
    if not foreign:
        return
    name = quoted(slot_name(checked.request.stream))
    grants = "; ".join(f"GRANT {quoted(owner)} TO {quoted(role)}" for (owner,) in foreign)
    yield blocker(
        "table-ownership",
        f"role {role}",
        f"only owners may publish tables; some belong to {listed(row[0] for row in foreign)}",
        f"{grants}; or let the owner make the publication: CREATE PUBLICATION {name} FOR TABLE"
        f" {', '.join('ONLY ' + of(name) for name in publishable(checked.tables))}"
        " WITH (publish_via_partition_root = false)",
    )


def check_reading(checked: Checked) -> Iterator[Finding]:
    """Look for chosen tables that the role may not read, or would read only in part."""
    denied = rows(
        checked.source,
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid IN (SELECT o FROM unnest(%s::oid[]) o UNION"
        "   SELECT t.relid FROM unnest(%s::oid[]) o, pg_partition_tree(o::regclass) t)"
        " AND (NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(c.oid, 'SELECT'))",
        [checked.oids, checked.oids],
    )
    if denied:
        role = str(ask(checked.source, "SELECT current_user"))
        yield blocker(
            "select-right",
            listed(row[0] for row in denied),
            f"role {role} may not read them",
            f"GRANT USAGE ON SCHEMA … TO {quoted(role)}; GRANT SELECT ON {denied[0][0]}, … TO {quoted(role)}",
        )
    hidden = rows(
        checked.source,
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.oid = ANY(%s) AND row_security_active(c.oid)",
        [checked.oids],
    )
    if hidden:
        yield blocker(
            "row-security",
            listed(row[0] for row in hidden),
            "row security hides rows of these tables from the role",
            "use the tables' owner (without FORCE ROW LEVEL SECURITY) or a role with BYPASSRLS",
        )


def check_waiting(checked: Checked) -> Iterator[Finding]:
    """Look for what a new slot would wait for."""
    open_ones = rows(
        checked.source,
        "SELECT pid, coalesce(nullif(application_name, ''), usename::text, ''),"
        " date_trunc('second', clock_timestamp() - xact_start)::text FROM pg_stat_activity"
        " WHERE backend_xid IS NOT NULL AND xact_start < clock_timestamp() - %s::interval"
        " ORDER BY xact_start",
        [_LONG],
    )
    if open_ones:
        yield warning(
            "long-transactions",
            listed(f"pid {pid} ({who})" for pid, who, _ in open_ones),
            f"transactions that write are open for up to {open_ones[0][2]}; making the slot waits for them",
            "end them, or start when they have ended",
        )
    prepared = ask(checked.source, "SELECT count(*) FROM pg_prepared_xacts")
    if prepared:
        yield warning(
            "prepared-transactions",
            f"{prepared} prepared transactions",
            "making the slot waits until they are committed or rolled back",
            "COMMIT PREPARED or ROLLBACK PREPARED those that were forgotten (pg_prepared_xacts)",
        )


def check_log(checked: Checked) -> Iterator[Finding]:
    """Look at how the source keeps its log for us, and what it spends on decoding it."""
    source = checked.source
    keep = setting(source, "max_slot_wal_keep_size")
    limit = checked.request.options.max_retained_wal
    if keep in {"", "-1"}:
        yield warning(
            "max-slot-wal-keep-size",
            "source",
            "nothing but Heavylift's own limit (max_retained_wal, looked at when it runs) keeps an abandoned"
            " slot from filling the source's disk",
            f"set max_slot_wal_keep_size to what the disk can spare, more than {limit // 2**20} MB",
        )
    elif int(ask(source, "SELECT pg_size_bytes(%s)", [keep])) < limit:
        yield warning(
            "max-slot-wal-keep-size",
            "source",
            f"the source gives the slot up at {keep}, before Heavylift would (max_retained_wal is"
            f" {limit // 2**20} MB)",
            "raise the one or lower the other, and sync often enough",
        )
    timeout = int(ask(source, "SELECT setting::bigint FROM pg_settings WHERE name = 'wal_sender_timeout'"))
    if 0 < timeout < 10_000:
        yield warning(
            "wal-sender-timeout", "source", f"{timeout} ms: a busy reader is cut off", "set it to 60s or more"
        )
    yield remark(
        "logical-decoding-work-mem",
        "source",
        f"transactions larger than {setting(source, 'logical_decoding_work_mem')} are spooled to the source's"
        " disk while they are decoded",
    )
