"""What infrastructure is made from: the migration's newest plan, its inventory, and what the spec chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError, NotFoundError
from heavylift.infra.generate import Generated, generate
from heavylift.infra.states import State, state_at
from heavylift.infra.things import Wanted, wanted_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heavylift.connections import Connection
    from heavylift.evidence.assess_records import Plan
    from heavylift.evidence.inventory_records import Component
    from heavylift.evidence.store import EvidenceStore
    from heavylift.spec.sections_platform import Infrastructure


@dataclass(frozen=True)
class Basis:
    """A plan, its digest, and the components that it was made of."""

    plan: Plan
    digest: str
    components: Sequence[Component] = ()


async def newest_basis(
    store: EvidenceStore, migration: str, read_plan: Callable[[bytes, str], Plan]
) -> Basis:
    """Return the newest plan of a migration with its inventories; whether it is approved is not judged.

    :param read_plan: makes a plan of its document and the document's name.
    :raises NotFoundError: it has none.
    """
    from heavylift.evidence.assess_evidence import latest_assessment
    from heavylift.evidence.inventory_files import read_joined
    from heavylift.evidence.inventory_records import InventoryRecord
    from heavylift.evidence.parsing import parse_record

    kept = await latest_assessment(store, migration)
    if kept is None:
        raise NotFoundError(
            f"looking for the plan of {migration}",
            got="none",
            expected="a plan of the phase assess",
            state="nothing was written",
            remedy="run 'heavylift assess SPEC', or the migration's DAG assess",
            code="7921",
        )
    record = kept.record
    plan = read_plan(await store.read_verified(record.plan), record.plan.path)
    inventories = [
        parse_record(ref.path, await store.read_verified(ref), InventoryRecord)
        for ref in (record.inventory, *record.also)
    ]
    return Basis(plan, record.plan_digest, await read_joined(store, inventories))


def files_of(
    basis: Basis, chosen: Infrastructure | None, state_connection: Connection | None
) -> tuple[Wanted, Generated]:
    """Return the files for a plan, as the spec's section ``infrastructure`` wants them.

    :param state_connection: of the place of the state.
    :raises ConflictError: the plan is for a region that may not be used.
    """
    _demand_region(basis.plan, chosen)
    wanted = wanted_of(basis.plan, basis.digest, basis.components, chosen.instance_types if chosen else None)
    state = _state(basis.plan.migration, chosen, state_connection)
    return wanted, generate(wanted, chosen.labels if chosen else None, state)


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


def _state(migration: str, chosen: Infrastructure | None, connection: Connection | None) -> State | None:
    if chosen is None or chosen.state is None:
        return None
    region = (connection.text("region_name") if connection else "") or ""
    account = (connection.login if connection else "") or ""
    return state_at(chosen.state, migration, region=region, account=account)
