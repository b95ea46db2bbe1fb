"""One dataset's move through a transfer service: start or find it, look at it, take down its end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heavylift.errors import AlreadyExistsError, IncompleteError
from heavylift.evidence.numbered import latest_number, write_next
from heavylift.evidence.paths import manifest_path, plan_path, shard_result_path
from heavylift.evidence.records import EvidenceRef, Failure, PlanRecord, ShardResult, Tally, utc_now
from heavylift.evidence.run_evidence import is_complete, read_dataset
from heavylift.evidence.services import (
    ServiceEndRecord,
    ServiceRunRecord,
    service_end_path,
    service_run_path,
)
from heavylift.evidence.store import PARQUET, EvidenceStore
from heavylift.objects.claims import claim_attempt
from heavylift.objects.manifest import MANIFEST, PlanRow, read_plan_shard
from heavylift.objects.requests import TransferRequest
from heavylift.objects.row_files import write_rows
from heavylift.objects.services.datasync import check_limits
from heavylift.objects.services.orders import order_name, remove_manifest, upload_manifest, write_keys
from heavylift.objects.services.ports import ServiceOrder, ServiceState, ServiceStatus, TransferService
from heavylift.objects.services.split import SERVICE_SHARD
from heavylift.objects.sessions import evidence_of
from heavylift.spec.vocabulary import Via

MOST_ERRORS = 20


@dataclass(frozen=True)
class StartedRun:
    """A run of a service that is under way, or has ended and not been taken down yet.

    :param number: its number among the dataset's runs of this service, from 1.
    """

    number: int
    record: ServiceRunRecord


async def begin_service_run(request: TransferRequest, service: TransferService) -> StartedRun | None:
    """Hand the service's part of the plan to ``service``; return None where there is none.

    Idempotent: a run that was started and whose end is not in evidence is taken up again; so is
    one that was started just before a crash, because the job's name is derived from the run.

    :raises HeavyliftError: the service refuses; nothing was started.
    """
    async with evidence_of(request) as evidence:
        number, open_record = await latest_open_run(evidence, request)
        if open_record is not None:
            return StartedRun(number, open_record)
        async with service_rows(request, evidence) as (rows, work):
            if not rows:
                return None
            if request.options.via is Via.DATASYNC:
                prefixes = (request.source.location.prefix, request.target.location.prefix)
                check_limits((row.rel for row in rows), *prefixes)
            order = await _order(request, evidence, rows, work)
            handle = await asyncio.to_thread(service.start, order)
        record = ServiceRunRecord(
            run=request.run,
            dataset=request.dataset,
            service=service.name,
            job=order.name,
            handle=handle,
            manifest=order.manifest,
            planned=order.planned,
        )
        number, _ref = await write_next(
            evidence, lambda n: service_run_path(request.run, request.dataset, n), record
        )
        return StartedRun(number, record)


async def finish_service_run(
    request: TransferRequest,
    service: TransferService | None,
    started: StartedRun,
    status: ServiceStatus,
    attempt: int,
) -> ShardResult:
    """Take down how the run ended: its end, the shard's result and what was handed over.

    Nothing here is a proof: the verification lists and compares both sides afresh.

    :param service: where the job is removed after a complete run; None for a program that ran here.
    :param status: of a run that has ended.
    :raises IncompleteError: the service did not move all it was handed; it says why.
    """
    async with evidence_of(request) as evidence, service_rows(request, evidence) as (rows, work):
        number = await claim_attempt(evidence, request.run, request.dataset, SERVICE_SHARD, attempt)
        result = shard_result(request, started.record, status, number)
        complete = not result.failed.objects and not result.left.objects
        if complete:
            ref = await _keep_handed_over(evidence, request, rows, number, work)
            result = result.model_copy(update={"manifests": (ref,)})
        path = shard_result_path(request.run, request.dataset, SERVICE_SHARD, number)
        await evidence.write_json(path, result)
        await _keep_end(evidence, request, started, status)
    if not complete:
        raise _incomplete(request, started.record, status, result, path)
    await _tidy(request, service, started.record)
    return result


async def finished_result(request: TransferRequest, service: TransferService | None) -> ShardResult | None:
    """Return the service's result where an earlier attempt of this run got all there; else None.

    What that attempt may not have come to, removing the job and the list of keys, is done again.
    """
    async with evidence_of(request) as evidence:
        kept = (await read_dataset(evidence, request.run, request.dataset)).shards.get(SERVICE_SHARD)
        if kept is None or not is_complete(kept.record):
            return None
        number = await latest_number(evidence, lambda n: service_run_path(request.run, request.dataset, n))
        path = service_run_path(request.run, request.dataset, number)
        record = await evidence.read_record(path, ServiceRunRecord)
    await _tidy(request, service, record)
    return kept.record


async def _tidy(request: TransferRequest, service: TransferService | None, record: ServiceRunRecord) -> None:
    if service is not None:
        await asyncio.to_thread(service.tidy, record.job)
        await remove_manifest(request, record.manifest)


@asynccontextmanager
async def service_rows(
    request: TransferRequest, evidence: EvidenceStore
) -> AsyncIterator[tuple[list[PlanRow], Path]]:
    """Yield the rows of the plan that are the service's, and a folder to work in."""
    plan = await evidence.read_record(plan_path(request.run, request.dataset), PlanRecord)
    with tempfile.TemporaryDirectory(prefix="heavylift-service-") as folder:
        work = Path(folder)
        if plan.rows is None or all(shard.index != SERVICE_SHARD for shard in plan.shards):
            yield [], work
            return
        await evidence.fetch(plan.rows.path, work / "plan.parquet")
        yield read_plan_shard(work / "plan.parquet", SERVICE_SHARD), work


