"""The whole path of what a spec moves: every place that data reaches, staging and evidence too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from heavylift.compliance.places import MOVED, USED, USED_NAMES, Reached
from heavylift.compliance.transit import Transit, transit_of
from heavylift.connections import Connection
from heavylift.facts.regions import jurisdiction_of
from heavylift.spec.base import SpecModel
from heavylift.spec.model import MigrationSpec
from heavylift.spec.platforms import Side
from heavylift.spec.resolve import ResolvedDataset, ResolvedPlace, resolve_datasets
from heavylift.spec.sections_compliance import Compliance, StatedPlace
from heavylift.spec.sections_envelopes import EnvelopeKey
from heavylift.spec.vocabulary import Platform, Via

Lookup = Callable[[str], Connection | None]
_PLATFORMS = {"s3": Platform.AWS, "gs": Platform.GCP, "az": Platform.AZURE}
_ALWAYS_ENCRYPTED = frozenset({"s3", "gs", "az", "bq"})
"""Stores that encrypt every object at rest, with their own keys where nobody gives others."""


@dataclass(frozen=True)
class Leg:
    """One place on the path.

    :param name: source, target, staging, evidence, logs, device, or as ``places`` says.
    :param encrypted: at rest; None where nobody says.
    :param key: the customer's own; empty where there is none, or nobody says.
    :param written: data is written or sent there; else it is read where it lies.
    """

    name: str
    platform: str
    where: str
    region: str
    jurisdiction: str
    transit: Transit | None
    encrypted: bool | None
    key: str
    written: bool = True


@dataclass(frozen=True)
class Subject:
    """Something that moves, what it counts as, and its path.

    :param classes: as scans and statements tell; None where nobody has looked and nobody says.
    :param proof: how that is known, in words; ``proved`` where there is no more, as far as anybody can say.
    """

    name: str
    section: str
    legs: tuple[Leg, ...]
    classes: frozenset[str] | None = None
    proof: str = ""
    proved: bool = False


@dataclass(frozen=True)
class Seen:
    """What a scan says of a subject.

    :param classes: None where it found nothing and proves nothing.
    :param proved: that there is no more, within the spec's bound.
    """

    classes: frozenset[str] | None
    proof: str
    proved: bool = False


@dataclass(frozen=True)
class _World:
    rules: Compliance
    look_up: Lookup
    folder: Path | None = None

    def stated(self, *names: str) -> StatedPlace | None:
        """Return the last statement about a place; a later one wins."""
        found = [p for p in self.rules.places if any(n and n.startswith(p.match) for n in names)]
        return found[-1] if found else None

    def _transit(self, scheme: str, conn_id: str) -> Transit | None:
        if scheme == "file":
            return Transit("loopback", "a folder")
        # Logs are written by Airflow, by a connection that no spec names.
        return transit_of(self.look_up(conn_id), conn_id) if conn_id else None

    def leg(self, name: str, platform: str, region: str, conn_id: str, url: str = "") -> Leg:
        stated = self.stated(url, conn_id)
        region = (stated.region if stated and stated.region else region) or ""
        law = stated.jurisdiction if stated and stated.jurisdiction else ""
        scheme = url.partition("://")[0]
        encrypted = stated.encrypted if stated and stated.encrypted is not None else None
        if encrypted is None and (scheme in _ALWAYS_ENCRYPTED or (stated and stated.key)):
            encrypted = True
        return Leg(
            name=name,
            platform=platform,
            where=url or f"connection {conn_id}",
            region=region,
            jurisdiction=law or jurisdiction_of(platform, region, self.folder) or "",
            transit=self._transit(scheme, conn_id),
            encrypted=encrypted,
            key=(stated.key if stated else None) or "",
        )


def subjects_of(spec: MigrationSpec, rules: Compliance, look_up: Lookup) -> list[Subject]:
    """Return everything that a spec moves or reads, each with its path; nothing is asked of any cloud."""
    world = _World(rules, look_up)
    shared = [_evidence(spec, world), *_logs(world), *_notified(spec, world)]
    found = [_dataset(world, spec, dataset, shared) for dataset in resolve_datasets(spec)]
    for section, places in MOVED.items():
        for item in getattr(spec, section):
            legs = [leg for place in places for leg in _legs(world, spec, item, place)]
            if section == "databases" and item.reverse:
                legs.append(_back(legs[0]))
            if section == "envelopes":
                legs = [_sealed(leg, item.key) if leg.name == "target" else leg for leg in legs]
            found.append(Subject(item.name, section, (*legs, *shared)))
    for section, places in USED.items():
        if (item := getattr(spec, section)) is not None:
            legs = [leg for place in places for leg in _legs(world, spec, item, place)]
            if legs:
                found.append(Subject(USED_NAMES[section], section, (*legs, *shared)))
    return found


def derived_subject(
    spec: MigrationSpec, rules: Compliance, look_up: Lookup, name: str, region: str
) -> Subject:
    """Return something of the source's graph that no section names: it follows the workload to the target."""
    world = _World(rules, look_up)
    source = world.leg("source", spec.source.platform.value, region or spec.source.region or "",
                       spec.source.connection)  # fmt: skip
    target = world.leg("target", spec.target.platform.value, spec.target.region or "", spec.target.connection)
    return Subject(name, "graph", (replace(source, written=False), target))


