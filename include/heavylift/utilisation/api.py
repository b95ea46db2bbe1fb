"""What operators and commands call: read how much of their machines the source's components use."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from heavylift.errors import NotFoundError
from heavylift.evidence.assess_evidence import latest_inventory
from heavylift.evidence.inventory_files import read_components
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import utc_now
from heavylift.evidence.store import PARQUET, open_evidence
from heavylift.evidence.utilisation_records import (
    USES,
    ComponentUse,
    UtilisationRecord,
    series_path,
    utilisation_path,
)
from heavylift.evidence.wording import counted
from heavylift.utilisation.figures import figures_of, parquet_of, utc
from heavylift.utilisation.model import Read, Told, Window
from heavylift.utilisation.readers import open_readers

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.inventory_records import Component, InventoryRecord
    from heavylift.evidence.store import EvidenceStore
    from heavylift.utilisation.readers import Readers
    from heavylift.utilisation.requests import UtilisationRequest

Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Found:
    wanted: int
    asked: tuple[Component, ...]
    reads: dict[str, list[Read]]
    told: Told
    requests: int


async def measure_utilisation(
    request: UtilisationRequest, tell: Tell = lambda _: None
) -> tuple[UtilisationRecord, EvidenceRef]:
    """Read the use of cores, memory and accelerators over the last days, and keep it with its gaps.

    Idempotency: each call reads afresh and writes the next record of the run, whole, at the end.

    :raises NotFoundError: the run has no inventory of the connection.
    :raises CredentialError: the platform does not accept the credentials.
    """
    began = time.monotonic()
    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        ref, inventory, components = await _inventory(store, request)
        window = window_of(request)
        found = await asyncio.to_thread(_read, request, components, window, tell)
        return await _keep(store, request, (ref, inventory), window, found, began)


def window_of(request: UtilisationRequest) -> Window:
    """Return the time that is looked at: whole steps, up to the last that has ended."""
    step = request.step_seconds
    end = (time.time() if request.until is None else request.until) // step * step
    return Window(end - max(step, request.period_seconds // step * step), end, step)


async def _inventory(
    store: EvidenceStore, request: UtilisationRequest
) -> tuple[EvidenceRef, InventoryRecord, list[Component]]:
    conn_id = request.connection.conn_id
    found = await latest_inventory(store, request.run.migration, conn_id, request.run)
    if found is None:
        raise NotFoundError(
            f"reading the utilisation of {conn_id!r}",
            got="no inventory of it in the run",
            expected="one: it tells which components there are",
            state="nothing was asked",
            remedy="take the inventory first (heavylift inventory SPEC, or the task take_inventory)",
            code="9405",
        )
    path, inventory = found
    return await store.ref_of(path), inventory, await read_components(store, inventory.components)


def _read(request: UtilisationRequest, components: Sequence[Component], window: Window, tell: Tell) -> _Found:
    told = Told()
    readers = open_readers(request, told)
    try:
        wanted = [each for each in components if readers.wants(each)]
        asked = _bounded(wanted, readers, request, told)
        tell(f"{counted(len(asked), 'component')} with machines")
        reads: dict[str, list[Read]] = defaultdict(list)
        for read in readers.read(asked, components, window, told):
            if len(reads) % 50 == 0 and read.component not in reads:
                tell(f"use of {counted(len(reads), 'component')} read")
            reads[read.component].append(read.fitted())
        return _Found(len(wanted), tuple(asked), dict(reads), told, readers.requests)
    finally:
        readers.close()


def _bounded(
    wanted: Sequence[Component], readers: Readers, request: UtilisationRequest, told: Told
) -> list[Component]:
    """Return what is asked for: of jobs the newest, of all else the first by id."""
    jobs = [each for each in wanted if readers.is_job(each)]
    jobs.sort(key=lambda each: (each.created_at or each.last_used_at, each.id), reverse=True)
    others = sorted((each for each in wanted if not readers.is_job(each)), key=lambda each: each.id)
    bounds = request.bounds
    left_out = [*others[bounds.components :], *jobs[bounds.jobs :]]
    if left_out:
        told.note(
            "too_many", "components", f"more than {bounds.components} components or {bounds.jobs} jobs",
            "raise assess.utilisation.max_components or max_jobs",
            components=[each.id for each in left_out],
        )  # fmt: skip
    return [*others[: bounds.components], *jobs[: bounds.jobs]]


async def _keep(
    store: EvidenceStore,
    request: UtilisationRequest,
    source: tuple[EvidenceRef, InventoryRecord],
    window: Window,
    found: _Found,
    began: float,
) -> tuple[UtilisationRecord, EvidenceRef]:
    path_of = partial(utilisation_path, request.run, request.connection.conn_id)
    attempt = f"{utc_now():%Y%m%dT%H%M%S%f}"
    by_id = {each.id: each for each in found.asked}
    kept = [
        await _component(store, request, attempt, _whose(name, by_id), name, found.reads[name])
        for name in sorted(found.reads)
    ]
    with_values = {_whose(each.component, by_id).id for each in kept}
    silent = sorted(each.id for each in found.asked if each.id not in with_values)
    unexplained = [each for each in silent if each not in found.told.named]
    if unexplained:
        found.told.note(
            "no_values", "components", "their monitoring has no value of the time",
            "none, where they were switched off; else look whether their metrics are published",
            components=unexplained,
        )  # fmt: skip
    record = UtilisationRecord(
        run=request.run,
        platform=request.platform,
        connection=request.connection.conn_id,
        inventory=source[0],
        start=utc(window.start),
        end=utc(window.end),
        resolution_seconds=window.step,
        wanted=found.wanted,
        with_values=len(with_values),
        without_values=len(silent),
        not_asked=found.wanted - len(found.asked),
        components=tuple(kept),
        findings=found.told.findings,
        complete=not found.told.refused,
        statement=_statement(found, len(with_values), window),
        requests=found.requests,
        seconds=round(time.monotonic() - began, 3),
    )
    _, ref = await write_next(store, path_of, record)
    return record, ref


def _whose(name: str, by_id: Mapping[str, Component]) -> Component:
    """Return the component of a series; a part of one has its name after a ``#``."""
    return by_id.get(name) or by_id[name.rpartition("#")[0]]


async def _component(
    store: EvidenceStore,
    request: UtilisationRequest,
    attempt: str,
    component: Component,
    name: str,
    reads: Sequence[Read],
) -> ComponentUse:
    ordered = sorted(reads, key=lambda read: USES.index(read.use))
    path = series_path(request.run, request.connection.conn_id, attempt, name)
    part = name.removeprefix(component.id).lstrip("#")
    return ComponentUse(
        component=name,
        name=f"{component.name} {part}".rstrip(),
        kind=component.kind.value,
        native_type=component.native_type,
        instance_type=next((read.instance_type for read in ordered if read.instance_type), ""),
        series=tuple(figures_of(read) for read in ordered),
        file=await store.write_bytes(path, parquet_of(ordered), PARQUET),
    )


def _statement(found: _Found, with_values: int, window: Window) -> str:
    days = (window.end - window.start) / 86_400
    return (
        f"{with_values:,} of {counted(found.wanted, 'component')} with machines have values of the last"
        f" {days:g} days"
    )
