"""``heavylift objects``: copy, sync, verify and compare objects between two places."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from heavylift.cli.manners import (
    MaxRequests,
    MaxSize,
    MinSize,
    ModifiedBefore,
    ModifiedSince,
    NoWait,
    Window,
    filters_of,
    with_manners,
)
from heavylift.cli.objects_cleanup import cleanup, note_cleaning
from heavylift.cli.objects_files import compare as compare_listings
from heavylift.cli.objects_files import list_objects
from heavylift.cli.objects_text import planned, verified
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import Evidence, EvidenceConn, evidence_connection, shell_actor
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import SpecError
from heavylift.evidence.records import PhaseSummary, RunKey
from heavylift.locations import parse_location
from heavylift.platforms.places import Place
from heavylift.spec.datasets import Limits, Metadata, Verify
from heavylift.spec.quantities import parse_duration, parse_rate, parse_size
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
Concurrency = Annotated[
    int, typer.Option(min=1, max=1024, help="most requests in flight; fewer while a store asks for less")
]
Memory = Annotated[str, typer.Option(help="most memory for buffers, e.g. 256MiB")]
PartSize = Annotated[str, typer.Option(help="size of one part of a large object")]
Stall = Annotated[str, typer.Option(help="longest silence of a store before a request is made again")]
Conflict = Annotated[OnConflict, typer.Option(help="when the target holds another object under a key")]
Unholdable = Annotated[OnUnholdableKey, typer.Option(help="when the target cannot hold a key")]
MaxCost = Annotated[float | None, typer.Option(min=0, help="refuse to start above this estimate, USD")]
Prices = Annotated[Path | None, typer.Option(help="CSV file with prices of your own")]
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
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    bandwidth: Bandwidth = None,
    max_requests: MaxRequests = None,
    window: Window = None,
    no_wait: NoWait = False,
    concurrency: Concurrency = 32,
    memory: Memory = "256MiB",
    part_size: PartSize = "16MiB",
    stall_timeout: Stall = "60s",
    on_conflict: Conflict = OnConflict.FAIL,
    on_unholdable_key: Unholdable = OnUnholdableKey.FAIL,
    max_cost_usd: MaxCost = None,
    prices: Prices = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy what the target lacks, then prove both sides equal.

    Safe to run again after any end: it does only the rest. Nothing on the target that
    Heavylift did not write is overwritten, unless --on-conflict overwrite says so. Outside of
    --window it waits, or with --no-wait ends with status 3 and says when to run it again.
    """
    from heavylift.objects.requests import CostOptions, TransferOptions

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        on_conflict=on_conflict,
        on_unholdable_key=on_unholdable_key,
        metadata=Metadata(),
        limits=with_manners(
            _limits(bandwidth, concurrency, memory, part_size, stall_timeout), max_requests, window
        ),
        dry_run=dry_run,
        cost=CostOptions(prices=prices, max_usd=max_cost_usd),
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
    copy_and_prove(request, wait=not no_wait, as_json=as_json)


app.command("list")(list_objects)
app.command("compare")(compare_listings)
app.command()(cleanup)
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
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    read_back: Annotated[bool, typer.Option(help="read every byte of the target")] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="compare so many objects drawn at random")] = None,
    bandwidth: Bandwidth = None,
    max_requests: MaxRequests = None,
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
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        limits=with_manners(_limits(bandwidth, concurrency, "256MiB", "16MiB", "60s"), max_requests, None),
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
        text=verified(record),
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
    min_size: MinSize = None,
    max_size: MaxSize = None,
    modified_since: ModifiedSince = None,
    modified_before: ModifiedBefore = None,
    migration: Migration = MIGRATION,
    prices: Prices = None,
    as_json: AsJson = False,
) -> None:
    """Show what a copy would do. Ends with 1 where the two places differ."""
    from heavylift.aio import run
    from heavylift.objects.api import plan_transfer
    from heavylift.objects.requests import CostOptions, TransferOptions

    options = TransferOptions(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        filters=filters_of(min_size, max_size, modified_since, modified_before),
        cost=CostOptions(prices=prices),
        dry_run=True,
    )
    request = _request(
        source_url, target_url, source_conn, target_conn, evidence, evidence_conn, migration, options, "diff"
    )
    plan = run(plan_transfer(request))
    same = plan.unchanged == plan.found and not plan.only_on_target.objects
    status = ExitStatus.DONE if same else ExitStatus.FAILED
    finish({"plan": plan.model_dump(mode="json")}, text=planned(plan), as_json=as_json, status=status)


