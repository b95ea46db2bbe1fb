"""Rules about what the phase provision translates, and about the gates of its parts."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.provision_parts import PART_CHECKS, Part
from heavylift.spec.rule import Broken
from heavylift.spec.sections_jobs import JobCluster, JobForm, JobKind
from heavylift.spec.sections_parts import ClusterKind, PipelineKind, RoleMode
from heavylift.spec.vocabulary import Check, Phase

_SOURCES = frozenset(PipelineKind) - {PipelineKind.AIRFLOW}
_TARGETS = frozenset(
    {PipelineKind.VERTEX, PipelineKind.AZURE_ML, PipelineKind.SAGEMAKER, PipelineKind.AIRFLOW}
)
_SECTIONS = {
    Part.TARGET_ACCESS: "access with target_documents",
    Part.SERVING: "endpoints",
    Part.ENDPOINTS_REMOVAL: "endpoints",
}
_BESIDE_PARTS = frozenset({Check.PLAN_APPROVED, Check.COMPLIANCE_CLEAN})


def part_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with pipelines, access, manifests and the gates of the phase's parts."""
    yield from _pipelines(spec)
    yield from _access(spec)
    yield from _manifests(spec)
    yield from _training(spec)
    yield from _gates(spec)


def _pipelines(spec: MigrationSpec) -> Iterator[Broken]:
    for index, each in enumerate(spec.pipelines):
        for name, known in (("source_kind", _SOURCES), ("target_kind", _TARGETS)):
            kind = getattr(each, name)
            if kind not in known:
                expected = " or ".join(sorted(one.value for one in known))
                yield Broken("9102", ("pipelines", index, name), f"the {name} {kind.value}", expected)


def _access(spec: MigrationSpec) -> Iterator[Broken]:
    access = spec.access
    if access is None:
        return
    if access.names is None and not (access.source_account and access.target_account):
        yield Broken(
            "9103",
            ("access",),
            "neither names nor both accounts",
            "names: a file beside this one, or source_account and target_account",
        )
    predefined = access.roles is RoleMode.PREDEFINED
    if predefined != (access.predefined_roles is not None):
        yield Broken(
            "9104",
            ("access", "roles"),
            f"roles: {access.roles.value} {'without' if predefined else 'with'} predefined_roles",
            "predefined_roles where roles is predefined, and nowhere else",
        )


def _manifests(spec: MigrationSpec) -> Iterator[Broken]:
    found = spec.manifests
    wrong = {"source": ClusterKind.PLAIN, "target": ClusterKind.ANY}
    for name, never in wrong.items() if found else ():
        if getattr(found, name) is never:
            expected = " or ".join(sorted(one.value for one in ClusterKind if one is not never))
            yield Broken("9106", ("manifests", name), never.value, expected)

    volumes = found.volumes if found else None
    if volumes and volumes.apply:
        for name in ("connection", "source_connection", "target_connection"):
            if getattr(volumes, name) is None:
                expected = "the id of a connection; or apply: false, and the Jobs are written alone"
                yield Broken("9370", ("manifests", "volumes", name), "apply: true without it", expected)


def _training(spec: MigrationSpec) -> Iterator[Broken]:
    for index, job in enumerate(spec.training):
        ours = job.target_kind is JobForm.KUBERNETES
        if ours != (job.cluster is not None) or not (ours or job.object_kind is JobKind.AUTO):
            cluster = job.cluster.value if job.cluster else "no cluster"
            got = f"{job.target_kind.value} with {cluster} and object_kind {job.object_kind.value}"
            expected = f"with kubernetes a cluster ({' or '.join(JobCluster)}); otherwise neither of the two"
            yield Broken("9580", ("training", index, "cluster"), got, expected)


def _gates(spec: MigrationSpec) -> Iterator[Broken]:
    parts = spec.parts
    for index, gate in enumerate(spec.gates):
        judged = {PART_CHECKS[check] for check in gate.checks if check in PART_CHECKS} - {Part.SECRETS}
        path = ("gates", index, "checks")
        here = gate.phase is Phase.PROVISION and Part.INFRASTRUCTURE not in parts
        if here and not any(check in PART_CHECKS for check in gate.checks):
            expected = "a check of one of the parts that the spec has, beside them"
            yield Broken("9107", path, "a gate of provision that judges none of its parts", expected)
        for part in sorted(judged):
            if gate.phase is not Phase.PROVISION or part not in parts:
                section = _SECTIONS.get(part, part.value)
                expected = f"a gate of the phase provision, and a section {section}"
                yield Broken("9108", path, f"a check of {part.value}, which would check nothing", expected)
        others = [check for check in gate.checks if PART_CHECKS.get(check) not in judged]
        if judged and (len(judged) > 1 or not _BESIDE_PARTS.issuperset(others)):
            expected = "a gate of its own for each part: they are judged at different times"
            yield Broken("9109", path, "checks of several parts in one gate", expected)
