"""Looks for what stands in the way of a store-level move, on both sides, and changes neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import RegistryPreflightRecord
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.registry.paths import choose_path, stores_of
from heavylift.registry.store.catalog import STAGED, StoreCatalog, read_catalog, shown
from heavylift.registry.store.loading import PRISTINE, Sides
from heavylift.registry.store.making import is_blank
from heavylift.registry.store.preflight_uris import uri_findings
from heavylift.registry.store.state import StoreState, others, read_state

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.requests import RegistryRequest

_IDENTITY = (
    "SELECT pg_postmaster_start_time(), inet_server_port(), oid FROM pg_database"
    " WHERE datname = current_database()"
)
_UNTOLD = "SQL_ASCII"
"""Of a database whose texts are bytes: most often of UTF-8, and what is not so is refused row by row."""


@dataclass(frozen=True)
class Looked:
    """What a preflight has seen.

    :param blank: the target's database is empty; its tables will be as the source's.
    """

    record: RegistryPreflightRecord
    sides: Sides
    state: StoreState | None
    blank: bool = False


def look(request: RegistryRequest) -> Looked:
    """Look at both stores.

    :raises UnsupportedError: the store level is not open.
    :raises NotFoundError: a database holds no tracking store.
    :raises CredentialError: a server refuses the login.
    """
    reason = choose_path(request).reason
    source, target = stores_of(request)
    with (
        told_as(f"looking at the stores of registry {request.registry!r}", "nothing was touched"),
        closing(connect(source, "registry preflight")) as ours,
        closing(connect(target, "registry preflight")) as theirs,
    ):
        there = read_catalog(ours, shown(source), source.text(STAGED))
        blank = request.options.make_tables and is_blank(theirs)
        sides = Sides.of(there, there if blank else read_catalog(theirs, where(target)))
        state = None if blank else read_state(theirs, request.id)
        look_for = _findings_of_blank if blank else _findings
        findings = tuple(look_for(request, sides, state, ours, theirs))
    open_ = not any(each.severity is Severity.BLOCKER for each in findings)
    record = RegistryPreflightRecord(
        run=request.run,
        registry=request.registry,
        source=shown(source),
        target=where(target),
        source_version=sides.source.version,
        target_version=sides.target.version,
        path="store" if open_ else "",
        path_reason=reason,
        tables=len(sides.source.tables),
        row_estimate=sum(max(table.row_estimate, 0) for table in sides.source.tables.values()),
        size_bytes=sides.source.size_bytes,
        uris=request.options.uris.pairs,
        findings=findings,
        copied=state is not None and state.complete,
        passed=open_,
    )
    return Looked(record, sides, state, blank)


def is_complete(request: RegistryRequest) -> bool:
    """Tell whether the target's own notes say that a whole copy is there; asks the target alone."""
    _, target = stores_of(request)
    with (
        told_as(f"looking whether registry {request.registry!r} was copied", "nothing was touched"),
        closing(connect(target, "registry preflight")) as session,
    ):
        state = read_state(session, request.id)
        return state is not None and state.complete


def refuse(record: RegistryPreflightRecord) -> None:
    """Raise what stands in the way.

    :raises ConflictError: all blockers of the record, with their remedies.
    """
    blockers = [each for each in record.findings if each.severity is Severity.BLOCKER]
    if blockers:
        raise ConflictError(
            f"moving registry {record.registry!r}",
            got="; ".join(f"{each.rule}: {each.detail}" for each in blockers),
            expected="nothing that stands in the way",
            state="nothing was touched",
            remedy="; ".join(dict.fromkeys(each.remedy for each in blockers)),
            code="7111",
        )


def _findings(
    request: RegistryRequest, sides: Sides, state: StoreState | None, source: Session, target: Session
) -> Iterator[Finding]:
    one_schema = sides.source.schema == sides.target.schema
    if one_schema and source.execute(_IDENTITY).fetchone() == target.execute(_IDENTITY).fetchone():
        yield _blocker(
            "same-database", "target", "both connections lead to one database", "name another target"
        )
        return
    if sides.source.version != sides.target.version:
        # All else that differs follows from it.
        yield _other_version(sides)
        return
    yield from _encodings(source, target)
    yield from _tables(sides)
    yield from _privileges(sides, source, target)
    yield from _occupied(request, sides, state, target)
    yield from uri_findings(request.options.uris, sides.source, source)
    yield from _notes(sides, source)


def _findings_of_blank(
    request: RegistryRequest, sides: Sides, _state: StoreState | None, source: Session, target: Session
) -> Iterator[Finding]:
    yield _finding(
        Severity.NOTE,
        "tables-made",
        "target",
        f"the database is empty: MLflow's tables of revision {sides.source.version} are made in it, as the"
        " source has them",
        "check that it is the right one",
    )
    yield from _encodings(source, target)
    yield from _privileges_of_blank(sides, source, target)
    yield from uri_findings(request.options.uris, sides.source, source)
    yield from _notes(sides, source)


def _other_version(sides: Sides) -> Finding:
    return _blocker(
        "store-version",
        "source",
        f"the source's schema is at revision {sides.source.version}, the target's at {sides.target.version}",
        "bring both to one version of MLflow: where the target is older, run mlflow db upgrade on it;"
        " where the source is older, restore a copy of it into a database of its own, run mlflow db"
        " upgrade with the target's MLflow on that copy, and name the copy as the source's store; or go"
        " through the interface (--path api), to which the versions of the schemas are of no matter",
    )


