"""``heavylift objects``: copy, sync, verify and compare objects between two places."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched, note
from heavylift.cli.stores import Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import HeavyliftError, SpecError
from heavylift.evidence.records import PhaseSummary, PlanRecord, RunKey, ShardResult, VerificationRecord
from heavylift.locations import parse_location
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits, Metadata, Verify
from heavylift.spec.quantities import parse_rate, parse_size
from heavylift.spec.vocabulary import OnConflict, OnUnholdableKey, VerifyMethod, VerifyMode

app = typer.Typer(no_args_is_help=True, help="Copy, sync, verify and compare objects between stores.")

MIGRATION = "shell"
"""The migration under which evidence of shell commands lies, unless ``--migration`` names one."""

SourceUrl = Annotated[str, typer.Argument(help="s3://bucket/prefix, gs://…, az://… or file:///path")]
TargetUrl = Annotated[str, typer.Argument(help="where the objects go, written likewise")]
SourceConn = Annotated[str | None, typer.Option(help="connection id of the source (AIRFLOW_CONN_<ID>)")]
TargetConn = Annotated[str | None, typer.Option(help="connection id of the target")]
Include = Annotated[list[str] | None, typer.Option(help="only keys like this; may be given again")]
Exclude = Annotated[list[str] | None, typer.Option(help="no keys like this; may be given again")]
Migration = Annotated[str, typer.Option(help="name under which evidence and sync state are kept")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]
Bandwidth = Annotated[str | None, typer.Option(help="most bytes a second, e.g. 200MiB/s")]
Concurrency = Annotated[int, typer.Option(min=1, max=1024, help="most requests in flight")]
Memory = Annotated[str, typer.Option(help="most memory for buffers, e.g. 256MiB")]
PartSize = Annotated[str, typer.Option(help="size of one part of a large object")]
Conflict = Annotated[OnConflict, typer.Option(help="when the target holds another object under a key")]
Unholdable = Annotated[OnUnholdableKey, typer.Option(help="when the target cannot hold a key")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="only list and plan; nothing is written to the target")
]


@app.command()
def copy(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    migration: Migration = MIGRATION,
    bandwidth: Bandwidth = None,
    concurrency: Concurrency = 32,
    memory: Memory = "256MiB",
    part_size: PartSize = "16MiB",
    on_conflict: Conflict = OnConflict.FAIL,
    on_unholdable_key: Unholdable = OnUnholdableKey.FAIL,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy what the target lacks, then prove both sides equal.

    Safe to run again after any end: it does only the rest. Nothing on the target that
    Heavylift did not write is overwritten, unless --on-conflict overwrite says so.
    """
    from heavylift.objects.requests import TransferOptions

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        on_conflict=on_conflict,
        on_unholdable_key=on_unholdable_key,
        metadata=Metadata(),
        limits=_limits(bandwidth, concurrency, memory, part_size),
        dry_run=dry_run,
    )
    request = _request(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "transfer",
    )
    copy_and_prove(request, as_json=as_json)


app.command("sync", help="Copy what has appeared or changed since the last run; the same as copy.")(copy)


@app.command()
def verify(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    migration: Migration = MIGRATION,
    read_back: Annotated[bool, typer.Option(help="read every byte of the target")] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="compare so many objects drawn at random")] = None,
    bandwidth: Bandwidth = None,
    concurrency: Concurrency = 32,
    as_json: AsJson = False,
) -> None:
    """Compare two places object by object, whoever filled them; changes neither."""
    from heavylift.aio import run
    from heavylift.objects.api import verify_transfer
    from heavylift.objects.requests import TransferOptions

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        limits=_limits(bandwidth, concurrency, "256MiB", "16MiB"),
        verify=Verify.model_validate(
            {
                "mode": VerifyMode.SAMPLE if sample else VerifyMode.FULL,
                "method": VerifyMethod.READ_BACK if read_back else VerifyMethod.PROVIDER,
                "sample": {"objects": sample} if sample else None,
            }
        ),
    )
    request = _request(
        source_url,
        target_url,
        source_conn,
        target_conn,
        evidence,
        evidence_conn,
        migration,
        options,
        "verify",
    )
    record = run(verify_transfer(request))
    status = ExitStatus.DONE if record.passed else ExitStatus.FAILED
    finish(
        {"verification": record.model_dump(mode="json")},
        text=_verified(record),
        as_json=as_json,
        status=status,
    )


@app.command()
def diff(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    include: Include = None,
    exclude: Exclude = None,
    migration: Migration = MIGRATION,
    as_json: AsJson = False,
) -> None:
    """Show what a copy would do. Ends with 1 where the two places differ."""
    from heavylift.aio import run
    from heavylift.objects.api import plan_transfer
    from heavylift.objects.requests import TransferOptions

    options = TransferOptions(include=tuple(include or ()), exclude=tuple(exclude or ()), dry_run=True)
    request = _request(
        source_url, target_url, source_conn, target_conn, evidence, evidence_conn, migration, options, "diff"
    )
    plan = run(plan_transfer(request))
    same = plan.unchanged == plan.found and not plan.only_on_target.objects
    status = ExitStatus.DONE if same else ExitStatus.FAILED
    finish({"plan": plan.model_dump(mode="json")}, text=_planned(plan), as_json=as_json, status=status)


