"""From a spec to what its target must sustain before requests move to it, measured and kept as evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from heavylift.cutover.canary.from_spec import probes_of
from heavylift.cutover.capacity import (
    Asked,
    CapacityRequest,
    count_requests,
    measure_capacity,
    sustained_before,
)
from heavylift.errors import HeavyliftError
from heavylift.evidence.numbered import write_next
from heavylift.evidence.switch_records import ReadinessItem, switch_path
from heavylift.switching.parts import cutover_of

if TYPE_CHECKING:
    from heavylift.cutover.canary.requests import Probes
    from heavylift.cutover.ports import TrafficPort
    from heavylift.evidence.capacity_records import CapacityRecord
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_capacity import Capacity
    from heavylift.switching.parts import Connections

ITEM = "capacity"


async def capacity_items(
    store: EvidenceStore,
    spec: MigrationSpec,
    run: RunKey,
    port: TrafficPort | None,
    connections: Connections,
    tell: Callable[[str], None],
) -> list[ReadinessItem]:
    """Put the load on the target's endpoint, keep the record and return how it did; nothing if none is due.

    What stands in the way of a measurement is a result, too.

    :raises AuditError: a record is damaged.
    """
    cutover = cutover_of(spec)
    wanted = cutover.capacity
    if wanted is None or cutover.traffic is None:
        return []
    try:
        probes = probes_of(cutover, spec.source.connection, connections)
        if probes is None:
            return [_missing("cutover.analysis names no requests, source_connection or target_connection")]
        asked = await _asked(store, spec, port, wanted, probes)
        if asked is None:
            return [_missing("nobody knows the rate: name cutover.capacity.rate, or make a baseline")]
        record = await measure_capacity(_request(spec, run, wanted, probes, asked), tell)
    except HeavyliftError as error:
        return [
            ReadinessItem(
                item=ITEM, subject=cutover.analysis.target_connection or "", passed=False, detail=str(error)
            )
        ]
    _number, ref = await write_next(store, lambda number: switch_path(run, "capacity", number), record)
    item = ReadinessItem(
        item=ITEM,
        subject=record.connection,
        passed=record.passed,
        detail=capacity_line(record),
        seen_at=record.measured_at,
        evidence=(ref,),
    )
    return [item]


def capacity_line(record: CapacityRecord) -> str:
    """Return in one line what the target bore, or did not."""
    words = {
        "spec": "as the spec says",
        "route": "counted at the route",
        "baseline": "sustained by the source",
    }
    told = f"{record.rate:g} requests a second ({record.asked_rate:g} {words[record.rate_from]})"
    step = record.target
    failed = ", ".join(f"{count:,} x {kind}" for kind, count in step.errors.items())
    sent = f"{step.answered:,} of {step.planned:,} answered in {step.seconds:g} s" + (
        failed and f", {failed}"
    )
    figures = {each.quantile: each.ms for each in step.quantiles}
    slow = f", P95 {figures[0.95]:.4g} ms" if 0.95 in figures else ""
    ratio = f", {record.ratio.ratio:.3g} times the source's" if record.ratio else ""
    reasons = f"not sustained: {'; '.join(record.reasons)}; " if record.reasons else ""
    return f"{reasons}{told}: {sent}{slow}{ratio}"


async def _asked(
    store: EvidenceStore, spec: MigrationSpec, port: TrafficPort | None, wanted: Capacity, probes: Probes
) -> Asked | None:
    """Return the rate that awaits the target, headroom not counted: the first that anybody knows."""
    if wanted.rate is not None:
        return Asked(float(wanted.rate), "spec")
    counted = await count_requests(port, float(wanted.count_for))
    if counted:
        return Asked(counted, "route")
    known = await sustained_before(store, spec.migration, probes.source.conn_id)
    if known:
        return Asked(known, "baseline")
    return None if counted is None else Asked(0.0, "route")


def _request(
    spec: MigrationSpec, run: RunKey, wanted: Capacity, probes: Probes, asked: Asked
) -> CapacityRequest:
    cutover = cutover_of(spec)
    headroom = 1.0 if asked.by == "spec" else wanted.headroom
    return CapacityRequest(
        run=run,
        source=probes.source,
        target=probes.target,
        requests=probes.requests,
        asked=asked,
        # The analysis will ask as much beside the live requests.
        rate=max(asked.rate * headroom, probes.rate),
        source_rate=probes.rate,
        seconds=float(wanted.duration),
        warm_up=float(wanted.warm_up),
        timeout_seconds=probes.timeout_seconds,
        connections=wanted.connections,
        max_error_rate=cutover.max_error_rate,
        max_latency_ratio=cutover.max_latency_ratio,
    )


def _missing(why: str) -> ReadinessItem:
    return ReadinessItem(
        item=ITEM,
        passed=False,
        detail=f"it can't be measured: {why}; or demand none (cutover.capacity: null)",
    )
