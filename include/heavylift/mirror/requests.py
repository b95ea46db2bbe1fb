"""From a registry to the stream of changes between its two databases."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, CredentialError, SpecError, TransientError, UnsupportedError
from heavylift.platforms.postgresql.connect import connect, where
from heavylift.platforms.postgresql.faults import told_as
from heavylift.registry.paths import choose_path, is_staged, stores_of
from heavylift.registry.store.catalog import read_catalog
from heavylift.registry.uris import URI_COLUMNS, UriForm, UriMap
from heavylift.spec.sections_data import CaptureMethod, DatabaseEngine, OnSchemaChange
from heavylift.spec.vocabulary import Deletes
from heavylift.tables.requests import DatabaseSideRequest, Direction, TablesOptions, TablesRequest
from heavylift.tables.rewriting import Columns, Rewrite, Rewriting

if TYPE_CHECKING:
    from heavylift.connections import Connection
    from heavylift.registry.requests import RegistryRequest

STAY_SECONDS = 20.0
"""How long a round stays with the source's log; between two rounds fences are looked at anew."""


def stream_of(request: RegistryRequest, *, either: bool = False) -> TablesRequest:
    """Return the stream that follows a registry, in the forward direction; asks both databases for tables.

    :param either: one of them is enough: the other may be away.
    :raises UnsupportedError: the registry does not move by its databases, or not from PostgreSQL.
    :raises SpecError: the map of prefixes cannot be turned around, so that nothing could flow back.
    :raises ConflictError: MLflow's tables lie in schemas of different names.
    :raises NotFoundError: a database holds no tracking store.
    """
    choose_path(request)
    source, target = stores_of(request)
    if is_staged(source):
        raise _without_log(request, source)
    schema, names, there = _either(source, target) if either else _both(source, target)
    if schema != there:
        raise ConflictError(
            f"following registry {request.registry!r}",
            got=f"MLflow's tables in schema {schema!r} on the source and {there!r} on the target",
            expected="schemas of one name: the log names tables with their schemas",
            state="nothing was touched",
            remedy=f"give MLflow's tables on the target a schema called {schema!r}",
            code="9511",
        )
    uris = request.options.uris
    return TablesRequest(
        run=request.run,
        database=_database(request),
        source=DatabaseSideRequest(DatabaseEngine.POSTGRESQL, source),
        target=DatabaseSideRequest(DatabaseEngine.POSTGRESQL, target),
        evidence_url=request.evidence_url,
        evidence_connection=request.evidence_connection,
        options=TablesOptions(
            tables=tuple(f"{schema}.{name}" for name in names),
            method=CaptureMethod.CHANGES,
            # Both schemas are MLflow's, of one revision; what changes them must be done on both sides.
            on_schema_change=OnSchemaChange.STOP,
            parallel_ranges=request.options.parallel,
            dry_run=request.options.dry_run,
        ),
        rewriting=Rewriting(_columns(uris), _columns(inverse(uris, request.registry))),
    )


def _without_log(request: RegistryRequest, source: Connection) -> UnsupportedError:
    return UnsupportedError(
        f"following registry {request.registry!r}",
        got=f"a source store of type {source.conn_type!r}",
        expected="PostgreSQL on both sides: its log is what is followed",
        state="nothing was touched",
        remedy="sync without --follow (leave the registry out of cutover.registries), as often as you like;"
        " at the switch pause the source's server, sync once more and verify",
        code="9596",
    )


def stream_id(request: RegistryRequest) -> str:
    """Return under which id the target knows the stream of a registry; asks nobody."""
    return f"{request.run.migration}/{_database(request)}/{Direction.FORWARD.value}"


def _database(request: RegistryRequest) -> str:
    return f"registry-{request.registry}"


def demand_deletes_follow(request: RegistryRequest) -> None:
    """Refuse a policy under which the target would not be the source.

    :raises SpecError: what is deleted is to be kept.
    """
    if request.options.deletes is not Deletes.PROPAGATE:
        raise SpecError(
            f"following registry {request.registry!r}",
            got=f"deletes: {request.options.deletes.value}",
            expected="propagate: the source's log is followed whole, so that either side can take over",
            state="nothing was touched",
            remedy="say --deletes propagate ('deletes: propagate' in the spec), or sync without --follow",
            code="9510",
        )


def turned(request: RegistryRequest) -> RegistryRequest:
    """Return the registry's request in the other direction, as after a switch."""
    options = replace(request.options, uris=inverse(request.options.uris, request.registry))
    return replace(request, source=request.target, target=request.source, options=options)


def inverse(uris: UriMap, registry: str) -> UriMap:
    """Return the map that undoes another.

    :raises SpecError: two prefixes become one.
    """
    back = tuple((target, source) for source, target in uris.pairs)
    targets = [target for target, _ in back]
    if len(set(targets)) < len(targets):
        raise SpecError(
            f"turning the prefixes of registry {registry!r} around",
            got="two source prefixes with one target prefix",
            expected="a target prefix of its own for each, so that what is written there can flow back",
            state="nothing was touched",
            remedy="correct --artifacts, or the prefixes in the spec",
            code="9512",
        )
    return UriMap(tuple(sorted(back, key=lambda pair: -len(pair[0]))))


def _both(source: Connection, target: Connection) -> tuple[str, list[str], str]:
    schema, names = _tables(source)
    return schema, names, _tables(target)[0]


def _either(source: Connection, target: Connection) -> tuple[str, list[str], str]:
    """Return tables and schema of the side that answers; a copy's are those of the other."""
    try:
        schema, names = _tables(source)
    except (TransientError, CredentialError):
        schema, names = _tables(target)
    return schema, names, schema


def _tables(side: Connection) -> tuple[str, list[str]]:
    with (
        told_as(f"looking for MLflow's tables in {where(side)}", "nothing was touched"),
        closing(connect(side, "registry stream")) as session,
    ):
        catalog = read_catalog(session, where(side))
        return catalog.schema, sorted(catalog.tables)


def _columns(uris: UriMap) -> Columns:
    if not uris.changing:
        return {}
    forms: dict[UriForm, Callable[[str], str]] = {UriForm.WHOLE: uris.of, UriForm.WITHIN: uris.within}
    return {column: _rewrite(forms[form]) for column, form in URI_COLUMNS.items()}


def _rewrite(act: Callable[[str], str]) -> Rewrite:
    return lambda value: act(value.decode()).encode()
