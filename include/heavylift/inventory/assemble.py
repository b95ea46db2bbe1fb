"""Makes one inventory of what the units of a run have read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from heavylift.evidence.inventory_records import Component, InventoryFinding, Reference
from heavylift.evidence.records import Severity
from heavylift.inventory.parts import Parts
from heavylift.inventory.reading import Unit


@dataclass
class Assembled:
    """All components and references, each once, sorted."""

    components: list[Component] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    findings: list[InventoryFinding] = field(default_factory=list)
    vanished: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Components by kind."""
        return dict(sorted(Counter(component.kind.value for component in self.components).items()))

    @property
    def types(self) -> dict[str, int]:
        """Components by native type."""
        return dict(sorted(Counter(component.native_type for component in self.components).items()))


async def assemble(parts: Parts, units: Sequence[Unit]) -> Assembled:
    """Return what all units have read; of a component that was read twice the last reading counts."""
    components: dict[str, Component] = {}
    references: dict[str, tuple[Reference, ...]] = {}
    made = Assembled()
    for unit in units:
        async for read in parts.read(unit):
            component = read.component
            if component is None:
                made.vanished += 1
                continue
            before = components.get(component.id)
            if before is not None and before.native_type != component.native_type:
                made.findings.append(_twice(before, component))
            components[component.id] = component
            references[component.id] = read.references
    made.components = [components[id] for id in sorted(components)]
    made.references = sorted(
        (each for several in references.values() for each in several),
        key=lambda each: (each.component, each.field, each.target),
    )
    return made


def _twice(before: Component, now: Component) -> InventoryFinding:
    return InventoryFinding(
        rule="id_twice",
        severity=Severity.BLOCKER,
        subject=now.id,
        detail=f"both {before.native_type} {before.name!r} and {now.native_type} {now.name!r} have this id",
        remedy="report it as a defect of Heavylift",
        native_type=now.native_type,
        region=now.region,
        components=1,
    )
