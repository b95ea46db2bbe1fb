"""Looks at the source's artifact URIs: whether the map says what becomes of each, and whether that fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from heavylift.evidence.records import Finding, Severity
from heavylift.registry.uris import URI_COLUMNS, UriForm

if TYPE_CHECKING:
    from heavylift.platforms.postgresql.connect import Session
    from heavylift.registry.store.catalog import StoreCatalog
    from heavylift.registry.uris import UriMap

_PROXIED = "mlflow-artifacts"
_LOCATIONS = {
    "experiments": "SELECT artifact_location FROM {} WHERE artifact_location IS NOT NULL",
    "runs": "SELECT regexp_replace(artifact_uri, '/[^/]+/artifacts$', '') FROM {}"
    " WHERE artifact_uri IS NOT NULL",
    "logged_models": "SELECT regexp_replace(artifact_location, '/models/[^/]+/artifacts$', '') FROM {}",
}
_SHOWN = 5


def uri_findings(uris: UriMap, catalog: StoreCatalog, session: Session) -> Iterator[Finding]:
    """Yield what is wrong with the map for what the source holds."""
    yield from _unmapped(uris, catalog, session)
    yield from _too_long(uris, catalog, session)


def _unmapped(uris: UriMap, catalog: StoreCatalog, session: Session) -> Iterator[Finding]:
    from psycopg import sql

    # Stores of older versions have no logged models.
    asked = [(table, text) for table, text in _LOCATIONS.items() if table in catalog.tables]
    parts = [sql.SQL(text).format(catalog.relation(table)) for table, text in asked]
    query = sql.SQL(" UNION ").join(parts) + sql.SQL(" ORDER BY 1")
    roots: dict[str, None] = {}
    with session.transaction(), session.cursor("heavylift_roots") as cursor:
        for (location,) in cursor.execute(query):
            scheme = str(location).partition(":")[0]
            if scheme != _PROXIED and not uris.covers(str(location)):
                # The root's parent: below it each experiment has a folder.
                roots.setdefault(str(location).rpartition("/")[0])
    if roots:
        shown = ", ".join(list(roots)[:_SHOWN]) + (
            f" and {len(roots) - _SHOWN} more" if len(roots) > _SHOWN else ""
        )
        yield Finding(
            rule="artifacts-unmapped",
            severity=Severity.BLOCKER,
            subject="source",
            detail=f"artifacts lie under {shown}, and nothing says where they will lie",
            remedy="map each prefix: --artifacts SOURCE=TARGET (to itself, where the target's server shall go"
            " on reading it there); in the spec 'artifacts' of both sides",
        )


def _too_long(uris: UriMap, catalog: StoreCatalog, session: Session) -> Iterator[Finding]:
    from psycopg import sql

    for (table, name), form in URI_COLUMNS.items():
        found = catalog.tables.get(table)
        if form is not UriForm.WHOLE or found is None or not uris.changing:
            continue
        limit = next((each.limit for each in found.columns if each.name == name), None)
        if limit is None:
            continue
        expression = uris.expression(sql.Identifier(name), form)
        query = sql.SQL("SELECT count(*) FROM {} WHERE length({}) > {}")
        row = session.execute(
            query.format(catalog.relation(table), expression, sql.Literal(limit))
        ).fetchone()
        if row != (0,):
            yield Finding(
                rule="uri-too-long",
                severity=Severity.BLOCKER,
                subject=f"{table}.{name}",
                detail=f"{table}.{name} takes {limit} characters;"
                f" {(row or ('some',))[0]} URIs would be longer",
                remedy="choose a shorter target prefix",
            )
