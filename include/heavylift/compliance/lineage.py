"""What the graph of assess tells of where data goes: which of its edges carry data, and in which direction.

An edge says that one component depends on another. For data the direction differs by relation: who reads has
of what is read, and what is written has of who writes. Roles, keys, networks and images hold no data, so
nothing flows through them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from heavylift.compliance.flow import Flow
from heavylift.connections import Connection
from heavylift.evidence.assess_evidence import latest_graph
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.inventory_files import read_edges, read_joined, read_references
from heavylift.evidence.inventory_records import (
    RUNS_ON,
    Component,
    Edge,
    GraphRecord,
    InventoryRecord,
    Kind,
    Reference,
)
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import EvidenceStore
from heavylift.locations import Location, parse_location
from heavylift.patterns import selector
from heavylift.spec.model import MigrationSpec
from heavylift.spec.resolve import resolve_datasets

FROM_TARGET = frozenset({"reads", "made_by", "serves", "uses", "triggered_by"})
"""Relations of which the component has of what it names."""
TO_TARGET = frozenset({"writes", "triggers"})
"""Relations of which what is named has of the component."""
BOTH = frozenset({RUNS_ON, "mounts"})
"""Relations along which data goes both ways: a volume is read and written."""
NO_DATA: Mapping[str, str] = {
    "grants": "a permission; who used it is not told",
    "runs_as": "an identity",
    "encrypted_by": "a key",
    "in": "a network",
    "runs_image": "software",
    "reads_secret": "a credential, which has rules of its own",
    "notifies": "a message without data",
    "watches": "figures",
    "logs_to": "logs, which compliance.logs judges",
    "configured_by": "settings",
    "routes_to": "requests, not what lies there",
}
"""Relations along which nothing flows, and why."""
_EMPTY_KINDS = frozenset(
    {Kind.ROLE, Kind.SECRET, Kind.KEY, Kind.NETWORK, Kind.IMAGE, Kind.CLUSTER, Kind.DASHBOARD, Kind.ALERT,
     Kind.LOG_GROUP}
)  # fmt: skip
"""Kinds that hold no data of their own, and through which nothing flows."""
_BUCKETS = frozenset(
    {"AWS::S3::Bucket", "GCP::Storage::Bucket", "Azure::Storage::Container", "Objects::Container"}
)
_DATABASES = {"postgresql": "PostgreSQL::Database", "mysql": "MySQL::Schema", "mariadb": "MySQL::Schema"}
_STORES = ("s3://", "gs://", "az://")
SUBJECT = "subject:"
"""Begins the node of something in the spec; other nodes are ids of components."""
HOLDS, SAME = "lies in", "is"


@dataclass(frozen=True)
class Lineage:
    """What is known of where data goes on the source.

    :param components: by id.
    :param flows: among components, and between these and what the spec names.
    :param graph: the record that it was read from.
    """

    components: Mapping[str, Component] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()
    graph: Kept[GraphRecord] | None = None

    @property
    def ref(self) -> EvidenceRef | None:
        """The graph's record."""
        return self.graph.ref if self.graph else None


async def read_lineage(
    store: EvidenceStore, spec: MigrationSpec, look_up: Callable[[str], Connection | None]
) -> Lineage:
    """Return what the newest graph of the source tells; an empty lineage where there is none.

    :raises AuditError: a record is damaged.
    """
    kept = await latest_graph(store, spec.migration, spec.source.connection)
    if kept is None:
        return Lineage()
    paths = (kept.record.inventory, *kept.record.also)
    records = [await store.read_record(path, InventoryRecord) for path in paths]
    components = await read_joined(store, records)
    references = [row for each in records for row in await read_references(store, each.references)]
    edges = await read_edges(store, kept.record.edge_rows)
    return lineage_of(spec, look_up, components, edges, references, records, kept)


def lineage_of(
    spec: MigrationSpec,
    look_up: Callable[[str], Connection | None],
    components: Sequence[Component],
    edges: Iterable[Edge],
    references: Iterable[Reference],
    records: Sequence[InventoryRecord] = (),
    graph: Kept[GraphRecord] | None = None,
) -> Lineage:
    """Return the flows among components, and those to and from what the spec names; pure."""
    known = {each.id: each for each in components}
    flows = [flow for edge in edges for flow in _of_edge(edge, known)]
    places = list(_places(spec))
    flows += _of_places(places, references, known)
    flows += _of_buckets(places, components)
    accounts = {record.connection: record.account for record in records}
    flows += [
        flow
        for name, component in _the_same(spec, look_up, components, accounts)
        for flow in (Flow(SUBJECT + name, component, SAME), Flow(component, SUBJECT + name, SAME))
    ]
    return Lineage(known, tuple(flows), graph)


