"""The two stages of the provision phase: waves are planned with what the foundation tells."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from heavylift.spec.gates import Gate
from heavylift.spec.vocabulary import Check


class Stage(StrEnum):
    """Half of a run: making begins with the foundation, destroying ends with it."""

    FIRST = "first"
    SECOND = "second"


def staged_gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return each gate once for each stage: an approval of one stage opens no other.

    Gates of secrets come after both stages, once.
    """
    found = tuple(gates)
    return tuple(
        gate.model_copy(update={"name": f"{gate.name}-{stage.value}"})
        for stage in Stage
        for gate in found
        if not is_of_secrets(gate)
    ) + gates_of_secrets(found)


def gates_of(stage: Stage, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those of :func:`staged_gates` that a stage must pass."""
    return tuple(gate for gate in gates if gate.name.endswith(f"-{stage.value}") and not is_of_secrets(gate))


def gates_of_secrets(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those that the move of secrets must pass."""
    return tuple(gate for gate in gates if is_of_secrets(gate))


def is_of_secrets(gate: Gate) -> bool:
    """Tell whether a gate judges the move of secrets, and no stage."""
    return Check.SECRETS_EQUAL in gate.checks


def stage_of(gate: Gate) -> Stage:
    """Return the stage of a gate of :func:`staged_gates`, by its name; of secrets' gates the last one."""
    return Stage.SECOND if is_of_secrets(gate) else Stage(gate.name.rpartition("-")[2])
