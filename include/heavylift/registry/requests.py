"""What the movers of registries are asked to do: one registry, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from heavylift.connections import Connection
from heavylift.errors import NotFoundError, UnsupportedError
from heavylift.evidence.records import RunKey
from heavylift.registry.catalogues.wiring import kind_of
from heavylift.registry.selection import Selection
from heavylift.registry.uris import UriMap, uri_map
from heavylift.spec.registry_phase import (
    BACK,
    converts,
    goes_back,
    may_choose,
    moves_artifacts,
    prefixes_in_spec,
)
from heavylift.spec.sections_data import OnNameConflict, RegistryKind, RegistryPath
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.platforms import Side
    from heavylift.spec.sections_data import Registry, RegistrySide


@dataclass(frozen=True)
class RegistryPlace:
    """A registry on one side.

    :param connection: the server.
    :param store: its database, where that may be used.
    :param artifacts: the object store of its artifacts; through the interface they are then copied from
        store to store, and without it through the servers.
    """

    connection: Connection
    store: Connection | None = None
    kind: RegistryKind = RegistryKind.MLFLOW
    artifacts: Connection | None = None


@dataclass(frozen=True)
class RegistryOptions:
    """How a registry is moved and proved; defaults are the spec's.

    :param deletes: what becomes of a row of the target that has gone from the source.
    :param parallel: tables that are copied at once, and requests that a verification makes at once.
    :param artifacts: a verification reads the artifacts on both sides, too, and compares their digests; a
        move through the interface copies them.
    :param contents: a verification reads their bytes; False compares names and sizes alone.
    :param overwrite: what others have written to the target's rows since the last run gives way.
    :param on_name_conflict: through the interface: what to do where another thing has a name.
    :param accept_losses: what the interface cannot carry does not make a run fail.
    :param losses_block: what it cannot carry, and was not accepted, stops a run before anything moves; else
        the run fails at its end.
    :param live: the source is being written to while it is verified: what changes meanwhile is told apart.
    :param make_tables: at store level: a copy into an empty database makes MLflow's tables first.
    :param selection: which experiments and models move; at store level all do.
    """

    path: RegistryPath = RegistryPath.AUTO
    deletes: Deletes = Deletes.KEEP
    uris: UriMap = field(default_factory=UriMap)
    parallel: int = 4
    artifacts: bool = True
    contents: bool = True
    overwrite: bool = False
    on_name_conflict: OnNameConflict = OnNameConflict.FAIL
    accept_losses: bool = False
    losses_block: bool = False
    dry_run: bool = False
    live: bool = False
    make_tables: bool = False
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True)
class RegistryRequest:
    """One registry's move within one run.

    :param evidence_url: the evidence store's URL; None leaves it to the connection.
    """

    run: RunKey
    registry: str
    source: RegistryPlace
    target: RegistryPlace
    evidence_url: str | None
    evidence_connection: Connection | None
    options: RegistryOptions = field(default_factory=RegistryOptions)

    @property
    def id(self) -> str:
        """Return under which name the target's database notes how far this registry is."""
        return f"{self.run.migration}/{self.registry}"

    @property
    def is_back(self) -> bool:
        """Whether things go back to where they came from."""
        return self.registry.endswith(BACK)

    @property
    def id_of_other_way(self) -> str:
        """Return the name of the same registry's move in the other direction."""
        return self.id.removesuffix(BACK) if self.is_back else self.id + BACK

    def back(self) -> RegistryRequest:
        """Return the request for the way back: sides and prefixes are exchanged; through the interface.

        :raises UnsupportedError: it is to go from database to database, or another kind of registry is in it.
        """
        kinds = {self.source.kind, self.target.kind}
        if self.options.path is RegistryPath.STORE or kinds != {RegistryKind.MLFLOW}:
            raise _no_way_back(self)
        uris = uri_map([(new, old) for old, new in self.options.uris.pairs])
        return replace(
            self,
            registry=self.registry + BACK,
            source=self.target,
            target=self.source,
            options=replace(self.options, path=RegistryPath.API, uris=uris),
        )


def _no_way_back(request: RegistryRequest) -> UnsupportedError:
    return UnsupportedError(
        f"taking registry {request.registry!r} back",
        got="a move at store level, or of a registry that is not MLflow",
        expected="two tracking servers, of which one was filled through its interface",
        state="nothing was touched",
        remedy="at store level, follow the registry (heavylift registry sync --follow) and switch it"
        " (heavylift registry switch --to source): changes flow back by themselves",
        code="9586",
    )


