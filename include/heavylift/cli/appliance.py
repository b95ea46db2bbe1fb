"""``heavylift appliance``: move a dataset's objects on devices, and know where each device is."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heavylift.cli.appliance_runs import choose_run, fresh_run, on_their_way, which_dataset
from heavylift.cli.appliance_text import (
    planned_text,
    reporter,
    standing_document,
    standing_text,
    terabytes,
)
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, shell_actor
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.evidence.records import PhaseSummary, RunKey
    from heavylift.objects.appliances.records import Custody
    from heavylift.objects.appliances.requests import ApplianceRequest
    from heavylift.objects.appliances.standing import ShipmentStanding

app = typer.Typer(no_args_is_help=True, help="Move objects on devices: plan, load, ship, reconcile.")

Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="The migration spec.")]
Device = Annotated[str, typer.Argument(help="The device's name in the plan, such as images-01.")]
Dataset = Annotated[str | None, typer.Option(help="The dataset; needed where several travel on devices.")]
Run = Annotated[str | None, typer.Option(help="The run of the offline path; by default the latest.")]


@app.command()
def devices(as_json: AsJson = False) -> None:
    """Show the table of devices, with the source of each figure. Changes nothing."""
    from heavylift.facts.devices import device_table

    rows = [
        f"{model.id:<28} {terabytes(model.capacity_bytes):>9}  {model.title}; offered: {model.offered};"
        f" verified: {model.verified} ({model.source}, {model.date})"
        for model in device_table().values()
    ]
    finish({"devices": list(device_table().values())}, text="\n".join(rows), as_json=as_json)


@app.command()
def plan(
    spec: Spec,
    dataset: Dataset = None,
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Pack what the target lacks onto devices, and say what goes online.

    A run is planned once; planning again after a device was lost adds one in its place. A new run
    begins where the latest one is at its end.
    """
    from heavylift.objects.appliances.api import plan_shipment

    request = _request(spec, dataset, run, evidence, evidence_conn, planning=True)
    made = _await(plan_shipment(request))
    finish({"plan": made.model_dump(mode="json")}, text=planned_text(made), as_json=as_json)


