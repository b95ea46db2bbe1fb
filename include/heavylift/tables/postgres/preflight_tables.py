"""The preflight's rules about the chosen tables, and about what of the database is no table."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.evidence.records import Finding
from heavylift.tables.model import ReplicaIdentity, Table, TableName, is_chosen
from heavylift.tables.postgres.catalog import NOT_SYSTEM
from heavylift.tables.postgres.preflight_common import (
    Checked,
    ask,
    blocker,
    listed,
    of,
    quoted,
    remark,
    rows,
    warning,
)

_UNIQUE = """
SELECT i.indrelid, x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = ANY(%s) AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
    AND i.indexprs IS NULL AND NOT EXISTS (
        SELECT FROM unnest(i.indkey::int2[]) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k
        WHERE NOT a.attnotnull OR a.attgenerated <> '')
ORDER BY i.indrelid, i.indnkeyatts
"""

# A row of a partition is logged by the partition's own identity.
_LEAVES = """
SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
    CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indimmediate AND i.indisvalid
            AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END) END
FROM unnest(%s::oid[]) r(oid) CROSS JOIN LATERAL pg_partition_tree(r.oid::regclass) t
JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf AND c.oid <> r.oid
"""

_OTHERS = f"""
SELECT CASE WHEN c.relkind IN ('r', 'p') AND c.relpersistence = 'u' THEN 'u' ELSE c.relkind END, n.nspname,
    c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (c.relkind IN ('f', 'm', 'S') OR c.relkind IN ('r', 'p') AND c.relpersistence = 'u')
    AND NOT c.relispartition AND c.relpersistence <> 't' AND {NOT_SYSTEM}
ORDER BY 2, 3
"""  # noqa: S608 - a constant


def check_identity(checked: Checked) -> Iterator[Finding]:
    """Look for tables whose updates and deletes would name no row."""
    unique: dict[int, str] = {}
    for oid, index in rows(checked.source, _UNIQUE, [checked.oids]):
        unique.setdefault(oid, index)
    for table in checked.tables:
        if table.key or table.identity is ReplicaIdentity.FULL:
            continue
        yield _no_identity(table.name, unique.get(table.oid))
    slow = [
        table.name
        for table in checked.tables
        if table.identity is ReplicaIdentity.FULL and not table.key and table.columns
    ]
    if slow:
        yield warning(
            "no-key",
            listed(slow),
            "rows are found by all of their values, for there is no key: changes are applied slowly, and a"
            " snapshot that was cut off copies these tables anew",
            "give them a primary key, or a unique index over columns that are not null",
        )


def _no_identity(table: TableName, index: str | None) -> Finding:
    how = f"USING INDEX {quoted(index)}" if index else "FULL"
    return blocker(
        "replica-identity",
        str(table),
        "it has no replica identity (a primary key that is neither deferrable nor generated, or one that was"
        " named): once it is published, the application's own UPDATE and DELETE of it fail",
        f"ALTER TABLE {of(table)} REPLICA IDENTITY {how}"
        + ("" if index else "; or give it a primary key")
        + "; or leave it out ('exclude')",
    )


def check_partitions(checked: Checked) -> Iterator[Finding]:
    """Look for partitions whose rows or changes could not be read."""
    roots = [table.oid for table in checked.tables if table.partitioned]
    for schema, name, kind, persistence, _, has_identity in rows(checked.source, _LEAVES, [roots]):
        leaf = TableName(schema, name)
        if kind == "f":
            yield blocker(
                "foreign-partition", str(leaf), "rows of a foreign table are in no log of this server",
                f"ALTER TABLE … DETACH PARTITION {of(leaf)}, or leave its table out",
            )  # fmt: skip
        elif persistence == "u":
            yield blocker(
                "unlogged-partition", str(leaf), "changes of an unlogged partition are in no log",
                f"ALTER TABLE {of(leaf)} SET LOGGED",
            )  # fmt: skip
        elif not has_identity:
            yield _no_identity(leaf, None)


def check_columns(checked: Checked) -> Iterator[Finding]:
    """Tell of columns and triggers that behave in their own way."""
    generated = [t.name for t in checked.tables if any(column.generated for column in t.columns)]
    if generated:
        yield remark(
            "generated-columns",
            listed(generated),
            "generated columns are not copied: the target computes them, and the verification compares them",
        )
    always = rows(
        checked.source,
        "SELECT DISTINCT format('%%I.%%I', n.nspname, c.relname) FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE t.tgrelid = ANY(%s) AND t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal ORDER BY 1",
        [checked.oids],
    )
    if always:
        yield warning(
            "always-triggers",
            listed(row[0] for row in always),
            "triggers that are enabled ALWAYS or REPLICA also fire on the target while changes are applied,"
            " and then do twice what the source's log already brings",
            "ALTER TABLE … ENABLE TRIGGER … (the ordinary way) until the cutover, or see that they do no"
            " harm",
        )


def check_others(checked: Checked) -> Iterator[Finding]:
    """Tell of what is no table that can be moved by its log."""
    options = checked.request.options
    found: dict[str, list[TableName]] = {}
    for kind, schema, name in rows(checked.source, _OTHERS):
        found.setdefault(kind, []).append(TableName(schema, name))
    for kind, rule, detail, remedy in (
        ("u", "unlogged-tables", "unlogged tables are in no log, so they stay behind",
         "ALTER TABLE … SET LOGGED for what is to move"),
        ("f", "foreign-tables", "rows of foreign tables are on another server, so they stay behind",
         "set up their servers on the target"),
    ):  # fmt: skip
        chosen = [name for name in found.get(kind, ()) if is_chosen(name, options.tables, options.exclude)]
        if chosen:
            yield warning(rule, listed(chosen), detail, remedy)
    if found.get("m"):
        yield remark(
            "materialized-views", listed(found["m"]), "they are made without their rows",
            "REFRESH MATERIALIZED VIEW on the target after the cutover",
        )  # fmt: skip
    if found.get("S"):
        yield remark(
            "sequences", listed(found["S"]),
            "no log carries sequences: they are set when the snapshot ends, and again at the drain",
        )  # fmt: skip
    large = ask(checked.source, "SELECT count(*) FROM pg_largeobject_metadata")
    if large:
        yield warning(
            "large-objects", f"{large} large objects",
            "large objects are in no log that can be read, so they stay behind",
            "copy them while nobody writes (pg_dump --large-objects), or move them into bytea columns",
        )  # fmt: skip
    if ask(checked.source, "SELECT count(*) FROM pg_event_trigger WHERE evtenabled <> 'D'"):
        yield warning(
            "event-triggers", "source", "event triggers are not made on the target",
            "make them there by hand after the cutover",
        )  # fmt: skip
    yield remark(
        "owners-and-privileges",
        "target",
        "everything that is made belongs to the connection's role; owners and privileges are not copied",
        "grant what the applications need before the cutover",
    )


def totals(tables: tuple[Table, ...]) -> tuple[int, int]:
    """Return the estimated rows and the bytes of tables."""
    return sum(max(table.row_estimate, 0) for table in tables), sum(table.size_bytes for table in tables)
