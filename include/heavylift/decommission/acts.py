"""What is done by a plan: make the source unusable, bring it back, delete it. Each can be run again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from heavylift.decommission import shutting, tables, topics
from heavylift.decommission.kept import rule_of, rules_for
from heavylift.decommission.life import (
    demand_consent,
    demand_grace_over,
    demand_life,
    take_step,
)
from heavylift.decommission.object_deletes import deletion_of, not_as_planned
from heavylift.decommission.requests import LeavingRequest, Tell, silent
from heavylift.errors import AlreadyExistsError, ConflictError
from heavylift.evidence.decommission_evidence import PlanLife
from heavylift.evidence.decommission_records import DroppedDatabase, PlannedDatabase, dropped_path
from heavylift.evidence.records import utc_now
from heavylift.evidence.wording import counted


@dataclass(frozen=True)
class Deletion:
    """What an attempt at the deletion did, and found done."""

    life: PlanLife
    rows_deleted: int = 0
    rows_absent: int = 0
    tables_dropped: int = 0
    tables_absent: int = 0
    topics_deleted: int = 0
    topics_absent: int = 0


async def disable(request: LeavingRequest, tell: Tell = silent) -> PlanLife:
    """Make everything that the latest plan lists unusable, and reversibly so. Idempotent.

    Tables are set aside where no query finds them; folders are renamed. What can't be shut is only watched,
    and the event says so.

    :raises IncompleteError: nobody has approved this plan.
    :raises ConflictError: the plan is past this, or a table is not as planned.
    """
    life = await demand_life(request)
    if life.state == "disabled":
        return life
    await demand_consent(request, life, "disable")
    life = await take_step(request, life, "disabling")
    detail, changes, scans = [], {}, {}
    for database in life.plan.record.databases:
        connection = request.connections(database.connection)
        moved = await asyncio.to_thread(tables.set_aside, connection, request.spec.migration, database)
        for oid, (seen, wrote) in (await asyncio.to_thread(tables.counters, connection, database)).items():
            scans[f"{database.database}/{oid}"] = seen
            changes[f"{database.database}/{oid}"] = wrote
        detail.append(f"database {database.database}: {counted(moved, 'table')} set aside by this call")
        tell(detail[-1])
    for dataset in life.plan.record.datasets:
        detail.append(await shutting.shut(request, dataset))
        tell(detail[-1])
    detail += [
        f"stream {each.stream}: {counted(len(each.topics), 'topic')} watched only: brokers set none aside"
        for each in life.plan.record.streams
    ]
    try:
        return await take_step(request, life, "disabled", detail, changes=changes, scans=scans)
    except ConflictError:
        await _undo_late(request, life)
        raise


async def _undo_late(request: LeavingRequest, life: PlanLife) -> None:
    """Take back what was done after somebody had restored the source: this attempt hung, and woke late."""
    now = await demand_life(request)
    if now.number != life.number or now.state not in ("restoring", "restored"):
        return
    for database in life.plan.record.databases:
        connection = request.connections(database.connection)
        await asyncio.to_thread(tables.bring_back, connection, request.spec.migration, database)
    for dataset in life.plan.record.datasets:
        await shutting.open_again(request, dataset)


async def restore(request: LeavingRequest, tell: Tell = silent) -> PlanLife:
    """Bring everything back that the latest plan has made unusable, until its deletion begins. Idempotent.

    :raises ConflictError: the deletion has begun, or nothing was disabled.
    """
    life = await demand_life(request)
    if life.state == "restored":
        return life
    life = await take_step(request, life, "restoring")
    detail = []
    for database in life.plan.record.databases:
        connection = request.connections(database.connection)
        moved = await asyncio.to_thread(tables.bring_back, connection, request.spec.migration, database)
        detail.append(f"database {database.database}: {counted(moved, 'table')} brought back by this call")
        tell(detail[-1])
    for dataset in life.plan.record.datasets:
        detail.append(await shutting.open_again(request, dataset))
        tell(detail[-1])
    return await take_step(request, life, "restored", detail)


async def delete(request: LeavingRequest, tell: Tell = silent) -> Deletion:
    """Delete what the latest plan lists, and nothing else. Idempotent: a killed attempt is gone on with.

    Before the first deletion everything is compared with the plan; each object is deleted by its version, and
    tables once their rows were counted and digested under a lock.

    :raises IncompleteError: nobody has approved the deletion, or the time of grace is not over.
    :raises ConflictError: something is no more as the plan lists it, or the plan's state does not allow it.
    """
    life = await demand_life(request)
    if life.state == "deleted":
        return Deletion(life)
    await demand_consent(request, life, "delete")
    demand_grace_over(request, life)
    if life.state != "deleting":
        await _demand_unchanged(request, life, tell)
        life = await take_step(request, life, "deleting")
    await _demand_free(request, life)
    done = Deletion(life)
    for dataset in life.plan.record.datasets:
        deleted, absent = await deletion_of(request, life, dataset).delete(tell)
        done = replace(done, rows_deleted=done.rows_deleted + deleted, rows_absent=done.rows_absent + absent)
    for database in life.plan.record.databases:
        dropped, gone = await _drop(request, life, database)
        tell(f"{database.database}: {counted(dropped, 'table')} dropped")
        done = replace(
            done, tables_dropped=done.tables_dropped + dropped, tables_absent=done.tables_absent + gone
        )
    for stream in life.plan.record.streams:
        dropped, gone = await topics.delete_topics(request, life, stream)
        tell(f"stream {stream.stream}: {counted(dropped, 'topic')} deleted")
        done = replace(
            done, topics_deleted=done.topics_deleted + dropped, topics_absent=done.topics_absent + gone
        )
    # Nothing of ours is left behind in the settings of a store, and what was kept is as it was before.
    detail = [await shutting.open_again(request, dataset) for dataset in life.plan.record.datasets]
    return replace(done, life=await take_step(request, life, "deleted", detail))


async def _demand_unchanged(request: LeavingRequest, life: PlanLife, tell: Tell) -> None:
    for dataset in life.plan.record.datasets:
        tell(f"comparing dataset {dataset.dataset} with the plan")
        await deletion_of(request, life, dataset).demand_unchanged()
    for database in life.plan.record.databases:
        tell(f"comparing tables of {database.database} with the plan")
        connection = request.connections(database.connection)
        await asyncio.to_thread(tables.demand_unchanged, connection, request.spec.migration, database)
    for stream in life.plan.record.streams:
        tell(f"comparing topics of {stream.stream} with the plan")
        await topics.demand_unchanged(request, stream)


async def _demand_free(request: LeavingRequest, life: PlanLife) -> None:
    """Demand that no rule which the spec has by now keeps anything that the plan lists.

    :raises ConflictError: a legal hold or a retention has come since.
    """
    today = utc_now().date()
    keep = request.section.keep
    for dataset in life.plan.record.datasets:
        await deletion_of(request, life, dataset).demand_free(
            rules_for(keep, f"dataset/{dataset.dataset}", today)
        )
    for database in life.plan.record.databases:
        rules = rules_for(keep, f"database/{database.database}", today)
        held = [table.full_name for table in database.tables if rule_of(rules, table.full_name)]
        if held:
            raise not_as_planned(f"database {database.database}", "tables that a rule keeps by now", held)
    for stream in life.plan.record.streams:
        await topics.demand_free(request, stream)


async def _drop(request: LeavingRequest, life: PlanLife, planned: PlannedDatabase) -> tuple[int, int]:
    path = dropped_path(request.spec.migration, life.number, planned.database)
    if await request.store.exists(path):
        return 0, len(planned.tables)
    connection = request.connections(planned.connection)
    dropped, gone = await asyncio.to_thread(tables.drop, connection, request.spec.migration, planned)
    record = DroppedDatabase(database=planned.database, dropped=tuple(dropped), absent=tuple(gone))
    try:
        await request.store.write_json(path, record)
    except AlreadyExistsError:
        # Another attempt at the same deletion was faster at noting it; the tables are gone either way.
        return 0, len(planned.tables)
    return len(dropped), len(gone)