@app.command()
def step(
    spec: Spec,
    device: Device,
    state: Annotated[str, typer.Argument(help="ordered, delivered, shipped, ingested or lost")],
    job: Annotated[str, typer.Option(help="the provider's order or job number")] = "",
    serial: Annotated[str, typer.Option(help="serial or asset number of the device")] = "",
    mounted_at: Annotated[str, typer.Option(help="folder below the spec's mount where it is mounted")] = "",
    tracking: Annotated[str, typer.Option(help="tracking number of the shipment")] = "",
    carrier: Annotated[str, typer.Option(help="who carries it")] = "",
    seal: Annotated[str, typer.Option(help="number of its seal")] = "",
    reason: Annotated[str, typer.Option(help="why it goes back a step, or how it was lost")] = "",
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Record a step that a person took with a device, in its custody and in the audit trail."""
    from heavylift.objects.appliances.api import take_step
    from heavylift.objects.appliances.custody import Step

    facts = {
        "job": job,
        "serial": serial,
        "mounted_at": mounted_at,
        "tracking": tracking,
        "carrier": carrier,
        "seal": seal,
        "reason": reason,
    }
    request = _request_of(spec, device, run, evidence, evidence_conn)
    taken = Step(_state(state), shell_actor(), {name: value for name, value in facts.items() if value})
    custody = _await(take_step(request, device, taken))
    finish(
        {"device": device, "state": custody.state.value, "steps": [k.record for k in custody.entries]},
        text=f"device {device} is {custody.state.value}",
        as_json=as_json,
    )


@app.command()
def load(
    spec: Spec,
    device: Device,
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Copy a device's objects onto it and write its load manifest. Safe to run again after any end."""
    from heavylift.objects.appliances.api import load_device

    request = _request_of(spec, device, run, evidence, evidence_conn)
    mark_touched()
    record = _await(load_device(request, device, shell_actor(), reporter(f"load of {device}")))
    text = (
        f"device {device}: {record.on_device.objects:,} objects, {record.on_device.size_bytes:,} bytes on it;"
        f" {record.loaded.objects:,} written now, {record.vanished.objects:,} gone from the source\n"
        f"  root digest {record.root_digest}"
    )
    finish({"load": record.model_dump(mode="json")}, text=text, as_json=as_json)


@app.command()
def check(
    spec: Spec,
    device: Device,
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Read a loaded device whole and compare it with its load manifest. Exits 1 where it differs."""
    from heavylift.objects.appliances.api import check_device

    request = _request_of(spec, device, run, evidence, evidence_conn)
    record = _await(check_device(request, device, reporter(f"check of {device}")))
    text = (
        f"device {device}: {'AS LOADED' if record.passed else 'DAMAGED'}: {record.equal.objects:,} of"
        f" {record.checked.objects:,} files equal, {record.missing:,} missing, {record.different:,}"
        f" different, {record.unreadable:,} unreadable, {record.extra:,} extra"
    )
    _finish_judged(record, "check", text, as_json=as_json)


@app.command()
def ingest(
    spec: Spec,
    device: Device,
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Copy a device's files into the target, bytes only, as a provider's ingest would.

    For disks of your own. After a provider's ingest record it: heavylift appliance step … ingested.
    """
    from heavylift.objects.appliances.api import ingest_device

    request = _request_of(spec, device, run, evidence, evidence_conn)
    mark_touched()
    record = _await(ingest_device(request, device, shell_actor(), reporter(f"ingest of {device}")))
    text = (
        f"device {device}: {record.copied.objects:,} files copied into the target,"
        f" {record.unchanged.objects:,} were there"
    )
    finish({"ingest": record.model_dump(mode="json")}, text=text, as_json=as_json)


@app.command()
def reconcile(
    spec: Spec,
    device: Device,
    hand_over: Annotated[
        str,
        typer.Option(
            metavar="REASON",
            help="Leave what is missing or different to the online transfer, and close the device.",
        ),
    ] = "",
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Compare what a device brought with what is on the target. Exits 1 where something is wrong."""
    from heavylift.objects.appliances.api import reconcile_device

    request = _request_of(spec, device, run, evidence, evidence_conn)
    mark_touched()
    record = _await(
        reconcile_device(
            request,
            device,
            shell_actor(),
            hand_over=hand_over,
            report=reporter(f"reconciliation of {device}"),
        )
    )
    text = (
        f"device {device}: {'RECONCILED' if record.passed else 'NOT AS LOADED'}: {record.equal.objects:,} of"
        f" {record.expected.objects:,} objects equal, {record.missing:,} missing, {record.different:,}"
        f" different, {record.unreadable:,} unreadable\n  {record.renamed:,} given their keys,"
        f" {record.restored:,} their attributes; {record.attributes_differ:,} with other attributes,"
        f" {record.extra:,} other objects on the target"
    )
    _finish_judged(record, "reconciliation", text, as_json=as_json)


@app.command()
def delta(
    spec: Spec,
    dataset: Dataset = None,
    run: Run = None,
    now: Annotated[
        bool, typer.Option("--now", help="Although devices are on their way: their objects go online too.")
    ] = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Copy online what the devices did not bring or what changed since, then prove both sides equal."""
    from dataclasses import replace

    from heavylift.cli.objects_run import copy_and_prove

    request = _request(spec, dataset, run, evidence, evidence_conn, planning=False)
    _, [standing] = _await(_standings([request]))
    if standing.unsettled and not now:
        raise on_their_way(standing)
    if not standing.unsettled:
        _await(_conclude(_requests(spec, request.run.run, evidence, evidence_conn)))
    key = request.run.model_copy(update={"phase": "transfer", "run": fresh_run()})
    copy_and_prove(replace(request.transfer, run=key), as_json=as_json)


@app.command()
def status(
    spec: Spec,
    run: Run = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Show where each device of a run is. Exits 1 while one is not reconciled or recorded as lost."""
    summary, standings = _await(_standings(_requests(spec, run, evidence, evidence_conn)))
    finish(
        {
            "summary": summary.model_dump(mode="json"),
            "datasets": [standing_document(standing) for standing in standings],
        },
        text="\n".join(standing_text(standing) for standing in standings),
        as_json=as_json,
        status=ExitStatus.DONE if summary.passed else ExitStatus.FAILED,
    )


def _finish_judged(record: Any, name: str, text: str, *, as_json: bool) -> None:
    wrong = [f"  {bad.kind}: {bad.key or bad.stored_path} {bad.got}".rstrip() for bad in record.bad]
    finish(
        {name: record.model_dump(mode="json")},
        text="\n".join([text, *wrong]),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


async def _standings(
    requests: list[ApplianceRequest],
) -> tuple[PhaseSummary, list[ShipmentStanding]]:
    from heavylift.objects.appliances.api import read_standing, summarise_shipment
    from heavylift.objects.sessions import evidence_of

    async with evidence_of(requests[0].transfer) as store:
        standings = [await read_standing(store, request) for request in requests]
        return await summarise_shipment(store, requests), standings


async def _conclude(requests: list[ApplianceRequest]) -> None:
    """Write the last word on the offline path, once its devices are settled, and note it."""
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.objects.appliances.standing import summarise_shipment, write_shipment_summary
    from heavylift.objects.sessions import evidence_of

    run = requests[0].run
    async with evidence_of(requests[0].transfer) as store:
        summary = await summarise_shipment(store, requests)
        ref = await write_shipment_summary(store, summary)
        act = Act(
            actor=shell_actor(),
            action="run.finished",
            phase=run.phase,
            run=run.run,
            evidence=(ref,),
            details={"passed": summary.passed, "moved": summary.moved.objects, "left": summary.left.objects},
        )
        await AuditTrail(store, run.migration).append(act)


def _await(work: Awaitable[Any]) -> Any:
    from heavylift.aio import run

    return run(work)  # type: ignore[arg-type]


def _state(text: str) -> Custody:
    from heavylift.objects.appliances.records import Custody
    from heavylift.objects.appliances.steps import PEOPLES_STEPS

    if text in {state.value for state in PEOPLES_STEPS}:
        return Custody(text)
    raise SpecError(
        "recording a step",
        got=repr(text),
        expected=", ".join(state.value for state in PEOPLES_STEPS),
        state="nothing was recorded",
        remedy="name one of these; the other states are recorded by the work that proves them",
        code="5750",
    )


def _request_of(
    spec: Path, device: str, run: str | None, evidence: str | None, conn: str | None
) -> ApplianceRequest:
    return _request(spec, device.rpartition("-")[0], run, evidence, conn, planning=False)


def _requests(spec: Path, run: str | None, evidence: str | None, conn: str | None) -> list[ApplianceRequest]:
    from heavylift.objects.appliances.requests import appliance_datasets
    from heavylift.spec import load_spec

    names = appliance_datasets(load_spec(spec)) or (None,)
    return [_request(spec, name, run, evidence, conn, planning=False) for name in names]


def _request(
    path: Path,
    dataset: str | None,
    run: str | None,
    evidence: str | None,
    conn: str | None,
    *,
    planning: bool,
) -> ApplianceRequest:
    from heavylift.connections import Connection, connection_from_env
    from heavylift.objects.appliances.requests import appliance_datasets, appliance_request
    from heavylift.spec import load_spec

    spec = load_spec(path)
    names = appliance_datasets(spec)
    if dataset is None:
        if len(names) != 1:
            raise which_dataset(path, names)
        dataset = names[0]

    given = evidence is not None or conn is not None

    def look_up(conn_id: str) -> Connection:
        # Where the options name the evidence store, the spec's connection of it may be absent here.
        if given and conn_id == spec.evidence.connection:
            return Connection(conn_id, "file")
        return connection_from_env(conn_id)

    def make(key: RunKey) -> ApplianceRequest:
        request = appliance_request(spec, dataset, key, look_up)
        return _with_evidence(request, evidence, conn) if given else request

    chosen: ApplianceRequest = _await(choose_run(spec, make, run, planning=planning))
    return chosen


def _with_evidence(request: ApplianceRequest, url: str | None, conn: str | None) -> ApplianceRequest:
    from dataclasses import replace

    from heavylift.connections import connection_from_env

    connection = connection_from_env(conn) if conn else None
    changed = replace(request.transfer, evidence_url=url, evidence_connection=connection)
    return replace(request, transfer=changed)