def _dataset(world: _World, spec: MigrationSpec, dataset: ResolvedDataset, shared: list[Leg]) -> Subject:
    legs = [
        _object_leg(world, "source", spec.source, dataset.source),
        _object_leg(world, "target", spec.target, dataset.target),
    ]
    if dataset.two_way is not None:
        legs.append(_back(legs[0]))
    if dataset.service.manifest and dataset.via is not Via.HEAVYLIFT:
        legs.append(_staging(world, spec, dataset))
    if dataset.appliance is not None:
        legs += [_device(law) for law in _laws(world.rules)]
    return Subject(dataset.name, "datasets", (*legs, *shared))


def _laws(rules: Compliance) -> tuple[str, ...]:
    """Return under whose law devices lie; one that nobody knows where nobody says."""
    return rules.appliance_jurisdictions or ("",)


def _object_leg(world: _World, name: str, side: Side, place: ResolvedPlace) -> Leg:
    # The region of a side is that of its platform; a place on another one needs a statement.
    region = (side.region or "") if place.platform is side.platform else ""
    leg = world.leg(name, place.platform.value, region, place.connection, place.url)
    return replace(leg, written=name != "source")


def _back(source: Leg) -> Leg:
    """Return the source as a place that is written to: by a two-way sync, or changes that flow back."""
    return replace(source, name="source, written back", written=True)


def _sealed(leg: Leg, key: EnvelopeKey) -> Leg:
    """Return a place that gets nothing but what was encrypted before."""
    wrapped_by = f"envelope: {key.connection}" + (f" {key.name}" if key.name else "")
    return replace(leg, encrypted=True, key=wrapped_by)


def _legs(world: _World, spec: MigrationSpec, item: SpecModel, place: Reached) -> Iterator[Leg]:
    side = spec.source if place.side == "source" else spec.target
    pairs = list(_named(item, place))
    if not pairs and place.leg in ("source", "target"):
        pairs = [("", side.connection)]
    for url, conn_id in pairs:
        platform = _platform_there(side, url)
        region = (side.region or "") if platform is side.platform else ""
        leg = world.leg(
            place.leg, platform.value, region, conn_id or side.connection, url if "://" in url else ""
        )
        yield replace(leg, written=place.written)


def _platform_there(side: Side, url: str) -> Platform:
    """Return whose place a URL is: the side's, unless its scheme belongs to another platform alone."""
    scheme = url.partition("://")[0]
    if scheme == "s3" and side.platform is Platform.KUBERNETES:
        return side.platform
    return {**_PLATFORMS, "bq": Platform.GCP}.get(scheme, side.platform)


def _named(item: SpecModel, place: Reached) -> Iterator[tuple[str, str]]:
    """Yield URL and connection of each place that fields name; empty where they leave it to the side."""
    connections = [each for _, each in _values(item, place.connection)]
    if not place.url:
        yield from (("", each) for each in connections if each)
        return
    leaf = place.connection.rpartition(".")[2]
    beside = place.url.rpartition(".")[0] == place.connection.rpartition(".")[0]
    for holder, url in _values(item, place.url):
        if url:
            own = getattr(holder, leaf, None) if beside and leaf else next(iter(connections), None)
            yield url, own or ""


def _values(item: SpecModel, path: str) -> Iterator[tuple[SpecModel, str | None]]:
    """Yield the values of a field below an item, each with what holds it; lists are gone through."""
    name, _, rest = path.partition(".")
    value = getattr(item, name, None) if name else None
    for each in value if isinstance(value, tuple) else (value,):
        if rest and isinstance(each, SpecModel):
            yield from _values(each, rest)
        elif not rest and each is not None:
            yield item, str(each)


def _notified(spec: MigrationSpec, world: _World) -> list[Leg]:
    """Return where messages go: they name objects, tables and columns, as logs do."""
    return [world.leg("notify", "", "", spec.notify.connection)] if spec.notify else []


def _evidence(spec: MigrationSpec, world: _World) -> Leg:
    url = spec.evidence.url or ""
    connection = world.look_up(spec.evidence.connection)
    if not url and connection is not None:
        url = connection.text("evidence_url") or ""
    platform = _platform_of(url.partition("://")[0])
    return world.leg("evidence", platform, "", spec.evidence.connection, url)


def _staging(world: _World, spec: MigrationSpec, dataset: ResolvedDataset) -> Leg:
    """Return where a service's list of keys lies meanwhile; without a place of its own: in the target."""
    url = dataset.service.manifest or ""
    scheme = url.partition("://")[0]
    sides = (dataset.target, dataset.source)
    fitting = [side for side in sides if side.location.scheme == scheme]
    conn_id = fitting[0].connection if fitting else spec.target.connection
    return world.leg("staging", _platform_of(scheme), "", conn_id, url)


def _logs(world: _World) -> list[Leg]:
    """Return where logs of tasks are kept, as the spec says: they name objects, tables and columns."""
    return [world.leg("logs", _platform_of(url.partition("://")[0]), "", "", url) for url in world.rules.logs]


def _platform_of(scheme: str) -> str:
    return _PLATFORMS.get(scheme, Platform.KUBERNETES).value


def _device(jurisdiction: str) -> Leg:
    where = "a device on its way"
    return Leg("device", "", where, "", jurisdiction, None, None, "")
