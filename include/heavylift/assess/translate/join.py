"""The translation itself: components and edges of an inventory become components and dependencies of a plan.

Pure. What nobody tells is not guessed: it is named in a component's ``unknown``, and the plan's rules
speak of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavylift.assess.translate.known import Known
from heavylift.assess.translate.rows import Attributes, Row, number_of, values_at
from heavylift.assess.translate.table import ACCELERATED, row_of
from heavylift.evidence.assess_input import AcceleratorUse, Component, Dependency
from heavylift.evidence.inventory_records import RUNS_ON, How

if TYPE_CHECKING:
    from heavylift.assess.basis import Basis
    from heavylift.evidence.inventory_records import Component as Listed
    from heavylift.evidence.inventory_records import Edge, OutsideReference

_SETTINGS = frozenset({How.ENVIRONMENT, How.ARGUMENT, How.CONNECTION_STRING})
"""Where addresses stand that somebody has to change."""

_MOST_LINKS = 20


@dataclass(frozen=True)
class Translated:
    """What an inventory means to a plan.

    :param unmet: entries of the spec that have met no component.
    """

    components: tuple[Component, ...]
    dependencies: tuple[Dependency, ...]
    unmet: tuple[str, ...]


def translate(
    listed: Sequence[Listed],
    edges: Iterable[Edge],
    outside: Iterable[OutsideReference],
    known: Known,
    basis: Basis,
    owner_tags: Sequence[str] = (),
) -> Translated:
    """Return the components of a plan, and what they need of each other.

    :param known: what people know of components; it comes before what the platform tells.
    """
    edges = list(edges)
    by_id = {each.id: each for each in listed}
    wanted = {each.id: row_of(each.native_type, each.kind) for each in listed}
    world = _World(
        links=_links(edges, outside),
        via=_via(edges, by_id, wanted),
        busy=_latest_jobs(listed, wanted),
        elsewhere=_counted_elsewhere(edges, wanted),
        known=known,
        basis=basis,
        tags=tuple(tag.lower() for tag in owner_tags),
    )
    components = tuple(_component(each, wanted[each.id], world) for each in listed)
    pairs = {(edge.source, edge.target) for edge in edges}
    dependencies = tuple(
        Dependency(component=one, needs=other)
        for one, other in sorted(pairs)
        if one in by_id and other in by_id
    )
    return Translated(components, dependencies, known.unmet)


@dataclass(frozen=True)
class _World:
    """What is around a component."""

    links: Mapping[str, Sequence[str]]
    via: Mapping[str, Attributes]
    busy: set[str]
    elsewhere: frozenset[str]
    known: Known
    basis: Basis
    tags: Sequence[str]


def _component(each: Listed, row: Row, world: _World) -> Component:
    attributes = each.attributes if row.reads else {}
    told = world.known.of(each.id, each.name)
    fields: dict[str, Any] = {
        "id": each.id,
        "kind": each.kind.value,
        "service": row.service,
        "owner": each.owner or _owner(each, world.tags),
        "region": each.region,
        "links": tuple(world.links.get(each.id, ())),
    }
    if row.replicas:
        fields["replicas"] = row.replicas(attributes)
    if row.formats:
        fields["formats"] = row.formats(attributes)
    if row.more:
        fields |= row.more(attributes)
    if (row.instance or row.uses) and each.id in world.busy:
        fields["accelerator"] = _accelerator(each, row, world.via.get(each.id, attributes), world.basis)
    if server_of(each.id) not in world.elsewhere:
        fields |= _volume(each, row, attributes, told)
    fields |= {name: value for name, value in told.items() if name != "accelerator"}
    if "accelerator" in told:
        fields["accelerator"] = _merged(fields.get("accelerator"), told["accelerator"])
    return Component(**fields)


def _volume(each: Listed, row: Row, attributes: Attributes, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return how large a component is, and what of that nobody knows."""
    holds = row.data and (row.holds is None or row.holds(attributes))
    if not holds and not told.get("size_bytes"):
        return {}
    size = each.size_bytes
    if size is None and row.size:
        size = row.size(attributes)
    found: dict[str, Any] = {"objects": each.objects or 0}
    unknown = []
    if "size_bytes" in told:
        size = told["size_bytes"]
    if size is None:
        unknown.append("size_bytes")
    else:
        found["size_bytes"] = size
    if "change_bytes_per_day" not in told and size != 0:
        unknown.append("change_bytes_per_day")
    return {**found, "unknown": tuple(unknown)}