def _encodings(source: Session, target: Session) -> Iterator[Finding]:
    """Tell of two encodings: a text is then of other bytes on each side, and rows are proved by bytes."""
    ours, theirs = (each.info.parameter_status("server_encoding") for each in (source, target))
    if ours != theirs and _UNTOLD not in {ours, theirs}:
        yield _blocker(
            "encoding-differs",
            "target",
            f"the source's database is encoded in {ours}, the target's in {theirs}",
            "give both the encoding UTF8: make the target's database with it; where the source's has another,"
            " restore a dump of it (pg_dump) into a database with ENCODING 'UTF8', and name that as the"
            " source's store; or go through the interface (--path api)",
        )


def _tables(sides: Sides) -> Iterator[Finding]:
    for name, table in sides.source.tables.items():
        there = sides.target.tables.get(name)
        if there is None:
            # With equal revisions it is none of MLflow's.
            yield _finding(
                Severity.WARNING,
                "foreign-table",
                name,
                "the target's store has no such table; it stays behind",
                "make it on the target beforehand, if it is MLflow's (basic auth, say)",
            )
        elif there.signature != table.signature:
            yield _blocker(
                "table-differs", name, "its columns or key differ on the target", "make both schemas equal"
            )
        elif not table.key:
            yield _blocker(
                "no-key", name, "it has no primary key", "give it one on both sides, or move it away"
            )


def _privileges_of_blank(sides: Sides, source: Session, target: Session) -> Iterator[Finding]:
    yield from _may_read(sides, source)
    row = target.execute(
        "SELECT CASE WHEN to_regnamespace(quote_ident(%(schema)s)) IS NULL THEN true"
        " ELSE has_schema_privilege(%(schema)s, 'CREATE') END",
        {"schema": sides.source.schema},
    ).fetchone()
    if row != (True,):
        yield _blocker(
            "create-right",
            f"schema {sides.source.schema}",
            "the target's role may not make tables in it",
            "grant CREATE on the schema",
        )
    yield from _may_note(target)


def _may_read(sides: Sides, source: Session) -> Iterator[Finding]:
    lacking = _lacking(source, sides.source, "SELECT")
    if lacking:
        yield _blocker(
            "select-right", lacking, "the source's role may not read it", "grant SELECT on all tables"
        )


def _privileges(sides: Sides, source: Session, target: Session) -> Iterator[Finding]:
    yield from _may_read(sides, source)
    for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        lacking = _lacking(target, sides.target, right)
        if lacking:
            yield _blocker(
                "write-right", lacking, f"the target's role lacks {right}", f"grant {right} on all tables"
            )
    yield from _may_note(target)


def _may_note(target: Session) -> Iterator[Finding]:
    row = target.execute(
        "SELECT to_regnamespace('heavylift') IS NOT NULL OR"
        " has_database_privilege(current_database(), 'CREATE')"
    ).fetchone()
    if row != (True,):
        yield _blocker(
            "create-right",
            "schema heavylift",
            "the target's role may not make the schema that notes how far the move is",
            "grant CREATE on the database",
        )


def _lacking(session: Session, catalog: StoreCatalog, right: str) -> str:
    rows = session.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s))"
        " AND relname = ANY (%s) AND NOT has_table_privilege(oid, %s) ORDER BY 1",
        [catalog.schema, list(catalog.tables), right],
    ).fetchall()
    return ", ".join(str(row[0]) for row in rows)


def _occupied(
    request: RegistryRequest, sides: Sides, state: StoreState | None, target: Session
) -> Iterator[Finding]:
    shared = others(target, request.id)
    if shared:
        yield _blocker(
            "other-registry",
            ", ".join(shared),
            "another registry has been moved into this database",
            "use a database for each, or the migration and registry names of that move",
        )
    noted = state.tables if state is not None else {}
    occupied = [name for name in sides.target.tables if name not in noted and _has_rows(target, sides, name)]
    if occupied and not shared:
        yield _blocker(
            "target-occupied",
            ", ".join(occupied),
            "the target's store has rows that this migration did not write; they are never written over",
            "use a new tracking store: a database with MLflow's tables and no history",
        )


def _has_rows(target: Session, sides: Sides, name: str) -> bool:
    from psycopg import sql

    pristine = PRISTINE.get(name)
    condition = sql.SQL(f"WHERE NOT ({pristine})" if pristine else "")
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} {})").format(sides.target.relation(name), condition)
    return target.execute(query).fetchone() == (True,)


def _notes(sides: Sides, source: Session) -> Iterator[Finding]:
    from psycopg import sql

    yield _finding(
        Severity.NOTE,
        "space",
        "target",
        f"about {sides.source.size_bytes:,} bytes of rows, and indexes of about the same size, will be"
        " written; the server does not tell how much room its disk has",
        "look at the target's free space",
    )
    for name, column in (("secrets", "secret_id"), ("webhooks", "secret")):
        if name not in sides.source.tables:
            continue
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} IS NOT NULL)")
        relation = sides.source.relation(name)
        if source.execute(query.format(relation, sql.Identifier(column))).fetchone() == (True,):
            yield _finding(
                Severity.WARNING,
                "encryption-keys",
                name,
                f"values in table {name} are encrypted with keys that are in no table",
                "give the target's server the same MLFLOW_CRYPTO_KEK_PASSPHRASE,"
                " MLFLOW_CRYPTO_KEK_VERSION and MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
            )


def _blocker(rule: str, subject: str, detail: str, remedy: str) -> Finding:
    return _finding(Severity.BLOCKER, rule, subject, f"{subject}: {detail}", remedy)


def _finding(severity: Severity, rule: str, subject: str, detail: str, remedy: str) -> Finding:
    return Finding(rule=rule, severity=severity, subject=subject, detail=detail, remedy=remedy)
