"""Rules about the gates of the phase provision."""

from __future__ import annotations

from collections.abc import Iterator

from heavylift.spec.model import MigrationSpec
from heavylift.spec.provision_parts import PART_CHECKS
from heavylift.spec.rule import Broken
from heavylift.spec.vocabulary import Check, Phase

INFRA_CHECKS = frozenset({Check.INFRA_SCANNED, Check.INFRA_PLANNED})
"""Checks that judge infrastructure."""

_HERE = INFRA_CHECKS | {Check.PLAN_APPROVED, Check.COMPLIANCE_CLEAN, *PART_CHECKS}


def infra_rules(spec: MigrationSpec) -> Iterator[Broken]:
    """Yield what is wrong with the gates of the phase provision, and with its checks at other gates."""
    for index, gate in enumerate(spec.gates):
        for position, check in enumerate(gate.checks):
            path = ("gates", index, "checks", position)
            here = gate.phase is Phase.PROVISION
            if check in INFRA_CHECKS and (not here or spec.infrastructure is None):
                yield Broken(
                    "7930",
                    path,
                    f"the check {check.value!r}, which would check nothing",
                    "a gate of the phase provision, and a section infrastructure",
                )
            elif here and check not in _HERE:
                yield Broken(
                    "7931",
                    path,
                    f"the check {check.value!r} at a gate of the phase provision",
                    " or ".join(sorted(each.value for each in _HERE)),
                )
    yield from _secrets_stand_alone(spec)
    yield from _images_stand_alone(spec)
    if spec.infrastructure is not None:
        yield from _somebody_sees_the_plan(spec)


def _somebody_sees_the_plan(spec: MigrationSpec) -> Iterator[Broken]:
    gates = spec.gates_for(Phase.PROVISION)
    if not any(gate.approval.required and Check.INFRA_PLANNED in gate.checks for gate in gates):
        yield Broken(
            "7932",
            ("gates",),
            "no gate of the phase provision that asks a person about terraform's plan",
            "infra_planned and approval: {required: true} in one of them",
        )


def _secrets_stand_alone(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        of_secrets = Check.SECRETS_EQUAL in gate.checks and gate.phase is Phase.PROVISION
        if of_secrets and (len(gate.checks) > 1 or spec.secrets is None):
            yield Broken(
                "8819",
                ("gates", index, "checks"),
                "secrets_equal beside other checks" if spec.secrets else "secrets_equal without secrets",
                "a section secrets, and a gate of its own for them: it is judged after both stages",
            )


def _images_stand_alone(spec: MigrationSpec) -> Iterator[Broken]:
    for index, gate in enumerate(spec.gates):
        of_images = Check.IMAGES_EQUAL in gate.checks and gate.phase is Phase.PROVISION
        if of_images and (len(gate.checks) > 1 or spec.containers is None):
            yield Broken(
                "9165",
                ("gates", index, "checks"),
                "images_equal beside other checks" if spec.containers else "images_equal without containers",
                "a section containers, and a gate of its own for them: it is judged after both stages",
            )
