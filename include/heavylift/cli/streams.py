"""``heavylift streams``: mirror topics, prove it, and tell consumer groups where to go on."""

from __future__ import annotations

from typing import Any

import typer

from heavylift.cli.acts import note_act
from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn
from heavylift.cli.streams_options import (
    MIGRATION,
    AcceptExpired,
    Bandwidth,
    Drained,
    DryRun,
    Engine,
    Groups,
    Lease,
    MaxLag,
    MaxRecords,
    Memory,
    Migration,
    Name,
    SourceConn,
    TargetConn,
    Topics,
    options_of,
    request_of,
)
from heavylift.cli.streams_text import grouped, mirrored, planned, reporter, stands, verified

app = typer.Typer(no_args_is_help=True, help="Mirror topics, verify them, translate consumer groups.")


@app.command()
def mirror(
    source_conn: SourceConn,
    target_conn: TargetConn,
    topics: Topics = None,
    engine: Engine = "kafka",
    name: Name = None,
    migration: Migration = MIGRATION,
    bandwidth: Bandwidth = None,
    max_records: MaxRecords = None,
    memory: Memory = "64MiB",
    lease: Lease = 10.0,
    max_lag: MaxLag = 60.0,
    accept_expired: AcceptExpired = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Mirror what the topics have now, after what is mirrored already; then prove both sides equal.

    Safe to run again after any end: it goes on where it was, and sends nothing twice. A topic on the
    target that holds records of somebody else's is refused, and so is a second run at the same time.
    """
    from heavylift.aio import run
    from heavylift.streams.api import mirror_stream, plan_stream, verify_stream
    from heavylift.streams.work import refuse

    options = options_of(
        topics,
        bandwidth=bandwidth,
        memory=memory,
        max_records_per_second=max_records,
        lease_seconds=lease,
        max_lag_seconds=max_lag,
        accept_expired=accept_expired,
        dry_run=dry_run,
    )
    request = request_of(
        "sync", source_conn, target_conn, engine, name, migration, evidence, evidence_conn, options
    )
    plan, plan_ref = run(plan_stream(request))
    document: dict[str, Any] = {"plan": plan.model_dump(mode="json")}
    if dry_run:
        status = ExitStatus.FAILED if plan.refusals else ExitStatus.DONE
        finish(document, text=planned(plan), as_json=as_json, status=status)
    note(planned(plan))
    refuse(plan)
    mark_touched()
    record, ref = run(mirror_stream(request, reporter()))
    note_act(
        request,
        request.stream,
        "stream.mirrored",
        (plan_ref, ref),
        {"sent": record.sent, "complete": record.complete},
    )
    proof, proof_ref = run(verify_stream(request, reporter()))
    note_act(
        request,
        request.stream,
        "stream.verified",
        (proof_ref,),
        {"passed": proof.passed, "equal": proof.equal},
    )
    document |= {
        "mirror": record.model_dump(mode="json", exclude={"samples"}),
        "verification": proof.model_dump(mode="json"),
    }
    status = ExitStatus.DONE if record.complete and proof.passed else ExitStatus.FAILED
    finish(document, text=f"{mirrored(record)}\n{verified(proof)}", as_json=as_json, status=status)


@app.command()
def verify(
    source_conn: SourceConn,
    target_conn: TargetConn,
    topics: Topics = None,
    engine: Engine = "kafka",
    name: Name = None,
    migration: Migration = MIGRATION,
    drained: Drained = False,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Read both sides afresh and compare each record that is mirrored; changes neither."""
    from heavylift.aio import run
    from heavylift.streams.api import verify_stream

    request = request_of(
        "verify",
        source_conn,
        target_conn,
        engine,
        name,
        migration,
        evidence,
        evidence_conn,
        options_of(topics, drained=drained),
    )
    record, ref = run(verify_stream(request, reporter()))
    note_act(
        request, request.stream, "stream.verified", (ref,), {"passed": record.passed, "equal": record.equal}
    )
    status = ExitStatus.DONE if record.passed else ExitStatus.FAILED
    finish(
        {"verification": record.model_dump(mode="json")},
        text=verified(record),
        as_json=as_json,
        status=status,
    )


@app.command()
def groups(
    source_conn: SourceConn,
    target_conn: TargetConn,
    topics: Topics = None,
    group: Groups = None,
    engine: Engine = "kafka",
    name: Name = None,
    migration: Migration = MIGRATION,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Translate positions of consumer groups, and put them on the target where no member is active.

    Never ahead of the true place. Ends with 1 where a position could not be written, or is inexact.
    """
    from heavylift.aio import run
    from heavylift.streams.api import translate_groups

    request = request_of(
        "groups",
        source_conn,
        target_conn,
        engine,
        name,
        migration,
        evidence,
        evidence_conn,
        options_of(topics, consumer_groups=tuple(group or ("*",)), dry_run=dry_run),
    )
    record, ref = run(translate_groups(request))
    if not dry_run:
        mark_touched()
        details = {"groups": record.groups, "positions": len(record.positions), "complete": record.complete}
        note_act(request, request.stream, "stream.groups_translated", (ref,), details)
    status = ExitStatus.DONE if record.complete else ExitStatus.FAILED
    finish({"groups": record.model_dump(mode="json")}, text=grouped(record), as_json=as_json, status=status)


@app.command()
def status(
    source_conn: SourceConn,
    target_conn: TargetConn,
    topics: Topics = None,
    engine: Engine = "kafka",
    name: Name = None,
    migration: Migration = MIGRATION,
    as_json: AsJson = False,
) -> None:
    """Show the lag of each partition in records and seconds, and who mirrors. Changes nothing."""
    from heavylift.aio import run
    from heavylift.streams.api import stream_status

    request = request_of(
        "status", source_conn, target_conn, engine, name, migration, None, None, options_of(topics)
    )
    found = run(stream_status(request))
    finish({"status": found.model_dump(mode="json")}, text=stands(found), as_json=as_json)
