"""The two stages of the provision phase: waves are planned with what the foundation tells."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from heavylift.spec.gates import Gate
from heavylift.spec.provision_parts import Part, part_of


class Stage(StrEnum):
    """Half of a run: making begins with the foundation, destroying ends with it."""

    FIRST = "first"
    SECOND = "second"


def staged_gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return each gate of the infrastructure once for each stage: an approval of one opens no other.

    Gates of parts (secrets, pipelines, access, manifests) stand beside the stages, once.
    """
    found = tuple(gates)
    return tuple(
        gate.model_copy(update={"name": f"{gate.name}-{stage.value}"})
        for stage in Stage
        for gate in found
        if part_of(gate) is None
    ) + tuple(gate for gate in found if part_of(gate) is not None)


def gates_of(stage: Stage, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those of :func:`staged_gates` that a stage must pass."""
    return tuple(gate for gate in gates if gate.name.endswith(f"-{stage.value}") and part_of(gate) is None)


def gates_of_part(part: Part, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return those that a part must pass."""
    return tuple(gate for gate in gates if part_of(gate) is part)


def stage_of(gate: Gate) -> Stage:
    """Return the stage of a gate of :func:`staged_gates`, by its name; of parts' gates the last one."""
    return Stage.SECOND if part_of(gate) else Stage(gate.name.rpartition("-")[2])