@app.command()
def advise(
    source_url: SourceUrl,
    target_url: TargetUrl,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    objects: Annotated[int | None, typer.Option(min=0, help="how many objects; else both are listed")] = None,
    size: Annotated[str | None, typer.Option(help="their size together, e.g. 40TB; with --objects")] = None,
    link: Annotated[str, typer.Option(help="rate of the line of the workers, e.g. 125MB/s")] = "125MB/s",
    days: Annotated[float | None, typer.Option(min=0.01, help="how long the move may take")] = None,
    tags: Annotated[bool | None, typer.Option(help="object tags have to arrive")] = None,
    versions: Annotated[bool, typer.Option(help="older versions have to arrive")] = False,
    as_json: AsJson = False,
) -> None:
    """Say who had best move the objects: Heavylift's workers, a platform's service, or a device.

    With --objects and --size nothing is asked of any store; else both places are listed. Changes
    nothing.
    """
    from heavylift.cli.advise import case_of
    from heavylift.objects.advice import advise as advise_on
    from heavylift.objects.requests import TransferOptions
    from heavylift.objects.wording import advice_lines

    request = None
    if objects is None or size is None:
        options = TransferOptions(dry_run=True)
        request = _request(
            source_url,
            target_url,
            source_conn,
            target_conn,
            evidence,
            evidence_conn,
            MIGRATION,
            options,
            "advise",
        )
    case = case_of(
        request, source_url, target_url, objects, size, link=link, days=days, tags=tags, versions=versions
    )
    advice = advise_on(case)
    finish({"advice": advice.model_dump(mode="json")}, text="\n".join(advice_lines(advice)), as_json=as_json)


def copy_and_prove(request: Any, *, as_json: bool, wait: bool = True) -> None:
    """Plan, copy, verify and conclude one transfer, and end the command."""
    from heavylift.aio import run
    from heavylift.cli.copying import copy_shards
    from heavylift.objects.api import plan_transfer, verify_and_clean

    plan = run(plan_transfer(request))
    if request.options.dry_run:
        finish({"plan": plan.model_dump(mode="json")}, text=planned(plan), as_json=as_json)
    mark_touched()
    copied = copy_shards(request, plan, wait=wait)
    document = {
        "plan": plan.model_dump(mode="json"),
        "shards": [r.model_dump(mode="json", exclude={"samples"}) for r in copied.results],
        "errors": [e.attrs() for e in copied.errors],
    }
    if copied.closed is not None:
        finish(
            {**document, "window": {"opens_at": copied.closed.opens_at, **copied.closed.attrs()}},
            text=f"{planned(plan)}\nthe time window is closed: {copied.closed.state}\n"
            f"run this again from {copied.closed.opens_at} on; it does only the rest",
            as_json=as_json,
            status=ExitStatus.INTERRUPTED,
        )
    record, cleaning = run(verify_and_clean(request))
    note_cleaning(cleaning)
    summary = run(_conclude(request, cleaning))
    passed = summary.passed and not copied.errors
    finish(
        {
            **document,
            "verification": record.model_dump(mode="json"),
            "uploads": cleaning.model_dump(mode="json"),
            "summary": summary.model_dump(mode="json"),
        },
        text=f"{planned(plan)}\n{verified(record)}",
        as_json=as_json,
        status=ExitStatus.DONE if passed else ExitStatus.FAILED,
    )


async def _conclude(request: Any, cleaning: Any) -> PhaseSummary:
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
                    "uploads_aborted": cleaning.aborted,
                },
            )
        )
    return summary


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


def _limits(bandwidth: str | None, concurrency: int, memory: str, part_size: str, stall: str) -> Limits:
    try:
        return Limits(
            max_bandwidth=parse_rate(bandwidth) if bandwidth else None,
            max_concurrency=concurrency,
            memory_budget=parse_size(memory),
            part_size=parse_size(part_size),
            stall_timeout=parse_duration(stall),
        )
    except ValueError as error:
        raise SpecError(
            "reading the limits",
            got=", ".join(str(v) for v in (bandwidth, memory, part_size, stall) if v),
            expected="sizes such as 16MiB, rates such as 200MiB/s and durations such as 60s",
            state="nothing was touched",
            remedy="correct --bandwidth, --memory, --part-size or --stall-timeout",
            code="5031",
        ) from error
