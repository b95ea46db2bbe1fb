"""Rules on registries: which products and ways this version moves, and that nothing is left out unsaid."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.errors import SpecError
from heavylift.locations import parse_location
from heavylift.spec.base import MOST_OF_A_NAME
from heavylift.spec.model import MigrationSpec
from heavylift.spec.place_rules import place_rules
from heavylift.spec.problems import FieldPath
from heavylift.spec.registry_phase import (
    artifacts_of,
    converts,
    may_choose,
    may_go_back,
    moves_artifacts,
    spec_for,
)
from heavylift.spec.rule import Broken
from heavylift.spec.sections_data import OnNameConflict, Registry, RegistryPath
from heavylift.spec.vocabulary import SCHEMES, Check, Deletes, Phase

_ALL = ("*",)
_ITS_OWN = frozenset({Check.REGISTRIES_EQUAL, Check.FEATURES_EQUAL})
_IN_REGISTRY = _ITS_OWN | {Check.COUNTS_EQUAL, Check.CHECKSUMS_EQUAL, Check.NO_FINDINGS}
"""Checks that a gate of the phase registry can make."""


def registry_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the registries of ``spec``."""
    misplaced = False
    for index, registry in enumerate(spec.registries):
        path: FieldPath = ("registries", index)
        further = list(_further_artifacts(registry, path))
        misplaced = misplaced or bool(further)
        yield from further
        yield from _whole(registry, path)
        yield from _ways(registry, path)
        yield from _goes_back(registry, path)
        yield from _artifacts(spec, registry, path)
        if registry.source.connection == registry.target.connection:
            yield Broken(
                "2222",
                (*path, "target", "connection"),
                f"the source's own connection {registry.target.connection!r}",
                "a connection of another server",
            )
    if not misplaced:
        yield from _datasets_fit(spec)


