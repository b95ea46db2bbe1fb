"""What one phase sees of a spec: registries have a phase of their own, their artifacts are datasets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from heavylift.locations import parse_location
from heavylift.spec.platforms import Side
from heavylift.spec.provision_stages import staged_gates
from heavylift.spec.sections_data import Registry, RegistryKind, RegistryPath, RegistrySide
from heavylift.spec.sections_datasets import Dataset, Place
from heavylift.spec.vocabulary import SCHEMES, Phase, Platform

if TYPE_CHECKING:
    from heavylift.spec.model import MigrationSpec

BACK = ".back"
"""Ends the name of a registry on its way back."""
_MOVED = ("datasets", "databases", "streams", "registries", "feature_stores", "models", "envelopes")
_PLATFORMS = {"s3": Platform.AWS, "gs": Platform.GCP, "az": Platform.AZURE, "file": Platform.KUBERNETES}


def spec_for(spec: MigrationSpec, phase: Phase) -> MigrationSpec:
    """Return the spec as ``phase`` carries it out.

    The assess phase only looks, and moves none of it; the provision phase makes places for it, and passes
    each of its gates once for each stage. The registry phase has feature stores, registries,
    and the artifacts of these as datasets; all other phases have the rest. So whatever moves, judges and
    tells of datasets does the same for artifacts. A cutover and a
    rollback see the registries that they switch.
    """
    nothing = dict.fromkeys(_MOVED, ())
    if phase is Phase.ASSESS:
        return spec.model_copy(update=nothing)
    if phase is Phase.PROVISION:
        return spec.model_copy(update={**nothing, "gates": staged_gates(spec.gates_for(phase))})
    if phase is Phase.REVALIDATE:
        # Where models lie that are named by their registry.
        return spec
    if phase in (Phase.CUTOVER, Phase.ROLLBACK):
        return spec.model_copy(update={"registries": switched_registries(spec), "feature_stores": ()})
    if phase is not Phase.REGISTRY:
        sealed = spec.envelopes if phase is Phase.TRANSFER else ()
        return spec.model_copy(update={"registries": (), "feature_stores": (), "envelopes": sealed})
    found = tuple(dataset for each in spec.registries for dataset in artifacts_of(spec, each))
    return spec.model_copy(update={"datasets": found, "databases": (), "streams": ()})


def switched_registries(spec: MigrationSpec) -> tuple[Registry, ...]:
    """Return the registries that a cutover switches: they are followed, where others are synced."""
    names = spec.cutover.registries if spec.cutover else ()
    return tuple(each for each in spec.registries if each.name in names)


def may_go_back(registry: Registry) -> bool:
    """Tell whether what is written on the target after a switch can be brought back through the interface.

    Where databases are copied a stream does that: see the section cutover.
    """
    by_store = registry.path is RegistryPath.STORE or moves_artifacts(registry)
    return not (converts(registry) or by_store)


def may_choose(registry: Registry) -> bool:
    """Tell whether some experiments and models can move without the others: not at store level."""
    return converts(registry) or registry.path is RegistryPath.API


def going_back(spec: MigrationSpec, names: Collection[str]) -> MigrationSpec:
    """Return the spec with those registries under the name of their way back that go back in a run.

    :param names: of registries that go back in this run, besides those of which the spec says so.
    """
    found = tuple(
        each.model_copy(update={"name": each.name + BACK}) if each.back or each.name in names else each
        for each in spec.registries
    )
    return spec.model_copy(update={"registries": found})


def goes_back(registry: Registry) -> bool:
    """Tell whether a registry of a run's spec is on its way back."""
    return registry.name.endswith(BACK)


def artifacts_of(spec: MigrationSpec, registry: Registry) -> tuple[Dataset, ...]:
    """Return the datasets of a registry's artifacts: one for each prefix whose objects are moved."""
    return tuple(
        # Checked already, part by part; a name that is too long is told of the registry.
        Dataset.model_construct(
            name=f"{registry.name}-artifacts" + (f"-{number}" if number > 1 else ""),
            description=f"Artifacts of registry {registry.name}.",
            source=_place(source, registry.source, spec.source),
            target=_place(target, registry.target, spec.target),
            limits=registry.limits,
        )
        for number, (source, target) in enumerate(_moved(registry), start=1)
    )


def prefixes_in_spec(registry: Registry) -> list[tuple[str, str]]:
    """Return what becomes of each prefix of artifact locations, as far as the spec says."""
    source, target = (side.artifact_uri or side.artifacts for side in (registry.source, registry.target))
    pairs = [(source, target)] if source and target else []
    return pairs + [(each.source, each.target) for each in registry.more_artifacts]


def moves_artifacts(registry: Registry) -> bool:
    """Tell whether artifacts of a registry are moved beside it, as datasets."""
    return next(_moved(registry), None) is not None


def converts(registry: Registry) -> bool:
    """Tell whether a side is not MLflow: then registered models move, with what their versions name."""
    return {registry.source.kind, registry.target.kind} != {RegistryKind.MLFLOW}


def _moved(registry: Registry) -> Iterator[tuple[str, str]]:
    if converts(registry) or registry.path is RegistryPath.API:
        # They move with what they belong to.
        return
    source, target = registry.source.artifacts, registry.target.artifacts
    if source is not None and target is not None:
        yield source, target
    for each in registry.more_artifacts:
        if each.move:
            yield each.source, each.target


def _place(url: str, side: RegistrySide, around: Side) -> Place:
    scheme = parse_location(url).scheme
    # A store of its own may be another platform's, which decides on what its traffic costs.
    platform = None if scheme in SCHEMES[around.platform] else _PLATFORMS.get(scheme)
    return Place.model_construct(url=url, connection=side.artifacts_connection, platform=platform)
