"""What holds data and no section of the spec moves: nothing is to be forgotten.

Pure. A part of a bucket or database that moves does not speak for the rest of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from heavylift.assess.translate.join import server_of
from heavylift.evidence.assess_input import Component
from heavylift.evidence.assessment_records import LeftBehind
from heavylift.evidence.inventory_records import RUNS_ON, Edge, InventoryRecord
from heavylift.evidence.inventory_records import Component as Listed
from heavylift.evidence.wording import enumeration
from heavylift.locations import Location, parse_location
from heavylift.patterns import selector
from heavylift.spec.model import MigrationSpec
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.sections_assess import AcceptedStay
from heavylift.spec.sections_datasets import Dataset
from heavylift.spec.vocabulary import Phase

_WHOLE = ""
_BUCKETS = {"AWS::S3::Bucket": "s3", "GCP::Storage::Bucket": "gs", "Azure::Storage::Container": "az"}
_DATABASES = {"PostgreSQL::Database": "postgresql", "MySQL::Schema": "mysql"}
Moved = dict[str, set[str]]
"""Id of a component → what of it moves; the empty text stands for all."""


@dataclass(frozen=True)
class Held:
    """What was found.

    :param records: the inventories of what is beside the source, which tell by what connection each was read.
    """

    listed: Sequence[Listed]
    edges: Sequence[Edge]
    records: Sequence[InventoryRecord]


def left_behind(
    parts: Iterable[Component],
    held: Held,
    spec: MigrationSpec,
    database_of: Callable[[str], str],
    stays: Sequence[AcceptedStay],
) -> tuple[tuple[LeftBehind, ...], tuple[str, ...]]:
    """Return what holds data and does not move, or not as a whole; and the entries that have met nothing.

    :param spec: the whole one, not what a phase sees of it.
    :param database_of: tells the name of the database that a connection leads to; empty where it names none.
    """
    moved = _moved(held, spec, database_of)
    names = {each.id: each.name for each in held.listed}
    met: set[int] = set()
    left = []
    for part in parts:
        if not (part.size_bytes or "size_bytes" in part.unknown) or _WHOLE in moved[part.id]:
            continue
        fitting = [
            number
            for number, each in enumerate(stays)
            if fnmatchcase(part.id, each.match) or fnmatchcase(names[part.id], each.match)
        ]
        met.update(fitting)
        left.append(
            LeftBehind(
                component=part.id,
                kind=part.kind,
                size_bytes=None if "size_bytes" in part.unknown else part.size_bytes,
                moves=enumeration(sorted(moved[part.id])) if moved[part.id] else "",
                accepted=stays[fitting[0]].reason if fitting else "",
            )
        )
    return tuple(left), tuple(each.match for number, each in enumerate(stays) if number not in met)


def _moved(held: Held, spec: MigrationSpec, database_of: Callable[[str], str]) -> Moved:
    moved: Moved = defaultdict(set)
    places = [(parse_location(each.source.url), _chosen(each)) for each in _datasets(spec)]
    histories = [each for store in spec.feature_stores for each in store.history]
    places += [(parse_location(each.source), _WHOLE) for each in histories]
    for component in held.listed:
        moved[component.id].update(_of_places(component, places))
    for component_id, what in _of_servers(held, spec, database_of):
        moved[component_id].add(what)
    _of_hosts(held, moved)
    return moved


def _datasets(spec: MigrationSpec) -> Iterator[Dataset]:
    yield from spec.datasets
    yield from spec_for(spec, Phase.REGISTRY).datasets


def _chosen(dataset: Dataset) -> str:
    """Return in words what a dataset leaves out of its place; empty where it takes everything."""
    filters = ("include", "exclude", "min_size", "max_size", "modified_since", "modified_before")
    defaults = type(dataset).model_fields
    used = [name for name in filters if getattr(dataset, name) != defaults[name].default]
    return f"what fits {enumeration(used)} of dataset {dataset.name}" if used else _WHOLE


def _of_places(component: Listed, places: Sequence[tuple[Location, str]]) -> Iterator[str]:
    """Yield what of a bucket, container or folder the datasets move."""
    if component.native_type == "Files::Folder":
        yield from _of_folder(component.id.removeprefix("file://"), places)
        return
    scheme = _BUCKETS.get(component.native_type) or component.id.partition("://")[0]
    known_as = component.attributes.get("known_as") or () if "known_as" in component.attributes_json else ()
    names = {str(alias).rpartition("/")[2] for alias in known_as if str(alias).startswith(f"{scheme}://")}
    for place, chosen in places:
        if component.native_type not in (*_BUCKETS, "Objects::Container") or place.scheme != scheme:
            continue
        if place.container in names | {component.name}:
            yield chosen or place.prefix


def _of_folder(folder: str, places: Sequence[tuple[Location, str]]) -> Iterator[str]:
    for place, chosen in places:
        path = place.container
        if place.scheme == "file" and (folder + "/").startswith(path.rstrip("/") + "/"):
            yield chosen
        elif place.scheme == "file" and path.startswith(folder + "/"):
            yield path


def _of_servers(
    held: Held, spec: MigrationSpec, database_of: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """Yield what moves of servers: databases by the name that their connection leads to, topics."""
    accounts = {record.connection: record.account for record in held.records}
    for database in spec.databases:
        account = accounts.get(database.source.connection)
        name = database_of(database.source.connection)
        whole = database.tables == ("*.*",) and not database.exclude
        what = _WHOLE if whole else f"tables {enumeration(database.tables)}"
        for component in held.listed:
            scheme = _DATABASES.get(component.native_type)
            if scheme and account and component.id == f"{scheme}://{account}/{name}":
                yield component.id, what
    for stream in spec.streams:
        home = f"kafka://{accounts.get(stream.source.connection)}/topics/"
        chosen = selector(stream.topics)
        for component in held.listed:
            if component.id.startswith(home) and chosen(component.name):
                yield component.id, _WHOLE


def _of_hosts(held: Held, moved: Moved) -> None:
    """Let what a platform lists a server as move with its databases or topics, once all of them do."""
    holds: Mapping[str, list[str]] = _inside(held)
    for edge in held.edges:
        if edge.relation != RUNS_ON:
            continue
        inside = holds.get(edge.source, [])
        if inside and all(_WHOLE in moved[id] for id in inside):
            moved[edge.target].add(_WHOLE)
        else:
            moved[edge.target].update(id for id in inside if moved[id])


def _inside(held: Held) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for component in held.listed:
        if component.native_type in (*_DATABASES, "Kafka::Topic"):
            found[server_of(component.id)].append(component.id)
    return found
