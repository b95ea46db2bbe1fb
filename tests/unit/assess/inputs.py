"""Small inputs for tests of planning."""

from __future__ import annotations

from typing import Any

from heavylift.assess.basis import Basis, load_basis
from heavylift.assess.plan import make_plan
from heavylift.evidence.assess_input import Component, Constraints, Dependency, Line, PlanInput, Target
from heavylift.evidence.assess_records import Plan

GBIT = 1e9
TB = 10**12
TIB = 2**40
BASIS: Basis = load_basis()


def constraints(**changes: Any) -> Constraints:
    given: dict[str, Any] = {"start": "2026-11-28", "lines": (Line(name="line", bits_per_second=GBIT),)}
    return Constraints(**(given | changes))


def dataset(id_: str = "data", **changes: Any) -> Component:
    given: dict[str, Any] = {
        "id": id_,
        "kind": "dataset",
        "service": "S3",
        "owner": "team",
        "size_bytes": TB,
        "objects": 1000,
    }
    return Component(**(given | changes))


def given(*components: Component, **changes: Any) -> PlanInput:
    """Return an input from AWS to Google Cloud."""
    fields: dict[str, Any] = {
        "migration": "test",
        "source": "aws",
        "targets": (Target(platform="gcp", region="europe-west4"),),
        "constraints": constraints(),
        "components": components or (dataset(),),
        "dependencies": (),
    }
    return PlanInput(**(fields | changes))


def needs(*pairs: tuple[str, str]) -> tuple[Dependency, ...]:
    return tuple(Dependency(component=one, needs=other) for one, other in pairs)


def planned(*components: Component, **changes: Any) -> Plan:
    return make_plan(given(*components, **changes), BASIS)
