"""``heavylift decommission``: give the source up: planned, agreed to, reversible until it is deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.decommission_text import (
    certificate_text,
    deletion_text,
    plan_text,
    status_text,
    unused_text,
)
from heavylift.cli.output import ExitStatus, finish, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import connection_from_env

if TYPE_CHECKING:
    from heavylift.decommission.api import LeavingRequest, PlanLife
    from heavylift.evidence.decommission_records import Stage, UnusedRecord
    from heavylift.evidence.run_evidence import Kept

app = typer.Typer(no_args_is_help=True)

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="spec file with a section decommission")]
Approve = Annotated[
    str | None,
    typer.Option("--approve", metavar="DIGEST", help="agree to exactly the plan with this SHA-256"),
]


@app.command("status")
def status_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Tell how far the source has been given up, and whether anybody still uses it; changes nothing there."""

    async def act(request: LeavingRequest) -> dict[str, Any]:
        from heavylift.decommission.api import status

        found = await status(request)
        looked = await _look(request, found.life if found.life and found.life.under_way else None)
        life, certificate = found.life, found.certificate
        return {
            "state": life.state if life else "no plan",
            "unused": looked.record.model_dump(mode="json"),
            **(_life(life) if life else {}),
            "certificate": certificate.ref.model_dump(mode="json") if certificate else None,
        }

    found = _run(spec, evidence, evidence_conn, act)
    finish(found, text=status_text(found), as_json=as_json, status=ExitStatus.DONE)


@app.command("plan")
def plan_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Look whether anybody uses the source, and list what would be deleted; changes nothing on the source."""

    async def act(request: LeavingRequest) -> dict[str, Any]:
        from heavylift.decommission.api import make_plan

        looked = await _look(request, None)
        note(unused_text(looked.record.model_dump(mode="json")))
        return _life(await make_plan(request, looked, note))

    found = _run(spec, evidence, evidence_conn, act)
    finish(found, text=plan_text(found), as_json=as_json, status=ExitStatus.DONE)


@app.command("disable")
def disable_command(
    spec: Spec,
    approve: Approve = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Make what the plan lists unusable, and begin the time of grace; restore takes it back."""

    async def act(request: LeavingRequest) -> dict[str, Any]:
        from heavylift.decommission.api import disable

        await _agree(request, "disable", approve)
        return _life(await disable(request, note))

    found = _run(spec, evidence, evidence_conn, act)
    finish(found, text=plan_text(found), as_json=as_json, status=ExitStatus.DONE)


@app.command("restore")
def restore_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Bring everything back that was made unusable; possible until the deletion begins."""

    async def act(request: LeavingRequest) -> dict[str, Any]:
        from heavylift.decommission.api import restore

        return _life(await restore(request, note))

    found = _run(spec, evidence, evidence_conn, act)
    finish(found, text=plan_text(found), as_json=as_json, status=ExitStatus.DONE)


@app.command("delete")
def delete_command(
    spec: Spec,
    approve: Approve = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Delete what the plan lists, for good, once the time of grace is over; killed, it is gone on with."""

    async def act(request: LeavingRequest) -> dict[str, Any]:
        from heavylift.decommission.api import delete, latest_life

        life = await latest_life(request.store, request.spec.migration)
        if life is not None and life.state == "disabled":
            await _demand_quiet(request, life)
        await _agree(request, "delete", approve)
        done = await delete(request, note)
        figures = (
            "rows_deleted",
            "rows_absent",
            "tables_dropped",
            "tables_absent",
            "topics_deleted",
            "topics_absent",
        )
        return {**_life(done.life), **{name: getattr(done, name) for name in figures}}

    found = _run(spec, evidence, evidence_conn, act)
    finish(found, text=deletion_text(found), as_json=as_json, status=ExitStatus.DONE)


@app.command("certificate")
def certificate_command(
    spec: Spec, evidence: Evidence = None, evidence_conn: EvidenceConn = None, as_json: AsJson = False
) -> None:
    """Look that nothing of the plan is left, and issue the deletion certificate."""

    async def act(request: LeavingRequest) -> dict[str, Any]:
        from heavylift.decommission.api import certify

        record, ref = await certify(request)
        return {"certificate": record.model_dump(mode="json"), "evidence": ref.model_dump(mode="json")}

    found = _run(spec, evidence, evidence_conn, act)
    finish(found, text=certificate_text(found), as_json=as_json, status=ExitStatus.DONE)


async def _look(request: LeavingRequest, life: PlanLife | None) -> Kept[UnusedRecord]:
    from heavylift.decommission.api import look_unused
    from heavylift.evidence.run_evidence import Kept
    from heavylift.switching.leaving import leaving_items

    world = await leaving_items(request.spec, request.run, request.connections, aside=life is not None)
    record, ref = await look_unused(request, world, life)
    return Kept(ref, record)


async def _demand_quiet(request: LeavingRequest, life: PlanLife) -> None:
    from heavylift.errors import IncompleteError

    looked = (await _look(request, life)).record
    named = [f"{each.item} {each.subject}".strip() + f": {each.detail}" for each in looked.open_items]
    if named:
        raise IncompleteError(
            f"deleting the source of {request.spec.migration}",
            got="; ".join(named),
            expected="a time of grace that is over, in which nobody has missed anything",
            state="nothing was deleted",
            remedy="wait, or find who needs the source; heavylift decommission restore brings it back",
            code="9330",
        )


async def _agree(request: LeavingRequest, stage: Stage, digest: str | None) -> None:
    from heavylift.decommission.api import give_consent

    if digest:
        await give_consent(request, stage, digest, request.actor)


def _life(life: PlanLife) -> dict[str, Any]:
    ends = life.grace_ends
    return {
        "state": life.state,
        "digest": life.plan.ref.sha256,
        "plan": life.plan.record.model_dump(mode="json"),
        "evidence": life.plan.ref.model_dump(mode="json"),
        "grace_ends": ends.isoformat() if ends else None,
        "events": [each.record.model_dump(mode="json") for each in life.events],
    }


def _run(
    spec: Path,
    evidence: str | None,
    evidence_conn: str | None,
    act: Callable[[LeavingRequest], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    from heavylift.aio import run

    async def whole() -> dict[str, Any]:
        async with _opened(spec, evidence, evidence_conn) as request:
            return await act(request)

    return run(whole())


@asynccontextmanager
async def _opened(
    spec: Path, evidence: str | None, evidence_conn: str | None
) -> AsyncIterator[LeavingRequest]:
    from heavylift.decommission.api import LeavingRequest
    from heavylift.evidence.records import RunKey
    from heavylift.evidence.store import open_evidence
    from heavylift.spec.load import load_spec

    loaded = load_spec(spec)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    run = RunKey(migration=loaded.migration, phase="decommission", run=f"cli-{stamp}")
    stored = evidence_conn or (None if evidence else loaded.evidence.connection)
    async with open_evidence(evidence or loaded.evidence.url, evidence_connection(stored)) as store:
        request = LeavingRequest(store, loaded, run, shell_actor(), connection_from_env)
        _ = request.section
        yield request