def registry_checks_have_registries(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield gate checks that would find no registry to judge, and others than its own in its phase."""
    for index, gate in enumerate(spec.gates):
        for position, check in enumerate(gate.checks):
            path: FieldPath = ("gates", index, "checks", position)
            if check in _ITS_OWN and gate.phase is not Phase.REGISTRY:
                yield Broken(
                    "2226",
                    path,
                    f"the check {check.value!r} at the end of the phase {gate.phase.value}",
                    "a gate of the phase registry, which moves them",
                )
            elif gate.phase is Phase.REGISTRY and not _judges_something(check, spec):
                yield Broken(
                    "2227",
                    path,
                    f"the check {check.value!r}, which would check nothing in the phase registry",
                    " or ".join(sorted(each.value for each in _IN_REGISTRY))
                    + ", and an entry of registries or feature_stores",
                    "name a registry or a feature store, or take the check out",
                )


def _judges_something(check: Check, spec: MigrationSpec) -> bool:
    """Tell whether a check finds its subject among what the phase registry moves."""
    if check is Check.REGISTRIES_EQUAL:
        return bool(spec.registries)
    if check is Check.FEATURES_EQUAL:
        return bool(spec.feature_stores)
    return check in _IN_REGISTRY and bool(spec.registries or spec.feature_stores)


def _whole(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    chosen = [name for name in ("experiments", "models") if getattr(registry, name) != _ALL]
    if chosen and may_choose(registry):
        yield from _chosen(registry, path)
        return
    for name in chosen:
        yield Broken(
            "2221",
            (*path, name),
            f"a choice of {name}",
            "all of them ('*'): a store moves whole",
            f"leave {name} out, or set path: api",
        )


def _chosen(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    if registry.deletes is not Deletes.KEEP and not converts(registry):
        yield Broken(
            "2238",
            (*path, "deletes"),
            f"{registry.deletes.value} with a choice of experiments or models",
            f"{Deletes.KEEP.value}: what is chosen no more would count as gone from the source",
            "leave deletes out",
        )


def _ways(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    if converts(registry):
        yield from _converted(registry, path)
        return
    if registry.deletes is Deletes.QUARANTINE:
        yield Broken(
            "2224",
            (*path, "deletes"),
            "quarantine: a tracking store has no place aside",
            f"{Deletes.KEEP.value} or {Deletes.PROPAGATE.value}",
        )
    if registry.path is RegistryPath.API:
        yield from _through_the_interface(registry, path)
    elif registry.on_name_conflict is not OnNameConflict.FAIL and _goes_by_store(registry):
        yield Broken(
            "2228",
            (*path, "on_name_conflict"),
            f"{registry.on_name_conflict.value}: a store moves whole, into one that is empty",
            OnNameConflict.FAIL.value,
        )


def _goes_back(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    if registry.back and not may_go_back(registry):
        yield Broken(
            "2237",
            (*path, "back"),
            "back, of a registry that does not move through the interface of two MLflow servers alone",
            "path: api, or no back: what goes by databases flows back by itself once it is switched",
            "leave back out, and name the registry in the section cutover",
        )


def _goes_by_store(registry: Registry) -> bool:
    return registry.path is RegistryPath.STORE or moves_artifacts(registry)


def _through_the_interface(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    if registry.make_tables:
        yield Broken(
            "2235",
            (*path, "make_tables"),
            "make_tables with the path api, which sees no tables",
            "make_tables at store level alone",
            "leave make_tables out",
        )
    for position, each in enumerate(registry.more_artifacts):
        if each.move:
            yield Broken(
                "2236",
                (*path, "more_artifacts", position, "move"),
                f"{each.source}, whose objects are to be moved, with the path api",
                "move: false: files of runs and models move with these, and no others",
                "set move: false, and move what else lies there as a dataset",
            )


def _converted(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    kinds = f"{registry.source.kind.value} to {registry.target.kind.value}"
    if registry.path is not RegistryPath.AUTO:
        yield Broken(
            "2233",
            (*path, "path"),
            f"the path {registry.path.value!r} from {kinds}",
            f"{RegistryPath.AUTO.value}: there is one way between them",
            "leave path out",
        )
    if registry.deletes is not Deletes.KEEP:
        yield Broken(
            "2234",
            (*path, "deletes"),
            f"{registry.deletes.value} from {kinds}",
            f"{Deletes.KEEP.value}: between registries of two kinds nothing is ever deleted",
            "leave deletes out",
        )


def _artifacts(spec: MigrationSpec, registry: Registry, path: FieldPath) -> Iterator[Broken]:
    sides = {"source": registry.source, "target": registry.target}
    lacking = [name for name, side in sides.items() if side.artifacts is None]
    if len(lacking) == 1:
        yield Broken(
            "2225",
            (*path, lacking[0], "artifacts"),
            "artifacts of one side only",
            "where artifacts lie on both sides, or on neither",
            "without them only the database moves, and the artifacts are yours to move",
        )
    for name, side in sides.items():
        platform = getattr(spec, name).platform
        if side.artifacts is None or side.artifacts_connection is not None:
            continue
        if parse_location(side.artifacts).scheme not in SCHEMES[platform]:
            yield Broken(
                "2229",
                (*path, name, "artifacts_connection"),
                f"{side.artifacts} and the connection of the {name} platform {platform.value}",
                "a connection of its own beside a store of another platform",
            )


def _further_artifacts(registry: Registry, path: FieldPath) -> Iterator[Broken]:
    for position, each in enumerate(registry.more_artifacts):
        for name in ("source", "target"):
            here = (*path, "more_artifacts", position, name)
            value = getattr(each, name)
            if each.move and not _is_place(value):
                yield Broken(
                    "2232",
                    here,
                    repr(value),
                    "a URL of an object store, for its objects are to be moved",
                    "set move: false where they stay, or are moved otherwise",
                )


def _is_place(url: str) -> bool:
    try:
        parse_location(url)
    except SpecError:
        return False
    return True


def _datasets_fit(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the datasets that artifacts become: names, and copies into themselves."""
    taken = {dataset.name for dataset in spec.datasets}
    owners: list[int] = []
    for index, registry in enumerate(spec.registries):
        for dataset in artifacts_of(spec, registry):
            owners.append(index)
            if len(dataset.name) > MOST_OF_A_NAME:
                most = MOST_OF_A_NAME - len(dataset.name) + len(registry.name)
                path: FieldPath = ("registries", index, "name")
                yield Broken("2231", path, repr(registry.name), f"at most {most} characters")
            if dataset.name in taken:
                yield Broken(
                    "2230",
                    ("registries", index, "name"),
                    f"the name {registry.name!r} beside a dataset {dataset.name!r}",
                    "another name: evidence of a registry's artifacts is kept under that one",
                )
    for broken in place_rules(spec_for(spec, Phase.REGISTRY)):
        if broken.code in {"2151", "2152", "2158"}:
            path = ("registries", owners[int(str(broken.path[1]))], "target", "artifacts")
            yield Broken(broken.code, path, broken.got, broken.expected)