def _of_edge(edge: Edge, known: Mapping[str, Component]) -> Iterator[Flow]:
    one, other = known.get(edge.source), known.get(edge.target)
    if one is None or other is None or {one.kind, other.kind} & _EMPTY_KINDS:
        return
    # What lies in a bucket is told apart by its prefix: references say it, and edges do not.
    if other.native_type in _BUCKETS and edge.relation in ("reads", "writes"):
        return
    onwards = Flow(edge.source, edge.target, edge.relation, edge.confidence)
    back = Flow(edge.target, edge.source, edge.relation, edge.confidence)
    if edge.relation == "belongs_to":
        # A part's data lies in the whole. An endpoint has of the settings that it belongs to.
        yield back if one.kind is Kind.ENDPOINT else onwards
    if edge.relation in FROM_TARGET | BOTH:
        yield back
    if edge.relation in TO_TARGET | BOTH:
        yield onwards


def _places(spec: MigrationSpec) -> Iterator[tuple[str, Location]]:
    """Yield what of the spec lies under a URL on the source."""
    yield from ((each.name, each.source.location) for each in resolve_datasets(spec))
    urls = [(each.name, each.source.url) for each in spec.envelopes]
    urls += [(each.name, each.source.url) for each in spec.models if each.source]
    urls += [(each.name, each.source.artifacts) for each in spec.registries if each.source.artifacts]
    urls += [(each.name, more.source) for each in spec.registries for more in each.more_artifacts]
    urls += [(each.name, one.source) for each in spec.feature_stores for one in each.history]
    for name, url in urls:
        if url.startswith((*_STORES, "file://")):
            yield name, parse_location(url)


def _of_places(
    places: Sequence[tuple[str, Location]], references: Iterable[Reference], known: Mapping[str, Component]
) -> Iterator[Flow]:
    """Yield what components read of the places in the spec, and write there."""
    by_container: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, place in places:
        by_container.setdefault((place.scheme, place.container), []).append((name, place.prefix))
    for reference in references:
        component = known.get(reference.component)
        if component is None or component.kind in _EMPTY_KINDS or not reference.target.startswith(_STORES):
            continue
        scheme, container, prefix = _place_of(reference.target)
        for name, mine in by_container.get((scheme, container), ()):
            if not (prefix.startswith(mine) or mine.startswith(prefix)):
                continue
            node, how, sure = SUBJECT + name, reference.relation, reference.confidence
            if how in TO_TARGET:
                yield Flow(reference.component, node, how, sure)
            elif how in FROM_TARGET:
                yield Flow(node, reference.component, how, sure)


def _place_of(target: str) -> tuple[str, str, str]:
    """Return scheme, container and prefix of a URL; that of Azure Storage names its account first."""
    scheme, _, rest = target.partition("://")
    if scheme == "az":
        rest = rest.partition("/")[2]
    container, _, prefix = rest.partition("/")
    last = prefix.rpartition("/")[2]
    # A folder is often written without its slash; a file is a file.
    return scheme, container, prefix if not prefix or prefix.endswith("/") or "." in last else f"{prefix}/"


def _of_buckets(places: Sequence[tuple[str, Location]], components: Iterable[Component]) -> Iterator[Flow]:
    """Yield that what lies in a bucket is in it: what the whole bucket triggers has of it."""
    for component in components:
        if component.native_type in _BUCKETS:
            for name, place in places:
                if place.container == component.name:
                    yield Flow(SUBJECT + name, component.id, HOLDS)


def _the_same(
    spec: MigrationSpec,
    look_up: Callable[[str], Connection | None],
    components: Sequence[Component],
    accounts: Mapping[str, str],
) -> Iterator[tuple[str, str]]:
    """Yield what of the spec is which component: databases, topics, models and registries."""
    for database in spec.databases:
        connection, account = look_up(database.source.connection), accounts.get(database.source.connection)
        wanted = _DATABASES.get(database.source.engine.value, "")
        name = connection.schema if connection else None
        for each in components:
            same = each.id.partition("://")[2] == f"{account}/{name}"
            if wanted and each.native_type == wanted and account and name and same:
                yield database.name, each.id
    for stream in spec.streams:
        home = f"kafka://{accounts.get(stream.source.connection)}/topics/"
        chosen = selector(stream.topics)
        yield from (
            (stream.name, each.id) for each in components if each.id.startswith(home) and chosen(each.name)
        )
    for registry in spec.registries:
        home = f"mlflow://{accounts.get(registry.source.connection)}"
        yield from ((registry.name, each.id) for each in components if f"{each.id}/".startswith(f"{home}/"))
    for model in spec.models:
        names = {model.name, model.registered_name} - {""}
        yield from (
            (model.name, each.id) for each in components if each.kind is Kind.MODEL and each.name in names
        )
    for features in spec.feature_stores:
        yield from (
            (features.name, each.id)
            for each in components
            if each.kind is Kind.FEATURE_STORE and each.name == features.name
        )