async def latest_open_run(
    evidence: EvidenceStore, request: TransferRequest
) -> tuple[int, ServiceRunRecord | None]:
    """Return the last run's number, and its record where its end is not in evidence."""
    run, dataset = request.run, request.dataset
    number = await latest_number(evidence, lambda n: service_run_path(run, dataset, n))
    if not number or await evidence.exists(service_end_path(run, dataset, number)):
        return number, None
    return number, await evidence.read_record(service_run_path(run, dataset, number), ServiceRunRecord)


async def _order(
    request: TransferRequest, evidence: EvidenceStore, rows: list[PlanRow], work: Path
) -> ServiceOrder:
    keys = work / "keys.csv"
    write_keys(keys, (row.rel for row in rows))
    manifest = await upload_manifest(request, order_name(request), keys)
    return order_for(request, rows, manifest, settled=frozenset(await _settled(evidence, request)))


def order_for(
    request: TransferRequest,
    rows: list[PlanRow],
    manifest: str,
    *,
    settled: frozenset[str] = frozenset(),
) -> ServiceOrder:
    """Return the order for ``rows``, whose keys are listed at ``manifest``."""
    return ServiceOrder(
        name=order_name(request),
        source=request.source,
        target=request.target,
        manifest=manifest,
        planned=Tally(objects=len(rows), size_bytes=sum(row.size_bytes for row in rows)),
        replaces=any(row.action == "replace" for row in rows),
        options=request.options.service,
        keep_tags=request.options.metadata.tags,
        max_bandwidth=request.options.limits.max_bandwidth,
        settled=settled,
    )


async def _settled(evidence: EvidenceStore, request: TransferRequest) -> list[str]:
    run, dataset = request.run, request.dataset
    last = await latest_number(evidence, lambda n: service_run_path(run, dataset, n))
    return [
        (await evidence.read_record(service_run_path(run, dataset, n), ServiceRunRecord)).handle
        for n in range(1, last + 1)
    ]