def copy_and_prove(request: Any, *, as_json: bool) -> None:
    """Plan, copy, verify and conclude one transfer, and end the command."""
    from heavylift.aio import run
    from heavylift.objects.api import copy_shard, plan_transfer, verify_transfer

    plan = run(plan_transfer(request))
    if request.options.dry_run:
        finish({"plan": plan.model_dump(mode="json")}, text=_planned(plan), as_json=as_json)
    mark_touched()
    results: list[ShardResult] = []
    errors: list[HeavyliftError] = []
    for shard in plan.shards:
        try:
            results.append(run(copy_shard(request, shard.index, 1, _reporter(len(plan.shards), shard.index))))
        except HeavyliftError as error:
            note(str(error))
            errors.append(error)
    record = run(verify_transfer(request))
    summary = run(_conclude(request))
    passed = summary.passed and not errors
    finish(
        {
            "plan": plan.model_dump(mode="json"),
            "shards": [r.model_dump(mode="json", exclude={"samples"}) for r in results],
            "errors": [e.attrs() for e in errors],
            "verification": record.model_dump(mode="json"),
            "summary": summary.model_dump(mode="json"),
        },
        text=f"{_planned(plan)}\n{_verified(record)}",
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


async def _conclude(request: Any) -> PhaseSummary:
    """Judge the run by its evidence alone, and note it in the audit trail."""
    from heavylift.evidence.audit import AuditTrail
    from heavylift.evidence.audit_entry import Act
    from heavylift.evidence.store import open_evidence
    from heavylift.gates.summary import summarise, write_summary

    async with open_evidence(request.evidence_url, request.evidence_connection) as store:
        summary = await summarise(store, request.run, [request.dataset], [])
        ref = await write_summary(store, summary)
        await AuditTrail(store, request.run.migration).append(
            Act(
                actor=shell_actor(),
                action="run.finished",
                phase=request.run.phase,
                run=request.run.run,
                subject=request.dataset,
                evidence=(ref,),
                details={
                    "source": str(request.source.location),
                    "target": str(request.target.location),
                    "passed": summary.passed,
                },
            )
        )
    return summary


def _reporter(shards: int, index: int) -> Callable[[Any], None]:
    began = [0.0]

    def report(progress: Any) -> None:
        if time.monotonic() - began[0] < 2 and progress.objects_done < progress.objects_total:
            return
        began[0] = time.monotonic()
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        note(
            f"shard {index + 1}/{shards}: {progress.objects_done:,}/{progress.objects_total:,} objects,"
            f" {progress.bytes_done / 2**20:,.1f}/{progress.bytes_total / 2**20:,.1f} MiB,"
            f" {progress.bytes_per_second / 2**20:,.1f} MiB/s{left}"
        )

    return report


def _request(
    source_url: str,
    target_url: str,
    source_conn: str | None,
    target_conn: str | None,
    evidence: str | None,
    evidence_conn: str | None,
    migration: str,
    options: Any,
    phase: str,
) -> Any:
    from heavylift.objects.requests import TransferRequest

    source, target = parse_location(source_url), parse_location(target_url)
    name = "objects-" + hashlib.sha256(f"{source}\n{target}".encode()).hexdigest()[:12]
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    return TransferRequest(
        run=RunKey(migration=migration, phase=phase, run=stamp),
        dataset=name,
        source=Place(source, _connection(source.scheme, source_conn, "--source-conn")),
        target=Place(target, _connection(target.scheme, target_conn, "--target-conn")),
        evidence_url=evidence,
        evidence_connection=evidence_connection(evidence_conn),
        options=options,
    )


def _connection(scheme: str, conn_id: str | None, option: str) -> Connection | None:
    if scheme == "file":
        return None
    if conn_id is None:
        raise SpecError(
            f"opening the {scheme}:// URL",
            got="no connection",
            expected=f"{option} ID, with AIRFLOW_CONN_<ID> set",
            state="nothing was touched",
            remedy=f"add {option}",
            code="5030",
        )
    return connection_from_env(conn_id)


def _limits(bandwidth: str | None, concurrency: int, memory: str, part_size: str) -> Limits:
    try:
        return Limits(
            max_bandwidth=parse_rate(bandwidth) if bandwidth else None,
            max_concurrency=concurrency,
            memory_budget=parse_size(memory),
            part_size=parse_size(part_size),
        )
    except ValueError as error:
        raise SpecError(
            "reading the limits",
            got=", ".join(str(v) for v in (bandwidth, memory, part_size) if v),
            expected="sizes such as 16MiB and rates such as 200MiB/s",
            state="nothing was touched",
            remedy="correct --bandwidth, --memory or --part-size",
            code="5031",
        ) from error


def _planned(plan: PlanRecord) -> str:
    lines = [
        f"{plan.source_url} -> {plan.target_url}",
        *(
            f"  {label:<16}{tally.objects:>12,} objects {tally.size_bytes / 2**20:>14,.1f} MiB"
            for label, tally in (
                ("found", plan.found),
                ("to copy", plan.to_copy),
                ("unchanged", plan.unchanged),
                ("refused", plan.refused),
                ("only on target", plan.only_on_target),
            )
        ),
        *(f"  {f.severity}: {f.subject}: {f.detail}" for f in plan.findings),
    ]
    return "\n".join(lines)


def _verified(record: VerificationRecord) -> str:
    verdict = "EQUAL" if record.passed else "NOT EQUAL"
    methods = ", ".join(f"{count:,} by {method}" for method, count in sorted(record.methods.items()))
    lines = [
        f"{verdict}: {record.statement}",
        f"  {record.equal.objects:,} of {record.source.objects:,} objects proved equal ({methods or '-'})",
        f"  missing {record.missing:,}, different {record.different:,},"
        f" attributes {record.attributes_differ:,},"
        f" only on target {record.extra:,}, newer on source {record.newer_on_source:,},"
        f" left by the spec {record.accepted:,}",
        *(f"  {d.kind}: {d.key} {d.source} {d.target}".rstrip() for d in record.differences),
    ]
    return "\n".join(lines)
