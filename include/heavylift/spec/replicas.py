"""Replicas: further targets of a dataset, each of which becomes a dataset of its own.

Whatever moves, proves, gates and reports datasets thus does the same for each replica.
"""

from __future__ import annotations

from heavylift.spec.base import SpecModel
from heavylift.spec.model import MigrationSpec
from heavylift.spec.problems import FieldPath
from heavylift.spec.sections_compliance import Compliance
from heavylift.spec.sections_datasets import Dataset, LimitOverrides, Replica
from heavylift.spec.vocabulary import Via

SEPARATOR = "_"
"""No name in a spec has one, so that no dataset is called as a replica is."""


def replica_name(dataset: str, replica: str) -> str:
    """Return what a replica is called in tasks, evidence and report: ``training-data_eu``."""
    return f"{dataset}{SEPARATOR}{replica}"


def with_replicas(spec: MigrationSpec) -> MigrationSpec:
    """Return ``spec`` with a dataset for each replica, after all others; a second call changes nothing."""
    there = {dataset.name for dataset in spec.datasets}
    made = tuple(
        _dataset_of(dataset, replica)
        for dataset in spec.datasets
        for replica in dataset.replicas
        if replica_name(dataset.name, replica.name) not in there
    )
    if not made:
        return spec
    changes: dict[str, object] = {"datasets": spec.datasets + made}
    if spec.compliance is not None:
        changes["compliance"] = _classified(spec, spec.compliance)
    return spec.model_copy(update=changes)


def _classified(spec: MigrationSpec, rules: Compliance) -> Compliance:
    """Return the rules with what is stated of a dataset stated of its replicas, which hold the same."""
    replicas = {dataset.name: [each.name for each in dataset.replicas] for dataset in spec.datasets}
    more = tuple(
        stated.model_copy(update={"subject": replica_name(stated.subject, name)})
        for stated in rules.classify
        for name in replicas.get(stated.subject, ())
    )
    return rules.model_copy(update={"classify": rules.classify + more})


def written_path(spec: MigrationSpec, path: FieldPath) -> FieldPath:
    """Return where in the file a field is written; of a replica's dataset that is in its own entry.

    :param spec: as it is written, without a dataset for each replica.
    """
    if len(path) < 2 or path[0] != "datasets" or not isinstance(path[1], int):
        return path
    beyond = path[1] - len(spec.datasets)
    if beyond < 0:
        return path
    places = [
        (number, position)
        for number, dataset in enumerate(spec.datasets)
        for position, _ in enumerate(dataset.replicas)
    ]
    number, position = places[beyond]
    return ("datasets", number, "replicas", position, *path[2:])


def _dataset_of(dataset: Dataset, replica: Replica) -> Dataset:
    own = {
        name: value
        for name in ("on_conflict", "deletes", "storage_class", "max_cost_usd")
        if (value := getattr(replica, name)) is not None
    }
    return dataset.model_copy(
        update={
            **own,
            "name": replica_name(dataset.name, replica.name),
            "description": replica.description or dataset.description,
            "target": replica.target,
            "limits": _over(dataset.limits, replica.limits),
            "via": Via.HEAVYLIFT,
            "service": None,
            "appliance": None,
            "replicas": (),
            "two_way": None,
        }
    )


def _over(outer: LimitOverrides, inner: LimitOverrides) -> LimitOverrides:
    return outer.model_copy(update=_set_in(inner))


def _set_in(model: SpecModel) -> dict[str, object]:
    return {name: value for name, value in model if value is not None}
