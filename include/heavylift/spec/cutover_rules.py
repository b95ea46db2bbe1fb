"""Rules about the section cutover, and the gates of its phase."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from heavylift.spec.model import MigrationSpec
from heavylift.spec.rule import Broken
from heavylift.spec.sections_platform import Cutover, TrafficAdapter
from heavylift.spec.switching_rules import switching_rules
from heavylift.spec.vocabulary import Check, Phase

_HERE = frozenset(
    {Check.CUTOVER_READY, Check.PLAN_APPROVED, Check.COMPLIANCE_CLEAN, Check.WORKLOAD_TESTS_PASSED}
)


def cutover_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the section cutover, and with its check at other gates."""
    yield from _checks_belong(spec)
    yield from _workload_is_tested(spec)
    if spec.cutover is None:
        return
    yield from _something_switches(spec, spec.cutover)
    yield from _steps_rise(spec.cutover)
    yield from _writers_go_whole(spec, spec.cutover)
    yield from _the_way_back_is_kept(spec)
    yield from switching_rules(spec, spec.cutover)


def _checks_belong(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        here = gate.phase is Phase.CUTOVER
        for position, check in enumerate(gate.checks):
            path = ("gates", index, "checks", position)
            if check is Check.CUTOVER_READY and (not here or spec.cutover is None):
                yield Broken(
                    "8710",
                    path,
                    f"the check {check.value!r}, which would check nothing",
                    "a gate of the phase cutover, and a section cutover",
                )
            elif check is Check.WORKLOAD_TESTS_PASSED and (not here or spec.workload_tests is None):
                yield Broken(
                    "9338",
                    path,
                    f"the check {check.value!r}, which would check nothing",
                    "a gate of the phase cutover, and a section workload_tests",
                )
            elif here and check not in _HERE:
                yield Broken(
                    "8711",
                    path,
                    f"the check {check.value!r} at a gate of the phase cutover",
                    " or ".join(sorted(each.value for each in _HERE)),
                    "cutover_ready demands the gates of all earlier phases",
                )


def _workload_is_tested(spec: MigrationSpec) -> Iterator[Broken]:
    section = spec.workload_tests
    if section is None:
        return
    if not (section.functional or section.performance or section.security or section.continuity):
        yield Broken(
            "9338",
            ("workload_tests",),
            "no test in it",
            "functional, performance, security or continuity",
        )


def _something_switches(spec: MigrationSpec, cutover: Cutover) -> Iterator[Broken]:
    switched = spec.databases or cutover.streams or cutover.registries
    if not (cutover.traffic or switched or cutover.schedules):
        yield Broken(
            "8712",
            ("cutover",),
            "nothing that could be switched",
            "cutover.traffic, cutover.streams, cutover.registries, cutover.schedules, or databases",
        )


def _steps_rise(cutover: Cutover) -> Iterator[Broken]:
    if cutover.traffic is None:
        return
    steps = cutover.traffic.steps
    rising = all(earlier < later for earlier, later in pairwise(steps))
    if not rising or steps[0] < 1 or steps[-1] != 100:
        yield Broken(
            "8713",
            ("cutover", "traffic", "steps"),
            str(list(steps)),
            "percentages that rise from at least 1 to 100",
        )


def _writers_go_whole(spec: MigrationSpec, cutover: Cutover) -> Iterator[Broken]:
    if cutover.writers is None:
        return
    if not (spec.databases or cutover.streams or cutover.registries):
        yield Broken(
            "8714",
            ("cutover", "writers"),
            "writers without databases, switched streams and switched registries",
            "databases, streams or registries that they write to",
        )
    if cutover.writers.adapter is TrafficAdapter.ENDPOINT:
        yield Broken(
            "8714",
            ("cutover", "writers", "adapter"),
            "endpoint, which splits requests for predictions",
            "envoy, dns or gateway_api",
        )


def _the_way_back_is_kept(spec: MigrationSpec) -> Iterator[Broken]:
    for index, database in enumerate(spec.databases):
        if not database.reverse:
            yield Broken(
                "8715",
                ("databases", index, "reverse"),
                "false, with a section cutover",
                "true: a cutover prepares the way back before it opens the target",
            )
