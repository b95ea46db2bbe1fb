"""Rules about the ``assess`` section and the checks that stand on it."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.rule import Broken
from heavylift.spec.sections_assess import BucketSizes
from heavylift.spec.vocabulary import Check, Phase, Platform

ASSESS_CHECKS = frozenset(
    {
        Check.INVENTORY_COMPLETE,
        Check.REFERENCES_EXPLAINED,
        Check.BLOCKERS_ACCEPTED,
        Check.DEADLINE_KEPT,
        Check.BASELINES_MEASURED,
        Check.EVERYTHING_CARRIED,
    }
)
"""Checks that judge an assessment."""


def assess_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the assess section of ``spec``."""
    if spec.assess is not None:
        yield from _platform(spec)
        yield from _names(spec)
        yield from _also(spec)
        yield from _baselines(spec)
        yield from _utilisation(spec)
        yield from _quotas(spec)
    yield from _gates(spec)


def _platform(spec: MigrationSpec) -> Iterator[Broken]:
    assess = spec.assess
    if assess and spec.source.platform is not Platform.AWS and assess.bucket_sizes is BucketSizes.LISTINGS:
        yield Broken(
            "2192",
            ("assess", "bucket_sizes"),
            "listings",
            "metrics or none: buckets are listed on AWS alone",
            "name the store in assess.also (system: objects), or state the sizes in assess.components",
        )


def _names(spec: MigrationSpec) -> Iterator[Broken]:
    seen: dict[str, int] = {}
    for index, line in enumerate(spec.assess.lines if spec.assess else ()):
        if line.name in seen:
            got = f"the name {line.name!r} a second time"
            expected = f"another name than lines[{seen[line.name]}]"
            yield Broken("2193", ("assess", "lines", index, "name"), got, expected)
        seen.setdefault(line.name, index)


def _also(spec: MigrationSpec) -> Iterator[Broken]:
    assess = spec.assess
    if assess is None:
        return
    seen = {assess.connection or spec.source.connection: "what the source is read with"}
    for index, each in enumerate(assess.also):
        if each.connection in seen:
            got = f"the connection {each.connection!r}, {seen[each.connection]}"
            expected = "a connection that is not read yet"
            yield Broken("2191", ("assess", "also", index, "connection"), got, expected)
        seen.setdefault(each.connection, f"that of also[{index}]")


def _quotas(spec: MigrationSpec) -> Iterator[Broken]:
    seen: set[tuple[str, str]] = set()
    for index, each in enumerate(spec.assess.quotas if spec.assess else ()):
        where = ("assess", "quotas", index)
        if (each.connection, each.region) in seen:
            got = f"{each.connection} and {each.region} a second time"
            yield Broken("9415", where, got, "another region or connection")
        seen.add((each.connection, each.region))


def _utilisation(spec: MigrationSpec) -> Iterator[Broken]:
    settings = spec.assess.utilisation if spec.assess else None
    if settings is None:
        return
    where = ("assess", "utilisation")
    if settings.resolution % 60 or settings.resolution > settings.period:
        expected = "whole minutes, and no longer than period"
        yield Broken("9406", (*where, "resolution"), f"{settings.resolution} seconds", expected)
    if settings.queries and settings.prometheus_connection is None:
        yield Broken("9407", (*where, "queries"), "no prometheus_connection", "the server that they ask")


def _baselines(spec: MigrationSpec) -> Iterator[Broken]:
    seen: set[str] = set()
    for index, each in enumerate(spec.assess.baselines if spec.assess else ()):
        if each.connection in seen:
            got = f"the connection {each.connection!r} a second time"
            yield Broken("2200", ("assess", "baselines", index, "connection"), got, "another endpoint")
        seen.add(each.connection)


def _gates(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        for position, check in enumerate(gate.checks):
            path = ("gates", index, "checks", position)
            if check in ASSESS_CHECKS and (gate.phase is not Phase.ASSESS or spec.assess is None):
                yield Broken(
                    "2194",
                    path,
                    f"the check {check.value!r}, which would check nothing",
                    "a gate of the phase assess, and a section assess",
                )
            if check is Check.PLAN_APPROVED and (gate.phase is Phase.ASSESS or spec.assess is None):
                yield Broken(
                    "2195",
                    path,
                    "the check 'plan_approved', which nothing could make true here",
                    "a gate of a later phase, and a section assess",
                    "a plan is approved at the gate of the phase assess",
                )
            if gate.phase is Phase.ASSESS and check not in ASSESS_CHECKS | {Check.PLAN_APPROVED}:
                yield Broken(
                    "2196",
                    path,
                    f"the check {check.value!r} at a gate of the phase assess, which moves nothing",
                    " or ".join(sorted(each.value for each in ASSESS_CHECKS)),
                )
    yield from _some_approval(spec)


def _some_approval(spec: MigrationSpec) -> Iterator[Broken]:
    wanted = any(Check.PLAN_APPROVED in gate.checks for gate in spec.gates)
    gates = spec.gates_for(Phase.ASSESS)
    if wanted and spec.assess is not None and not any(gate.approval.required for gate in gates):
        yield Broken(
            "2197",
            ("gates",),
            "plan_approved, and no gate of the phase assess asks a person",
            "approval: {required: true} in a gate of the phase assess",
        )
