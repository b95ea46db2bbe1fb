"""The two stages of the provision phase: waves are planned with what the foundation tells."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check

AFTER_STAGES = frozenset({Check.SECRETS_EQUAL, Check.IMAGES_EQUAL})
"""Checks of what is moved after both stages, by which their gates are known."""


class Stage(StrEnum):
    """Half of a run: making begins with the foundation, destroying ends with it."""

    FIRST = "first"
    SECOND = "second"


def staged_gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return each gate once for each stage: an approval of one stage opens no other.

    Gates of what is moved come after both stages, once.
    """
    found = tuple(gates)
    return tuple(
        gate.model_copy(update={"name": f"{gate.name}-{stage.value}"})
        for stage in Stage
        for gate in found
        if not is_after_stages(gate)
    ) + tuple(gate for gate in found if is_after_stages(gate))


def gates_of(stage: Stage, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those of :func:`staged_gates` that a stage must pass."""
    return tuple(
        gate for gate in gates if gate.name.endswith(f"-{stage.value}") and not is_after_stages(gate)
    )


def gates_with(check: Check, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those that what ``check`` judges must pass."""
    return tuple(gate for gate in gates if check in gate.checks)


def is_after_stages(gate: Gate) -> bool:
    """Tell whether a gate judges what is moved after the stages, and no stage."""
    return bool(AFTER_STAGES.intersection(gate.checks))


def stage_of(gate: Gate) -> Stage:
    """Return the stage of a gate of :func:`staged_gates`, by its name; the last one of what comes after."""
    return Stage.SECOND if is_after_stages(gate) else Stage(gate.name.rpartition("-")[2])
