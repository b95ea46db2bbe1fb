"""Everything that is looked at before a workload is switched, kept as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavylift.cutover.readiness import look_at_world
from heavylift.evidence.numbered import write_next
from heavylift.evidence.switch_records import ReadinessRecord, switch_path
from heavylift.evidence.workload_records import KINDS
from heavylift.gates.readiness import Demanded, earlier_phases
from heavylift.gates.workload_checks import WorkloadDemand, workload_items
from heavylift.spec.registry_phase import spec_for
from heavylift.spec.vocabulary import Phase
from heavylift.switching.capacity import capacity_items
from heavylift.switching.parts import cutover_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heavylift.cutover.world import Parts
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec.model import MigrationSpec
    from heavylift.switching.parts import Connections


async def check_readiness(
    store: EvidenceStore,
    spec: MigrationSpec,
    run: RunKey,
    parts: Parts,
    *,
    whole: MigrationSpec,
    connections: Connections,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[ReadinessRecord, EvidenceRef]:
    """Look at the earlier phases and at the world, and keep what was found; refuses nothing.

    Puts a short load on the target's endpoint, where the spec has requests to move to it.

    :param spec: as the phase cutover sees it.
    :param whole: the spec as it is written: it tells which phases there must have been.
    """
    cutover = cutover_of(spec)
    items = await earlier_phases(store, spec.migration, demanded_of(whole))
    items += await look_at_world(parts, owner=cutover.runbook_owner, max_lag=cutover.max_lag)
    items += await capacity_items(store, spec, run, parts.requests, connections, tell)
    demand = workload_demand(whole)
    items += await workload_items(store, spec.migration, demand) if demand else []
    record = ReadinessRecord(run=run, owner=cutover.runbook_owner, items=tuple(items))
    _number, ref = await write_next(store, lambda number: switch_path(run, "readiness", number), record)
    return record, ref


def workload_demand(spec: MigrationSpec) -> WorkloadDemand | None:
    """Return which tests of the workload the spec wants; None where it wants none."""
    section = spec.workload_tests
    if section is None:
        return None
    return WorkloadDemand([kind for kind in KINDS if getattr(section, kind)], section.within)


def demanded_of(spec: MigrationSpec) -> Demanded:
    """Return what the spec asks of the phases before a cutover."""
    phases = [(phase, spec_for(spec, phase).gates_for(phase)) for phase in _phases(spec)]
    within = spec.cutover.rehearsed_within if spec.cutover else None
    access = spec.access is not None
    drilled = spec.cutover is not None and spec.cutover.drills is not None
    return Demanded(phases, bool(spec.databases), spec.infrastructure is not None, within, access, drilled)


def _phases(spec: MigrationSpec) -> Iterator[Phase]:
    if spec.parts:
        yield Phase.PROVISION
    if spec.datasets or spec.databases or spec.streams:
        yield Phase.TRANSFER
    if spec.registries or spec.feature_stores:
        yield Phase.REGISTRY
    if spec.models:
        yield Phase.REVALIDATE
