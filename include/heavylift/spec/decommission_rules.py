"""Rules about the section decommission, and the gates of its phase."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.rule import Broken
from heavylift.spec.sections_decommission import Decommission
from heavylift.spec.vocabulary import Check, Phase

_STAGES = (Check.SOURCE_UNUSED, Check.GRACE_OVER)


def decommission_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the section decommission, and with its checks at other gates."""
    yield from _checks_belong(spec)
    if spec.decommission is None:
        return
    if spec.cutover is None:
        yield Broken(
            "9302",
            ("decommission",),
            "a source that is given up without a section cutover",
            "a section cutover: the source is given up only after the cutover is final",
        )
    yield from _both_stages_are_approved(spec)
    yield from _kept_exists(spec, spec.decommission)


def _checks_belong(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        here = gate.phase is Phase.DECOMMISSION
        for position, check in enumerate(gate.checks):
            if (check in _STAGES) is not here or (here and spec.decommission is None):
                yield Broken(
                    "9303",
                    ("gates", index, "checks", position),
                    f"the check {check.value!r} at a gate of the phase {gate.phase.value}",
                    "source_unused and grace_over, at gates of the phase decommission and nowhere else, with"
                    " a section decommission",
                )


def _both_stages_are_approved(spec: MigrationSpec) -> Iterator[Broken]:
    gates = spec.gates_for(Phase.DECOMMISSION)
    for check in _STAGES:
        fitting = [gate for gate in gates if check in gate.checks]
        alone = len(fitting) == 1 and len(fitting[0].checks) == 1
        if not alone or not fitting[0].approval.required:
            yield Broken(
                "9304",
                ("gates",),
                f"gates of the phase decommission without exactly one for {check.value!r} alone that a person"
                " approves",
                "one gate for source_unused and one for grace_over, each with approval.required: true",
            )


def _kept_exists(spec: MigrationSpec, section: Decommission) -> Iterator[Broken]:
    known = {"dataset": {each.name for each in spec.datasets}}
    known["database"] = {each.name for each in spec.databases}
    known["stream"] = {each.name for each in spec.streams}
    for index, kept in enumerate(section.keep):
        kind, _slash, name = kept.component.partition("/")
        if name != "*" and name not in known[kind]:
            yield Broken(
                "9305",
                ("decommission", "keep", index, "component"),
                f"{kept.component!r}, which this file does not have",
                " or ".join(sorted(f"{kind}/{each}" for each in known[kind])) or f"a {kind} of this file",
            )
