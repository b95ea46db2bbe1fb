"""Moves a registry through the public interfaces of both servers, and keeps it up to date.

Everything is found again by the tags that it was made with, so a run that was killed leaves nothing that the
next one would make twice, and a run that finds nothing new sends nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from heavylift.errors import ServerUnavailableError
from heavylift.evidence.records import Finding, Severity
from heavylift.evidence.registry_records import (
    RegistryIdMap,
    RegistryKept,
    RegistryMoveRecord,
    RegistryPreflightRecord,
    RegistryTable,
)
from heavylift.registry.interface.artifacts import Artifacts
from heavylift.registry.interface.both_ways import see_both_ways
from heavylift.registry.interface.context import Context, Maps, Tally, gather
from heavylift.registry.interface.evaluation import EvaluationDatasets
from heavylift.registry.interface.experiments import SORT as EXPERIMENTS
from heavylift.registry.interface.experiments import Experiments, any_ours, put_to_rest
from heavylift.registry.interface.filling import GROUPS_AT_ONCE, Filling, ModelPoints
from heavylift.registry.interface.logged import LoggedModels
from heavylift.registry.interface.losses import KEPT_AS_TAGS, note_hidden
from heavylift.registry.interface.merging import Policy
from heavylift.registry.interface.names import Provenance
from heavylift.registry.interface.others import Scorers, Webhooks
from heavylift.registry.interface.refusals import demand_deletes_fit, demand_two, not_copied
from heavylift.registry.interface.registered import RegisteredModels
from heavylift.registry.interface.runs import Runs
from heavylift.registry.interface.server import WritingServer
from heavylift.registry.interface.traces import Traces
from heavylift.registry.paths import choose_path
from heavylift.registry.rest.client import TrackingServer, server_url
from heavylift.registry.selection import left_out, selected_of
from heavylift.registry.unaccepted import losses_not_accepted
from heavylift.registry.work import Work
from heavylift.spec.sections_data import OnNameConflict
from heavylift.spec.vocabulary import Deletes

if TYPE_CHECKING:
    from heavylift.registry.requests import RegistryRequest

Act = Literal["copy", "sync"]
_NAME_TAKEN = frozenset({"HL-7161", "HL-7162"})
_KEPT = tuple(RegistryKept(what=what, fields=fields) for what, fields in KEPT_AS_TAGS)


async def look_ahead(request: RegistryRequest, work: Work) -> RegistryPreflightRecord:
    """Go through the whole move and write nothing: what would be done, what is lost, what stands in the way.

    Histories are read, and points counted, only for a dry run.
    """
    reason = choose_path(request).reason
    looking = replace(request, options=replace(request.options, dry_run=True))
    async with _opened(looking, work, "copy", histories=request.options.dry_run) as context:
        copied = await any_ours(context)
        await _run(context)
        left = tuple(_left_out(context))
        version = await _version(context.source), await _version(context.target)
    findings = (*left, *_findings(request, context.tally))
    passed = not any(each.severity is Severity.BLOCKER for each in findings)
    return RegistryPreflightRecord(
        run=request.run,
        registry=request.registry,
        source=server_url(request.source.connection),
        target=server_url(request.target.connection),
        source_version=version[0],
        target_version=version[1],
        path="api" if passed else "",
        path_reason=reason,
        sorts=sorts(context.tally),
        kept_as_tags=_KEPT,
        losses=context.tally.losses(),
        uris=request.options.uris.pairs,
        findings=findings,
        copied=copied,
        passed=passed,
    )


async def has_begun(request: RegistryRequest) -> bool:
    """Tell whether the target has anything that this migration made there."""
    async with _opened(request, Work(), "sync", histories=False) as context:
        return await any_ours(context)


async def move_interface(
    request: RegistryRequest, work: Work, act: Act
) -> tuple[RegistryMoveRecord, RegistryIdMap]:
    """Copy everything, or bring what was copied up to date; return what was done, and the map of ids.

    :raises NotFoundError: a sync before a copy.
    """
    began, moment = time.monotonic(), datetime.now(UTC)
    choose_path(request)
    demand_deletes_fit(request)
    async with _opened(request, work, act) as context:
        if act == "sync" and not await any_ours(context):
            raise not_copied(request)
        await _run(context)
        version = await _version(context.target)
    tally = context.tally
    record = RegistryMoveRecord(
        run=request.run,
        registry=request.registry,
        act=act,
        path="api",
        source=server_url(request.source.connection),
        target=server_url(request.target.connection),
        store_version=version,
        source_moment=moment,
        tables=sorts(tally),
        rows=tally.count("found"),
        inserted=tally.count("created"),
        updated=tally.count("changed"),
        deleted=tally.count("deleted"),
        kept=tally.count("kept"),
        written=context.target.sent.total() if not request.options.dry_run else 0,
        uris=request.options.uris.pairs,
        kept_as_tags=_KEPT,
        losses=tally.losses(),
        failures=tuple(tally.failures),
        failure_count=tally.failure_count,
        fallbacks=tuple(sorted(tally.fallbacks)),
        findings=(*_left_out(context), *_not_looked_at(context)),
        passed=_passed(tally, accept=request.options.accept_losses),
        dry_run=request.options.dry_run,
        seconds=time.monotonic() - began,
    )
    return record, _id_map(request, context.maps)


def _left_out(context: Context) -> Iterator[Finding]:
    """Yield how much stays behind because it was not chosen."""
    selected = context.source.selected
    if selected is not None:
        yield left_out(len(selected.others), len(selected.models))


def _not_looked_at(context: Context) -> Iterator[Finding]:
    """Yield what a sync leaves to a copy: no server tells when a file was written; each costs its bytes."""
    left = context.artifacts.not_looked_at if context.artifacts is not None else 0
    if left:
        yield Finding(
            rule="files-not-looked-at",
            severity=Severity.NOTE,
            subject="artifacts",
            detail=f"files of {left:,} runs and logged models that had ended before were not looked at: what"
            " was written over there since does not come with a sync through the servers",
            remedy="heavylift registry copy looks at all of them, and verify tells what differs",
        )
    if context.links_not_looked_at:
        yield Finding(
            rule="links-not-looked-at",
            severity=Severity.NOTE,
            subject="links of traces",
            detail=f"traces that were linked since to {context.links_not_looked_at:,} runs that had ended"
            " before were not looked for: each costs a search",
            remedy="heavylift registry copy looks for all of them, and verify tells what differs",
        )


def _passed(tally: Tally, *, accept: bool) -> bool:
    return not tally.failure_count and (accept or not _loses(tally))


def _loses(tally: Tally) -> bool:
    return any(tally.lost_counts.values())


@asynccontextmanager
async def _opened(
    request: RegistryRequest, work: Work, act: Act, *, histories: bool = True
) -> AsyncIterator[Context]:
    options = request.options
    demand_two(request)
    source = TrackingServer(request.source.connection, options.parallel)
    source.selected = selected_of(options.selection)
    target = WritingServer(request.target.connection, options.parallel, writes=not options.dry_run)
    try:
        context = Context(
            source=source,
            target=target,
            provenance=Provenance(request.id),
            policy=Policy(options.deletes is Deletes.PROPAGATE, options.overwrite),
            uris=options.uris,
            map_names=options.on_name_conflict is OnNameConflict.MAP,
            parallel=options.parallel,
            work=work,
            full=act == "copy" and histories,
            histories=histories,
        )
        if options.artifacts and histories:
            places = request.source.artifacts, request.target.artifacts
            context.artifacts = Artifacts(context, *places)
        await see_both_ways(request, context)
        yield context
    finally:
        await source.close()
        await target.close()


async def _run(context: Context) -> None:
    await note_hidden(context)
    experiments = Experiments(context)
    await experiments.move()
    of_runs = [Runs(context, each) for each in experiments.found]
    points: ModelPoints = {}
    for runs in of_runs:
        context.tell(f"making runs of experiment {runs.experiment.id}")
        await _make(runs)
    for runs in of_runs:
        await LoggedModels(context, runs, points).move()
    # What waits for the source, for the target and for the object stores need not wait for each other.
    await gather([_fill(context, of_runs, points), _artifacts(context)])
    await RegisteredModels(context).move()
    await EvaluationDatasets(context).move()
    for runs in of_runs:
        await _close(context, runs)
    # Last, so that they do not tell anybody of what was written here.
    await Webhooks(context).move()


async def _make(runs: Runs) -> None:
    try:
        await runs.make()
    except ServerUnavailableError as error:
        raise ServerUnavailableError(
            f"moving the runs of experiment {runs.experiment.id}",
            got=f"{error.what}: {error.got}",
            expected="an answer",
            state="what was written stays, and another run goes on from there",
            remedy="run it again; where it stays so, a row of this experiment is one that the server itself"
            " cannot read (a text where a number belongs, text that is not UTF-8): its log says why; mend"
            " the row, or move at store level, where all such rows are named",
            code="9558",
        ) from error


async def _fill(context: Context, of_runs: Sequence[Runs], points: ModelPoints) -> None:
    """Fill the runs of all experiments, two experiments at once: while one is written the other is read."""
    turns = asyncio.Semaphore(GROUPS_AT_ONCE)
    waiting = iter(enumerate(of_runs))

    async def worker() -> None:
        for number, runs in waiting:
            context.tell(f"experiment {runs.experiment.id}", number, len(of_runs))
            filling = Filling(context, runs, points, turns)
            await filling.run()
            await Traces(context, runs).move(filling.looked_at)
            await Scorers(context, runs).move()

    await gather(worker() for _ in range(min(GROUPS_AT_ONCE, len(of_runs))))


async def _artifacts(context: Context) -> None:
    if context.artifacts is not None:
        await context.artifacts.from_store_to_store()


async def _close(context: Context, runs: Runs) -> None:
    """Delete and restore what is deleted and restored on the source."""
    if runs.experiment.gone and not runs.experiment.deleted:
        await put_to_rest(context, runs.experiment)
        if not runs.experiment.fresh and not runs.experiment.woken:
            context.tally.changed(EXPERIMENTS)
        for state in runs.states.values():
            state.deleted = True
    await runs.settle()


def counted_record(tally: Tally, **told: Any) -> RegistryMoveRecord:
    """Return the record of a move that is counted by sorts of things; ``told`` are its other fields."""
    return RegistryMoveRecord(
        store_version="",
        tables=sorts(tally),
        rows=tally.count("found"),
        inserted=tally.count("created"),
        updated=tally.count("changed"),
        deleted=0,
        kept=tally.count("kept"),
        failures=tuple(tally.failures),
        failure_count=tally.failure_count,
        passed=not tally.failure_count,
        **told,
    )


def sorts(tally: Tally) -> tuple[RegistryTable, ...]:
    """Return what became of each sort of things."""
    found = []
    for sort, count in tally.sorts.items():
        changed = count["changed"] or count["deleted"]
        action: Literal["copied", "changed", "unchanged"] = "changed" if changed else "unchanged"
        if count["created"]:
            action = "copied"
        found.append(
            RegistryTable(
                table=sort,
                action=action,
                rows=count["found"],
                inserted=count["created"],
                updated=count["changed"],
                deleted=count["deleted"],
                kept=count["kept"],
            )
        )
    return tuple(found)


def _findings(request: RegistryRequest, tally: Tally) -> list[Finding]:
    found = []
    if _loses(tally) and request.options.losses_block and not request.options.accept_losses:
        found.append(losses_not_accepted(each for each in tally.losses() if each.count))
    return [*found, *findings_of_failures(tally)]


def findings_of_failures(tally: Tally) -> list[Finding]:
    """Return what a look ahead was refused, and what answers it did without."""
    found = []
    for each in tally.failures:
        taken = each.code in _NAME_TAKEN
        found.append(
            Finding(
                rule="name-taken" if taken else "not-moved",
                severity=Severity.BLOCKER if taken else Severity.WARNING,
                subject=each.id,
                detail=f"{each.what} {each.id!r}: {each.reason}",
                remedy="free the name, or say --on-name-conflict map" if taken else "see the reason",
            )
        )
    found += [
        Finding(rule="route-absent", severity=Severity.WARNING, subject="server", detail=each)
        for each in sorted(tally.fallbacks)
    ]
    return found


async def _version(server: TrackingServer) -> str:
    return await server.text("version")


def _id_map(request: RegistryRequest, maps: Maps) -> RegistryIdMap:
    return RegistryIdMap(
        run=request.run,
        registry=request.registry,
        experiments=maps.experiments,
        runs=maps.runs,
        logged_models=maps.models,
        evaluation_datasets=maps.datasets,
        registered_models=maps.names,
    )
