"""Making a plan: exactly what will be deleted, what stays and why, and what people have to do themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from heavylift.decommission import tables
from heavylift.decommission.kept import rule_of, rules_for
from heavylift.decommission.life import note
from heavylift.decommission.proofs import database_proof
from heavylift.decommission.requests import LeavingRequest, Tell, silent
from heavylift.decommission.survey import survey_dataset
from heavylift.errors import AlreadyExistsError, ConflictError, IncompleteError
from heavylift.evidence.base import EvidenceRef
from heavylift.evidence.decommission_evidence import PlanLife, latest_life
from heavylift.evidence.decommission_records import (
    DecommissionPlan,
    LeftOut,
    PlannedDatabase,
    PlannedObjects,
    PlannedStream,
    UnusedRecord,
    plan_path,
)
from heavylift.evidence.records import utc_now
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.wording import enumeration
from heavylift.spec.resolve import resolve_datasets
from heavylift.spec.sections_data import Database, DatabaseEngine

_BY_PEOPLE = (
    ("registries", "registry", "its server, its database and its artifacts are deleted by its owner"),
    ("feature_stores", "feature-store", "deleted by its owner, with the product's own tools"),
    ("models", "model", "versions that lie in datasets go with these; endpoints and packages by their owner"),
    ("endpoints", "endpoint", "shut down by its owner, with the product's own tools"),
    ("pipelines", "pipeline", "deleted by its owner; its definition costs nothing"),
)
_NOT_PROVED = (
    "backups, snapshots, replicas and archives of the provider or of the owner are not looked for or deleted",
    "nothing is claimed of the media: what was deleted is not overwritten by Heavylift",
)
_NO_TABLE = "no table of its own by this name: a partition, or gone"
_OF_DATABASES = (
    "dropped tables stay in base backups, in the write-ahead log and its archive, and on standbys that lag,"
    " until their own retention ends"
)


async def make_plan(request: LeavingRequest, unused: Kept[UnusedRecord], tell: Tell = silent) -> PlanLife:
    """List what can be deleted, and keep it as a plan of its own number; changes nothing on the source.

    A plan that is under way is returned as it is, to the run that made it.

    :param unused: what this run has seen of the source's use.
    :raises IncompleteError: somebody still uses the source.
    :raises ConflictError: another run's plan is under way.
    """
    life = await latest_life(request.store, request.spec.migration)
    if life is not None and life.under_way:
        if life.plan.record.run == request.run:
            return life
        raise _under_way(request, life)
    _demand_unused(request, unused.record)
    number = life.number + 1 if life else 1
    with TemporaryDirectory(prefix="heavylift-") as folder:
        surveyed = []
        for dataset in resolve_datasets(request.spec):
            tell(f"listing both sides of dataset {dataset.name}")
            surveyed.append(await survey_dataset(request, dataset, number, Path(folder)))
    databases, left = await _databases(request, tell)
    streams, kept_topics = await _streams(request, tell)
    left += kept_topics
    if not databases and not streams and not any(each.planned.versions for each in surveyed):
        raise _nothing(request)
    plan = DecommissionPlan(
        migration=request.spec.migration,
        number=number,
        run=request.run,
        owner=request.section.owner,
        grace_seconds=request.section.grace,
        unused=unused.ref,
        datasets=tuple(each.planned for each in surveyed),
        databases=databases,
        streams=streams,
        retained=tuple(each for one in surveyed for each in one.left) + tuple(left),
        by_people=tuple(_by_people(request)),
        not_proved=tuple(_not_proved([each.planned for each in surveyed], databases)),
    )
    return PlanLife(Kept(await _keep(request, plan), plan))


async def _keep(request: LeavingRequest, plan: DecommissionPlan) -> EvidenceRef:
    try:
        ref = await request.store.write_json(plan_path(plan.migration, plan.number), plan)
    except AlreadyExistsError as error:
        raise ConflictError(
            f"planning to give up the source of {plan.migration}",
            got=f"another plan {plan.number}, made at the same moment",
            expected="one at a time",
            state="nothing was changed",
            remedy="run again",
            code="9325",
        ) from error
    await note(request, "decommission.planned", (ref, plan.unused), {"plan": plan.number})
    return ref


async def _streams(request: LeavingRequest, tell: Tell) -> tuple[tuple[PlannedStream, ...], list[LeftOut]]:
    from heavylift.decommission.topics import survey_stream

    planned, left = [], []
    for stream in request.spec.streams:
        tell(f"looking at the topics of stream {stream.name}")
        found, stays = await survey_stream(request, stream)
        left += stays
        planned += [found] if found else []
    return tuple(planned), left


async def _databases(
    request: LeavingRequest, tell: Tell
) -> tuple[tuple[PlannedDatabase, ...], list[LeftOut]]:
    planned, left = [], []
    for database in request.spec.databases:
        if database.source.engine is not DatabaseEngine.POSTGRESQL:
            continue
        tell(f"counting and digesting tables of database {database.name}")
        found, stays = await _database(request, database)
        left += stays
        planned += [found] if found.tables else []
    return tuple(planned), left


async def _database(request: LeavingRequest, database: Database) -> tuple[PlannedDatabase, list[LeftOut]]:
    """Plan the tables that were proved equal when the database was switched; all others stay."""
    connection = request.connections(database.source.connection)
    proof = await database_proof(request.store, request.spec.migration, database.name)
    proved = [each.table for each in proof.record.tables] if proof else []
    rules = rules_for(request.section.keep, f"database/{database.name}", utc_now().date())
    kept = {name: rule for name in proved if (rule := rule_of(rules, name))}
    wanted = [name for name in proved if name not in kept]
    found = await asyncio.to_thread(tables.survey, database.name, connection, wanted)
    left = [_left(database.name, name, rule.reason, rule.until) for name, rule in kept.items()]
    missing = sorted(set(wanted) - {table.full_name for table in found.tables})
    left += [_left(database.name, name, _NO_TABLE) for name in missing]
    hanging = await asyncio.to_thread(tables.dependents, connection, [table.oid for table in found.tables])
    if hanging:
        # A view would go on reading a table that was set aside, and no drop may take it along.
        reason = f"others depend on tables of this database: {enumeration(hanging, 5)}; drop these first"
        left += [_left(database.name, table.full_name, reason) for table in found.tables]
        found = found.model_copy(update={"tables": ()})
    return found, left


def _left(database: str, name: str, reason: str, until: str = "") -> LeftOut:
    return LeftOut(component=f"database/{database}", what=f"table {name}", reason=reason, until=until)


def _demand_unused(request: LeavingRequest, unused: UnusedRecord) -> None:
    if not unused.open_items:
        return
    named = [f"{each.item} {each.subject}".strip() + f": {each.detail}" for each in unused.open_items]
    raise IncompleteError(
        f"planning to give up the source of {request.spec.migration}",
        got=enumeration(named, 5),
        expected="a cutover that is final, and a source that nobody uses any more",
        state="no plan was made, nothing was changed",
        remedy="mend what is named; heavylift decommission status tells it item by item",
        code="9310",
    )


def _nothing(request: LeavingRequest) -> IncompleteError:
    return IncompleteError(
        f"planning to give up the source of {request.spec.migration}",
        got="no object, no table and no topic that may be deleted",
        expected="some that the target has, and that no rule keeps",
        state="no plan was made, nothing was changed",
        remedy="look at decommission.keep, and at what the target has: heavylift objects diff",
        code="9327",
    )


def _under_way(request: LeavingRequest, life: PlanLife) -> ConflictError:
    return ConflictError(
        f"planning to give up the source of {request.spec.migration}",
        got=f"plan {life.number}, which is {life.state}",
        expected="no plan under way",
        state="nothing was changed",
        remedy="end it first: heavylift decommission restore, or delete",
        code="9326",
    )


def _by_people(request: LeavingRequest) -> Iterator[LeftOut]:
    for section, kind, reason in _BY_PEOPLE:
        for each in getattr(request.spec, section):
            yield LeftOut(component=f"{kind}/{each.name}", what=each.name, reason=reason)
    for database in request.spec.databases:
        if database.source.engine is not DatabaseEngine.POSTGRESQL:
            engine, tables = database.source.engine.value, enumeration(list(database.tables), 5)
            reason = (
                f"tables of {engine} ({tables}) are dropped by their owner with DROP TABLE, once this plan is"
                " carried out; until then the fence keeps writers away"
            )
            yield LeftOut(component=f"database/{database.name}", what=database.name, reason=reason)
    if request.spec.secrets is not None:
        reason = "secrets on the source are revoked and deleted by people, once nothing there needs them"
        yield LeftOut(component="secrets", what="secrets that were copied", reason=reason)
    for what in ("instances, networks, images and other infrastructure", "identities, roles and keys"):
        reason = "deleted with what made them; Heavylift made none of it"
        yield LeftOut(component="infrastructure", what=what, reason=reason)


def _not_proved(datasets: list[PlannedObjects], databases: tuple[PlannedDatabase, ...]) -> Iterator[str]:
    yield from _NOT_PROVED
    if databases:
        yield _OF_DATABASES
    for dataset in datasets:
        if dataset.kept_seconds is None or dataset.kept_seconds:
            yield f"dataset {dataset.dataset}: {dataset.kept_detail}"
        for setting in dataset.settings:
            if "unknown" in setting or setting.startswith("retention"):
                yield f"dataset {dataset.dataset}: {setting}"