def _accelerator(each: Listed, row: Row, attributes: Attributes, basis: Basis) -> AcceleratorUse | None:
    platform = each.platform
    if row.uses:
        return _greatest(platform, row.uses(attributes), basis)
    types = [str(name) for name in values_at(row.instance, attributes)]
    found = next((name for name in types if _is_accelerated(platform, name, basis)), None)
    if found is None:
        return None
    counts = _counts(row.machines, attributes)
    return AcceleratorUse(instance_type=found, machines=max(1, sum(counts)))


def _counts(path: str, attributes: Attributes) -> list[int]:
    found = (number_of(value) for value in values_at(path, attributes)) if path else ()
    return [count for count in found if count is not None]


def _greatest(platform: str, uses: Iterable[AcceleratorUse], basis: Basis) -> AcceleratorUse | None:
    """Return what the most demanding machines use, with how many of them there are; None where none does."""
    found = [
        use for use in uses if use.count or use.vendor or _is_accelerated(platform, use.instance_type, basis)
    ]
    if not found:
        return None

    def demand(use: AcceleratorUse) -> tuple[float, int]:
        need = basis.need_of_use(use, platform)
        return need.memory_gib_each or 0.0, need.count

    most = max(found, key=demand)
    alike = sum(use.machines for use in found if use.model_copy(update={"machines": most.machines}) == most)
    return most.model_copy(update={"machines": alike})


def _is_accelerated(platform: str, name: str, basis: Basis) -> bool:
    if basis.accelerators.find(platform, name) is not None:
        return True
    pattern = ACCELERATED.get(platform)
    return bool(pattern and pattern.match(name))


def _merged(found: AcceleratorUse | None, told: AcceleratorUse) -> AcceleratorUse:
    """Return what people know, on top of what was found."""
    if found is None or told.instance_type:
        return told
    return found.model_copy(update={"memory_gib_each": told.memory_gib_each})


def _owner(each: Listed, tags: Sequence[str]) -> str:
    if not tags or each.tags_json == "{}":
        return ""
    found = {name.lower(): value for name, value in each.tags.items()}
    return next((found[tag] for tag in tags if found.get(tag)), "")


def _links(edges: Iterable[Edge], outside: Iterable[OutsideReference]) -> dict[str, list[str]]:
    """Return the addresses that stand in settings, by the component that has them."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for edge in edges:
        if edge.how in _SETTINGS:
            found[edge.source][edge.target] = None
    for each in outside:
        if each.reference.how in _SETTINGS:
            found[each.reference.component][each.reference.target] = None
    return {id: list(targets)[:_MOST_LINKS] for id, targets in found.items()}


def _via(
    edges: Iterable[Edge], by_id: Mapping[str, Listed], wanted: Mapping[str, Row]
) -> dict[str, Attributes]:
    """Return the attributes of what a component only refers to, such as an endpoint's configuration."""
    found: dict[str, Attributes] = {}
    for edge in edges:
        row, other = wanted.get(edge.source), by_id.get(edge.target)
        if row and row.via and other is not None and other.native_type == row.via:
            found.setdefault(edge.source, other.attributes)
    return found


def _counted_elsewhere(edges: Iterable[Edge], wanted: Mapping[str, Row]) -> frozenset[str]:
    """Return the servers whose data is that of what a platform lists them as, and is counted there."""
    return frozenset(
        edge.source
        for edge in edges
        if edge.relation == RUNS_ON and edge.target in wanted and wanted[edge.target].data
    )


def server_of(id: str) -> str:
    """Return the server that the id of something in it begins with: ``postgresql://db.internal:5432``."""
    return "/".join(id.split("/", 3)[:3])


def _latest_jobs(listed: Iterable[Listed], wanted: Mapping[str, Row]) -> set[str]:
    """Return what is running or may run again.

    Jobs that have ended use nothing any more, but the next one will: of each type and instance type the
    latest stands for it.
    """
    running: set[str] = set()
    latest: dict[tuple[str, str], tuple[str, str]] = {}
    for each in listed:
        row = wanted[each.id]
        if each.status not in row.ends:
            running.add(each.id)
        elif row.instance or row.uses:
            key = (each.native_type, _machines(row, each.attributes))
            latest[key] = max(latest.get(key, ("", "")), (each.created_at, each.id))
    return running | {id for _, id in latest.values()}


def _machines(row: Row, attributes: Attributes) -> str:
    """Return which machines a job has run on: one type may have now these devices beside it, now those."""
    if row.uses is None:
        return ",".join(str(name) for name in values_at(row.instance, attributes))
    return ",".join(f"{use.instance_type} {use.model} {use.count}" for use in row.uses(attributes))
