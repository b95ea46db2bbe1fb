"""The two stages of the provision phase: waves are planned with what the foundation tells."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from heavylift.spec.gates import Gate


class Stage(StrEnum):
    """Half of a run: making begins with the foundation, destroying ends with it."""

    FIRST = "first"
    SECOND = "second"


def staged_gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return each gate once for each stage: an approval of one stage opens no other."""
    found = tuple(gates)
    return tuple(
        gate.model_copy(update={"name": f"{gate.name}-{stage.value}"}) for stage in Stage for gate in found
    )


def gates_of(stage: Stage, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those of :func:`staged_gates` that a stage must pass."""
    return tuple(gate for gate in gates if gate.name.endswith(f"-{stage.value}"))


def stage_of(gate: str) -> Stage:
    """Return the stage of a gate of :func:`staged_gates`, by its name."""
    return Stage(gate.rpartition("-")[2])