def registry_request(
    spec: MigrationSpec,
    registry: str,
    run: RunKey,
    connections: Callable[[str], Connection],
    *,
    dry_run: bool = False,
    live: bool = False,
) -> RegistryRequest:
    """Return the request that moves one registry of a spec.

    :param registry: its name; see :func:`heavylift.spec.registry_phase.going_back` for the way back.
    :param connections: looks a connection up by its id.
    :param live: the source is written to while it is verified.
    :raises NotFoundError: the spec has no such registry.
    :raises UnsupportedError: the spec asks for a part of it only.
    """
    found = _find(spec, registry)
    selection = Selection(found.experiments, found.models)
    if not selection.is_everything and not may_choose(found):
        raise UnsupportedError(
            f"moving registry {registry!r}",
            got="a choice of experiments or models",
            expected="all of them ('*')",
            state="nothing was touched",
            remedy="leave 'experiments' and 'models' out: a store moves whole; or set path: api",
            code="7103",
        )
    api = found.path is RegistryPath.API
    source = _place(found.source, connections, spec.source if api else None)
    target = _place(found.target, connections, spec.target if api else None)
    request = RegistryRequest(
        run=run,
        registry=registry.removesuffix(BACK),
        source=source,
        target=target,
        evidence_url=spec.evidence.url,
        evidence_connection=connections(spec.evidence.connection) if spec.evidence.connection else None,
        options=RegistryOptions(
            path=_path(found),
            deletes=found.deletes,
            uris=prefixes_of(source.connection, target.connection, prefixes_in_spec(found)),
            parallel=found.parallel,
            # Their bytes are proved by the mover of objects, where it moves them.
            artifacts=_with_artifacts(found),
            contents=found.contents,
            overwrite=found.overwrite,
            on_name_conflict=found.on_name_conflict,
            accept_losses=found.accept_losses,
            # Nobody may be there to read the list while it moves.
            losses_block=True,
            dry_run=dry_run,
            live=live,
            make_tables=found.make_tables,
            selection=selection,
        ),
    )
    return request.back() if goes_back(found) else request


def place_of(
    server: Connection,
    store: str | None,
    connections: Callable[[str], Connection],
    artifacts: str | None = None,
) -> RegistryPlace:
    """Return a server with its database.

    :param store: the database's connection id; by default the server's extra field ``store_connection``.
    :param artifacts: the connection id of its artifacts' object store.
    """
    found = store or server.text("store_connection")
    objects = connections(artifacts) if artifacts else None
    store_connection = connections(found) if found else None
    return RegistryPlace(server, store_connection, kind_of(server), objects)


def prefixes_of(source: Connection, target: Connection, pairs: list[tuple[str, str]]) -> UriMap:
    """Return the map of prefixes; by default of the extra field ``artifacts`` of both servers.

    :raises SpecError: the pairs do not fit together.
    """
    roots = (source.text("artifacts"), target.text("artifacts"))
    if not pairs and roots[0] and roots[1]:
        pairs = [(roots[0], roots[1])]
    return uri_map(pairs)


def _path(registry: Registry) -> RegistryPath:
    if registry.path is RegistryPath.AUTO and moves_artifacts(registry):
        # They move by prefix beside it, which does not fit the places that the interface gives anew.
        return RegistryPath.STORE
    return registry.path


def _with_artifacts(registry: Registry) -> bool:
    if not converts(registry):
        return not moves_artifacts(registry)
    return bool(registry.source.artifacts and registry.target.artifacts) or any(
        each.move for each in registry.more_artifacts
    )


def _place(
    side: RegistrySide, connections: Callable[[str], Connection], around: Side | None
) -> RegistryPlace:
    objects = side.artifacts_connection
    if around is not None and side.artifacts is not None:
        # Of a platform's own store the spec need not name it.
        objects = objects or around.connection
    place = place_of(connections(side.connection), side.store_connection, connections, objects)
    return replace(place, kind=side.kind)


def _find(spec: MigrationSpec, name: str) -> Registry:
    for registry in spec.registries:
        if registry.name == name:
            return registry
    raise NotFoundError(
        f"looking up registry {name!r} of migration {spec.migration!r}",
        got="no such registry in the spec",
        expected=", ".join(each.name for each in spec.registries) or "a registries section",
        state="nothing was touched",
        remedy="the spec was changed during the run: start a new run",
        code="7102",
    )