def shard_result(
    request: TransferRequest, record: ServiceRunRecord, status: ServiceStatus, attempt: int
) -> ShardResult:
    """Return the service's counters as the result of its shard; they always add up to the plan's.

    What the service does not account for is ``left``, so that silence is never taken for success.
    """
    planned = record.planned
    unchanged = _at_most(status.skipped, planned)
    failed = _at_most(status.failed, _minus(planned, unchanged))
    rest = _minus(_minus(planned, unchanged), failed)
    all_there = status.state is ServiceState.SUCCEEDED and status.copied.objects >= rest.objects
    # Services count bytes in their own way (decoded, or with retries): complete is judged by objects.
    moved = rest if all_there else _at_most(status.copied, rest)
    left = _minus(rest, moved)
    failures = tuple(
        Failure(key=error.sample or error.code, error={"code": error.code, "count": error.count})
        for error in status.errors[:MOST_ERRORS]
    )
    return ShardResult(
        run=request.run,
        dataset=request.dataset,
        shard=SERVICE_SHARD,
        attempt=attempt,
        started_at=record.started_at,
        ended_at=utc_now(),
        found=planned,
        moved=moved,
        unchanged=unchanged,
        failed=failed,
        left=left,
        failures=failures,
    )


def _at_most(tally: Tally, most: Tally) -> Tally:
    objects = min(tally.objects, most.objects)
    if objects == most.objects:
        return most
    return Tally(objects=objects, size_bytes=min(tally.size_bytes, most.size_bytes))


def _minus(one: Tally, other: Tally) -> Tally:
    return Tally(objects=one.objects - other.objects, size_bytes=one.size_bytes - other.size_bytes)


async def _keep_handed_over(
    evidence: EvidenceStore, request: TransferRequest, rows: list[PlanRow], attempt: int, work: Path
) -> EvidenceRef:
    """Keep which objects the service says it moved, so that their attributes are compared.

    No row has a target version: only the verification can say that an object there is ours.
    """
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in MANIFEST}
    for name in ("rel", "size_bytes", "source_version"):
        columns[name] = [getattr(row, name) for row in rows]
    columns["outcome"] = ["moved"] * len(rows)
    columns["source_proof"] = columns["target_proof"] = ["none"] * len(rows)
    path = work / "handed-over.parquet"
    write_rows(path, MANIFEST, list(columns.values()))
    name = manifest_path(request.run, request.dataset, SERVICE_SHARD, attempt, 0)
    return await evidence.write_file(name, path, PARQUET)


async def _keep_end(
    evidence: EvidenceStore, request: TransferRequest, started: StartedRun, status: ServiceStatus
) -> None:
    end = ServiceEndRecord(
        run=request.run,
        dataset=request.dataset,
        service=started.record.service,
        handle=started.record.handle,
        state=status.state.value,
        copied=status.copied,
        skipped=status.skipped,
        failed=status.failed,
        errors=tuple(f"{e.code}: {e.count}: {e.sample}" for e in status.errors[:MOST_ERRORS]),
    )
    try:
        await evidence.write_json(service_end_path(request.run, request.dataset, started.number), end)
    except AlreadyExistsError:
        # An attempt that was killed just after this had written the same end.
        return


def _incomplete(
    request: TransferRequest,
    record: ServiceRunRecord,
    status: ServiceStatus,
    result: ShardResult,
    path: str,
) -> IncompleteError:
    told = "; ".join(f"{e.count:,} x {e.code} ({e.sample})" for e in status.errors[:3])
    return IncompleteError(
        f"move of dataset {request.dataset!r} by {record.service}",
        got=f"{status.state.value}: {result.failed.objects} objects failed,"
        f" {result.left.objects} not accounted for{': ' + told if told else ''}",
        expected=f"all {result.found.objects} objects of job {record.job} on the target",
        state=f"{result.moved.objects + result.unchanged.objects} objects are there by the service's own"
        f" count; nothing is proved yet; the result is in evidence {path}",
        remedy="mend what the service names, then clear this task: the job is run again, and skips what"
        " is there",
        code="5521",
    )
