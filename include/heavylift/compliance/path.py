"""The whole path of what a spec moves: source, target, staging, evidence store, logs and devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heavylift.compliance.transit import Transit, transit_of
from heavylift.connections import Connection
from heavylift.facts.regions import jurisdiction_of
from heavylift.spec.compliance_rules import SUBJECTS
from heavylift.spec.model import MigrationSpec
from heavylift.spec.platforms import Side
from heavylift.spec.resolve import ResolvedDataset, ResolvedPlace, resolve_datasets
from heavylift.spec.sections_compliance import Compliance, StatedPlace
from heavylift.spec.vocabulary import Platform, Via

Lookup = Callable[[str], Connection | None]
_ALWAYS_ENCRYPTED = {"s3": "S3", "gs": "Cloud Storage", "az": "Azure Storage"}
"""Stores that encrypt every object at rest, with their own keys where nobody gives others."""


@dataclass(frozen=True)
class Leg:
    """One place on the path.

    :param name: source, target, staging, evidence, logs or device.
    :param encrypted: at rest; None where nobody says.
    :param key: the customer's own; empty where there is none, or nobody says.
    """

    name: str
    platform: str
    where: str
    region: str
    jurisdiction: str
    transit: Transit | None
    encrypted: bool | None
    key: str


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


_FOLDER = Transit("loopback", "a folder of this machine")


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
    """Return everything that a spec moves, each with its path; nothing is asked of any cloud."""
    world = _World(rules, look_up)
    shared = [_evidence(spec, world), *_logs(world)]
    found = []
    for dataset in resolve_datasets(spec):
        legs = [
            _object_leg(world, "source", spec.source, dataset.source),
            _object_leg(world, "target", spec.target, dataset.target),
        ]
        if dataset.service.manifest and dataset.via is not Via.HEAVYLIFT:
            legs.append(_staging(world, spec, dataset))
        if dataset.appliance is not None:
            legs += [_device(law) for law in rules.appliance_jurisdictions or ("",)]
        found.append(Subject(dataset.name, "datasets", (*legs, *shared)))
    for section in SUBJECTS[1:]:
        for item in getattr(spec, section):
            legs = [
                _side_leg(world, "source", spec.source, getattr(item, "source", None)),
                _side_leg(world, "target", spec.target, getattr(item, "target", None)),
            ]
            found.append(Subject(item.name, section, (*legs, *shared)))
    return found


def _object_leg(world: _World, name: str, side: Side, place: ResolvedPlace) -> Leg:
    # The region of a side is that of its platform; a place on another one needs a statement.
    region = (side.region or "") if place.platform is side.platform else ""
    return world.leg(name, place.platform.value, region, place.connection, place.url)


def _side_leg(world: _World, name: str, side: Side, item: object) -> Leg:
    conn_id = getattr(item, "connection", None) or side.connection
    return world.leg(name, side.platform.value, side.region or "", conn_id)


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
    known = {"s3": Platform.AWS, "gs": Platform.GCP, "az": Platform.AZURE}
    return known.get(scheme, Platform.KUBERNETES).value


def _device(jurisdiction: str) -> Leg:
    where = "a device on its way"
    return Leg("device", "", where, "", jurisdiction, None, None, "")


def with_classes(
    subjects: Sequence[Subject], scanned: Mapping[str, Seen], rules: Compliance
) -> list[Subject]:
    """Return the subjects with what they count as: by scans, by statements, and by what they are made from.

    :param scanned: subject → what its newest scan says.
    """
    known: dict[str, set[str] | None] = {}
    proof: dict[str, list[str]] = {subject.name: [] for subject in subjects}
    for subject in subjects:
        seen = scanned.get(subject.name, Seen(None, "not scanned"))
        known[subject.name] = None if seen.classes is None else set(seen.classes)
        proof[subject.name].append(seen.proof)
    for stated in rules.classify:
        mine = known.setdefault(stated.subject, None)
        known[stated.subject] = (mine or set()) | {each.value for each in stated.classes}
        proof.setdefault(stated.subject, []).append(f"stated: {stated.reason}")
    stated_for = {each.subject for each in rules.classify}
    _flow(known, {each.subject: each.made_from for each in rules.classify}, proof)
    return [
        Subject(
            each.name,
            each.section,
            each.legs,
            None if (classes := known[each.name]) is None else frozenset(classes),
            "; ".join(proof[each.name]),
            each.name in stated_for or (each.name in scanned and scanned[each.name].proved),
        )
        for each in subjects
    ]


def _flow(
    known: dict[str, set[str] | None], made_from: Mapping[str, Iterable[str]], proof: dict[str, list[str]]
) -> None:
    """Let classes flow along what is made from what, until nothing changes; circles end, too."""
    changed = True
    while changed:
        changed = False
        for subject, origins in made_from.items():
            mine = known.get(subject) or set()
            for origin in origins:
                more = (known.get(origin) or set()) - mine
                if more:
                    known[subject] = mine = mine | more
                    proof[subject].append(f"made from {origin} ({', '.join(sorted(more))})")
                    changed = True
