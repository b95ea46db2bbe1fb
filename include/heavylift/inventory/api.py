"""What operators and commands call: take an inventory, make its graph. Neither changes the platform."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.evidence.assess_evidence import latest_inventory
from heavylift.evidence.inventory_files import read_components, write_outside, write_rows
from heavylift.evidence.inventory_records import (
    Acceptance,
    Component,
    Edge,
    GraphRecord,
    InventoryDiff,
    InventoryFinding,
    InventoryRecord,
    Reference,
    graph_path,
    inventory_folder,
    inventory_path,
)
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.records import MAX_LISTED, Severity
from heavylift.evidence.store import open_evidence
from heavylift.inventory.assemble import Assembled, assemble
from heavylift.inventory.collect import Collected, Collector, Tell, silent
from heavylift.inventory.diff import compared
from heavylift.inventory.graph import Graph, build_graph
from heavylift.inventory.joining import join
from heavylift.inventory.mermaid import picture
from heavylift.inventory.outside import accepted
from heavylift.inventory.parts import Parts
from heavylift.inventory.platforms import check_options, open_plane, units_of
from heavylift.inventory.runs import Begun, begin
from heavylift.inventory.sizes import with_sizes

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import EvidenceStore
    from heavylift.inventory.requests import InventoryRequest
    from heavylift.platforms.control import ControlPlane

MARKDOWN = "text/plain; charset=utf-8"


async def take_inventory(
    request: InventoryRequest, tell: Tell = silent
) -> tuple[InventoryRecord, EvidenceRef]:
    """Read all components of a platform, and compare them with the previous inventory.

    Idempotency: each call reads afresh and writes the next record of the run; after a call that was killed
    the next one reads only what was not read.

    :raises IncompleteError: some types gave no answer for now; what was read is kept.
    :raises CredentialError: the platform does not accept the credentials.
    """
    began = time.monotonic()
    check_options(request)
    stop = threading.Event()
    plane = await asyncio.to_thread(open_plane, request, stop)
    try:
        async with open_evidence(request.evidence_url, request.evidence_connection) as store:
            begun = await begin(store, request, plane)
            units = units_of(request, plane, begun.regions)
            parts = Parts(store, request, begun.number)
            collector = Collector(
                plane,
                begun.account,
                parts,
                request.platform.value,
                parallel=request.options.parallel,
                stop=stop,
                tell=tell,
            )
            collected = await collector.run(units)
            assembled = await assemble(parts, units)
            await with_sizes(plane, request, parts, assembled, stop)
            return await _keep(store, request, begun, collected, assembled, plane, began)
    finally:
        await asyncio.to_thread(plane.close)


async def _keep(
    store: EvidenceStore,
    request: InventoryRequest,
    begun: Begun,
    collected: Collected,
    assembled: Assembled,
    plane: ControlPlane,
    began: float,
) -> tuple[InventoryRecord, EvidenceRef]:
    folder = inventory_folder(request.run, request.connection.conn_id)
    findings = _findings(request, collected, assembled)
    diff = await _diff(store, request, assembled)
    components = f"{folder}/components-{begun.number}.parquet"
    references = f"{folder}/references-{begun.number}.parquet"
    record = InventoryRecord(
        run=request.run,
        platform=request.platform.value,
        connection=request.connection.conn_id,
        account=begun.account.id,
        regions=begun.regions,
        began_at=begun.began_at,
        counts=assembled.counts,
        types=assembled.types,
        component_count=len(assembled.components),
        reference_count=len(assembled.references),
        vanished=assembled.vanished,
        components=await write_rows(store, components, assembled.components, Component),
        references=await write_rows(store, references, assembled.references, Reference),
        units=len(collected.units),
        units_kept=collected.kept,
        findings=findings,
        complete=not any(finding.severity is Severity.BLOCKER for finding in findings),
        diff=diff,
        requests=plane.requests,
        seconds=round(time.monotonic() - began, 3),
    )
    path = inventory_path(request.run, request.connection.conn_id, begun.number)
    return record, await store.write_json(path, record)


def _findings(
    request: InventoryRequest, collected: Collected, assembled: Assembled
) -> tuple[InventoryFinding, ...]:
    skipped = [
        InventoryFinding(
            rule="type_not_read",
            severity=Severity.BLOCKER,
            subject=native_type,
            detail="left out as asked (--skip)",
            remedy="leave --skip out, or look it up by hand",
            native_type=native_type,
        )
        for native_type in request.options.skip
    ]
    found = [finding for name in sorted(collected.units) for finding in collected.units[name].findings]
    return (*found, *assembled.findings, *skipped)


async def _diff(
    store: EvidenceStore, request: InventoryRequest, assembled: Assembled
) -> InventoryDiff | None:
    found = await latest_inventory(store, request.run.migration, request.connection.conn_id)
    if found is None:
        return None
    path, record = found
    return compared(await read_components(store, record.components), assembled.components, path)


@dataclass(frozen=True)
class Drawn:
    """A graph, its record and its picture."""

    record: GraphRecord
    ref: EvidenceRef
    graph: Graph
    text: str


async def make_graph(
    store: EvidenceStore,
    migration: str,
    connection: str,
    acceptances: Sequence[Acceptance] = (),
    *,
    around: str = "",
    also: Sequence[str] = (),
    run: RunKey | None = None,
) -> Drawn:
    """Make the graph of the latest inventory of a connection, and judge whether everything is accounted for.

    :param around: id of a component: the picture shows only what is near it.
    :param also: further connections, whose latest inventories are joined with it.
    :param run: only this run's inventories will do.
    :raises NotFoundError: there is no inventory, or no such component.
    """
    began = time.monotonic()
    (path, record), *others = [await _latest(store, migration, each, run) for each in (connection, *also)]
    joined = await join(store, [record, *(other for _, other in others)])
    components = joined.components
    if around and all(component.id != around for component in components):
        raise NotFoundError(
            "drawing the graph",
            got=f"no component {around!r} in {path}",
            expected="the id of a component",
            state="nothing was written",
            remedy="take the id from the inventory",
            code="7623",
        )
    graph = build_graph(components, joined.references, joined.regions, joined.findings)
    outside, unused = accepted(graph.outside, acceptances)
    drawn = picture(components, graph.edges, around=around)
    folder = inventory_folder(record.run, connection)
    number = 1 + await latest_number(store, lambda n: graph_path(record.run, connection, n))
    edges = await write_rows(store, f"{folder}/edges-{number}.parquet", graph.edges, Edge)
    unexplained = sum(not each.explained for each in outside)
    made = GraphRecord(
        run=record.run,
        inventory=path,
        also=tuple(other for other, _ in others),
        components=len(components),
        edges=len(graph.edges),
        explicit_edges=sum(edge.explicit for edge in graph.edges),
        inferred_edges=sum(not edge.explicit for edge in graph.edges),
        relations=_tally(edge.relation for edge in graph.edges),
        cycle_count=len(graph.cycles),
        cycles=_bounded(graph.cycles),
        outside=len(outside),
        explained=len(outside) - unexplained,
        unexplained=unexplained,
        whys=_tally(each.why.value for each in outside),
        accepted=tuple(acceptances),
        unused_acceptances=tuple(unused),
        edge_rows=edges,
        outside_rows=await write_outside(store, f"{folder}/outside-{number}.parquet", outside),
        picture=await store.write_bytes(f"{folder}/graph-{number}.mmd", drawn.encode(), MARKDOWN),
        passed=unexplained == 0 and joined.complete,
        seconds=round(time.monotonic() - began, 3),
    )
    _, ref = await write_next(store, lambda n: graph_path(record.run, connection, n), made, known=number - 1)
    return Drawn(made, ref, Graph(graph.edges, tuple(outside), graph.cycles), drawn)


async def _latest(
    store: EvidenceStore, migration: str, connection: str, run: RunKey | None = None
) -> tuple[str, InventoryRecord]:
    found = await latest_inventory(store, migration, connection, run)
    if found is None:
        raise NotFoundError(
            f"making the graph of {connection!r} in migration {migration!r}",
            got="no inventory in the evidence store",
            expected="one",
            state="nothing was written",
            remedy="run heavylift inventory first, with the same --evidence and --migration",
            code="7622",
        )
    return found


def _tally(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _bounded(cycles: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Return as many cycles as a record names; the edges beside it have all."""
    return tuple(cycle[:MAX_LISTED] for cycle in cycles)[:MAX_LISTED]
