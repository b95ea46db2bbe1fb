"""What ``heavylift infra generate`` makes files from: a spec's newest plan, or a plan's document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.cli.output import mark_touched
from heavylift.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from heavylift.evidence.assess_records import Plan
    from heavylift.evidence.inventory_records import Component
    from heavylift.infra.folder import Infra
    from heavylift.infra.generate import Generated
    from heavylift.infra.states import State
    from heavylift.spec.model import MigrationSpec
    from heavylift.spec.sections_platform import Infrastructure

_SPECS = frozenset({".yaml", ".yml"})


def make(
    source: Path, out: Path, expect: str | None, draft: bool, evidence: str | None, evidence_conn: str | None
) -> tuple[Generated, Infra]:
    """Generate the files of ``source`` into ``out``.

    :raises ConflictError: the plan is not approved, and it is to be no draft.
    """
    from heavylift.infra.folder import write
    from heavylift.infra.generate import generate
    from heavylift.infra.things import wanted_of

    if source.suffix.lower() in _SPECS:
        plan, digest, approved, components, spec = _of_spec(source, evidence, evidence_conn)
    else:
        plan, digest = _of_document(source)
        approved, components, spec = digest == expect, [], None
    if not (approved or draft):
        raise ConflictError(
            f"generating infrastructure for {plan.migration}",
            got=f"the plan {digest}, which is not approved" + (f"; {expect} is" if expect else ""),
            expected="an approved plan",
            state="nothing was written",
            remedy="approve it (in Airflow; a document by --expect), or make a --draft",
            code="7919",
        )
    chosen = spec.infrastructure if spec else None
    wanted = wanted_of(plan, digest, components, chosen.instance_types if chosen else None)
    _demand_region(plan, chosen)
    generated = generate(wanted, chosen.labels if chosen else None, _state(plan.migration, chosen))
    mark_touched()
    return generated, write(generated, wanted, out, approved=approved and not draft)


def _demand_region(plan: Plan, chosen: Infrastructure | None) -> None:
    if chosen and chosen.regions and plan.target.region not in chosen.regions:
        raise ConflictError(
            f"generating infrastructure for {plan.migration}",
            got=f"a plan for the region {plan.target.region or 'that nobody named'}",
            expected=f"one of infrastructure.regions: {', '.join(chosen.regions)}",
            state="nothing was written",
            remedy="plan for a region that may be used, or add it to the spec",
            code="7923",
        )


def _state(migration: str, chosen: Infrastructure | None) -> State | None:
    from heavylift.connections import connection_from_env
    from heavylift.infra.states import state_at

    if chosen is None or chosen.state is None:
        return None
    connection = connection_from_env(chosen.state_connection) if chosen.state_connection else None
    region = (connection.text("region_name") if connection else "") or ""
    return state_at(
        chosen.state, migration, region=region, account=(connection.login if connection else "") or ""
    )


def _of_document(path: Path) -> tuple[Plan, str]:
    from heavylift.assess.document import digest_of, from_document

    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"reading the plan {path}",
            got=error.strerror or type(error).__name__,
            expected="a file that can be read",
            state="nothing was written",
            remedy="name the right file",
            code="7920",
        ) from error
    plan = from_document(data, str(path))
    return plan, digest_of(plan)


def _of_spec(
    path: Path, evidence: str | None, evidence_conn: str | None
) -> tuple[Plan, str, bool, list[Component], MigrationSpec]:
    from heavylift.aio import run
    from heavylift.assess.document import from_document
    from heavylift.cli.inventory_options import asked_by_spec
    from heavylift.evidence.assess_evidence import latest_assessment
    from heavylift.evidence.inventory_files import read_components
    from heavylift.evidence.inventory_records import InventoryRecord
    from heavylift.evidence.parsing import parse_record
    from heavylift.evidence.store import open_evidence
    from heavylift.gates.plan_checks import PlanDemand, judge_plan_approved
    from heavylift.spec.carried import carried_digest
    from heavylift.spec.vocabulary import Phase

    whose = asked_by_spec(path, evidence, evidence_conn)
    spec = whose.of_spec
    demand = PlanDemand(spec.gates_for(Phase.ASSESS), carried_digest(spec))

    async def look() -> tuple[Plan, str, bool, list[Component]]:
        async with open_evidence(whose.evidence_url, whose.evidence_connection, create=False) as store:
            kept = await latest_assessment(store, spec.migration)
            if kept is None:
                raise NotFoundError(
                    f"looking for the plan of {spec.migration}",
                    got="none",
                    expected="a plan of the phase assess",
                    state="nothing was written",
                    remedy="run 'heavylift assess SPEC', or the migration's DAG assess",
                    code="7921",
                )
            record = kept.record
            plan = from_document(await store.read_verified(record.plan), record.plan.path)
            data = await store.read_verified(record.inventory)
            inventory = parse_record(record.inventory.path, data, InventoryRecord)
            components = await read_components(store, inventory.components)
            outcome = await judge_plan_approved(store, spec.migration, demand)
            return plan, record.plan_digest, outcome.passed, components

    return (*run(look()), spec)
