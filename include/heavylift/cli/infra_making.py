"""What ``heavylift infra generate`` makes files from: a spec's newest plan, or a plan's document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.cli.output import mark_touched
from heavylift.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from heavylift.infra.basis import Basis
    from heavylift.infra.folder import Infra
    from heavylift.infra.generate import Generated
    from heavylift.spec.model import MigrationSpec

_SPECS = frozenset({".yaml", ".yml"})


def make(
    source: Path, out: Path, expect: str | None, draft: bool, evidence: str | None, evidence_conn: str | None
) -> tuple[Generated, Infra]:
    """Generate the files of ``source`` into ``out``.

    :raises ConflictError: the plan is not approved, and it is to be no draft.
    """
    from heavylift.connections import connection_from_env
    from heavylift.infra.basis import files_of
    from heavylift.infra.folder import write

    spec: MigrationSpec | None = None
    if source.suffix.lower() in _SPECS:
        basis, approved, spec = _of_spec(source, evidence, evidence_conn)
    else:
        basis = _of_document(source)
        approved = basis.digest == expect
    if not (approved or draft):
        raise ConflictError(
            f"generating infrastructure for {basis.plan.migration}",
            got=f"the plan {basis.digest}, which is not approved" + (f"; {expect} is" if expect else ""),
            expected="an approved plan",
            state="nothing was written",
            remedy="approve it (in Airflow; a document by --expect), or make a --draft",
            code="7919",
        )
    chosen = spec.infrastructure if spec else None
    named = chosen.state_connection if chosen else None
    wanted, generated = files_of(basis, chosen, connection_from_env(named) if named else None)
    mark_touched()
    return generated, write(generated, wanted, out, approved=approved and not draft)


def _of_document(path: Path) -> Basis:
    from heavylift.assess.document import digest_of, from_document
    from heavylift.infra.basis import Basis

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
    return Basis(plan, digest_of(plan))


def _of_spec(
    path: Path, evidence: str | None, evidence_conn: str | None
) -> tuple[Basis, bool, MigrationSpec]:
    from heavylift.aio import run
    from heavylift.assess.document import from_document
    from heavylift.cli.inventory_options import asked_by_spec
    from heavylift.evidence.store import open_evidence
    from heavylift.gates.plan_checks import PlanDemand, judge_plan_approved
    from heavylift.infra.basis import newest_basis
    from heavylift.spec.carried import carried_digest
    from heavylift.spec.vocabulary import Phase

    whose = asked_by_spec(path, evidence, evidence_conn)
    spec = whose.of_spec
    demand = PlanDemand(spec.gates_for(Phase.ASSESS), carried_digest(spec))

    async def look() -> tuple[Basis, bool]:
        async with open_evidence(whose.evidence_url, whose.evidence_connection, create=False) as store:
            basis = await newest_basis(store, spec.migration, from_document)
            outcome = await judge_plan_approved(store, spec.migration, demand)
            return basis, outcome.passed

    return (*run(look()), spec)
