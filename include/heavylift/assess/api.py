"""What operators and commands call: make the plan of a migration from its spec and its latest inventory."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.assess.accepting import judge_findings, judge_gaps
from heavylift.assess.baselines import baselines_of
from heavylift.assess.basis import Basis, load_basis
from heavylift.assess.document import digest_of, to_document
from heavylift.assess.from_spec import constraints_of, settings_of, targets_of, with_quotas
from heavylift.assess.left_behind import Held, left_behind
from heavylift.assess.picture import graph_of
from heavylift.assess.plan import make_plan
from heavylift.assess.translate.join import Translated, translate
from heavylift.assess.translate.known import Known
from heavylift.errors import ConflictError, NotFoundError
from heavylift.evidence.assess_evidence import latest_graph, latest_inventory, read_quota_records
from heavylift.evidence.assess_input import PlanInput
from heavylift.evidence.assess_records import Plan
from heavylift.evidence.assessment_records import (
    AssessmentRecord,
    OutsideTold,
    assess_folder,
    assessment_path,
    plan_document_path,
)
from heavylift.evidence.inventory_files import read_edges, read_joined, read_outside
from heavylift.evidence.inventory_records import (
    Component,
    Edge,
    GraphRecord,
    InventoryRecord,
    OutsideReference,
)
from heavylift.evidence.numbered import latest_number, write_next, write_next_bytes
from heavylift.evidence.quota_records import QuotaRecord
from heavylift.evidence.records import MAX_LISTED, RunKey
from heavylift.evidence.run_evidence import Kept
from heavylift.evidence.store import JSON
from heavylift.spec.carried import carried_digest
from heavylift.spec.measured import utilisation_connections

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.store import EvidenceStore
    from heavylift.facts.accelerators import AcceleratorMap
    from heavylift.spec.model import MigrationSpec

MOST_WAVES = 100


@dataclass(frozen=True)
class Seen:
    """What an inventory and its graph tell, read from the evidence store."""

    inventory: InventoryRecord
    others: tuple[InventoryRecord, ...]
    graph: Kept[GraphRecord]
    components: list[Component]
    edges: list[Edge]
    outside: list[OutsideReference]
    translated: Translated
    quotas: tuple[Kept[QuotaRecord], ...] = ()


@dataclass(frozen=True)
class Planned:
    """A plan, its input and its digest."""

    given: PlanInput
    plan: Plan
    digest: str
    seen: Seen
    accelerators: AcceleratorMap


async def plan_of(
    store: EvidenceStore,
    spec: MigrationSpec,
    connection: str,
    *,
    run: RunKey | None = None,
    carried: str = "",
    facts: Path | None = None,
    prices: Path | None = None,
    beside: Path | None = None,
) -> Planned:
    """Return the plan of a spec's migration; writes nothing.

    The same inventory, spec and tables give the same plan, to the digest.

    :param carried: digest of what the spec moves, which becomes part of the plan's.
    :param facts: folder of tables, and ``prices`` file of prices, in place of what the spec names.
    :param beside: the spec's folder, where the files that it names lie.
    :param connection: whose inventory.
    :param run: only this run's inventory will do; the newest where left out.
    :raises NotFoundError: there is no inventory, or no graph of it.
    :raises SpecError: the spec has no section ``assess``, or a table of one's own cannot be used.
    """
    own = settings_of(spec).facts
    basis = load_basis(facts or _beside(own, beside), prices or _beside(spec.defaults.prices, beside))
    seen = await _see(store, spec, connection, run, basis)
    # It computes for a minute where there are very many: whoever waits must be able to stop it.
    return await asyncio.to_thread(_plan, spec, basis, seen, carried)


def _beside(name: str | None, folder: Path | None) -> Path | None:
    return None if name is None else (folder or Path()) / name


async def make_assessment(
    store: EvidenceStore,
    spec: MigrationSpec,
    connection: str,
    run: RunKey | None = None,
    *,
    whole: MigrationSpec | None = None,
    database_of: Callable[[str], str] = lambda _connection: "",
    beside: Path | None = None,
) -> tuple[AssessmentRecord, EvidenceRef]:
    """Make the plan and keep it as evidence, with its input and what stands in its way.

    Idempotency: each call adds a numbered assessment; the plan of the same inventory and spec has the same
    digest. After a call that was killed the next one makes the plan again.

    :param whole: the spec as it was loaded, where ``spec`` is what the phase sees of it: approvals of the
        plan hold for what that moves.
    :param beside: the spec's folder, where the tables that it names lie.
    :param database_of: tells the name of the database that a connection leads to.
    :param run: whose inventory is meant, and where it is kept; the newest inventory's where left out.
    :raises NotFoundError: there is no inventory, or no graph of it.
    """
    began = time.monotonic()
    whole = whole or spec
    carried = carried_digest(whole)
    planned = await plan_of(store, spec, connection, run=run, carried=carried, beside=beside)
    key = planned.seen.inventory.run
    number = 1 + await latest_number(store, lambda n: assessment_path(key, n))
    given = planned.given.model_dump_json().encode()
    _, input_ref = await write_next_bytes(
        store, lambda n: f"{assess_folder(key)}/input-{n}.json", given, JSON, known=number - 1
    )
    document = to_document(planned.plan, planned.digest)
    _, plan_ref = await write_next_bytes(
        store, lambda n: plan_document_path(key, n), document, JSON, known=number - 1
    )
    graph = planned.seen.graph.record
    inventory_ref = await store.ref_of(graph.inventory)
    record = _record(planned, spec, connection, (inventory_ref, input_ref, plan_ref))
    also = [await store.ref_of(other) for other in graph.also]
    record = _with_left(record, planned.seen, whole, database_of)
    record = record.model_copy(update={"also": tuple(also), "carried": carried})
    record = record.model_copy(update={"seconds": round(time.monotonic() - began, 3)})
    _, ref = await write_next(store, lambda n: assessment_path(key, n), record, known=number - 1)
    return record, ref


async def _see(
    store: EvidenceStore, spec: MigrationSpec, connection: str, run: RunKey | None, basis: Basis
) -> Seen:
    found = await latest_inventory(store, spec.migration, connection, run)
    graph = await latest_graph(store, spec.migration, connection, run)
    if found is None or graph is None:
        missing = "inventory" if found is None else "graph"
        raise NotFoundError(
            f"planning migration {spec.migration!r}",
            got=f"no {missing} of connection {connection!r} in the evidence store",
            expected="an inventory, and the graph of it",
            state="nothing was planned",
            remedy=f"run 'heavylift {missing} SPEC' first, with the same --evidence",
            code="6921",
        )
    path, inventory = found
    if graph.record.inventory != path:
        raise ConflictError(
            f"planning migration {spec.migration!r}",
            got=f"a graph of the inventory {graph.record.inventory}",
            expected=f"one of the newest, {path}",
            state="nothing was planned",
            remedy="run 'heavylift graph SPEC' again",
            code="6922",
        )
    settings = settings_of(spec)
    others = await _others(store, spec, graph.record, run)
    components = await read_joined(store, (inventory, *others))
    edges = await read_edges(store, graph.record.edge_rows)
    outside = await read_outside(store, graph.record.outside_rows)
    known = Known(settings.components)
    translated = translate(components, edges, outside, known, basis, settings.owner_tags)
    quotas = await read_quota_records(store, inventory.run)
    return Seen(inventory, others, graph, components, edges, outside, translated, quotas)


async def _others(
    store: EvidenceStore, spec: MigrationSpec, graph: GraphRecord, run: RunKey | None
) -> tuple[InventoryRecord, ...]:
    """Return the newest inventories of what the spec names beside its source; the graph must have them."""
    found = []
    for also in settings_of(spec).also:
        newest = await latest_inventory(store, spec.migration, also.connection, run)
        if newest is None or newest[0] not in graph.also:
            raise ConflictError(
                f"planning migration {spec.migration!r}",
                got=f"a graph without the {'newest ' if newest else ''}inventory of {also.connection!r}",
                expected="one of all that assess.also names",
                state="nothing was planned",
                remedy="run 'heavylift inventory SPEC' and 'heavylift graph SPEC' again",
                code="6924",
            )
        found.append(newest[1])
    return tuple(found)


def _plan(spec: MigrationSpec, basis: Basis, seen: Seen, carried: str) -> Planned:
    if not seen.translated.components:
        raise NotFoundError(
            f"planning migration {spec.migration!r}",
            got=f"an inventory of account {seen.inventory.account} without a single component",
            expected="something that moves",
            state="nothing was planned",
            remedy="look at the connection, assess.regions and assess.skip",
            code="6923",
        )
    given = PlanInput(
        migration=spec.migration,
        carried=carried,
        source=spec.source.platform.value,
        targets=with_quotas(targets_of(spec), [kept.record for kept in seen.quotas]),
        constraints=constraints_of(settings_of(spec), seen.inventory.began_at.date()),
        components=seen.translated.components,
        dependencies=seen.translated.dependencies,
    )
    plan = make_plan(given, basis)
    return Planned(given, plan, digest_of(plan), seen, basis.accelerators)


def _record(
    planned: Planned,
    spec: MigrationSpec,
    connection: str,
    refs: tuple[EvidenceRef, EvidenceRef, EvidenceRef],
) -> AssessmentRecord:
    settings, plan, seen = settings_of(spec), planned.plan, planned.seen
    judged = judge_findings(plan.findings, settings.accept)
    told = [finding for each in (seen.inventory, *seen.others) for finding in each.findings]
    gaps, unused_gaps = judge_gaps(told, settings.gaps)
    parts, p90 = planned.given.components, plan.duration.p90
    limit = planned.given.constraints.deadline_days
    return AssessmentRecord(
        run=seen.inventory.run,
        connection=connection,
        account=seen.inventory.account,
        source=plan.source,
        target=plan.target.name,
        start=plan.start,
        inventory=refs[0],
        graph=seen.graph.ref,
        input=refs[1],
        plan=refs[2],
        plan_digest=planned.digest,
        components=len(plan.components),
        kinds=_tally(each.kind.value for each in seen.components),
        dependencies=len(plan.dependencies),
        size_bytes=sum(each.size_bytes for each in parts),
        unknown_sizes=sum(not each.is_measured for each in parts),
        unknown_changes=sum("change_bytes_per_day" in each.unknown for each in parts),
        gaps=gaps,
        open_gaps=sum(not gap.accepted for gap in gaps),
        outside=seen.graph.record.outside,
        explained=seen.graph.record.explained,
        unexplained=seen.graph.record.unexplained,
        outside_told=_outside(seen.outside),
        rules=judged.rules,
        blockers=judged.blockers,
        accepted_blockers=judged.accepted,
        open_blockers=judged.blockers - judged.accepted,
        blockers_told=judged.told,
        unused=(*judged.unused, *unused_gaps, *seen.translated.unmet, *seen.graph.record.unused_acceptances),
        treatments=_tally(each.treatment for each in plan.components),
        strategies=_tally(each.strategy for each in plan.components),
        wave_count=len(plan.waves),
        waves=tuple(each.model_copy(update={"cycles": ()}) for each in plan.waves[:MOST_WAVES]),
        duration=plan.duration,
        costs=plan.costs,
        choice=plan.choice,
        scenarios=plan.scenarios,
        risks=plan.risks,
        assumptions=plan.assumptions,
        deadline_days=limit,
        deadline_kept=p90 is not None and (limit is None or p90 <= limit),
        met=plan.met,
        unmet=plan.unmet,
        picture=graph_of(plan),
        baselines=baselines_of(seen.components, planned.accelerators, plan.source),
        baselines_wanted=tuple(each.connection for each in settings.baselines),
        golden_wanted=tuple(each.connection for each in settings.baselines if each.golden),
        utilisation_wanted=utilisation_connections(spec),
        quotas=tuple(kept.ref for kept in seen.quotas),
        seconds=0.0,
    )


def _with_left(
    record: AssessmentRecord, seen: Seen, whole: MigrationSpec, database_of: Callable[[str], str]
) -> AssessmentRecord:
    held = Held(seen.components, seen.edges, (seen.inventory, *seen.others))
    stays = settings_of(whole).stays
    left, unused = left_behind(seen.translated.components, held, whole, database_of, stays)
    return record.model_copy(
        update={
            "left_behind": left[:MAX_LISTED],
            "left_count": len(left),
            "open_left": sum(not each.accepted for each in left),
            "unused": (*record.unused, *unused),
        }
    )


def _outside(found: Sequence[OutsideReference]) -> tuple[OutsideTold, ...]:
    counts = Counter(each.reference.target for each in found if not each.explained)
    first: dict[str, OutsideReference] = {}
    for each in found:
        if not each.explained:
            first.setdefault(each.reference.target, each)
    return tuple(
        OutsideTold(
            target=target,
            why=first[target].why.value,
            component=first[target].reference.component,
            field=first[target].reference.field,
            references=count,
        )
        for target, count in counts.most_common(MAX_LISTED)
    )


def _tally(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
