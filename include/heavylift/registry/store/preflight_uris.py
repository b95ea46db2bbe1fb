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

_PROXIED = "mlflow-artifacts:/"
_LOCATIONS = {
    "experiments": "SELECT artifact_location FROM {} WHERE artifact_location IS NOT NULL",
    "runs": "SELECT regexp_replace(artifact_uri, '/[^/]+/artifacts$', '') FROM {}"
    " WHERE artifact_uri IS NOT NULL",
    "logged_models": "SELECT regexp_replace(artifact_location, '/models/[^/]+/artifacts$', '') FROM {}",
}
_ELSEWHERE = {
    "model_versions": "SELECT regexp_replace(unnest(ARRAY[source, storage_location]), '/[^/]*$', '') FROM {}",
    "trace_tags": "SELECT regexp_replace(value, '/traces/[^/]+/artifacts$', '') FROM {}"
    " WHERE key IN ('mlflow.artifactLocation', 'mlflow.trace.archiveLocation')",
    "workspaces": "SELECT unnest(ARRAY[default_artifact_root, trace_archival_location]) FROM {}",
}
_SHOWN = 5


def uri_findings(uris: UriMap, catalog: StoreCatalog, session: Session) -> Iterator[Finding]:
    """Yield what is wrong with the map for what the source holds."""
    yield from _unmapped(uris, catalog, session)
    yield from _elsewhere(uris, catalog, session)
    yield from _too_long(uris, catalog, session)


def _unmapped(uris: UriMap, catalog: StoreCatalog, session: Session) -> Iterator[Finding]:
    roots: dict[str, None] = {}
    for location in _found(_LOCATIONS, catalog, session):
        if not _by_the_server(location) and not uris.covers(location):
            # The root's parent: below it each experiment has a folder.
            roots.setdefault(location.rpartition("/")[0])
    if roots:
        yield Finding(
            rule="artifacts-unmapped",
            severity=Severity.BLOCKER,
            subject="source",
            detail=f"artifacts lie under {_some(roots)}, and nothing says where they will lie",
            remedy="map each prefix: --artifacts SOURCE=TARGET (to itself, where the target's server shall go"
            " on reading it there); in the spec 'artifacts' of both sides",
        )


def _elsewhere(uris: UriMap, catalog: StoreCatalog, session: Session) -> Iterator[Finding]:
    """Tell of places of versions, traces and workspaces that stay: these need not be the store's own."""
    roots = {
        place: None
        for place in _found(_ELSEWHERE, catalog, session)
        if _names_a_place(place) and not _by_the_server(place) and not uris.covers(place)
    }
    if roots:
        yield Finding(
            rule="artifacts-elsewhere",
            severity=Severity.WARNING,
            subject="source",
            detail=f"model versions, traces or workspaces name {_some(roots)}, and no prefix says what"
            " becomes of that: it stays as it is",
            remedy="see to it that the target can read it there, or map it: --artifacts SOURCE=TARGET",
        )


def _found(queries: dict[str, str], catalog: StoreCatalog, session: Session) -> Iterator[str]:
    from psycopg import sql

    # Stores of older versions lack some tables.
    asked = [(table, text) for table, text in queries.items() if table in catalog.tables]
    parts = [sql.SQL(text).format(catalog.relation(table)) for table, text in asked]
    query = sql.SQL(" UNION ").join(parts) + sql.SQL(" ORDER BY 1")
    with session.transaction(), session.cursor("heavylift_roots") as cursor:
        for (location,) in cursor.execute(query):
            yield str(location or "")


def _by_the_server(place: str) -> bool:
    """Tell whether whichever server has the store finds a place by itself: one that names no host."""
    return place.startswith(_PROXIED) and not place.startswith(f"{_PROXIED}/")


def _names_a_place(place: str) -> bool:
    scheme, sign, _ = place.partition(":/")
    return place.startswith("/") or bool(sign and scheme not in {"runs", "models"})


def _some(roots: dict[str, None]) -> str:
    more = len(roots) - _SHOWN
    return ", ".join(list(roots)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


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
