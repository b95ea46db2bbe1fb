"""Rules that take more than one field: names, places, gates, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from heavylift.spec.assess_rules import assess_rules
from heavylift.spec.compliance_rules import compliance_rules
from heavylift.spec.cutover_rules import cutover_rules
from heavylift.spec.database_rules import database_checks_have_databases, database_rules
from heavylift.spec.decommission_rules import decommission_rules
from heavylift.spec.endpoint_rules import endpoint_rules
from heavylift.spec.envelope_rules import envelope_rules
from heavylift.spec.feature_rules import feature_rules
from heavylift.spec.infra_rules import infra_rules
from heavylift.spec.model import MigrationSpec
from heavylift.spec.model_rules import model_rules
from heavylift.spec.moments import moment_of
from heavylift.spec.monitor_rules import monitor_rules
from heavylift.spec.optimize_rules import optimize_rules
from heavylift.spec.part_rules import part_rules
from heavylift.spec.place_rules import place_rules
from heavylift.spec.problems import FieldPath
from heavylift.spec.quantities import format_duration, format_size
from heavylift.spec.registry_rules import registry_checks_have_registries, registry_rules
from heavylift.spec.resolve import resolve_dataset
from heavylift.spec.rule import Broken
from heavylift.spec.sections_datasets import Dataset
from heavylift.spec.service_rules import service_rules
from heavylift.spec.stream_rules import stream_rules
from heavylift.spec.support import SUPPORTED_PHASES
from heavylift.spec.two_way_rules import two_way_rules
from heavylift.spec.vocabulary import Check, CompareColumns

_NAMED_SECTIONS = (
    "datasets",
    "databases",
    "streams",
    "registries",
    "feature_stores",
    "models",
    "endpoints",
    "pipelines",
    "training",
    "autoscaling",
    "alerts",
    "envelopes",
    "gates",
)


def broken_rules(spec: MigrationSpec, *, whole: bool) -> Iterator[Broken]:
    """Yield what is wrong with ``spec`` as a whole.

    :param whole: false where parts that are wrong by themselves were left out of ``spec``; the
        rules that miss something are then not applied.
    """
    for rule in _RULES:
        yield from rule(spec)
    if whole:
        yield from _gates_check_something(spec)
        yield from database_checks_have_databases(spec)
        yield from registry_checks_have_registries(spec)


def _names_are_unique(spec: MigrationSpec) -> Iterator[Broken]:
    for section in _NAMED_SECTIONS:
        yield from _repeated((section,), [item.name for item in getattr(spec, section)])
    for index, dataset in enumerate(spec.datasets):
        names = [table.name for table in dataset.expectations]
        yield from _repeated(("datasets", index, "expectations"), names)


def _repeated(path: FieldPath, names: Sequence[str]) -> Iterator[Broken]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            got = f"the name {name!r} a second time"
            yield Broken("2150", (*path, index, "name"), got, f"another name than {path[-1]}[{first[name]}]")
        first.setdefault(name, index)


def _phases_are_supported(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        if gate.phase not in SUPPORTED_PHASES:
            yield Broken(
                "2141",
                ("gates", index, "phase"),
                f"the phase {gate.phase.value!r}, understood but not yet supported by this version",
                " or ".join(sorted(phase.value for phase in SUPPORTED_PHASES)),
            )


def _limits_fit_together(spec: MigrationSpec) -> Iterator[Broken]:
    for index, dataset in enumerate(spec.datasets):
        yield from _limits_of(spec, dataset, ("datasets", index, "limits"))
    if spec.defaults.retry_delay > spec.defaults.max_retry_delay:
        yield Broken(
            "2157",
            ("defaults", "retry_delay"),
            format_duration(spec.defaults.retry_delay),
            f"at most max_retry_delay, {format_duration(spec.defaults.max_retry_delay)}",
        )


def _limits_of(spec: MigrationSpec, dataset: Dataset, path: FieldPath) -> Iterator[Broken]:
    limits = resolve_dataset(spec, dataset).limits
    part = f"with part_size {format_size(limits.part_size)}"
    if limits.memory_budget < 2 * limits.part_size:
        yield Broken(
            "2156",
            path,
            f"memory_budget {format_size(limits.memory_budget)} {part}",
            "a memory_budget of at least two parts",
            f"set memory_budget to {format_size(2 * limits.part_size)} or more",
        )
    if limits.shard_size < limits.part_size:
        yield Broken(
            "2156",
            path,
            f"shard_size {format_size(limits.shard_size)} {part}",
            "a shard_size of at least one part",
        )


def _filters_let_something_through(spec: MigrationSpec) -> Iterator[Broken]:
    now = datetime.now(UTC)
    for index, dataset in enumerate(spec.datasets):
        path: FieldPath = ("datasets", index)
        low, high = dataset.min_size, dataset.max_size
        if low is not None and high is not None and low > high:
            got, most = format_size(low), format_size(high)
            yield Broken("2170", (*path, "min_size"), got, f"at most max_size, {most}")
        since, before = dataset.modified_since, dataset.modified_before
        if since and before and moment_of(since, now) >= moment_of(before, now):
            expected = f"a moment before modified_before, {before}"
            yield Broken("2171", (*path, "modified_since"), since, expected, "no object lies between the two")
        if dataset.expectations and (dataset.filters_by_size or dataset.filters_by_age):
            yield Broken(
                "2172",
                (*path, "expectations"),
                "expectations of a dataset that is filtered by size or age",
                "whole tables: neither min_size, max_size, modified_since nor modified_before",
                "give the tables a dataset of their own, and keep it apart by include and exclude",
            )


def _references_exist(spec: MigrationSpec) -> Iterator[Broken]:
    registries = [registry.name for registry in spec.registries]
    for index, model in enumerate(spec.models):
        if model.registry is not None and model.registry not in registries:
            yield _unknown(("models", index, "registry"), model.registry, "registries", registries)


def _unknown(path: FieldPath, name: str, section: str, names: Iterable[str]) -> Broken:
    known = ", ".join(names) or "none is there"
    return Broken("2159", path, repr(name), f"the name of an entry of {section} ({known})")


def _gates_check_something(spec: MigrationSpec) -> Iterator[Broken]:
    tables = [table for dataset in spec.datasets for table in dataset.expectations]
    provided = {
        Check.EXPECTATIONS_PASS: any(table.suite for table in tables),
        Check.PROFILES_EQUAL: any(table.compare.columns is CompareColumns.PROFILE for table in tables),
    }
    for index, gate in enumerate(spec.gates):
        for position, check in enumerate(gate.checks):
            if not provided.get(check, True):
                yield Broken(
                    "2154",
                    ("gates", index, "checks", position),
                    f"the check {check.value!r}, which would check nothing",
                    f"a dataset with expectations that {check.value} can look at",
                    "add expectations to a dataset, or take the check out",
                )


_RULES: tuple[Callable[[MigrationSpec], Iterator[Broken]], ...] = (
    _names_are_unique,
    place_rules,
    service_rules,
    two_way_rules,
    database_rules,
    stream_rules,
    registry_rules,
    feature_rules,
    model_rules,
    assess_rules,
    envelope_rules,
    compliance_rules,
    infra_rules,
    part_rules,
    endpoint_rules,
    cutover_rules,
    decommission_rules,
    monitor_rules,
    optimize_rules,
    _phases_are_supported,
    _limits_fit_together,
    _filters_let_something_through,
    _references_exist,
)
